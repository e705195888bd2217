"""Scores of single rows: which configs they cannot tell from a cell's best, and what the best could reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from engine.coverage import Codes, Coding, Mask, Matrix
from engine.errors import TableError
from engine.intervals import kept_counts

SPLITS = 50
TAIL = 0.025


class CellRows(NamedTuple):
    """A cell's finished configs with a value for each row, seeds averaged; rows of a group go together."""

    configs: Codes
    values: Matrix
    groups: Codes


def by_cell(table: pd.DataFrame, coding: Coding, column: str, groups: str) -> list[CellRows | None] | None:
    """The rows of each cell, None for a cell without; None for a table without that column."""
    if column not in table:
        return None
    known = table[[column, "score"]].notna().all(axis=1).to_numpy()
    table, pair = table[known], coding.pair[known]
    order = np.argsort(pair, kind="stable")
    cells, configs = np.divmod(pair[order], max(len(coding.configs), 1))
    bounds = np.searchsorted(cells, np.arange(len(coding.cells) + 1))
    return [
        _rows(table.iloc[order[start:end]], configs[start:end], column, groups) if end > start else None
        for start, end in zip(bounds[:-1], bounds[1:], strict=True)
    ]


def _rows(part: pd.DataFrame, configs: Codes, column: str, groups: str) -> CellRows:
    if len({len(values) for values in part[column]}) > 1:
        raise TableError(
            f"Column {column!r} must have the same rows for every run of a cell, but dataset "
            f"{part['dataset'].iloc[0]!r} has lists of different lengths. Score all runs on the same rows."
        )
    values = np.stack([np.asarray(row, dtype=float) for row in part[column]])
    unique, codes = np.unique(configs, return_inverse=True)
    sums = np.zeros((len(unique), values.shape[1]))
    np.add.at(sums, codes, values)
    units = part[groups].iloc[0] if groups in part else None
    numbers = np.arange(values.shape[1]) if units is None else np.unique(units, return_inverse=True)[1]
    return CellRows(unique, sums / np.bincount(codes)[:, None], numbers)


def indistinguishable(
    cells: Sequence[CellRows | None], scores: Matrix, lower_is_better: bool = False
) -> Mask:
    """By cell and config: not worse than the cell's best, by a paired 95 % bootstrap over the dev rows."""
    sign = -1.0 if lower_is_better else 1.0
    top = np.zeros(scores.shape, dtype=bool)
    for cell, rows in enumerate(cells):
        if rows is not None:
            best = int(np.argmax(sign * scores[cell, rows.configs]))
            top[cell, rows.configs] = _not_worse(sign * rows.values, rows.groups, best)
    return top


def _not_worse(values: Matrix, groups: Codes, best: int) -> Mask:
    size = np.bincount(groups).astype(float)
    counts = kept_counts(len(size))
    sums = _by_group(values - values[best], groups)
    means = counts @ sums.T / (counts @ size)[:, None]
    found: Mask = np.quantile(means, 1 - TAIL, axis=0) >= 0
    return found


def _by_group(values: Matrix, groups: Codes) -> Matrix:
    """Configs x groups: the sum of each group's rows."""
    return np.stack([np.bincount(groups, weights=row) for row in values])


def oracle(rows: CellRows, lower_is_better: bool = False) -> float:
    """What the best config of a cell scores, corrected for picking the luckiest of many.

    Chosen on one half of the test rows and scored on the other, over random halves: never more, in
    expectation, than the truly best config.
    """
    sign = -1.0 if lower_is_better else 1.0
    size = np.bincount(rows.groups).astype(float)
    sums = _by_group(rows.values, rows.groups)
    draw = np.random.default_rng(0)
    halves = np.stack([draw.permutation(len(size)) % 2 for _ in range(SPLITS)]).astype(float)
    if not 0 < halves[0].sum() < len(size):
        return float("nan")
    means = [sums @ half.T / (half @ size) for half in (halves, 1 - halves)]
    splits = np.arange(SPLITS)
    return float(
        np.mean([there[(sign * here).argmax(axis=0), splits] for here, there in (means, means[::-1])])
    )
