"""Loads an allow-listed base model for training or scoring, on the device that this process may use."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine import processor, weights
from engine.errors import ModelError
from engine.records import Method

PARTS = ("torch", "transformers", "trl", "peft")
HALF_PRECISION_FROM = 100_000_000  # parameters; smaller models keep 32-bit weights also for LoRA
BFLOAT16_FROM = 100_000_000  # parameters, for AVX512-BF16; between 4 and 135 million nothing was measured


def device() -> Any:
    """The first visible GPU, else the CPU."""
    import torch

    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def computes_in_bfloat16(parameters: int = 0) -> bool:
    """Whether bfloat16 autocast pays for a model of so many parameters: on GPUs and on CPUs with AMX always,
    on CPUs whose only bfloat16 instructions are AVX512-BF16 for big models.

    Measured, float32's time over bfloat16's of a training step and of a forward pass alone. AVX512-BF16:
    135 M parameters 1.5 to 1.7, 1 and 4 M 0.6 to 0.95; AMX: 1 M 0.8 to 1.6, 4 M 1.0 to 1.9 (8 rows of 64 to
    256 tokens). AVX512 without BF16 has to imitate it: 0.3 to 0.45.
    """
    import torch

    if torch.cuda.is_available():
        return True
    found = processor.instruction_set()
    return found == processor.AMX or (found == processor.BF16 and parameters >= BFLOAT16_FROM)


def computing(parameters: int) -> dict[str, str | int]:
    """Device, threads, processor (without a GPU) and number format: a run's last digits depend on them."""
    import torch

    gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name(device()) if gpu else f"CPU, {torch.get_num_threads()} threads"
    return {
        "device": name,
        "threads": torch.get_num_threads(),
        **({} if gpu else {"processor": processor.instruction_set()}),
        "number_format": "bfloat16 autocast" if computes_in_bfloat16(parameters) else "float32",
    }


def load_tokenizer(folder: Path) -> Any:
    """The model's tokenizer, padding on the left as generation needs it."""
    import transformers

    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"The model's tokenizer cannot be read from {folder.name}: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def load_model(folder: Path, method: Method = Method.FULL) -> Any:
    """The causal language model in a local folder: safetensors only, no code from the folder.

    A big base that LoRA leaves as it is stays in bfloat16 on a GPU, from the first byte.
    """
    import transformers

    where = device()
    frozen = where.type == "cuda" and method is Method.LORA
    half = frozen and weights.parameters(folder) >= HALF_PRECISION_FROM
    with quiet():
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype="bfloat16" if half else "float32",
            )
        except (OSError, ValueError) as error:
            raise ModelError(f"The model cannot be read from {folder.name}: {error}") from error
    return model.to(where)


def peak_memory_mb() -> float:
    """The most memory held so far: of the GPU where there is one, else of this process."""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def versions() -> dict[str, str]:
    """What the results of a run depend on."""
    return {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in PARTS}}


@contextmanager
def quiet() -> Iterator[None]:
    """Loading and saving draw progress bars; a worker's log and `--json` must stay clean."""
    from transformers.utils import logging

    was_on = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_on:
            logging.enable_progress_bar()
