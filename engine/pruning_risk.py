"""How often the shortlist with early stopping drops the config that would have won, in a grid's own curves.

In each cell the shortlist is ranked without its dataset, as in engine.validation; its configs are compared by
dev loss at the first scored epoch that is 20 to 33 % of their own schedule (epoch 1 of 3 or 5, 3 of 10), the
best KEEP go on, and dev selects among them. A schedule without such an epoch (1 of 1) is compared by its end,
which favours it: these picks are counted. Configs that differ in epochs alone share a training and often
this loss: of equals the one that ranks higher goes on. Only trainings whose rate is constant after its
warm-up hold such curves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine import intervals, paired
from engine.coverage import TOLERANCE
from engine.grids import config_columns
from engine.halving import KEEP
from engine.heldout import Results
from engine.rules import Rule

EARLIEST, LATEST = 0.2, 0.334  # of the own schedule
NEEDED = ("run", "dev_loss", "score", "test_score", "num_train_epochs")


@dataclass(frozen=True, slots=True)
class Risk:
    """In how many of `cells` (of `datasets`) the best of `k` by dev was dropped.

    `low` and `high` are Wilson's interval of the share, as if cells were independent; `chance` is the share
    of a random choice of the kept. `lost`: points on test between what dev selects from all k and from the
    kept, the mean over datasets, with a bootstrap interval where there are 3 or more.
    `picks` configs were compared, `by_end` of them at their end for want of an earlier scored epoch.
    """

    k: int
    cells: int
    datasets: int
    dropped: int
    low: float
    high: float
    chance: float
    lost: float
    lost_low: float | None
    lost_high: float | None
    picks: int
    by_end: int

    @property
    def share(self) -> float:
        """Of the cells in which the best was dropped."""
        return self.dropped / self.cells

    @property
    def sentence(self) -> str:
        """The risk with its counts, and on what it was measured."""
        times = "once" if self.dropped == 1 else f"{self.dropped} times"
        shares = f"{_percent(self.share)}, {100 * self.low:.0f} to {_percent(self.high)}"
        lost = points(self.lost, self.lost_low, self.lost_high, "cost", "gained")
        text = (
            f"In {_number(self.cells, 'cell')} of {_number(self.datasets, 'grid dataset')}, early stopping "
            f"dropped the best of {self.k} configs {times} ({shares}; a random choice: "
            f"{_percent(self.chance)}) and {lost} on test on average."
        )
        if not self.by_end:
            return text
        late = f"{self.by_end} of {self.picks} configs"
        return f"{text} {late} have no early score and were compared by their end."


def points(lost: float, low: float | None, high: float | None, loss: str, gain: str) -> str:
    """'cost 3.1 points (0.7 to 6.2)', or the gain with its interval turned."""
    text = f"{loss if lost >= 0 else gain} {abs(lost):.1f} points"
    if low is None or high is None:
        return text
    least, most = (low, high) if lost >= 0 else (-high, -low)
    return f"{text} ({least:.1f} to {most:.1f})".replace("-0.0", "0.0")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True)
class _Outcome:
    dataset: str
    dropped: bool
    lost: float
    picks: int
    by_end: int


def measure(results: pd.DataFrame, k: int = 4) -> Risk | None:
    """The risk in a grid's results (grids.load), over all their models and methods.

    None for a table without curves, or where no cell has more than KEEP of its k configs.
    """
    if not set(NEEDED) <= set(results):
        return None
    found = [
        outcome
        for _, part in results.groupby(["model", "method"], sort=True)
        for outcome in _outcomes(part.reset_index(drop=True), k)
    ]
    if not found:
        return None
    lost = pd.Series([o.lost for o in found]).groupby([o.dataset for o in found]).mean()
    dropped = sum(outcome.dropped for outcome in found)
    mean, lost_low, lost_high = paired.mean_over_units(lost.tolist())
    assert mean is not None
    chance = float(np.mean([1 - KEEP / outcome.picks for outcome in found]))
    return Risk(
        k, len(found), len(lost), dropped, *intervals.wilson(dropped, len(found)), chance, mean, lost_low,
        lost_high, sum(o.picks for o in found), sum(o.by_end for o in found),
    )  # fmt: skip


def _outcomes(part: pd.DataFrame, k: int) -> Iterator[_Outcome]:
    """One for each cell that says something; a config with several seeds has the mean of their losses."""
    columns = [name for name in config_columns(part) if part[name].notna().any()]
    results = Results.of(part, columns, lower_is_better=False)
    orders = results.choices(TOLERANCE, apart=False).of(Rule.CBS, k)
    assert orders is not None
    early = _early(part)
    measured = (part["score"], part["test_score"], early["loss"], early["by_end"])
    dev, test, loss, by_end = (results.coding.means(column) for column in measured)
    for cell in np.flatnonzero(results.judged):
        ranked = orders[results.folds.of_cells[cell]]
        picks = [p for p in ranked if p >= 0 and np.isfinite(dev[cell, p]) and np.isfinite(loss[cell, p])]
        if len(picks) <= KEEP:
            continue
        kept = sorted(picks, key=lambda pick: loss[cell, pick])[:KEEP]  # noqa: B023  # used at once
        best, chosen = (max(those, key=lambda pick: dev[cell, pick]) for those in (picks, kept))  # noqa: B023
        yield _Outcome(
            str(results.coding.cells[cell].dataset),
            bool(dev[cell, chosen] < dev[cell, best]),
            100 * float(test[cell, best] - test[cell, chosen]),
            len(picks),
            int((by_end[cell, picks] > 0).sum()),
        )


def _early(part: pd.DataFrame) -> pd.DataFrame:
    """By row: the loss where its training would stand, and whether (1.0) that is its end."""
    found = pd.DataFrame({"loss": part["dev_loss"], "by_end": 1.0}, index=part.index)
    for _, rows in part.groupby(["dataset", "run"], sort=False):
        scored = sorted(zip(rows["num_train_epochs"], rows["dev_loss"], strict=True))
        for index, epochs in rows["num_train_epochs"].items():
            at = [loss for epoch, loss in scored if EARLIEST <= round(epoch / epochs, 6) <= LATEST]
            if at:
                found.loc[index] = (at[0], 0.0)
    return found
