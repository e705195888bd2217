"""What a search would train, for an estimate of its minutes before anything is proposed."""

from __future__ import annotations

import math
from dataclasses import replace

from engine import halving, protocol
from engine.records import Config
from engine.search import SearchMethod
from engine.searchspace import Axis, Space

EPOCHS = "num_train_epochs"


def likely_configs(method: SearchMethod, space: Space, runs: int) -> tuple[Config, ...]:
    """As many configs as runs; where epochs are searched, spread evenly over them.

    What else varies hardly changes the time of a run. The protocol tries the epochs that it starts from.
    """
    axis = next((axis for axis in space.axes if axis.name == EPOCHS), None)
    if axis is None or method is SearchMethod.PROTOCOL:
        return (space.fixed,) * runs
    epochs = _epochs(axis, runs)
    return tuple(replace(space.fixed, num_train_epochs=number) for number in epochs)


def _epochs(axis: Axis, runs: int) -> list[int]:
    if not axis.is_range:
        return [axis.values[number % len(axis.values)] for number in range(runs)]
    low, high = axis.bounds
    return [round(low + (high - low) * (number + 0.5) / runs) for number in range(runs)]


def trained_share(method: SearchMethod, runs: int) -> float:
    """How much of the schedules of all runs is trained (0 to 1): the rest is what is dropped half-way.

    Of successive halving as planned; of the protocol all but one stand at their short share.
    """
    if method is SearchMethod.PROTOCOL:
        return (1 + (runs - 1) * protocol.PAUSE_AT) / runs
    if method is not SearchMethod.HALVING:
        return 1.0
    done, before = 0.0, 0.0
    for rung, share in enumerate((*halving.RUNGS, 1.0)):
        done += math.ceil(runs / halving.ETA**rung) * (share - before)
        before = share
    return done / runs
