"""Checks a folder of a Llama-like model before any loader opens it, and records what it holds.

Nothing in it may run code (no auto_map, no kernel named by config.json, no pickle), lead out of the folder
(symbolic links, paths in the index) or be incomplete. config.json is kept with the keys that we know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any

from engine import weights
from engine.errors import ModelError
from engine.shapes import Shape, matrices, shape_of, whole
from engine.weights import Tensor

CONFIG = "config.json"
GENERATION = "generation_config.json"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SMALL_FILES = (
    CONFIG,
    GENERATION,
    TOKENIZER,
    TOKENIZER_CONFIG,
    weights.INDEX,
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
)
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
# A config can name code only by a text, so texts stand under these keys alone.
TEXT_KEYS = {"architectures", "model_type", "dtype", "torch_dtype", "hidden_act", "layer_types"}
NESTED_KEYS = {"rope_scaling", "rope_parameters"}
MARK_KEYS = {"bos_token_id", "eos_token_id", "pad_token_id"}
PLAIN_TEXT = re.compile(r"[A-Za-z0-9_.]*")
NAMES_CODE = re.compile(r"auto_map|custom_pipelines|trust_remote_code|_implementation|kernel")
LARGEST_JSON = 100_000_000
LARGEST_CONFIG = 1_000_000
LEAST_CONTEXT = 128


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checked folder holds; `stamps` tells later whether its weights were changed."""

    architecture: str
    parameters: int
    context_length: int
    shape: Shape
    sha256: str
    stamps: Mapping[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Checkpoint:
        """Inverse of to_dict."""
        stamps = {name: (size, changed) for name, (size, changed) in values["stamps"].items()}
        return cls(**{**values, "shape": Shape(**values["shape"]), "stamps": stamps})


def settle(folder: Path) -> Checkpoint:
    """Check a folder of our own and keep of its config.json what we know; raises ModelError."""
    check_files(folder)
    config = _config(folder)
    shape = shape_of(config)
    found = weights.tensors(folder)
    _check_tensors(config, shape, found)
    _check_tokenizer(folder, found)
    paths = weights.files(folder)
    context = whole(config, "max_position_embeddings", 10**8)
    if context < LEAST_CONTEXT:
        raise ModelError(f"The model must read {LEAST_CONTEXT} tokens or more, but reads {context}.")
    (folder / CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
    _settle_marks(folder)
    return Checkpoint(
        architecture=config["architectures"][0],
        parameters=sum(prod(tensor.shape) for tensor in found.values()),
        context_length=context,
        shape=shape,
        sha256=weights.sha256(paths),
        stamps=_stamps(paths),
    )


def unchanged(folder: Path, checkpoint: Checkpoint) -> bool:
    """Whether the weights are still those that were checked, by size and time of change."""
    paths = [folder / name for name in checkpoint.stamps]
    return all(path.is_file() for path in paths) and _stamps(paths) == dict(checkpoint.stamps)


def read_json(path: Path, largest: int = LARGEST_JSON) -> dict[str, Any]:
    """A JSON object of a sensible size; raises ModelError."""
    if not path.is_file():
        raise ModelError(f"There is no {path.name} in the folder. Choose a folder of a saved model.")
    if path.stat().st_size > largest:
        raise ModelError(f"{path.name} must be at most {largest // 10**6} MB. Restore the model's own file.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path.name} cannot be read as JSON. Restore the model's own file.") from error
    if not isinstance(found, dict):
        raise ModelError(f"{path.name} must hold a JSON object. Restore the model's own file.")
    return found


def used_files(folder: Path) -> tuple[Path, ...]:
    """The files that belong to the model: weights and known small files; nothing else is ever copied."""
    small = (folder / name for name in SMALL_FILES)
    return (*weights.files(folder), *(path for path in small if path.is_symlink() or path.exists()))


def check_files(folder: Path) -> None:
    """Raises ModelError for a symbolic link, a folder or a pipe where a file must be."""
    for path in used_files(folder):
        if path.is_symlink():
            raise ModelError(
                f"{path.name} is a symbolic link; the files themselves must be in the folder. "
                "Copy the folder with cp -rL."
            )
        if not path.is_file():
            raise ModelError(f"{path.name} must be a file. Choose a folder of a saved model.")


def _config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG, LARGEST_CONFIG)
    for key, value in config.items():
        if NAMES_CODE.search(key) and not isinstance(value, bool | None):
            raise ModelError(_runs_code(CONFIG, key))
    if config.get("quantization_config"):
        raise ModelError("The model is quantized; training needs its full weights. Choose the original.")
    names = config.get("architectures")
    pairs = [([name], kind) for name, kind in ARCHITECTURES.items()]
    if (names, config.get("model_type")) not in pairs:
        raise ModelError(
            f"The model must be one of {', '.join(ARCHITECTURES)}, but config.json says {names!r} "
            f"({config.get('model_type')!r})."
        )
    return {key: value for key, value in config.items() if _is_known(key, value)}


def _settle_marks(folder: Path) -> None:
    """Keep of generation_config.json the ids of the marks alone: an answer may end at several of them."""
    if (folder / GENERATION).is_file():
        values = read_json(folder / GENERATION, LARGEST_CONFIG)
        known = {key: value for key, value in values.items() if _is_mark(key, value)}
        (folder / GENERATION).write_text(json.dumps(known, indent=1), encoding="utf-8")


def _is_mark(key: str, value: Any) -> bool:
    ids = value if isinstance(value, list) else [value]
    return key in MARK_KEYS and all(type(token) is int and token >= 0 for token in ids)


def _runs_code(file: str, key: str) -> str:
    return f"{file} has {key!r}, which can make a loader run code. Only models without code can be used."


def _is_known(key: str, value: Any) -> bool:
    """Numbers under any key; plain words and nested objects under those that have them in these models."""
    if NAMES_CODE.search(key):
        return False
    if key in NESTED_KEYS and isinstance(value, dict):
        return all(_is_plain(item) for item in value.values())
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, str) for item in items):
        return key in TEXT_KEYS and all(_is_plain(item) for item in items)
    return all(item is None or isinstance(item, int | float) for item in items)


def _is_plain(item: Any) -> bool:
    if isinstance(item, list):
        return all(isinstance(number, int | float) for number in item)
    if isinstance(item, str):
        return PLAIN_TEXT.fullmatch(item) is not None
    return item is None or isinstance(item, int | float)


def _check_tensors(config: Mapping[str, Any], shape: Shape, found: Mapping[str, Tensor]) -> None:
    """Every matrix is there in its size: a loader would fill a missing one with noise."""
    for name, wanted in matrices(config, shape):
        if name not in found:
            raise ModelError(f"The weights lack {name}: the model is not complete. Copy it again.")
        if found[name].shape != wanted:
            raise ModelError(
                f"{name} must be {' x '.join(map(str, wanted))} by config.json, but is "
                f"{' x '.join(map(str, found[name].shape))}. Copy the whole model."
            )


def _check_tokenizer(folder: Path, found: Mapping[str, Tensor]) -> None:
    """It can be read, runs no code, knows its end mark and has no token that the model does not."""
    from tokenizers import Tokenizer

    settings = read_json(folder / TOKENIZER_CONFIG)
    if "auto_map" in settings:
        raise ModelError(
            f"{TOKENIZER_CONFIG} has 'auto_map', which can make a loader run code. Remove it first."
        )
    read_json(folder / TOKENIZER)
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:  # the library has no class of its own for this
        raise ModelError(f"{TOKENIZER} is not a tokenizer that can be read: {error}") from error
    end = settings.get("eos_token")
    mark = end.get("content") if isinstance(end, dict) else end
    if not isinstance(mark, str) or tokenizer.token_to_id(mark) is None:
        raise ModelError(f"{TOKENIZER_CONFIG} must name an eos_token of the tokenizer, but names {mark!r}.")
    size, rows = tokenizer.get_vocab_size(), found["model.embed_tokens.weight"].shape[0]
    if size > rows:
        raise ModelError(f"The tokenizer has {size:,} tokens, but the model only {rows:,}: they do not fit.")


def _stamps(paths: tuple[Path, ...] | list[Path]) -> dict[str, tuple[int, int]]:
    facts = {path.name: path.stat() for path in paths}
    return {name: (fact.st_size, fact.st_mtime_ns) for name, fact in facts.items()}
