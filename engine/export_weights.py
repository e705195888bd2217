"""The weights of an export: the adapter on its base, or one whole model; safetensors with their tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from engine import checkpoints, export_gguf, loading, modelfile
from engine.encode import Encoder
from engine.errors import ModelError
from engine.export_parts import Base, Trained, What
from engine.records import Method

BASE_FOLDER = "base"
ADDED = ("README.md",)  # of an embedded model, beside what a checkpoint has


def end_marks(base: Base, text: Encoder) -> list[int]:
    """The ids at which an answer ends: of tokenizer and chat template, and those that the base's own
    generation_config names."""
    file = base.folder / checkpoints.GENERATION
    own = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") if file.is_file() else None
    listed = own if isinstance(own, list) else [] if own is None else [own]
    return list(dict.fromkeys([*text.ends, *listed]))


def keeps_half(base: Base, method: Method) -> bool:
    """Whether the base stayed in bfloat16 on a GPU: a big one under LoRA (as engine.loading does)."""
    return method is Method.LORA and base.entry.parameters >= loading.HALF_PRECISION_FROM


def bytes_needed(base: Base, parts: Collection[What]) -> int:
    """Of disk, for whole models and their copies in the zip; a GGUF file is made of the whole model."""
    widths = {What.MERGED: 8, What.GGUF_F16: 4, What.GGUF_Q8_0: 3}  # bytes a weight, twice
    wanted = set(parts) & set(widths)
    whole = 4 if wanted and What.MERGED not in wanted else 0
    return (sum(widths[part] for part in wanted) + whole) * base.entry.parameters


def write_base(base: Base, target: Path) -> None:
    """A copy of an embedded base model with its licence in its card."""
    target.mkdir()
    others = (base.folder / name for name in ADDED)
    for path in (*checkpoints.used_files(base.folder), *(path for path in others if path.exists())):
        shutil.copyfile(path, target / path.name)


def write_adapter(trained: Trained, base: Base, text: Encoder, target: Path) -> None:
    """The adapter in PEFT's format; its base is named so that a loader finds it from the export's folder."""
    source = trained.attempt / "adapter"
    target.mkdir()
    shutil.copyfile(source / "adapter_model.safetensors", target / "adapter_model.safetensors")
    config = json.loads((source / "adapter_config.json").read_text(encoding="utf-8"))
    config.update(base_model_name_or_path=base_name(base), revision=base.entry.revision)
    (target / "adapter_config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")
    with loading.quiet():
        text.tokenizer.save_pretrained(target)


def base_name(base: Base) -> str:
    """How the export names the base: by the folder beside, by its hub id, or by what the admin called it."""
    return BASE_FOLDER if base.shipped else base.entry.hub_id or base.entry.id


def write_merged(trained: Trained, base: Base, text: Encoder, target: Path) -> None:
    """One model without PEFT: LoRA's changes added into the base, or the model that full fine-tuning left."""
    if trained.spec.method is Method.FULL:
        shutil.copytree(trained.attempt / "model", target)
    else:
        _merge(trained.attempt / "adapter", base, target)
    with loading.quiet():
        text.tokenizer.save_pretrained(target)
        _generation(base, text).save_pretrained(target)
    _write_modelfile(base, text, ".", target)


def write_gguf(base: Base, text: Encoder, merged: Path, part: What, target: Path) -> None:
    """The merged model of a folder as one GGUF file, with a Modelfile for Ollama."""
    target.mkdir()
    file, ends = export_gguf.file_name(part), end_marks(base, text)
    export_gguf.write(merged, part, f"{base.entry.id} tuned", ends, target / file)
    _write_modelfile(base, text, f"./{file}", target)


def _write_modelfile(base: Base, text: Encoder, source: str, target: Path) -> None:
    marks = [text.tokenizer.decode([mark]) for mark in end_marks(base, text)]
    (target / modelfile.NAME).write_text(modelfile.write(text, source, marks), encoding="utf-8")


def _merge(adapter: Path, base: Base, target: Path) -> None:
    """In the precision that the run had, so that a small model's answers stay the same to the last bit."""
    import transformers
    from peft import PeftModel

    dtype = "bfloat16" if keeps_half(base, Method.LORA) else "float32"
    with loading.quiet():
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                base.folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=dtype,
            )
            merged = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
        except (OSError, ValueError) as error:
            raise ModelError(f"The adapter cannot be merged into {base.entry.id}: {error}") from error
        merged.save_pretrained(target)


def _generation(base: Base, text: Encoder) -> Any:
    """What transformers and vLLM take for granted with this model: greedy answers of a sensible length."""
    from transformers import GenerationConfig

    return GenerationConfig(
        do_sample=False,
        max_new_tokens=text.answer_tokens,
        bos_token_id=text.tokenizer.bos_token_id,
        eos_token_id=end_marks(base, text),
        pad_token_id=text.tokenizer.pad_token_id,
    )
