"""Random search and TPE on pure functions: the same facts give the same proposals, and TPE learns."""

from __future__ import annotations

import random
from dataclasses import replace
from statistics import fmean

import pytest

from engine.records import Config, RunStatus
from engine.search import Objective, Search, SearchMethod, Trial
from engine.searchspace import Axis, Scale, Space
from tests.engine.searches import FULL, LORA, bowl, propose, run, search_of, trial_of

BOTH_METHODS = (SearchMethod.RANDOM, SearchMethod.TPE)


def configs(search: Search, trials: list[Trial], n: int = 1) -> list[Config]:
    return [start.config for start in propose(search, trials, n)]


def earlier(count: int) -> list[Trial]:
    """Runs that the study had before the search."""
    found = run(search_of(SearchMethod.RANDOM, seed=99), bowl, count)
    return [replace(trial, ours=False) for trial in found]


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_the_same_facts_give_the_same_proposals_in_any_order(method: SearchMethod) -> None:
    search = search_of(method)
    trials = run(search, bowl, 8)
    mixed = random.Random(1).sample(trials, len(trials))

    assert propose(search, mixed, 3) == propose(search, trials, 3)


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_proposals_lie_in_the_space_and_none_comes_twice(method: SearchMethod) -> None:
    trials = run(search_of(method), bowl, 20)

    found = [trial.config for trial in trials]

    assert len(set(found)) == 20
    assert all(LORA.has(config) for config in found)


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_another_seed_gives_other_proposals(method: SearchMethod) -> None:
    assert configs(search_of(method, seed=1), [], 3) != configs(search_of(method, seed=2), [], 3)


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_a_space_that_was_tried_has_nothing_more(method: SearchMethod) -> None:
    space = Space(FULL.axes[1:], FULL.fixed)  # 3 x 2 configs

    trials = run(search_of(method, space), bowl, 8)

    assert len(trials) == 6


@pytest.mark.parametrize("method", BOTH_METHODS)
def test_what_waits_or_trains_is_not_proposed_again(method: SearchMethod) -> None:
    space = Space(FULL.axes[1:], FULL.fixed)
    search = search_of(method, space)
    waiting = [
        trial_of(n, config, status=RunStatus.QUEUED) for n, config in enumerate(configs(search, [], 4))
    ]

    assert not set(configs(search, waiting, 2)) & {trial.config for trial in waiting}


def test_a_cold_search_begins_with_five_at_random_and_learns_nothing_from_before() -> None:
    search = search_of(SearchMethod.TPE, cold=True)

    reasons = [start.why for start in propose(search, earlier(10), 1)]
    trials = run(search, bowl, 6)
    sixth = propose(search, trials[:5])[0].why

    assert reasons == ["Drawn at random: TPE needs 5 measured runs to learn from and has 0."]
    assert sixth.startswith("TPE learned from 5 runs")


def test_a_warm_search_learns_from_the_runs_before() -> None:
    search = search_of(SearchMethod.TPE)

    assert propose(search, earlier(3))[0].why.endswith("has 3.")
    assert propose(search, earlier(5))[0].why.startswith("TPE learned from 5 runs")
    assert configs(search, earlier(10)) != configs(replace(search, cold=True), earlier(10))


def test_a_run_outside_the_space_teaches_nothing() -> None:
    outside = trial_of(0, replace(LORA.fixed, learning_rate=0.1), 0.5, ours=False)

    assert propose(search_of(SearchMethod.TPE), [outside])[0].why.endswith("has 0.")


def test_parallel_proposals_of_tpe_lie_apart() -> None:
    search = search_of(SearchMethod.TPE)
    trials = run(search, bowl, 10)

    assert len(set(configs(search, trials, 4))) == 4


def test_tpe_is_not_drawn_to_what_fails() -> None:
    def fails_above(config: Config) -> float | None:
        return None if config.learning_rate > 4e-3 else bowl(config)

    def failures(method: SearchMethod) -> float:
        return fmean(
            sum(trial.loss is None for trial in run(search_of(method, seed=seed), fails_above, 20)[10:])
            for seed in range(10)
        )

    assert failures(SearchMethod.TPE) < failures(SearchMethod.RANDOM)


def test_tpe_beats_random_on_a_bowl() -> None:
    def best(method: SearchMethod) -> float:
        found = [run(search_of(method, seed=seed), bowl, 30) for seed in range(20)]
        return fmean(min(trial.loss for trial in trials if trial.loss is not None) for trials in found)

    assert best(SearchMethod.TPE) < 0.7 * best(SearchMethod.RANDOM)


def test_the_metric_and_both_objectives_are_searched_too() -> None:
    trials = run(search_of(SearchMethod.RANDOM), bowl, 8)
    contrary = [replace(trial, score=trial.loss) for trial in trials]  # a worse loss, a better score

    by_loss = configs(search_of(SearchMethod.TPE), contrary)
    by_score = configs(search_of(SearchMethod.TPE, objective=Objective.METRIC), contrary)
    by_both = configs(search_of(SearchMethod.TPE, objective=Objective.BOTH), contrary)

    assert by_loss != by_score
    assert LORA.has(by_both[0])


def test_choices_and_whole_ranges_are_searched() -> None:
    space = Space(
        (
            Axis("lr_scheduler_type", Scale.CHOICE, values=("cosine", "linear")),
            Axis("lora_alpha", Scale.LINEAR, 1, 64),
            Axis("lora_r", Scale.LOG, 4, 512),
        ),
        LORA.fixed,
    )

    found = [trial.config for trial in run(search_of(SearchMethod.TPE, space), bowl, 12)]

    assert {config.lr_scheduler_type for config in found} == {"cosine", "linear"}
    assert all(isinstance(config.lora_r, int) and isinstance(config.lora_alpha, int) for config in found)
