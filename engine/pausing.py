"""The checkpoint of a training that stands still: where it is, what belongs to it, whether it can be used.

It is transformers' own checkpoint (weights or adapter, optimizer, schedule, random state, step) and, beside
it, what the watch remembers. A manifest with every file's digest is written last, and only then does the
folder get its name: what is called `checkpoint` is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import TrainingError

FOLDER = "checkpoint"
DRAFT = "checkpoint.part"
MANIFEST = "pause.json"
MEMORY = "watch.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a training stood: after which step, and the seconds that the run had taken until then."""

    folder: Path
    step: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Pauses:
    """Where a training goes on from, and after which share of its own schedule it stands still (None: never).

    `folder` gets the draft of its checkpoint.
    """

    earlier: Checkpoint | None = None
    share: float | None = None
    folder: Path | None = None

    def step(self, total: int) -> int | None:
        """The step to stand at: at least one, and less than all (None where there is no such step)."""
        if self.share is None or total < 2:
            return None
        return min(max(1, round(self.share * total)), total - 1)


def write_memory(draft: Path, numbers: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Put what the watch remembers beside the trainer's files: JSON-ready numbers, and tensors by name."""
    from safetensors.torch import save_file

    save_file(dict(tensors), draft / MEMORY, metadata={"numbers": json.dumps(dict(numbers))})


def read_memory(checkpoint: Checkpoint) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inverse of write_memory."""
    from safetensors import safe_open

    with safe_open(checkpoint.folder / MEMORY, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        return json.loads(file.metadata()["numbers"]), tensors


def keep(folder: Path, identity: Mapping[str, Any], step: int, seconds: float) -> None:
    """Make the draft in an attempt's folder its checkpoint; `identity`: what one that goes on must share."""
    draft = folder / DRAFT / f"checkpoint-{step}"  # the trainer's name for it
    manifest = {"identity": dict(identity), "step": step, "seconds": seconds, "files": _digests(draft)}
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    os.replace(draft, folder / FOLDER)


def drop_draft(folder: Path) -> None:
    """Remove what a pause, whole or broken off, left beside the checkpoint."""
    shutil.rmtree(folder / DRAFT, ignore_errors=True)


def read(folder: Path, identity: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of this identity in a folder; raises TrainingError when it cannot be gone on from."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known, files = manifest["identity"], manifest["files"]
        found = Checkpoint(folder, int(manifest["step"]), float(manifest["seconds"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"its {MANIFEST} is missing or damaged") from error
    present = _digests(folder)
    broken = sorted(name for name in files if present.get(name) != files[name])
    if broken or MEMORY not in files:
        raise TrainingError(f"its {broken[0] if broken else MEMORY} is missing or damaged")
    other = sorted(name for name in {*known, *identity} if known.get(name) != identity.get(name))
    if other:
        raise TrainingError(f"it was written with other {other[0]}")
    return found


def _digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST):
        with path.open("rb") as file:
            found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
