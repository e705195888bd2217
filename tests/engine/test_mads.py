"""MADS by NOMAD: it is rebuilt from its history for every proposal, and goes on as if it never stopped."""

from __future__ import annotations

import math
import signal
import time
from dataclasses import replace

import pytest

from engine import mads
from engine.errors import ConfigError
from engine.records import Config, RunStatus
from engine.search import Objective, Search, SearchMethod, Trial
from engine.searchspace import Axis, Scale, Space
from tests.engine.searches import FULL, LORA, bowl, propose, run, search_of, trial_of

COLD = search_of(SearchMethod.MADS, cold=True)
WARM = search_of(SearchMethod.MADS)


def configs(search: Search, trials: list[Trial], n: int = 1) -> list[Config]:
    return [start.config for start in propose(search, trials, n)]


def test_one_proposal_at_a_time_is_the_search_in_one_go() -> None:
    assert [trial.config for trial in run(COLD, bowl, 12)] == mads.minimise(LORA, bowl, 12)


def test_a_longer_search_begins_as_a_shorter_one() -> None:
    assert mads.minimise(LORA, bowl, 30)[:12] == mads.minimise(LORA, bowl, 12)


def test_proposals_lie_in_the_space_and_none_comes_twice() -> None:
    found = mads.minimise(LORA, bowl, 40)

    assert len(set(found)) == 40
    assert all(LORA.has(config) for config in found)


def test_it_comes_near_the_bottom_of_a_bowl_whatever_its_seed() -> None:
    for seed in range(5):
        found = mads.minimise(FULL, bowl, 30, seed)

        assert min(map(bowl, found)) < 0.1 < bowl(found[0])


def test_learning_rates_are_walked_by_their_logarithm() -> None:
    space = Space((Axis("learning_rate", Scale.LOG, 1e-6, 1e-2),), replace(FULL.fixed, learning_rate=1e-4))

    rates = [config.learning_rate for config in mads.minimise(space, bowl, 8)]

    # A linear mesh would hardly ever look below 1e-4, where half of the decades are.
    assert rates[0] == 1e-4
    assert min(rates) < 2e-5
    assert math.isclose(min(rates, key=lambda rate: abs(math.log10(rate / 1.5e-3))), 1.5e-3, rel_tol=0.5)


def test_what_failed_is_told_as_failed_and_left_alone() -> None:
    def fails_above(config: Config) -> float | None:
        return None if config.learning_rate > 1e-3 else bowl(config)

    space = replace(FULL, fixed=replace(FULL.fixed, learning_rate=5e-4))
    found = mads.minimise(space, fails_above, 30)

    late = [fails_above(config) is None for config in found[15:]]
    assert sum(late) < len(late) / 2
    assert min(value for config in found if (value := fails_above(config)) is not None) < bowl(space.fixed)


def test_a_start_that_fails_is_followed_by_others() -> None:
    def fails_at_start(config: Config) -> float | None:
        return None if config == FULL.fixed else bowl(config)

    found = mads.minimise(FULL, fails_at_start, 20)

    assert found[0] == FULL.fixed
    assert len(found) == 20
    assert min(bowl(config) for config in found[1:]) < 0.1
    assert [trial.config for trial in run(replace(COLD, space=FULL), fails_at_start, 5)] == found[:5]


def test_while_the_start_trains_other_workers_try_what_is_around_it() -> None:
    start = trial_of(0, LORA.fixed, status=RunStatus.RUNNING)

    found = configs(COLD, [start], 3)

    assert LORA.fixed not in found
    assert found[0] == mads.minimise(LORA, bowl, 2)[1]  # so nothing that they find is lost


def test_a_warm_search_begins_at_the_best_run_of_the_study() -> None:
    earlier = [
        trial_of(n, replace(LORA.fixed, learning_rate=rate), bowl(LORA.fixed) + n, ours=False)
        for n, rate in enumerate((1e-3, 5e-3, 3e-4))
    ]

    found = propose(WARM, earlier)[0]

    assert found.why == f"MADS polls the mesh around the best that it knows ({earlier[0].config.label})."
    assert found.config not in {trial.config for trial in earlier}
    assert found.config != LORA.fixed
    assert configs(COLD, earlier) == [LORA.fixed]


def test_a_best_run_that_is_no_point_of_the_space_is_first_tried_as_one() -> None:
    linear = trial_of(0, replace(LORA.fixed, lr_scheduler_type="linear", learning_rate=1e-3), 0.5, ours=False)

    assert configs(WARM, [linear]) == [replace(LORA.fixed, learning_rate=1e-3)]


def test_the_metric_is_searched_with_its_sign_turned() -> None:
    trials = [trial_of(n, c, bowl(c), score=bowl(c)) for n, c in enumerate(mads.minimise(LORA, bowl, 8))]
    worst = max(trials, key=lambda trial: trial.loss or 0.0)

    found = propose(replace(WARM, objective=Objective.METRIC), trials)

    assert worst.config.label in found[0].why


def test_two_objectives_are_refused() -> None:
    with pytest.raises(ConfigError, match="MADS improves one objective: choose loss or metric"):
        propose(replace(COLD, objective=Objective.BOTH), [])


def test_a_mesh_that_became_fine_proposes_nothing_more() -> None:
    found = mads.minimise(FULL, bowl, 500)
    trials = [trial_of(n, config, bowl(config)) for n, config in enumerate(found)]

    assert 10 < len(found) < 200
    assert propose(replace(COLD, space=FULL), trials) == []


def test_a_caller_can_end_it_and_an_error_comes_out() -> None:
    asked: list[Config] = []

    def ends(config: Config) -> float:
        if len(asked) == 5:
            raise mads.Enough
        asked.append(config)
        return bowl(config)

    def breaks(config: Config) -> float:
        raise KeyError(config.learning_rate)

    assert mads.minimise(FULL, ends, 100) == asked
    with pytest.raises(KeyError):
        mads.minimise(FULL, breaks, 100)


def test_ctrl_c_is_pythons_again_afterwards() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker may have left its own
    mads.minimise(FULL, bowl, 3)

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        time.sleep(1)
    signal.signal(signal.SIGINT, before)


def test_a_schedule_is_walked_by_its_place_among_the_values() -> None:
    schedules = Axis("lr_scheduler_type", Scale.CHOICE, values=("cosine", "linear", "constant"))
    space = Space((*FULL.axes, schedules), FULL.fixed)

    found = mads.minimise(space, lambda c: 2 - schedules.values.index(c.lr_scheduler_type), 20)

    assert found[0].lr_scheduler_type == "cosine"
    assert found[-1].lr_scheduler_type == "constant"


def test_a_proposal_from_16_runs_takes_less_than_a_second() -> None:
    trials = [trial_of(n, c, bowl(c)) for n, c in enumerate(mads.minimise(LORA, bowl, 16))]

    began = time.process_time()
    mads.minimise(LORA, bowl, 17, known={trial.config: trial.loss for trial in trials})

    assert time.process_time() - began < 1
