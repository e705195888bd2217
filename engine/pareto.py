"""Several objectives at once: what a training costs on each, and the front of the best.

Everything here is minimised: the loss as it is, and the study's metric with its sign turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.records import RunStatus
from engine.search import Objective, Trial

Costs = tuple[float, ...]


def costs(trial: Trial, objective: Objective) -> Costs | None:
    """What a search wants small of a training, by objective; None where it was not measured.

    A training that failed or was stopped has none: its loss is not one of a whole schedule.
    """
    if trial.status is not RunStatus.FINISHED:
        return None
    score = None if trial.score is None else -trial.score
    wanted = {Objective.LOSS: (trial.loss,), Objective.METRIC: (score,), Objective.BOTH: (trial.loss, score)}
    found = tuple(value for value in wanted[objective] if value is not None and math.isfinite(value))
    return found if len(found) == len(wanted[objective]) else None


def front(points: Sequence[Costs]) -> list[int]:
    """The places of the points that no other point beats, the least first cost first.

    One point beats another if it is nowhere larger and somewhere smaller; equal points stand together.
    """
    return sorted(
        (n for n, point in enumerate(points) if not any(_beats(other, point) for other in points)),
        key=lambda n: (points[n], n),
    )


def _beats(one: Costs, other: Costs) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
