"""Models that the admin added from a folder: checked, kept in <home>/models, listed in its registry.json.

The few files that belong to the model are copied, its weights linked where the folder is on the same file
system: the home never holds a file that a loader could run, and the folder may be moved away afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine import checkpoints
from engine.artifacts import write_whole
from engine.checkpoints import Checkpoint
from engine.errors import ModelError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")
RESERVED = "shortlist-tiny-"  # the embedded models are known by it
SPARE_BYTES = 1_000_000_000  # left free on a disk that weights are written to


@dataclass(frozen=True, slots=True)
class Added:
    """One added model; `created` is seconds since 1970, UTC, `source` the folder that it came from."""

    name: str
    source: str
    created: float
    checkpoint: Checkpoint


def read(home: Path) -> dict[str, Added]:
    """The added models by name."""
    path = _registry(home)
    if not path.exists():
        return {}
    found = checkpoints.read_json(path)["models"]
    return {name: _added(name, values) for name, values in found.items()}


def folder(name: str, home: Path) -> Path:
    """Where an added model is kept."""
    return home / "models" / "local" / name


def add(name: str, source: Path, home: Path) -> Added:
    """Check a folder of a saved model and keep it under this name; raises ModelError."""
    if not NAME.fullmatch(name) or ".." in name or name.lower().startswith(RESERVED):
        raise ModelError(
            "A model's name has 2 to 64 letters, digits, dots, dashes or underscores and does not begin "
            f"with {RESERVED}, but is {name!r}."
        )
    source = source.expanduser().resolve()
    if not source.is_dir():
        raise ModelError(f"There is no folder {source}. Give the folder that holds config.json.")
    with _lock(home):
        known = read(home)
        if name in known:
            raise ModelError(f"A model {name} was added before. Remove it first, or choose another name.")
        found = Added(name, str(source), time.time(), _keep(source, folder(name, home)))
        _write(home, {**known, name: found})
    return found


def remove(name: str, home: Path) -> None:
    """Forget an added model and delete its files here; raises ModelError for another name."""
    with _lock(home):
        known = read(home)
        if name not in known:
            raise ModelError(f"There is no added model {name!r}; added: {', '.join(known) or 'none'}.")
        _write(home, {other: found for other, found in known.items() if other != name})
        shutil.rmtree(folder(name, home), ignore_errors=True)


def check_space(folder: Path, needed: int) -> None:
    """Raises ModelError when so many bytes would not leave the disk a little room."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise ModelError(
            f"The model needs {(needed + SPARE_BYTES) / 1e9:.1f} GB of disk in {folder}, but "
            f"{free / 1e9:.1f} GB are free. Free some space, then try again."
        )


def _keep(source: Path, target: Path) -> Checkpoint:
    """Bring the files here first and check these: what is checked is what will be loaded."""
    fresh = target.with_name(f".{target.name}.adding")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        checkpoints.check_files(source)
        for path in checkpoints.used_files(source):
            _bring(path, fresh / path.name)
        checkpoint = checkpoints.settle(fresh)
        shutil.rmtree(target, ignore_errors=True)  # left by a removal that was cut short
        fresh.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return checkpoint


def _bring(path: Path, target: Path) -> None:
    """Link weights where the file system can; copy everything else."""
    if path.suffix == ".safetensors":
        try:
            os.link(path, target, follow_symlinks=False)
        except OSError:
            check_space(target.parent, path.stat().st_size)
        else:
            return
    shutil.copyfile(path, target, follow_symlinks=False)


def _lock(home: Path) -> FileLock:
    (home / "models").mkdir(parents=True, exist_ok=True)
    return FileLock(home / "models" / "registry.lock")


def _registry(home: Path) -> Path:
    return home / "models" / "registry.json"


def _write(home: Path, models: Mapping[str, Added]) -> None:
    values = {
        name: {"source": m.source, "created": m.created, "checkpoint": m.checkpoint.to_dict()}
        for name, m in models.items()
    }
    write_whole(_registry(home), json.dumps({"models": values}, indent=1).encode())


def _added(name: str, values: Mapping[str, Any]) -> Added:
    checkpoint = Checkpoint.from_dict(values["checkpoint"])
    return Added(name, values["source"], values["created"], checkpoint)
