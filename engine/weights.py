"""What safetensors files hold, read from their headers alone: names, shapes, completeness, digest.

A header that lies (too long, holes, tensors beyond the end of the file) is refused before a loader sees it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from engine.errors import ModelError

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"[\w.-]+\.safetensors")
LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
LARGEST_INDEX = 50_000_000
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class Tensor(NamedTuple):
    """One array of a file: its type, its shape and where its bytes lie."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def files(folder: Path) -> tuple[Path, ...]:
    """The folder's weight files in order; raises ModelError when there are none or one is missing."""
    index = folder / INDEX
    if not index.exists():
        if not (folder / WEIGHTS).exists():
            raise ModelError(_no_weights(folder))
        return (folder / WEIGHTS,)
    if index.stat().st_size > LARGEST_INDEX:
        raise ModelError(f"{INDEX} is larger than {LARGEST_INDEX // 10**6} MB: it is no list of weights.")
    names = sorted(set(_weight_map(index).values()))
    for name in names:
        if not SHARD.fullmatch(name):
            raise ModelError(f"{INDEX} must name files beside it, but names {name!r}. Restore the file.")
        if not (folder / name).is_file():
            raise ModelError(f"{name} is missing, but {INDEX} names it. Copy the whole model.")
    return tuple(folder / name for name in names)


def tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor of the folder's files; raises ModelError unless each file is complete and sound."""
    found: dict[str, Tensor] = {}
    for path in files(folder):
        for name, tensor in header(path).items():
            if name in found:
                raise ModelError(f"{name} is in two of the weight files. Copy the whole model again.")
            found[name] = tensor
    return found


def header(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares, checked against its size."""
    broken = f"{path.name} is not a complete safetensors file"
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(LONGEST_HEADER, size - 8):
            raise ModelError(f"{broken}: it ends within its header. Copy it again.")
        content = file.read(length)
    try:
        declared = json.loads(content)
        found = {name: _tensor(name, value) for name, value in declared.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{broken}: its header cannot be read. Copy it again.") from error
    _check_layout(found, size - 8 - length, broken)
    return found


def parameters(folder: Path) -> int:
    """The number of weights in the folder's files."""
    return sum(prod(tensor.shape) for tensor in tensors(folder).values())


def sha256(paths: Sequence[Path]) -> str:
    """The digest of a file; of several, that of their names and digests in order."""
    if len(paths) == 1:
        return _file_digest(paths[0])
    lines = (f"{path.name} {_file_digest(path)}\n" for path in sorted(paths))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _no_weights(folder: Path) -> str:
    pickles = sorted(
        path.name for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".ckpt")
    )
    if pickles:
        return (
            f"The weights must be safetensors files, but {pickles[0]} is a pickle, which can run code when "
            "it is opened. Save the model as safetensors first."
        )
    return f"There is no {WEIGHTS} and no {INDEX} in the folder. Choose a folder of a saved model."


def _weight_map(index: Path) -> Mapping[str, str]:
    try:
        found = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return {str(tensor): str(file) for tensor, file in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{INDEX} cannot be read. Copy the whole model again.") from error


def _tensor(name: str, declared: Mapping[str, Any]) -> Tensor:
    start, end = declared["data_offsets"]
    tensor = Tensor(declared["dtype"], tuple(declared["shape"]), start, end)
    if tensor.dtype not in BYTES:
        raise ModelError(
            f"{name} is stored as {tensor.dtype}; weights must be {', '.join(BYTES)}: a quantized model "
            "cannot be trained here."
        )
    if not all(type(number) is int and number >= 0 for number in (*tensor.shape, start, end)):
        raise ValueError(name)
    return tensor


def _check_layout(found: Mapping[str, Tensor], size: int, broken: str) -> None:
    """The tensors fill the file from its first byte to its last, each as large as its shape says."""
    place = 0
    for name, tensor in sorted(found.items(), key=lambda pair: (pair[1].start, pair[1].end)):
        if tensor.start != place or tensor.end - place != BYTES[tensor.dtype] * prod(tensor.shape):
            raise ModelError(f"{broken}: {name} does not lie where its header says. Copy it again.")
        place = tensor.end
    if place != size:
        raise ModelError(
            f"{broken}: {place:,} bytes of weights are declared, {size:,} are there. Copy it again."
        )
