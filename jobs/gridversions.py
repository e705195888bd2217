"""Grid versions: from the runs of a grid to one that everybody may rely on, and what each one holds."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
from pyarrow import parquet

from engine import grid, griddiff, gridresults, grids
from engine import settings as settings_module
from engine.errors import ConfigError
from engine.griddiff import MethodDiff
from engine.grids import GridVersion
from engine.settings import Settings
from jobs import process
from jobs.gridfiles import GridFiles

CELL = ["dataset", "model", "method", "train_size"]
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What a version holds, as the terminal and the page show it; `file` is relative to the repository."""

    version: str
    provenance: str
    current: bool
    results: int
    trainings: int
    hours: float | None
    cells: int
    complete_cells: int
    models: tuple[str, ...]
    datasets: tuple[str, ...]
    file: str


def facts(version: GridVersion) -> VersionFacts:
    """Counted from its table and, where it has one, from its declared scope."""
    path = version.folder / grids.RESULTS
    known = set(parquet.read_schema(path).names)
    table = pd.read_parquet(path, columns=[name for name in (*CELL, "run") if name in known])
    cells = _declared(version) if "cells" in version.manifest else _found(version, table)
    hours = version.manifest.get("hours")
    return VersionFacts(
        version=version.version,
        provenance=version.provenance,
        current=version.version == grids.current(),
        results=len(table),
        trainings=table["run"].nunique() if "run" in table else len(table),
        hours=None if hours is None else float(hours),
        cells=len(cells),
        complete_cells=int(cells.sum()),
        models=version.models,
        datasets=version.datasets,
        file=os.path.relpath(path, ROOT),
    )


def compare(old: str | None, new: str) -> list[MethodDiff]:
    """What changes from one version to another; `new` may be a grid that has not published yet."""
    if new in _published():
        return griddiff.diff(old, new)
    table = pd.read_parquet(draft(new).folder / grids.RESULTS)
    return griddiff.diff(old, new, table[table["origin"] == grids.SEARCHED])


def draft(version: str) -> GridVersion:
    """What the grid would publish now; nothing else can see it yet. Raises ConfigError without a result."""
    settings = settings_module.current()
    folder = settings.home / "scratch" / "drafts"
    shutil.rmtree(folder / GridFiles(settings, version).version, ignore_errors=True)
    return _read(_write(settings, version, folder))


def publish(version: str, target: Path | None = None, *, replace: bool = False) -> GridVersion:
    """Publish what the grid has; a published version never changes, so a second time raises ConfigError.

    `target`: another folder than the home's, in which `replace` may renew a version that has not shipped yet.
    """
    settings = settings_module.current()
    GridFiles(settings, version)
    taken = (
        _published() if target is None else [path.parent.name for path in target.glob(f"*/{grids.MANIFEST}")]
    )
    if version in taken and not (replace and target is not None):
        raise ConfigError(
            f"Version {version} is published already, and a published version never changes. "
            "Give the grid another name."
        )
    return _read(_write(settings, version, target or grids.local()))


def _write(settings: Settings, version: str, target: Path) -> Path:
    files = GridFiles(settings, version)
    kept = files.read_kept()
    spec, source, read = kept.parsed, Path(kept.source), cache(files.read_result)
    if not source.is_dir():
        raise ConfigError(
            f"The grid's datasets came from {source}, which is gone; its rows are needed to recognise them "
            "in uploads. Put the folder back and try again."
        )
    datasets = files.load_datasets(kept)
    table = gridresults.collect(spec, datasets, read)
    facts = gridresults.manifest(
        spec,
        datasets,
        table,
        read,
        digests=grid.digests(spec, source),
        created=time.time(),
        workers=max(1, kept.workers),
        cores=process.cores(),
    )
    return gridresults.publish(target, table, facts, grid.row_hashes(datasets, source))


def _published() -> list[str]:
    return [found.version for found in grids.versions()]


def _versions_in(folder: Path) -> list[str]:
    return [path.parent.name for path in folder.glob(f"*/{grids.MANIFEST}")]


def _read(folder: Path) -> GridVersion:
    manifest = json.loads((folder / grids.MANIFEST).read_text(encoding="utf-8"))
    return GridVersion(folder.name, folder, manifest)


def _declared(version: GridVersion) -> pd.Series:
    """Whether each declared cell has all its results, second seeds among them."""
    cells = pd.DataFrame(version.manifest["cells"])
    cells["complete"] = cells["present"] == cells["expected"]
    return cells.groupby(CELL)["complete"].all()


def _found(version: GridVersion, table: pd.DataFrame) -> pd.Series:
    """Without a declared scope a cell is complete that has as many results as the fullest of its kind."""
    by = [name for name in CELL if name in table]
    sizes = table.groupby(by).size()
    if version.manifest.get("complete"):
        return sizes > 0
    return sizes == sizes.groupby(["model", "method"]).transform("max")
