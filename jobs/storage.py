"""What the home keeps on this machine's disk, and what of it nobody needs any more."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis.exceptions import RedisError

from engine import dataset, grids
from engine import settings as settings_module
from engine.settings import Settings
from jobs import gridboard, gridstatus, queue, studies, tasks
from jobs.gridfiles import GridFiles

UPLOAD_KEPT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Use:
    """How much one kind of thing takes."""

    kind: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be removed; `why`: what makes it needless, or what would be lost."""

    id: str
    kind: str
    name: str
    why: str
    bytes: int


def use() -> list[Use]:
    """By kind, the largest first; what lies under a remote artifact root is not on this disk."""
    settings = settings_module.current()
    root = tasks.artifacts(settings).datasets_root
    places = {
        "Runs of studies": root / "studies",
        "Kept datasets": root / "datasets",
        "Predictions": root / "predictions",
        "Runs of grids": root / "grids",
        "Published grid versions": grids.local(),
        "Database": settings.database,
        "Queue": settings.home / "redis",
        "Uploads": settings.home / "uploads",
        "Logs": settings.logs,
        "Downloads of libraries": settings.home / "huggingface",
        "Scratch": settings.home / "scratch",
    }
    found = [Use(kind, size(path)) for kind, path in places.items()]
    return sorted((entry for entry in found if entry.bytes), key=lambda entry: -entry.bytes)


def free() -> int:
    """Bytes that are free on the home's disk."""
    return shutil.disk_usage(settings_module.current().home).free


def removable() -> list[Item]:
    """What may be removed, the largest first."""
    found = (item for item, _ in _removable(settings_module.current()))
    return sorted(found, key=lambda item: -item.bytes)


def remove(ids: list[str]) -> int:
    """Remove these of the items that may be removed now; the bytes that are free again."""
    freed = 0
    for item, act in list(_removable(settings_module.current())):
        if item.id in ids:
            act()
            freed += item.bytes
    return freed


def size(path: Path) -> int:
    """Bytes of a file or of all files under a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(path) if path.is_dir() else [(str(path.parent), [], [path.name])]:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(Path(folder) / name).st_size
    return total


def _removable(settings: Settings) -> Iterator[tuple[Item, Callable[[], object]]]:
    yield from _grids(settings)
    yield from _deleted_studies(settings)
    yield from _unused_datasets(settings)
    yield from _uploads(settings)
    drafts = settings.home / "scratch" / "drafts"
    if drafts.is_dir():
        item = Item("drafts", "Drafts", "Previews of versions", "Made again when asked for.", size(drafts))
        yield item, partial(shutil.rmtree, drafts)


def _grids(settings: Settings) -> Iterator[tuple[Item, Callable[[], object]]]:
    """Grids that are not active; their published versions are kept apart and stay."""
    published = {version.version: version for version in grids.versions()}
    for grid in gridstatus.all_grids():
        if grid.state.is_active:
            continue
        files = GridFiles(settings, grid.version)
        complete = grid.version in published and published[grid.version].manifest.get("complete")
        why = (
            "Published and complete: the version stays."
            if complete
            else f"{grid.ended} of {grid.runs} runs would have to be run again."
        )
        item = Item(f"grid-{grid.version}", "Runs of grids", grid.version, why, size(files.datasets_root))
        yield item, partial(_remove_grid, settings, files)


def _remove_grid(settings: Settings, files: GridFiles) -> None:
    files.remove()
    with contextlib.suppress(RedisError):
        gridboard.forget(queue.connection(settings, retries=0), files.version)


def _deleted_studies(settings: Settings) -> Iterator[tuple[Item, Callable[[], object]]]:
    files = tasks.artifacts(settings)
    for study in files.studies():
        found = files.read_study(study)
        if found.deleted:
            taken = size(files.datasets_root / "studies" / study)
            item = Item(study, "Deleted studies", found.name, "Cannot be brought back afterwards.", taken)
            yield item, partial(studies.purge, study)


def _unused_datasets(settings: Settings) -> Iterator[tuple[Item, Callable[[], object]]]:
    files = tasks.artifacts(settings)
    used = {files.read_study(study).dataset for study in files.studies()}
    for kept in dataset.list_saved(files.datasets_root):
        if kept.id not in used:
            taken = size(files.datasets_root / "datasets" / kept.id)
            item = Item(f"data-{kept.id}", "Kept datasets", kept.name, "No study uses it.", taken)
            yield item, partial(studies.delete_dataset, kept.id)


def _uploads(settings: Settings) -> Iterator[tuple[Item, Callable[[], object]]]:
    folder = settings.home / "uploads"
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if time.time() - path.stat().st_mtime > UPLOAD_KEPT_SECONDS:
            name = ", ".join(sorted(found.name for found in path.iterdir()))
            item = Item(f"upload-{path.name}", "Uploads", name, "No study took it over.", size(path))
            yield item, partial(shutil.rmtree, path)
