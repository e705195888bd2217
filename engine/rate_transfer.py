"""Whether the best learning rate of a small model is that of a larger one, in a grid of both.

Dev selects, test reports: a model's best learning rate is that of the config that dev selects, among configs
that both models were run with.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine import models, paired
from engine.coverage import Coding, Matrix, ScoreGrid, code, coded_grid, uninformative
from engine.grids import config_columns
from engine.pruning_risk import points

SMALL, LARGE = models.EMBEDDED


@dataclass(frozen=True, slots=True)
class Pair:
    """A cell of both models, and the best learning rate of each.

    `lost`: points on the large model's test rows between the config that dev selects there, and the one that
    it selects among those with the small model's learning rate.
    """

    dataset: str
    method: str
    train_size: int | float | str | None
    small_rate: float
    large_rate: float
    lost: float

    @property
    def ratio(self) -> float:
        """The large model's over the small one's."""
        return self.large_rate / self.small_rate


@dataclass(frozen=True, slots=True)
class Transfer:
    """What the cells of both models say together.

    `ratio`: geometric mean of the best large over the best small one; it and `lost` (points) are means over
    datasets, with a bootstrap interval over them where there are 3 or more. `left_out`: cells that say
    nothing about which config is better, on one of the models.
    """

    small: str
    large: str
    pairs: tuple[Pair, ...]
    left_out: int
    datasets: int
    ratio: float
    ratio_low: float | None
    ratio_high: float | None
    lost: float
    lost_low: float | None
    lost_high: float | None

    @property
    def same(self) -> int:
        """The cells in which both models have the same best learning rate."""
        return sum(pair.small_rate == pair.large_rate for pair in self.pairs)

    @property
    def sentence(self) -> str:
        """What was measured, with its counts."""
        ratio = "" if self.ratio_low is None else f" ({self.ratio_low:.2g} to {self.ratio_high:.2g})"
        lost = points(self.lost, self.lost_low, self.lost_high, "costs", "gains")
        return (
            f"In {self.same} of {_number(len(self.pairs), 'cell')} ({_number(self.datasets, 'dataset')}) "
            f"{self.large} has the best learning rate of {self.small}; on average its own is "
            f"{self.ratio:.2g} times that{ratio}, and taking the small model's {lost} on test."
        )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def measured_transfer(results: pd.DataFrame, small: str = SMALL, large: str = LARGE) -> Transfer | None:
    """From a grid's results (grids.load); None where no cell tells of two learning rates on both models."""
    found = [
        pair
        for _, part in results[results["model"].isin((small, large))].groupby("method", sort=True)
        for pair in _pairs(part, small, large)
    ]
    pairs = tuple(pair for pair in found if pair is not None)
    if not pairs:
        return None
    log_ratio = paired.mean_over_units(_by_dataset(pairs, [float(np.log(pair.ratio)) for pair in pairs]))
    ratio, low, high = (None if value is None else float(np.exp(value)) for value in log_ratio)
    lost, lost_low, lost_high = paired.mean_over_units(_by_dataset(pairs, [pair.lost for pair in pairs]))
    assert ratio is not None
    assert lost is not None
    datasets = len({pair.dataset for pair in pairs})
    left_out = len(found) - len(pairs)
    return Transfer(
        small, large, pairs, left_out, datasets, ratio, low, high, lost, lost_low, lost_high
    )  # fmt: skip


def _by_dataset(pairs: Sequence[Pair], values: Sequence[float]) -> list[float]:
    means = pd.Series(values).groupby([pair.dataset for pair in pairs]).mean()
    return [float(mean) for mean in means]


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One model's results with one method: dev and test by cell and config, and which cells say nothing."""

    coding: Coding
    grid: ScoreGrid
    test: Matrix
    mute: tuple[bool, ...]

    @classmethod
    def of(cls, rows: pd.DataFrame, columns: Sequence[str]) -> _Side:
        coding = code(rows, columns)
        grid = coded_grid(rows, coding)
        mute = tuple(reason is not None for reason in uninformative(grid))
        return cls(coding, grid, coding.means(rows["test_score"]), mute)

    def finished(self, cell: int) -> dict[str, tuple[float, float]]:
        """By the JSON of each config that finished there: its dev and test score."""
        dev, test = self.grid.scores[cell], self.test[cell]
        return {
            json.dumps(self.coding.configs[place], sort_keys=True): (float(dev[place]), float(test[place]))
            for place in np.flatnonzero(np.isfinite(dev) & np.isfinite(test))
        }


def _pairs(part: pd.DataFrame, small: str, large: str) -> Iterator[Pair | None]:
    """One for each cell of both models with two learning rates; None for one that says nothing."""
    columns = [name for name in config_columns(part) if part[name].notna().any()]
    rows = [part[part["model"] == model] for model in (small, large)]
    if any(own.empty for own in rows):
        return
    one, other = (_Side.of(own, columns) for own in rows)
    places = {(cell.dataset, cell.train_size): place for place, cell in enumerate(other.coding.cells)}
    for here, cell in enumerate(one.coding.cells):
        there = places.get((cell.dataset, cell.train_size))
        if there is None:
            continue
        mine, theirs = one.finished(here), other.finished(there)
        rates = {name: float(json.loads(name)["learning_rate"]) for name in sorted(mine.keys() & theirs)}
        if len(set(rates.values())) < 2:
            continue
        if one.mute[here] or other.mute[there]:
            yield None
            continue
        small_rate = rates[_best(mine, rates)]
        own = _best(theirs, rates)
        taken = _best(theirs, [name for name, rate in rates.items() if rate == small_rate])
        lost = 100 * (theirs[own][1] - theirs[taken][1])
        method = str(part["method"].iloc[0])
        yield Pair(str(cell.dataset), method, cell.train_size, small_rate, rates[own], lost)


def _best(scores: dict[str, tuple[float, float]], names: Iterable[str]) -> str:
    """The config that dev selects; of equals the first by its JSON."""
    return max(names, key=lambda name: scores[name][0])
