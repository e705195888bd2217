"""Which hyperparameters the differences between a study's trainings come from.

A search tries no full factorial, so the surface has to be guessed: optuna's fANOVA (Hutter, Hoos and
Leyton-Brown 2014) over a random forest. engine.importance computes it exactly, where there is a whole grid.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.search import Trial
from engine.searched import Measure
from engine.searchspace import Axis, Scale, value_of

FEWEST = 8  # trainings; below, a forest sees nothing [ours]


class Share(NamedTuple):
    """How much of the differences (0 to 1) a hyperparameter accounts for; shares of a study add to 1."""

    name: str
    share: float


def importance(trials: Sequence[Trial], axes: Sequence[Axis], by: Measure) -> tuple[Share, ...] | None:
    """The largest first; None below FEWEST measured trainings, or where nothing varies. Seeded."""
    import optuna

    measured = [(trial.config, value) for trial in trials if (value := by.value(trial)) is not None]
    varied = [axis for axis in axes if len({value_of(config, axis.name) for config, _ in measured}) > 1]
    if len(measured) < FEWEST or not varied or len({value for _, value in measured}) < 2:
        return None
    spread = {axis.name: _distribution(axis, [value_of(config, axis.name) for config, _ in measured])
              for axis in varied}  # fmt: skip
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for config, value in measured:
        params = {name: value_of(config, name) for name in spread}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=spread, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    ordered = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Share(name, share) for name, share in ordered)


def _distribution(axis: Axis, values: Sequence[Any]) -> Any:
    """As wide as what was tried: earlier runs may lie outside of the space."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    numbers = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if axis.scale is Scale.CHOICE or len(numbers) < len(values):
        return CategoricalDistribution(tuple(sorted(set(values), key=str)))
    log = min(numbers) > 0 and axis.scale in (Scale.LOG, Scale.STEPS)
    return FloatDistribution(min(numbers), max(numbers), log=log)
