"""New configs for a search: at random, or by optuna's tree-structured Parzen estimator (TPE).

TPE: Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; two objectives: Ozaki et al. 2020.
The optuna study is built anew from the trainings for every proposal, so nothing has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from engine.pareto import costs
from engine.records import Config
from engine.search import Objective, Search, SearchMethod, Start, Trial
from engine.searchspace import Axis, Scale, Space

if TYPE_CHECKING:
    import optuna

RANDOM_FIRST = 5  # of 20 trials, by the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com)
DRAWS = 50  # so many known configs in a row, and the space counts as tried


def propose(search: Search, trials: Sequence[Trial], n: int) -> list[Start]:
    """Up to `n` new configs, by the search's method RANDOM or TPE; fewer when the space has been tried.

    The same search and trials give the same configs, whatever the order of the trials. No config of a trial
    comes again, open and failed ones included. A cold search is told only of its own trials.
    """
    told = [t for t in trials if (t.ours or not search.cold) and search.space.covers(t.config)]
    study = _study(search, sorted(told, key=lambda trial: trial.run))
    known = {trial.config for trial in trials}
    starts: list[Start] = []
    for number in range(len(trials), len(trials) + n):
        study.sampler = _sampler(search, number)
        why = _why(search, study)
        config = _new_config(study, search.space, known)
        if config is None:
            break
        known.add(config)
        starts.append(Start(config, why))
    return starts


def _study(search: Search, told: Iterable[Trial]) -> optuna.Study:
    """All that the search knows, as optuna holds it: what waits is running, what failed has failed."""
    import optuna
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions = [StudyDirection.MINIMIZE] * (2 if search.objective is Objective.BOTH else 1)
    study = optuna.create_study(directions=directions)
    distributions = _distributions(search.space)
    for trial in told:
        values = costs(trial, search.objective)
        unmeasured = TrialState.RUNNING if trial.is_open else TrialState.FAIL
        study.add_trial(
            optuna.trial.create_trial(
                state=unmeasured if values is None else TrialState.COMPLETE,
                values=values,
                params=_params(search.space, trial.config),
                distributions=distributions,
            )
        )
    return study


def _sampler(search: Search, number: int) -> optuna.samplers.BaseSampler:
    """Seeded by the search and by how many trials there are, so that no proposal repeats the one before."""
    import numpy as np
    from optuna.samplers import RandomSampler, TPESampler

    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    if search.method is SearchMethod.RANDOM:
        return RandomSampler(seed)
    return TPESampler(seed=seed, n_startup_trials=RANDOM_FIRST, multivariate=True, constant_liar=True)


def _new_config(study: optuna.Study, space: Space, known: set[Config]) -> Config | None:
    """The first config asked for that is not known; None after DRAWS known ones."""
    from optuna.trial import TrialState

    for _ in range(DRAWS):
        asked = study.ask(_distributions(space))
        config = space.config({axis.name: _value(axis, asked.params[axis.name]) for axis in space.axes})
        if config not in known:
            return config
        study.tell(asked, state=TrialState.FAIL)
    return None


def _why(search: Search, study: optuna.Study) -> str:
    from optuna.trial import TrialState

    measured = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    if search.method is SearchMethod.RANDOM:
        return "Drawn at random from the search space."
    if measured < RANDOM_FIRST:
        return f"Drawn at random: TPE needs {RANDOM_FIRST} measured runs to learn from and has {measured}."
    return f"TPE learned from {measured} runs that the best ones are more likely here than the others."


def _distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    return {axis.name: _distribution(axis) for axis in space.axes}


def _distribution(axis: Axis) -> optuna.distributions.BaseDistribution:
    """Ordered values by their place, so that TPE knows which are neighbours."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.scale is Scale.CHOICE:
        return CategoricalDistribution(axis.values)
    if axis.scale is Scale.STEPS:
        return IntDistribution(0, len(axis.values) - 1)
    low, high = axis.bounds
    kind = IntDistribution if axis.is_whole else FloatDistribution
    return kind(low, high, log=axis.scale is Scale.LOG)


def _params(space: Space, config: Config) -> dict[str, Any]:
    point = space.point(config)
    return {a.name: a.values.index(point[a.name]) if _by_place(a) else point[a.name] for a in space.axes}


def _value(axis: Axis, param: Any) -> Any:
    return axis.values[param] if _by_place(axis) else axis.nearest(param)


def _by_place(axis: Axis) -> bool:
    return axis.scale is Scale.STEPS
