"""Published grid versions: the results behind every shortlist.

Those that ship lie in grids/<version>/, those published on this machine in <home>/grids/<version>/.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from engine import settings
from engine.artifacts import write_whole
from engine.errors import ConfigError, NotFoundError
from engine.records import Method
from engine.space import HYPERPARAMETERS

FOLDER = Path(__file__).resolve().parents[1] / "grids"
RESULTS = "results.parquet"
MANIFEST = "manifest.json"
ROW_HASHES = "row_hashes.parquet"
POINTER = "current"
SEARCHED = "space"  # the origin of configs that a shortlist may hold; others are defaults, run as they are


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
    def provenance(self) -> str:
        """`measured` by this project's own code, or `published` by others."""
        return str(self.manifest.get("provenance", "measured"))

    @property
    def lower_is_better(self) -> bool:
        """Whether the score is a loss."""
        return bool(self.manifest.get("lower_is_better", False))

    @property
    def shipped(self) -> bool:
        """Whether it came with the product; others can be removed."""
        return self.folder.parent == FOLDER

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of the models that it trained."""
        return tuple(self.manifest["models"])


def versions() -> list[GridVersion]:
    """All published versions, the oldest first."""
    found = (_read(path.parent) for root in (FOLDER, local()) for path in root.glob(f"*/{MANIFEST}"))
    return sorted(found, key=lambda grid: (grid.manifest["created"], grid.version))


def local() -> Path:
    """Where versions are that were published or imported on this machine."""
    return settings.current().home / "grids"


def current() -> str | None:
    """The version that shortlists come from: the one set, else the newest measured one that ships.

    None when none is published.
    """
    measured = [grid for grid in versions() if grid.provenance == "measured"]
    pointer = local() / POINTER
    chosen = pointer.read_text(encoding="utf-8").strip() if pointer.exists() else None
    if chosen in [grid.version for grid in measured]:
        return chosen
    shipped = [grid.version for grid in measured if grid.shipped]
    return shipped[-1] if shipped else None


def set_current(version: str) -> None:
    """Let shortlists come from this version; raises for one that is not published or not measured."""
    if get(version).provenance != "measured":
        raise ConfigError(f"{version} holds results of others: shortlists of our models cannot come from it.")
    write_whole(local() / POINTER, version.encode())


def get(version: str) -> GridVersion:
    """Raises NotFoundError for a version that is not published."""
    for grid in versions():
        if grid.version == version:
            return grid
    known = ", ".join(grid.version for grid in versions()) or "none"
    raise NotFoundError(f"There is no grid version {version!r}; published: {known}.")


def load(version: str) -> pd.DataFrame:
    """The results of a version's search space, a row for each config, dataset and seed.

    A NaN score is a failed run.
    """
    table = pd.read_parquet(get(version).folder / RESULTS)
    return table[table["origin"] == SEARCHED] if "origin" in table else table


def load_defaults(version: str) -> pd.DataFrame:
    """The results of configs that were run as they are, named in `origin`: the default and peers'."""
    table = pd.read_parquet(get(version).folder / RESULTS)
    return table[table["origin"] != SEARCHED] if "origin" in table else table.iloc[:0].assign(origin="")


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
    """Empty for a version of others: it names datasets but holds no rows of them."""
    if not path.exists():
        return {}
    table = pd.read_parquet(path)
    return {str(name): frozenset(rows) for name, rows in table.groupby("dataset")["hash"]}


def _read(folder: Path) -> GridVersion:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return GridVersion(folder.name, folder, manifest)
