"""Would more rows help? One config on a quarter, a half and all training rows, and what that says of a next
doubling.

An error that falls by the same share with each doubling is what learning curves of neural models show over
wide ranges (Hestness et al. 2017, "Deep Learning Scaling is Predictable, Empirically").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.metrics import lower_is_better, number
from engine.records import Score

SHARES = (4, 2)  # of the training rows: a quarter, a half
FEWEST = 8  # rows that a quarter must have [ours]


@dataclass(frozen=True, slots=True)
class Point:
    """A training on so many rows and its test score."""

    rows: int
    score: Score


@dataclass(frozen=True, slots=True)
class RowCurve:
    """What a config scored on more and more rows, the fewest first. `last` is what the last doubling brought
    and `all` what all of them did: paired row by row on the test rows, above 0 where more rows did better."""

    metric: str
    points: tuple[Point, ...]
    last: Score
    all: Score

    @property
    def next(self) -> tuple[float, float] | None:
        """What one more doubling may bring, least and most, in the metric's unit; None where it shows none.

        The same share of the error as the last doubling: with error e now and a gain d before, d e / (e + d).
        """
        if self.last.low <= 0:
            return None
        now = self.points[-1].score.value
        error = now if lower_is_better(self.metric) else 1 - now
        least, most = (gain * error / (error + gain) for gain in (self.last.low, self.last.high))
        return least, most

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "metric": self.metric,
            "points": [{"rows": point.rows, "test": point.score.to_dict()} for point in self.points],
            "last_doubling": self.last.to_dict(),
            "all_doublings": self.all.to_dict(),
            "next_doubling": self.next,
            "sentence": sentence(self),
        }


def sizes(rows: int) -> tuple[int, ...]:
    """The sizes to train on beside all rows, the fewest first; none where there are too few rows for it."""
    return tuple(rows // share for share in SHARES) if rows // SHARES[0] >= FEWEST else ()


def sentence(curve: RowCurve) -> str:
    """What the curve says, no more than its intervals allow."""
    loss = lower_is_better(curve.metric)
    told = ", ".join(
        f"{number(point.score.value, loss)} at {point.rows:,}{' rows' if place == 0 else ''}"
        for place, point in enumerate(curve.points)
    )
    return f"{told}: {_conclusion(curve, loss)}"


def _conclusion(curve: RowCurve, loss: bool) -> str:
    now, last = curve.points[-1], curve.last
    if now.score.value == (0 if loss else 1):
        return "nothing is left to gain on these test rows."
    if curve.next is not None:
        return f"doubling again may bring {_range(*curve.next, loss)}."
    if last.high < 0:
        return (
            f"the last doubling made it worse by {_between(-last.high, -last.low, loss)}, so more rows like "
            "the newer ones do not help. Look at their labels."
        )
    reach = f"between {_signed(last.low, loss)} and {_signed(last.high, loss)}{_unit(loss)}"
    if curve.all.low > 0:
        return (
            f"more rows helped at first, but the last doubling shows no clear gain ({reach}), so there is no "
            "sign that still more rows help."
        )
    return f"no sign that more rows help, as far as {now.score.n:,} test rows show ({reach} a doubling)."


def _range(least: float, most: float, loss: bool) -> str:
    if not loss and 100 * most < 1:
        return "less than a point"
    return _between(least, most, loss)


def _between(least: float, most: float, loss: bool) -> str:
    low, high = (f"{value:.2f}" if loss else f"{100 * value:.0f}" for value in (least, most))
    if low == high:
        return f"about {low}{' nats' if loss else ' point' if low == '1' else ' points'}"
    return f"{low} to {high}{_unit(loss)}"


def _signed(value: float, loss: bool) -> str:
    return f"{value:+.3f}" if loss else f"{100 * value:+.1f}"


def _unit(loss: bool) -> str:
    return " nats" if loss else " points"
