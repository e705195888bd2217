"""Published grid versions: the results behind every shortlist, shipped in grids/<version>/."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from engine.errors import NotFoundError
from engine.records import Method
from engine.space import HYPERPARAMETERS

FOLDER = Path(__file__).resolve().parents[1] / "grids"
RESULTS = "results.parquet"
MANIFEST = "manifest.json"
ROW_HASHES = "row_hashes.parquet"


@dataclass(frozen=True, slots=True)
class GridVersion:
    """One published grid; `manifest` is what grids/<version>/manifest.json says (see engine.grid)."""

    version: str
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of its datasets."""
        return tuple(entry["name"] for entry in self.manifest["datasets"])

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models that it trained."""
        return tuple(self.manifest["models"])


def versions() -> list[GridVersion]:
    """All published versions, the oldest first."""
    found = (_read(path.parent) for path in FOLDER.glob(f"*/{MANIFEST}"))
    return sorted(found, key=lambda grid: (grid.manifest["created"], grid.version))


def current() -> str | None:
    """The version that shortlists come from: the newest; None when none is published."""
    published = versions()
    return published[-1].version if published else None


def get(version: str) -> GridVersion:
    """Raises NotFoundError for a version that is not published."""
    for grid in versions():
        if grid.version == version:
            return grid
    known = ", ".join(grid.version for grid in versions()) or "none"
    raise NotFoundError(f"There is no grid version {version!r}; published: {known}.")


def load(version: str) -> pd.DataFrame:
    """The results of a version, one row for each config, dataset and seed; a NaN score is a failed run."""
    return pd.read_parquet(get(version).folder / RESULTS)


def config_columns(results: pd.DataFrame) -> list[str]:
    """The hyperparameter columns of a table of results."""
    return [name for name in results.columns if name in HYPERPARAMETERS]


def has_results(version: str | None, model: str, method: Method | None = None) -> bool:
    """Whether the version trained this model (with this method)."""
    if version is None:
        return False
    manifest = get(version).manifest
    return model in manifest["models"] and (method is None or str(method) in manifest["methods"])


def datasets_sharing_rows(hashes: Collection[str], version: str | None) -> tuple[str, ...]:
    """The grid's datasets that hold at least one of these rows (dataset.input_hash, 16 hex digits)."""
    if version is None or not hashes:
        return ()
    known = _row_hashes(get(version).folder / ROW_HASHES)
    mine = {bytes.fromhex(text) for text in hashes}
    return tuple(sorted(name for name, rows in known.items() if not rows.isdisjoint(mine)))


@cache
def _row_hashes(path: Path) -> dict[str, frozenset[bytes]]:
    table = pd.read_parquet(path)
    return {str(name): frozenset(rows) for name, rows in table.groupby("dataset")["hash"]}


def _read(folder: Path) -> GridVersion:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return GridVersion(folder.name, folder, manifest)
