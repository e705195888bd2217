"""How a training loss comes down: how smoothly, and whether its first steps are spiky."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWEST_POINTS = 3

Losses = Sequence[tuple[float, float]]
"""Pairs of step and loss, in order."""


@dataclass(frozen=True, slots=True)
class Fall:
    """`share`: of the first loss, that it fell by; `roughness`: what it climbed over what it descended."""

    share: float
    roughness: float

    @property
    def smoothness(self) -> float:
        """Share x (1 - roughness), at most 1; of a loss that did not fall, the share alone."""
        return self.share * (1 - self.roughness) if self.share > 0 else self.share


def fall(losses: Losses, until: float = math.inf) -> Fall | None:
    """Up to a step; None for fewer than 3 logged losses, or one that is no number.

    It ends at the mean of the last fifth: the loss of a single batch is mostly which rows are in it.
    """
    values = [loss for step, loss in losses if step <= until]
    if len(values) < FEWEST_POINTS or not all(map(math.isfinite, values)) or values[0] <= 0:
        return None
    last = values[-max(1, len(values) // 5) :]
    changes = [after - before for before, after in pairwise(values)]
    climbed = math.fsum(change for change in changes if change > 0)
    descended = -math.fsum(change for change in changes if change < 0)
    roughness = min(1.0, climbed / descended) if descended else 1.0
    return Fall((values[0] - math.fsum(last) / len(last)) / values[0], roughness)


def peak(losses: Losses, gentle: Losses, until: float) -> float | None:
    """The largest loss of the first steps, over the larger of the first loss and the gentler run's there.

    `gentle`: of a training with the same rows in the same order and a lower learning rate: without it, which
    rows happen to come first decides. None without a common step after the first.
    """
    same = dict(gentle)
    peaks = [
        loss / max(losses[0][1], same[step]) for step, loss in losses[1:] if step <= until and step in same
    ]
    return max(peaks, default=None)
