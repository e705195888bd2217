"""What given hours are to be spent on, before anything starts; and how many runs fit into given minutes.

The shares are those of the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com). Hours are of one
GPU, or of one training process on a machine without: a run uses one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import ConfigError

SHORT = 0.2  # of a schedule: the length of a run that only compares, as in engine.protocol
FINAL = "Final training"
# title, share of the hours, length of a run in it as a share of a schedule (None: no runs, or steps alone)
SHARES = (
    ("Learning-rate test", 0.05, None),
    ("Rank", 0.10, SHORT),
    ("Warm-up", 0.10, SHORT),
    (FINAL, 0.40, 1.0),
    ("Held-out evaluation", 0.05, None),
    ("Reserve", 0.30, 1.0),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One purpose: its `share` of the hours, and what fits into its `seconds`.

    `runs` of `length` (a share of a run's schedule; None: it is not spent in runs), or so many `steps` of
    training; None where nothing is trained.
    """

    title: str
    share: float
    seconds: float
    length: float | None
    runs: int | None
    steps: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The split of `hours`, in the order in which they are spent."""

    hours: float
    seconds_per_run: float
    parts: tuple[Part, ...]

    @property
    def sentence(self) -> str:
        """What fits, in one sentence."""
        fits = {part.title: part for part in self.parts}
        final, rank, test = fits[FINAL], fits["Rank"], fits["Learning-rate test"]
        return (
            f"Of {_hours(self.hours)}, {_time(final.seconds)} are for the final training "
            f"({_number(final.runs)} of {_time(self.seconds_per_run)}), {_time(test.seconds)} for a test of "
            f"learning rates ({test.steps:,} steps), {_time(rank.seconds)} each for rank and warm-up "
            f"({_number(rank.runs)} to {100 * SHORT:.0f} % of the schedule), "
            f"{_time(fits['Held-out evaluation'].seconds)} for the held-out evaluation, and "
            f"{_time(fits['Reserve'].seconds)} stay in reserve."
        )


def split(hours: float, seconds_per_run: float, steps_per_run: int) -> Budget:
    """The parts of a budget; `seconds_per_run` and `steps_per_run` are of a full training.

    Raises ConfigError, naming the hours that are needed, if the final training does not fit.
    """
    _check(hours, "hours")
    _check(seconds_per_run, "The seconds of a run")
    _check(steps_per_run, "The steps of a run")
    share = next(share for title, share, _ in SHARES if title == FINAL)
    needed, left = seconds_per_run / share / 3600, _time(3600 * hours * share)
    if hours < needed * (1 - 1e-9):
        raise ConfigError(
            f"The final training takes {_time(seconds_per_run)}, but {100 * share:.0f} % of {_hours(hours)} "
            f"is {left}. Give at least {_ceil(needed):g} hours, or fewer rows or epochs."
        )
    parts = (_part(hours, seconds_per_run, steps_per_run, *one) for one in SHARES)
    return Budget(hours, seconds_per_run, tuple(parts))


def runs_for(minutes: float, seconds_per_run: float, workers: int = 1) -> int:
    """How many whole runs so many workers end in so many minutes of wall clock; may be 0."""
    _check(minutes, "minutes")
    _check(seconds_per_run, "The seconds of a run")
    _check(workers, "The number of workers")
    return workers * _whole(60 * minutes / seconds_per_run)


def _part(
    hours: float, seconds_per_run: float, steps_per_run: int, title: str, share: float, length: float | None
) -> Part:
    seconds = 3600 * hours * share
    trains = title != "Held-out evaluation"
    return Part(
        title,
        share,
        seconds,
        length,
        None if length is None else _whole(seconds / (seconds_per_run * length)),
        _whole(seconds / seconds_per_run * steps_per_run) if trains else None,
    )


def _whole(count: float) -> int:
    """Rounded down; what lacks a billionth is whole."""
    return math.floor(count * (1 + 1e-9))


def _check(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name} must be above 0, but is {value:g}. Enter a positive number.")


def _ceil(hours: float) -> float:
    """Rounded up to two digits after the point, so that what is named is enough."""
    return math.ceil(100 * hours - 1e-9) / 100


def _hours(hours: float) -> str:
    return f"{hours:g} hour{'' if hours == 1 else 's'}"


def _number(runs: int | None) -> str:
    return f"{runs} run{'' if runs == 1 else 's'}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
