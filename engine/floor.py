"""Tells cells that say something from cells at chance level, by the scores of single rows.

A small model at chance turns noise into coverage: its best config must beat the floor (the better of the
untuned model and a constant answer) in a paired comparison over rows before the cell counts.
A results table carries the rows in `dev_rows` (a value for each dev row), `floor_rows` (the floor's values
for the same rows) and `row_groups` (rows of one document share a number).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

COLUMNS = ("dev_rows", "floor_rows", "row_groups")
Z95 = 1.959964


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """By cell: the best score, its standard error, and whether it is not shown to exceed the floor."""

    best: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    below_floor: NDArray[np.bool_]

    def of(self, cells: NDArray[np.bool_]) -> Evidence:
        """The same for some of the cells."""
        return Evidence(self.best[cells], self.standard_error[cells], self.below_floor[cells])

    def noisy(self, tolerance: float) -> int:
        """Cells where the tolerance is less than the standard error of the best score."""
        return int((tolerance * np.abs(self.best) < self.standard_error).sum())


def evidence(
    table: pd.DataFrame, pair: NDArray[np.int64], scores: NDArray[np.float64], lower_is_better: bool
) -> Evidence | None:
    """What the rows say of each cell (a row of `scores`); None for a table without scores by row.

    `pair` numbers the (cell, config) of each row of the table.
    """
    if not {"dev_rows", "floor_rows"} <= set(table):
        return None
    sign = -1.0 if lower_is_better else 1.0
    best = np.where(np.isnan(scores), -np.inf, sign * scores).argmax(axis=1)
    columns = [_of_cell(table[pair == row * scores.shape[1] + column]) for row, column in enumerate(best)]
    values, errors, gains = (np.array(part) for part in zip(*columns, strict=True))
    low, high = gains[:, 0], gains[:, 1]
    return Evidence(values, errors, (high >= 0) if lower_is_better else (low <= 0))


def _of_cell(runs: pd.DataFrame) -> tuple[float, float, tuple[float, float]]:
    """Of one config in one cell: its mean, the standard error, the interval of its gain over the floor."""
    runs = runs[runs["score"].notna() & runs["dev_rows"].notna() & runs["floor_rows"].notna()]
    if runs.empty:
        return np.nan, np.nan, (np.nan, np.nan)
    values = np.mean(np.stack([np.asarray(rows, dtype=float) for rows in runs["dev_rows"]]), axis=0)
    floor = np.asarray(runs["floor_rows"].iloc[0], dtype=float)
    groups = runs["row_groups"].iloc[0] if "row_groups" in runs else np.arange(len(values))
    gain, error = mean_and_error(values - floor, groups)
    return *mean_and_error(values, groups), (gain - Z95 * error, gain + Z95 * error)


def mean_and_error(values: NDArray[np.float64], groups: NDArray[np.int64]) -> tuple[float, float]:
    """The mean and its standard error when rows of one group vary together."""
    mean = float(values.mean())
    _, codes = np.unique(groups, return_inverse=True)
    sums = np.bincount(codes, weights=values - mean)
    count = len(sums)
    if count < 2:
        return mean, float("inf")
    return mean, float(np.sqrt((sums**2).sum() * count / (count - 1)) / len(values))
