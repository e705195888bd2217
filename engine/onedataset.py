"""One dataset in full: every config there, and what the ranking of the other datasets would have chosen."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine.coverage import Cell, rank_grid, score_grid
from engine.exploration import View, key, of_config, rows_of

FIRST = 4


class ConfigScores(NamedTuple):
    """A config's mean dev and test score over its seeds; intervals are those of a single seed, else None."""

    config: dict[str, Any]
    dev: float | None
    dev_low: float | None
    dev_high: float | None
    test: float | None
    test_low: float | None
    test_high: float | None
    seconds: float | None
    top: bool
    first_elsewhere: int | None


class OneDataset(NamedTuple):
    """All configs of a cell, best dev score first, then the failed; the floor and the base where measured.

    `first_elsewhere` is a config's rank among the first FIRST when the dataset is left out of the ranking;
    `others` counts these, those that were not run here too.
    `reached`: the test score that dev selects among these, as a share of what dev selects from all.
    """

    cell: Cell
    metric: str | None
    configs: tuple[ConfigScores, ...]
    floor: float | None
    base: float | None
    left_out: str | None
    others: int
    reached: float | None
    not_run: int


def one_dataset(view: View, cell: Cell) -> OneDataset:
    """The cell's configs; every size and model of its dataset is left out when the others are ranked."""
    number = view.grid.cells.index(cell)
    others = _ranked_without(view, cell)
    ranks = {name: rank for rank, name in enumerate(others, 1)}
    ran = [c for c, was_run in zip(view.grid.configs, view.grid.ran[number], strict=True) if was_run]
    known = rows_of(view.table, cell)
    rows = {key(config): of_config(known, view.columns, config) for config in ran}
    scores = [
        _scores(config, rows[key(config)], _is_top(view, number, config), ranks.get(key(config)))
        for config in ran
    ]
    sign = 1.0 if view.lower_is_better else -1.0
    scores.sort(
        key=lambda one: (one.dev is None, sign * (one.dev or 0.0), one.seconds or 0.0, key(one.config))
    )
    reason = view.left_out.get(cell)
    metric, floor, base = (_first(known, name) for name in ("metric", "floor_score", "base_score"))
    return OneDataset(
        cell, metric, tuple(scores), floor, base, None if reason is None else str(reason), len(others),
        _reached(scores, view.lower_is_better), int((~view.grid.ran[number]).sum()),
    )  # fmt: skip


def _ranked_without(view: View, cell: Cell) -> list[str]:
    """The first configs of the ranking of the other datasets (models, where there is one dataset)."""
    unit = "dataset" if len({other.dataset for other in view.grid.cells}) > 1 else "model"
    rest = view.table[view.table[unit] != getattr(cell, unit)] if unit in view.table else view.table.iloc[:0]
    if rest.empty:
        return []
    grid = score_grid(rest, view.columns, view.lower_is_better)
    ranking = rank_grid(grid, view.tolerance, view.lower_is_better)
    return [key(entry.config) for entry in ranking.entries[:FIRST]] if ranking.cells else []


def _is_top(view: View, number: int, config: dict[str, Any]) -> bool:
    share = view.shares[number, view.grid.configs.index(config)]
    return view.grid.cells[number] not in view.left_out and bool(share >= 1 - view.tolerance - 1e-12)


def _scores(config: dict[str, Any], rows: pd.DataFrame, top: bool, rank: int | None) -> ConfigScores:
    bounds = [
        _mean(rows, name) if len(rows) == 1 else None
        for name in ("score_low", "score_high", "test_score_low", "test_score_high")
    ]
    return ConfigScores(
        config, _mean(rows, "score"), bounds[0], bounds[1], _mean(rows, "test_score"), bounds[2], bounds[3],
        _mean(rows, "seconds"), top, rank,
    )  # fmt: skip


def _mean(rows: pd.DataFrame, name: str) -> float | None:
    value = float(rows[name].mean()) if name in rows else np.nan
    return None if np.isnan(value) else value


def _first(rows: pd.DataFrame, name: str) -> Any:
    known = rows[name].dropna() if name in rows else rows.iloc[:0]
    return known.tolist()[0] if len(known) else None


def _reached(scores: list[ConfigScores], lower_is_better: bool) -> float | None:
    """Dev selects, test reports; without test scores dev is reported. `scores` are sorted by dev."""
    finished = [one for one in scores if one.dev is not None]
    mine = [one for one in finished if one.first_elsewhere is not None]
    if not mine:
        return None
    tested = all(one.test is not None for one in finished)
    best, chosen = ((one.test if tested else one.dev) or 0.0 for one in (finished[0], mine[0]))
    if min(best, chosen) <= 0:
        return None
    return best / chosen if lower_is_better else chosen / best
