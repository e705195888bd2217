"""Which trainings go on: successive halving and the shortlist with early stopping."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import halving
from engine.errors import ConfigError
from engine.records import RunStatus
from engine.search import Continue, Decision, SearchMethod, Start, Trial
from tests.engine.driving import CONFIG, drive, ended, failed, search, standing

RACE = search(SearchMethod.SHORTLIST)
HALVING = search(SearchMethod.HALVING, runs=9)


def listed(losses: list[float]) -> list[Trial]:
    """A shortlist of which every config stands at a quarter of its schedule."""
    return [
        standing(f"run-{place}", loss, halving.PAUSE_AT, replace(CONFIG, num_train_epochs=place + 1))
        for place, loss in enumerate(losses)
    ]


def continued(decision: Decision) -> list[tuple[str, float | None]]:
    return [(action.run, action.pause_at) for action in decision.actions if isinstance(action, Continue)]


def test_the_two_of_a_shortlist_with_the_least_dev_loss_go_on_to_their_end() -> None:
    decision = halving.decide(RACE, listed([0.9, 0.5, 0.7, 0.8]), 4)

    assert continued(decision) == [("run-1", None), ("run-2", None)]
    assert decision.actions[0].why == (
        "Place 1 of 4 by dev loss at 25 % of the own schedule: 0.500, 0.300 (0.300 to 0.300) below the best "
        "that is left out, on the same 4 rows."
    )


def test_nothing_goes_on_before_all_of_the_shortlist_stand() -> None:
    trials = listed([0.9, 0.5, 0.7])
    trials[0] = Trial("run-0", CONFIG, RunStatus.QUEUED, True, pause_at=halving.PAUSE_AT)
    assert halving.decide(RACE, trials, 4) == Decision()


def test_one_free_worker_after_the_other_gives_the_same_as_two_at_once() -> None:
    trials = listed([0.9, 0.5, 0.7, 0.8])
    first = halving.decide(RACE, trials, 1)
    trials[1] = Trial("run-1", trials[1].config, RunStatus.QUEUED, True)

    assert continued(first) == [("run-1", None)]
    assert continued(halving.decide(RACE, trials, 1)) == [("run-2", None)]
    assert halving.decide(RACE, trials, 0) == Decision()


def test_of_two_configs_none_is_dropped() -> None:
    decision = halving.decide(RACE, listed([0.9, 0.5]), 2)
    assert continued(decision) == [("run-1", None), ("run-0", None)]
    assert "none is left out" in decision.actions[0].why


def test_equal_losses_are_decided_by_the_config() -> None:
    trials = listed([0.5, 0.5, 0.5])
    assert continued(halving.decide(RACE, trials[::-1], 2)) == [("run-0", None), ("run-1", None)]


def test_a_failed_run_cannot_go_on_and_one_that_fails_later_gives_its_place_back() -> None:
    trials = listed([0.4, 0.5, 0.7, 0.8])
    trials[0] = failed(trials[0])
    assert continued(halving.decide(RACE, trials, 4)) == [("run-1", None), ("run-2", None)]

    trials[1] = Trial("run-1", CONFIG, RunStatus.FAILED, True)
    trials[2] = Trial("run-2", CONFIG, RunStatus.QUEUED, True)

    assert continued(halving.decide(RACE, trials, 4)) == [("run-3", None)]


def test_a_loss_that_is_no_number_never_goes_on() -> None:
    trials = listed([0.4, float("nan"), float("inf"), 0.8])
    assert continued(halving.decide(RACE, trials, 4)) == [("run-0", None), ("run-3", None)]


def test_a_run_that_a_person_stopped_with_a_score_does_not_stand() -> None:
    trials = listed([0.4, 0.5, 0.6])
    trials[0] = replace(trials[0], score=0.9)
    assert continued(halving.decide(RACE, trials, 4)) == [("run-1", None), ("run-2", None)]


def test_a_run_that_a_person_let_go_on_has_one_of_the_two_places() -> None:
    trials = listed([0.9, 0.5, 0.7, 0.8])
    trials[3] = ended(replace(trials[3], pause_at=None), 0.6)
    assert continued(halving.decide(RACE, trials, 4)) == [("run-1", None)]


def test_a_run_too_short_to_stand_is_compared_by_its_end() -> None:
    trials = listed([0.9, 0.5, 0.7])
    trials[2] = replace(trials[2], status=RunStatus.FINISHED, score=0.3)
    assert continued(halving.decide(RACE, trials, 4)) == [("run-1", None)]


def test_it_is_over_when_the_two_have_ended() -> None:
    trials = listed([0.9, 0.5, 0.7, 0.8])
    for place in (1, 2):
        trials[place] = ended(replace(trials[place], pause_at=None), 0.4)
    trials[3] = failed(trials[3])

    assert halving.decide(RACE, trials, 4) == Decision(
        over="2 of 4 configs trained to the end, 1 left at 25 % of the schedule, 1 failed."
    )


def test_a_shortlist_that_failed_altogether_is_over() -> None:
    trials = [failed(trial) for trial in listed([0.4, 0.5])]
    assert halving.decide(RACE, trials, 4).over == "0 of 2 configs trained to the end, 2 failed."


def test_other_trainings_of_the_study_take_no_part() -> None:
    default = Trial("run-9", CONFIG, RunStatus.QUEUED, False)
    assert len(halving.decide(RACE, [*listed([0.9, 0.5, 0.7]), default], 4).actions) == 2


def test_losses_of_different_rows_are_not_compared() -> None:
    trials = [*listed([0.9, 0.5]), standing("run-9", 0.7, halving.PAUSE_AT, rows=6)]
    with pytest.raises(ConfigError, match="run-9 was measured on 6 dev rows, run-0 on 4"):
        halving.decide(RACE, trials, 4)


def test_halving_starts_every_config_at_a_fifth_of_its_schedule() -> None:
    decision = halving.decide(HALVING, [], 3)

    assert len(decision.actions) == 3
    assert {type(action) for action in decision.actions} == {Start}
    assert {action.pause_at for action in decision.actions} == {0.2}


def test_a_third_goes_on_to_the_next_rung_and_a_ninth_to_the_end() -> None:
    order: dict[str, float] = {}

    def train(trial: Trial) -> Trial:
        loss = order.setdefault(trial.config.to_json(), 1.0 - len(order) / 10)
        return ended(trial, loss)

    trials, why = drive(HALVING, train)

    assert why == "9 configs, 9 reached 20 % of the schedule, 3 went on to 60 % of the schedule, 1 the end."
    assert [trial.pause_at for trial in trials] == [0.2] * 6 + [0.6, 0.6, None]


LOSSES = st.lists(
    st.one_of(st.none(), st.floats(0.1, 9.0), st.sampled_from([0.5, 1.0])), min_size=1, max_size=12
)


@settings(max_examples=40, deadline=None)
@given(LOSSES, st.integers(1, 4), st.sampled_from([SearchMethod.HALVING, SearchMethod.SHORTLIST]))
def test_every_config_is_started_once_and_ends_or_is_dropped(
    losses: list[float | None], workers: int, method: SearchMethod
) -> None:
    what = search(method, runs=len(losses))
    queued = [
        Trial(f"run-{n:02d}", replace(CONFIG, num_train_epochs=n + 1), RunStatus.QUEUED, True, pause_at=0.25)
        for n in range(len(losses))
    ]

    def train(trial: Trial) -> Trial:
        loss = losses[int(trial.run.removeprefix("run-"))]
        return failed(trial) if loss is None else ended(trial, loss)

    trials, _ = drive(what, train, queued if method is SearchMethod.SHORTLIST else [], workers)

    assert len({trial.config for trial in trials}) == len(trials) == len(losses)
    assert all(t.is_paused or t.status in (RunStatus.FINISHED, RunStatus.FAILED) for t in trials)
    known = [loss for loss in losses if loss is not None]
    finished = [t.loss for t in trials if t.status is RunStatus.FINISHED]
    assert bool(finished) == bool(known)
    if known:
        assert min(loss for loss in finished if loss is not None) == pytest.approx(min(known))


@given(st.lists(st.floats(1.0, 1000.0), min_size=1, max_size=8))
def test_what_early_stopping_saves_lies_between_its_bounds(costs: list[float]) -> None:
    saving = halving.expected_saving(costs)
    assert saving.low <= saving.share + 1e-9
    assert saving.share <= saving.high + 1e-9
    assert (saving.high == 0) == (len(costs) <= halving.KEEP)


def test_half_of_four_equal_configs_from_a_quarter_on_are_three_eighths_of_the_training() -> None:
    saving = halving.expected_saving([600.0] * 4, in_seconds=True)
    assert saving.share == pytest.approx(0.375)
    assert saving.sentence == ("Early stopping saves about 38 % of the training of 4 configs, 15.0 min.")


def test_what_is_saved_depends_on_which_configs_go_on() -> None:
    assert halving.expected_saving([100.0, 200.0, 300.0]).sentence == (
        "Early stopping saves about 25 % of the training of 3 configs (12 to 38 %, by which 2 go on)."
    )


def test_the_saving_afterwards_is_what_the_dropped_would_have_taken() -> None:
    trials = listed([0.9, 0.5, 0.7, 0.8])  # 10 seconds each to where they stand, so 30 more to the end
    for place in (1, 2):
        trials[place] = ended(replace(trials[place], pause_at=None), 0.4)  # 40 seconds

    saving = halving.actual_saving(trials)

    assert saving is not None
    assert (saving.seconds, saving.share) == (60.0, 0.375)
    assert saving.sentence == (
        "Early stopping saved about 38 % of the training, 1.0 min: 2 of 4 configs went to their end."
    )


def test_a_saving_is_not_known_while_a_run_goes_on() -> None:
    trials = [*listed([0.9, 0.5]), Trial("run-9", CONFIG, RunStatus.QUEUED, True)]
    assert halving.actual_saving(trials) is None


def test_nothing_is_saved_where_nothing_is_dropped() -> None:
    assert halving.expected_saving([1.0, 2.0]).sentence == (
        "Early stopping saves nothing: all 2 configs are trained to their end."
    )
