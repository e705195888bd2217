"""What the config that a study picks may be expected to score, free of the luck of having been picked.

The best of several looks better on the rows that picked it than it is. So the rows that no run trained on are
cut into halves many times: one half picks a config, the other scores it, and the mean over all halves is the
headline. Which config is picked may change from half to half: the value is that of the procedure, "train
these configs and take the best one".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine import evaluate, intervals
from engine.intervals import Array, Statistic
from engine.metrics import lower_is_better
from engine.records import Score

SPLITS = 100  # random cuts; each is used in both directions
RESAMPLES = 500
FEWEST_UNITS = 4  # rows, or groups of rows; below, a half is one unit


def of_tables(
    tables: Sequence[Sequence[pd.DataFrame]], metric: str, splits: Sequence[str] = ("dev", "test")
) -> Score | None:
    """The headline over the rows of these splits; `tables`: each config's predictions, one table for a seed.

    A config with several seeds counts with their mean, so that more seeds are no more chances to be picked.
    None for fewer than two configs, too few rows, or a metric that was not measured on all of them.
    """
    if len(tables) < 2:
        return None
    joined = [[_indexed(table, splits) for table in seeds] for seeds in tables]
    shared = _shared_rows([table for seeds in joined for table in seeds])
    first = joined[0][0].loc[shared].reset_index()
    groups = evaluate.groups(first)
    if metric in intervals.OF_SUMS:
        counts = [[evaluate.label_counts(table.loc[shared]) for table in seeds] for seeds in joined]
        return _within_scale(_headline(counts, intervals.OF_SUMS[metric], groups, False))
    values = np.column_stack(
        [np.mean([table.loc[shared, metric].to_numpy(float) for table in seeds], axis=0) for seeds in joined]
    )
    if np.isnan(values).any():
        return None
    if not lower_is_better(metric):
        return _within_scale(of_values(values, groups))
    found = of_values(-values, groups)
    return None if found is None else Score(-found.value, -found.high, -found.low, found.n)


def of_values(values: Array, groups: Sequence[str] | None = None) -> Score | None:
    """The headline of the mean over rows; `values`: rows x configs, higher is better."""
    ones = np.ones(len(values))
    features = [[np.column_stack((column, ones))] for column in values.T]
    binary = bool(np.isin(values, (0.0, 1.0)).all())
    return _headline(features, intervals.mean_of_sums, groups, binary)


def picks(values: Array) -> npt.NDArray[np.intp]:
    """Which config each half of the rows picks, by of_values without groups: its truth is the target."""
    halves = _halves(len(values))
    picked: npt.NDArray[np.intp] = (halves @ values / halves.sum(axis=1, keepdims=True)).argmax(axis=1)
    return picked


def _headline(
    features: Sequence[Sequence[Array]], statistic: Statistic, groups: Sequence[str] | None, binary: bool
) -> Score | None:
    """`features`: by config and seed rows x numbers, whose sums over rows `statistic` turns into a score."""
    rows = len(features[0][0])
    units = [
        [part if groups is None else intervals.sum_by(part, groups) for part in seeds] for seeds in features
    ]
    number = len(units[0][0])
    if len(units) < 2 or number < FEWEST_UNITS:
        return None

    def scores(weights: Array) -> Array:
        """Weights of the units, one line each, to lines x configs."""
        return np.column_stack(
            [np.mean([statistic(weights @ part) for part in seeds], axis=0) for seeds in units]
        )

    halves = _halves(number)
    here = scores(halves)
    there = np.roll(here, SPLITS, axis=0)
    value = float(np.take_along_axis(there, here.argmax(axis=1)[:, None], axis=1).mean())
    again = scores(intervals.kept_counts(number, RESAMPLES))
    errors = _errors(scores(np.ones((1, number)))[0], again, (here - there) / 2)
    spread = float(errors.std(ddof=1) * np.sqrt(number / (number - 1)))
    return Score(value, *_interval(value, spread, number, binary), rows)


def _halves(units: int) -> Array:
    """2 x SPLITS lines of 0 and 1: a half of the units each, then the other halves in the same order."""
    draw = np.random.default_rng(0)
    first = np.stack([draw.permutation(units) < units // 2 for _ in range(SPLITS)])
    return np.vstack((first, ~first)).astype(float)


def _errors(whole: Array, again: Array, deviations: Array) -> Array:
    """How far the headline of each resample is from the score of what it picks, in the rows resampled from.

    `whole`: each config's score; `again`: resamples x configs; `deviations`: of the picking half from both
    halves, halves x configs. A resample's halves are taken to deviate as those of the rows themselves do:
    cutting each resample anew gives the same intervals and takes a hundred times as long.
    """
    places = np.arange(len(again))
    total = np.zeros(len(again))
    for deviation in deviations:
        picked = (again + deviation).argmax(axis=1)
        total += again[places, picked] - deviation[picked] - whole[picked]
    return total / len(deviations)


def _interval(value: float, spread: float, units: int, binary: bool) -> tuple[float, float]:
    """95 % by Student's t; for right or wrong answers Wilson's, for as many rows as that spread is worth."""
    from scipy.stats import t

    half = float(t.ppf(0.5 + intervals.CONFIDENCE / 2, units - 1)) * spread
    if not binary:
        return value - half, value + half
    right = min(max(value, 0.0), 1.0)
    worth = right * (1 - right) * (intervals.NORMAL / half) ** 2 if half and 0 < right < 1 else float(units)
    return intervals.wilson(right * worth, worth)


def _within_scale(score: Score | None) -> Score | None:
    """The interval without what no score can reach: below 0 or above 1."""
    return score and Score(score.value, max(score.low, 0.0), min(score.high, 1.0), score.n)


def _indexed(table: pd.DataFrame, splits: Sequence[str]) -> pd.DataFrame:
    return table[table["split"].isin(splits)].set_index(["split", "row"])


def _shared_rows(tables: Sequence[pd.DataFrame]) -> pd.MultiIndex:
    """The rows that every run answered, in the order of the first."""
    shared = tables[0].index
    for table in tables[1:]:
        shared = shared[shared.isin(table.index)]
    return shared
