"""95 % intervals of scores and of paired differences; rows that share a group are resampled together.

Shares of right answers: Wilson's interval, which stays honest near 0 and 1 and in small samples. All else,
and every difference: percentile bootstrap over rows, or over groups where rows share a context, because
rows of one document are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.records import Score

RESAMPLES = 2000
DRAWS = 10_000_000  # at most this many unit counts in all, for very large test files
KEPT_DRAWS = 2_000_000
CONFIDENCE = 0.95
NORMAL = 1.959964  # quantile of the normal distribution that leaves 2.5 % above
TYPICAL_SPREAD = 0.467  # of paired 0/1 differences: reproduces the table of methods.md, section 4
POWER_FACTOR = 1.96 + 0.84  # 95 % confidence, 80 % power

Array = npt.NDArray[np.float64]
Statistic = Callable[[Array], Array]


def mean_score(values: Sequence[float], groups: Sequence[str] | None = None) -> Score:
    """The mean with its interval; raises ValueError without rows."""
    data = np.asarray(values, dtype=float)
    if not len(data):
        raise ValueError("A score needs at least one row.")
    value = float(data.mean())
    units = len(data) if groups is None else len(set(groups))
    constant = bool(np.all(data == data[0])) and data[0] in (0.0, 1.0)
    if constant or (groups is None and np.isin(data, (0.0, 1.0)).all()):
        low, high = wilson(round(value * units), units)
    else:
        low, high = _bootstrap(np.column_stack((data, np.ones(len(data)))), mean_of_sums, groups)
    return Score(value, low, high, len(data))


def macro_f1_score(
    predictions: Sequence[str], golds: Sequence[str], groups: Sequence[str] | None = None
) -> Score:
    """Macro-F1 over the labels that occur among the right answers, with its interval."""
    return f1_score(label_counts(predictions, golds), macro_f1_of_sums, groups)


def f1_score(counts: Array, statistic: Statistic, groups: Sequence[str] | None = None) -> Score:
    """Macro- or micro-F1 of label_counts or set_counts, with its interval."""
    value = float(statistic(counts.sum(0)[None])[0])
    low, high = _bootstrap(counts, statistic, groups)
    return Score(value, low, high, len(counts))


def mean_difference(a: Sequence[float], b: Sequence[float], groups: Sequence[str] | None = None) -> Score:
    """Mean of a - b over the same rows, with the interval of the difference."""
    data = np.asarray(a, dtype=float) - np.asarray(b, dtype=float)
    low, high = _bootstrap(np.column_stack((data, np.ones(len(data)))), mean_of_sums, groups)
    return Score(float(data.mean()), low, high, len(data))


def macro_f1_difference(
    a: Sequence[str], b: Sequence[str], golds: Sequence[str], groups: Sequence[str] | None = None
) -> Score:
    """Macro-F1 of a minus that of b on the same rows, with the interval of the difference."""
    return f1_difference(label_counts(a, golds), label_counts(b, golds), macro_f1_of_sums, groups)


def f1_difference(a: Array, b: Array, statistic: Statistic, groups: Sequence[str] | None = None) -> Score:
    """Macro- or micro-F1 of counts a minus that of b on the same rows, with its interval."""
    half = a.shape[1]

    def difference(sums: Array) -> Array:
        found: Array = statistic(sums[:, :half]) - statistic(sums[:, half:])
        return found

    return f1_score(np.hstack((a, b)), difference, groups)


def wilson(right: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) of a share; `n` need not be whole where rows are worth less than one."""
    share, extra = right / n, NORMAL**2 / n
    middle = (share + extra / 2) / (1 + extra)
    half = NORMAL * float(np.sqrt(share * (1 - share) / n + extra / (4 * n))) / (1 + extra)
    return middle - half if right else 0.0, middle + half if right < n else 1.0


def smallest_difference(n: int, spread: float = TYPICAL_SPREAD) -> float:
    """The least true paired difference that n rows show in 4 of 5 studies; spread: its standard deviation."""
    return POWER_FACTOR * spread / float(np.sqrt(n))


def mean_of_sums(sums: Array) -> Array:
    """Of sums and numbers of rows side by side, one line for each resample."""
    result: Array = sums[:, 0] / sums[:, 1]
    return result


def label_counts(predictions: Sequence[str], golds: Sequence[str]) -> Array:
    """Per row and label of the right answers: hit, said, right; side by side."""
    labels = np.array(sorted(set(golds)))
    said = np.asarray(predictions, dtype=str)[:, None] == labels
    right = np.asarray(golds, dtype=str)[:, None] == labels
    return np.hstack((said & right, said, right)).astype(float)


def set_counts(predictions: Sequence[Set[str]], golds: Sequence[Set[str]]) -> Array:
    """As label_counts, of rows with several labels; a last one stands for all labels that are never right."""
    labels = sorted(set().union(*golds))
    said = np.array([[*(n in row for n in labels), len(row - set(labels))] for row in predictions])
    right = np.array([[*(n in row for n in labels), 0] for row in golds])
    return np.hstack((np.minimum(said, right), said, right)).astype(float)


def micro_f1_of_sums(sums: Array) -> Array:
    """Of the summed counts: F1 of all labels of all rows together; 1 where none is said and none is right."""
    hit, said, right = (part.sum(1) for part in np.split(sums, 3, axis=1))
    result: Array = np.divide(2 * hit, said + right, out=np.ones_like(hit), where=said + right > 0)
    return result


def macro_f1_of_sums(sums: Array) -> Array:
    """Of the summed label_counts; a label without a right answer in a resample is left out of its mean."""
    hit, said, right = np.split(sums, 3, axis=1)
    present = right > 0
    f1 = np.divide(2 * hit, said + right, out=np.zeros_like(hit), where=present)
    result: Array = f1.sum(1) / np.maximum(present.sum(1), 1)
    return result


OF_SUMS: dict[str, Statistic] = {"macro_f1": macro_f1_of_sums, "micro_f1": micro_f1_of_sums}


def _bootstrap(features: Array, statistic: Statistic, groups: Sequence[str] | None) -> tuple[float, float]:
    """Percentile interval of a statistic of column sums; seeded, so the same rows give the same interval."""
    sums = features if groups is None else sum_by(features, groups)
    units = len(sums)
    resamples = min(RESAMPLES, max(200, DRAWS // units))
    if resamples * units <= KEPT_DRAWS:
        found = statistic(kept_counts(units, resamples) @ sums)
    else:
        draw = np.random.default_rng(0)
        found = np.concatenate([statistic(_counts(draw, 1, units) @ sums) for _ in range(resamples)])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found, (tail, 1 - tail))
    return float(low), float(high)


@lru_cache(maxsize=8)
def kept_counts(units: int, resamples: int = RESAMPLES) -> Array:
    """How often each unit is in each resample: seeded, so the same numbers give the same interval.

    Kept: most scores of a study have the same number of rows, and drawing is most of the work.
    """
    return _counts(np.random.default_rng(0), resamples, units)


def _counts(draw: np.random.Generator, resamples: int, units: int) -> Array:
    """How often each unit is in each resample."""
    return draw.multinomial(units, np.full(units, 1 / units), size=resamples).astype(float)


def sum_by(features: Array, groups: Sequence[str]) -> Array:
    """Groups x features: the sums over each group's rows."""
    _, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    sums = np.zeros((int(index.max()) + 1, features.shape[1]))
    np.add.at(sums, index, features)
    return sums
