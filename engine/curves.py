"""Means over datasets by k, with 95 % intervals: datasets are the unit, bootstrapped with their source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.coverage import Codes, Matrix
from engine.intervals import kept_counts

TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean over datasets with its 95 % interval, for k = 1, 2, ...; None where no dataset can be judged.

    One dataset has a mean without an interval; `judged` counts the datasets behind each mean.
    """

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    judged: tuple[int, ...]

    def to_dict(self) -> dict[str, list[float | None]]:
        """As the command line prints it."""
        return {"mean": list(self.mean), "low": list(self.low), "high": list(self.high)}


def by_unit(values: Matrix, units: Codes) -> Matrix:
    """The mean of the known values of each unit, such as the cells of a dataset; NaN where there are none."""
    sums, counts = _sums(values, units)
    means: Matrix = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def curve(values: Matrix, sources: Codes) -> Curve:
    """The mean of each column over the datasets (rows) that have a value; those of one source go together."""
    sums, counts = _sums(values, sources)
    known = counts.any(axis=1)
    sums, counts = sums[known], counts[known]
    if not len(sums):
        nothing = (None,) * values.shape[1]
        return Curve(nothing, nothing, nothing, (0,) * values.shape[1])
    drawn = kept_counts(len(sums))
    with np.errstate(invalid="ignore"):
        means = sums.sum(axis=0) / counts.sum(axis=0)
        resampled = (drawn @ sums) / (drawn @ counts)
    low, high = np.full((2, len(means)), np.nan)
    for k in np.flatnonzero((counts > 0).sum(axis=0) > 1):
        found = resampled[:, k]
        low[k], high[k] = np.quantile(found[np.isfinite(found)], (TAIL, 1 - TAIL))
    judged = tuple(int(count) for count in counts.sum(axis=0))
    return Curve(_plain(means), _plain(low), _plain(high), judged)


def _sums(values: Matrix, groups: Codes) -> tuple[Matrix, Matrix]:
    """By group: the sum of the known values and their number."""
    member = (groups == np.arange(groups.max(initial=-1) + 1)[:, None]).astype(np.float64)
    known = np.isfinite(values)
    return member @ np.where(known, values, 0.0), member @ known.astype(np.float64)


def _plain(values: Matrix) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in values)
