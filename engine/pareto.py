"""Several objectives at once: what a training costs on each, the front of the best, and how much it holds.

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


def worst(points: Sequence[Costs]) -> Costs:
    """The largest cost of all points on each objective: the usual reference of a hypervolume."""
    return tuple(max(values) for values in zip(*points, strict=True))


def hypervolume(points: Sequence[Costs], reference: Costs) -> float:
    """The area (of two costs) between the front and a reference; a point that is worse there counts nothing.

    It is in the units of the costs, so it compares searches of one study that share a reference only.
    """
    import numpy as np
    from optuna._hypervolume import compute_hypervolume

    within = [point for point in points if all(c <= r for c, r in zip(point, reference, strict=True))]
    return float(compute_hypervolume(np.array(within), np.array(reference))) if within else 0.0


def _beats(one: Costs, other: Costs) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))
