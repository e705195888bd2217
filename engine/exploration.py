"""What of a grid a person looks at: filters, the cells they leave, every config as a share of the best."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import validation
from engine.coverage import TOLERANCE, Cell, LeftOut, Ranking, ScoreGrid, normalize, rank_grid, score_grid
from engine.grids import config_columns
from engine.records import Method
from engine.space import default_config, is_embedded
from engine.validation import LeaveOneOut

LOSS_TOLERANCE = 0.01  # a loss's best configs lie close together: 3 % would be a wide net [measured, tinker]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which results of a version; None and () mean all of them."""

    model: str | None = None
    method: str | None = None
    train_size: int | None = None
    task: str | None = None
    datasets: tuple[str, ...] = ()

    def apply(self, results: pd.DataFrame) -> pd.DataFrame:
        """The rows that fit; a column that a published table lacks keeps nothing from fitting."""
        kept = pd.Series(True, index=results.index)
        for name in ("model", "method", "train_size", "task"):
            if getattr(self, name) is not None and name in results:
                kept &= results[name] == getattr(self, name)
        if self.datasets:
            kept &= results["dataset"].isin(self.datasets)
        return results[kept]

    def over(self, *names: str) -> Filters:
        """The same for all values of these fields: what a section compares is not filtered away."""
        free: dict[str, Any] = {name: () if name == "datasets" else None for name in names}
        return replace(self, **free)

    @property
    def sentence(self) -> str:
        """What is looked at, such as 'shortlist-tiny-4m, lora, 100 rows, qa, trec'."""
        size = None if self.train_size is None else f"{self.train_size:,} rows"
        parts = (self.model, self.method, size, self.task, *self.datasets)
        return ", ".join(part for part in parts if part) or "all results"


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Filtered results with their ranking; `shares` (cells x configs, both as in `grid`) are of all cells.

    Ranking leaves cells out that say nothing; `grid` and `shares` keep them, and `left_out` says why.
    """

    table: pd.DataFrame
    columns: tuple[str, ...]
    lower_is_better: bool
    tolerance: float
    grid: ScoreGrid
    ranking: Ranking
    shares: np.ndarray[Any, np.dtype[np.float64]]

    @property
    def left_out(self) -> dict[Cell, LeftOut]:
        """The cells that the ranking does not count."""
        return dict(self.ranking.left_out)

    @property
    def order(self) -> list[int]:
        """Places in `grid.configs` by rank."""
        place = {key(config): number for number, config in enumerate(self.grid.configs)}
        return [place[key(entry.config)] for entry in self.ranking.entries]

    @property
    def counted(self) -> list[int]:
        """Places in `grid.cells` of those that the ranking counts."""
        return [number for number, cell in enumerate(self.grid.cells) if cell not in self.left_out]

    @property
    def missing(self) -> int:
        """Pairs of config and cell that were not run."""
        return self.ranking.missing

    @property
    def failed(self) -> int:
        """Pairs of config and cell of which every run failed."""
        return int((np.isnan(self.grid.scores) & self.grid.ran).sum())


def view(results: pd.DataFrame, filters: Filters, lower_is_better: bool = False) -> View | None:
    """The results that fit the filters, ranked; None when there are none."""
    table = filters.apply(results)
    columns = tuple(name for name in config_columns(table) if table[name].notna().any())
    if table.empty or not columns:
        return None
    grid = score_grid(table, columns, lower_is_better)
    tolerance = LOSS_TOLERANCE if lower_is_better else TOLERANCE
    ranking = rank_grid(grid, tolerance, lower_is_better)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = normalize(grid.scores, grid.ran, lower_is_better)
    return View(table, columns, lower_is_better, tolerance, grid, ranking, shares)


def leave_one_out(results: pd.DataFrame, filters: Filters, lower_is_better: bool = False) -> LeaveOneOut:
    """What k configs reach on a dataset that the ranking has not seen; `results` may hold the default."""
    columns = [name for name in config_columns(results) if results[name].notna().any()]
    model, method = filters.model or "", filters.method or ""
    known = is_embedded(model) and method in set(Method)
    default = default_config(model, Method(method)).to_dict() if known else None
    tolerance = LOSS_TOLERANCE if lower_is_better else TOLERANCE
    return validation.leave_one_out(
        results, columns, tolerance=tolerance, lower_is_better=lower_is_better, default=default
    )


def key(config: dict[str, Any]) -> str:
    """Equal text for equal configs."""
    return json.dumps(config, sort_keys=True)


def varying(view: View) -> tuple[str, ...]:
    """The hyperparameters that have more than one value, in the order that people name them."""
    first = ("learning_rate", "num_train_epochs", "per_device_train_batch_size", "lora_r", "lora_alpha")
    found = [name for name in view.columns if len({config.get(name) for config in view.grid.configs}) > 1]
    return tuple(sorted(found, key=lambda name: (first.index(name) if name in first else len(first), name)))


def cell_names(cells: Sequence[Cell]) -> tuple[str, ...]:
    """Only as much of (model, dataset, size) as tells these cells apart; never nothing."""
    several = {
        name: len({getattr(cell, name) for cell in cells}) > 1 for name in ("model", "dataset", "train_size")
    }
    return tuple(_name(cell, several) for cell in cells)


def _name(cell: Cell, several: dict[str, bool]) -> str:
    alone = not several["model"]
    parts = [
        cell.dataset if several["dataset"] or alone else None,
        short_model(cell.model) if several["model"] and cell.model else None,
        f"{cell.rows} rows" if several["train_size"] and cell.train_size is not None else None,
    ]
    return ", ".join(part for part in parts if part)


def short_model(model: str) -> str:
    """A hub id without its owner."""
    return model.rpartition("/")[2]


def cell_noun(cells: Sequence[Cell]) -> str:
    """What a cell is here: a dataset while there is one model and one size, a model on a single dataset."""
    for noun, fixed in (("datasets", ("model", "train_size")), ("models", ("dataset", "train_size"))):
        if len({tuple(getattr(cell, name) for name in fixed) for cell in cells}) <= 1:
            return noun
    return "cells"


def runs_of(view: View, config: dict[str, Any], cell: Cell) -> pd.DataFrame:
    """The table's rows of one config in one cell: its seeds."""
    return of_config(rows_of(view.table, cell), view.columns, config)


def rows_of(rows: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Those of one cell."""
    for name in ("model", "dataset", "train_size"):
        if name in rows and getattr(cell, name) is not None:
            rows = rows[rows[name] == getattr(cell, name)]
    return rows


def of_config(rows: pd.DataFrame, columns: Sequence[str], config: dict[str, Any]) -> pd.DataFrame:
    """Those of one config."""
    for name in columns:
        rows = rows[rows[name].isna() if config.get(name) is None else rows[name] == config[name]]
    return rows


def digest(path: Path) -> str:
    """A name for the content of a file, for caches; read again only when the file has changed."""
    facts = path.stat()
    return _digest(path, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=64)
def _digest(path: Path, changed: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
