"""Configs that are run as they are, our default and those of other tools, beside the best of the grid."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine.exploration import View, of_config, rows_of
from engine.grids import config_columns
from engine.paired import mean_over_units


class AsItIs(NamedTuple):
    """What one default reaches of the config that dev selects, on test; a mean over datasets.

    A failed run reaches nothing. `cells` counts those where it was run, `failed` those where it failed.
    """

    origin: str
    config: dict[str, Any]
    share: float
    low: float | None
    high: float | None
    cells: int
    failed: int
    by_unit: dict[str, float]


def as_they_are(view: View, results: pd.DataFrame) -> tuple[AsItIs, ...]:
    """Each origin of the results over the cells that the ranking counts, the best first."""
    if results.empty:
        return ()
    best = {number: _best(view, number) for number in view.counted}
    found = [_one(view, str(origin), rows, best) for origin, rows in results.groupby("origin", sort=True)]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: (-one.share, one.origin)))


def _best(view: View, number: int) -> float:
    """The reported score of the config with the best dev score in a cell."""
    scores = view.grid.scores[number]
    place = int(np.nanargmin(scores) if view.lower_is_better else np.nanargmax(scores))
    rows = rows_of(view.table, view.grid.cells[number])
    return _reported(of_config(rows, view.columns, view.grid.configs[place]))


def _reported(rows: pd.DataFrame) -> float:
    """Test, or dev where there is no test; NaN for a failed run."""
    name = "test_score" if "test_score" in rows else "score"
    return float(rows.loc[rows["score"].notna(), name].mean())


def _one(view: View, origin: str, rows: pd.DataFrame, best: dict[int, float]) -> AsItIs | None:
    shares: dict[str, list[float]] = {}
    failed = 0
    for number, top in best.items():
        cell = view.grid.cells[number]
        own = rows_of(rows, cell)
        if own.empty or not top > 0:
            continue
        value = _reported(own)
        failed += int(np.isnan(value))
        share = 0.0 if np.isnan(value) else top / value if view.lower_is_better else value / top
        shares.setdefault(str(cell.dataset), []).append(share)
    if not shares:
        return None
    by_unit = {name: float(np.mean(values)) for name, values in shares.items()}
    mean, low, high = mean_over_units(list(by_unit.values()))
    config = {name: rows[name].iloc[0] for name in config_columns(rows)}
    known = {name: value for name, value in config.items() if not pd.isna(value)}
    cells = sum(map(len, shares.values()))
    return AsItIs(origin, known, float(mean or 0.0), low, high, cells, failed, by_unit)
