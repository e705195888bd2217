"""Whether dev loss stands for the score that counts: rank correlation, in a study and in the grid.

Tribes et al., arXiv 2312.00949: of two searches the one with the lower validation loss had the worse task
scores. So a search may improve either, and this says how far apart they are here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from engine.metrics import TITLES
from engine.paired import mean_over_units
from engine.search import Trial
from engine.searched import Measure

FEWEST = 5  # pairs below which a rank correlation is not given
RESAMPLES = 2000
CITED = "Tribes et al., arXiv 2312.00949"


class Correlation(NamedTuple):
    """Spearman's, between low loss and high score: 1 means the same order; with a 95 % interval.

    `n` counts what was resampled, trainings of a study or datasets of a grid; no interval for few datasets.
    """

    value: float
    low: float | None
    high: float | None
    n: int


def of_trainings(trials: Sequence[Trial], metric: str) -> Correlation | None:
    """Over the trainings that went to their end; None below FEWEST, or where all are alike.

    The interval is a percentile bootstrap over the trainings, seeded.
    """
    by, loss = Measure(metric), Measure("loss")
    pairs = [(a, b) for t in trials if (a := loss.value(t)) is not None and (b := by.value(t)) is not None]
    if len(pairs) < FEWEST:
        return None
    data = np.asarray(pairs)
    value = _spearman(*data.T)
    if value is None:
        return None
    draws = np.random.default_rng(0).integers(0, len(data), (RESAMPLES, len(data)))
    found = [r for draw in draws if (r := _spearman(*data[draw].T)) is not None]
    low, high = np.quantile(found, (0.025, 0.975))
    return Correlation(value, float(low), float(high), len(data))


def of_grid(table: pd.DataFrame) -> Correlation | None:
    """The mean over datasets of the correlation within each cell; `score`: higher is better."""
    if "dev_loss" not in table:
        return None
    known = table.dropna(subset=["dev_loss", "score"])
    found: dict[str, list[float]] = {}
    for (dataset, _), part in known.groupby(["dataset", "train_size"], dropna=False):
        value = _spearman(part["dev_loss"], part["score"]) if len(part) >= FEWEST else None
        if value is not None:
            found.setdefault(str(dataset), []).append(value)
    mean, low, high = mean_over_units([float(np.mean(values)) for values in found.values()])
    return None if mean is None else Correlation(mean, low, high, len(found))


def _spearman(losses: ArrayLike, scores: ArrayLike) -> float | None:
    """Turned so that low losses with high scores give 1; None where either does not vary."""
    first, second = stats.rankdata(losses), stats.rankdata(scores)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return -float(np.corrcoef(first, second)[0, 1])


def sentence(metric: str, here: Correlation | None, grid: Correlation | None, trainings: int) -> str:
    """How well the loss orders configs, here and in the grid; '' for a study whose metric is the loss."""
    if metric == "loss":
        return ""
    title = TITLES[metric]
    parts = []
    if here is not None:
        parts.append(f"{_value(here)} over {here.n} trainings here")
    if grid is not None:
        parts.append(f"{_value(grid)} on average over {grid.n} datasets of the grid")
    if not parts:
        return (
            f"Loss is an imperfect proxy for {title} ({CITED}); with {trainings} trainings measured, fewer "
            f"than {FEWEST} or all alike, how far it is one here cannot be said."
        )
    return (
        f"Low dev loss goes with high {title} at a rank correlation of {' and '.join(parts)} (1: the same "
        f"order, 0: none). Loss is an imperfect proxy ({CITED})."
    )


def _value(found: Correlation) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:.2f}"
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"
