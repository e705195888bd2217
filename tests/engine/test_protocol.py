"""The minimum viable protocol, step by step."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import protocol
from engine.errors import ConfigError
from engine.protocol import State
from engine.records import Method, RunStatus
from engine.search import Continue, Decision, SearchMethod, Start, Trial
from tests.engine.driving import act, drive, failed, search, standing

SEARCH = search(SearchMethod.PROTOCOL, runs=5)
SMOOTH = (4.0, 3.0, 2.0, 1.0)
ROUGH = (4.0, 2.0, 3.0, 1.0)
SPIKY = (4.0, 6.0, 2.0, 0.5)


def stand(trial: Trial, losses: tuple[float, ...] = SMOOTH, dev: float = 1.0) -> Trial:
    """The same training, after its first fifth."""
    at = standing(trial.run, dev, protocol.PAUSE_AT, trial.config)
    return replace(at, losses_by_step=tuple(enumerate(losses, start=1)))


def finish(trial: Trial) -> Trial:
    return replace(trial, status=RunStatus.FINISHED, loss=0.5, score=0.8, row_losses=(0.5,) * 4, seconds=50.0)


def three(*losses: tuple[float, ...]) -> list[Trial]:
    """The three learning rates, standing."""
    started = act([], protocol.decide(SEARCH, [], 3))
    return [stand(trial, found) for trial, found in zip(started, losses, strict=True)]


def doubled(trials: list[Trial], dev: float) -> list[Trial]:
    """With the double rank, standing at this dev loss."""
    after = act(trials, protocol.decide(SEARCH, trials, 1))
    return [*after[:-1], stand(after[-1], SMOOTH, dev)]


def step(title: str, trials: list[Trial]) -> protocol.Step:
    return next(one for one in protocol.plan(SEARCH, trials) if one.title == title)


def test_it_begins_with_three_learning_rates_over_one_decade() -> None:
    decision = protocol.decide(SEARCH, [], 8)

    starts = [action for action in decision.actions if isinstance(action, Start)]
    assert [start.config.learning_rate for start in starts] == [9.49e-4, 3e-3, 9.49e-3]
    assert {start.pause_at for start in starts} == {0.2}
    assert {start.config.warmup_ratio for start in starts} == {0.05}
    assert {start.config.weight_decay for start in starts} == {0.01}
    assert {start.config.lora_dropout for start in starts} == {0.05}
    assert {start.config.lora_alpha for start in starts} == {16}


def test_one_worker_starts_them_one_by_one() -> None:
    first = act([], protocol.decide(SEARCH, [], 1))
    assert len(first) == 1
    assert protocol.decide(SEARCH, first, 0) == Decision()
    second = act(first, protocol.decide(SEARCH, first, 1))
    assert second[1].config.learning_rate == 3e-3


def test_the_smoothest_fall_keeps_its_learning_rate() -> None:
    trials = three(SMOOTH, ROUGH, (4.0, 4.0, 4.0, 3.6))

    decision = protocol.decide(SEARCH, trials, 1)

    (start,) = decision.actions
    assert isinstance(start, Start)
    assert (start.config.learning_rate, start.config.lora_r, start.config.lora_alpha) == (9.49e-4, 16, 32)
    assert step("Learning rate", trials).decision == (
        "Learning rate 9.49e-4, by smoothness of the fall at 20 % of the steps: 9.49e-4 0.75 (fell 75 %, "
        "roughness 0.00), 3e-3 0.56 (fell 75 %, roughness 0.25), 9.49e-3 0.10 (fell 10 %, roughness 0.00)."
    )


def test_equal_falls_are_decided_by_dev_loss() -> None:
    trials = three(SMOOTH, SMOOTH, SMOOTH)
    trials[1] = stand(trials[1], SMOOTH, dev=0.9)
    (start,) = protocol.decide(SEARCH, trials, 1).actions
    assert isinstance(start, Start)
    assert start.config.learning_rate == 3e-3


def test_a_failed_learning_rate_is_worse_than_any_other() -> None:
    trials = three((4.0, 4.0, 4.0, 5.0), SMOOTH, SMOOTH)
    trials[1:] = [failed(trial) for trial in trials[1:]]
    decided = step("Learning rate", trials).decision
    assert decided is not None
    assert "9.49e-4 -0.25 (rose 25 %, roughness 1.00), 3e-3 failed, 9.49e-3 failed" in decided


def test_too_few_logged_losses_are_judged_by_dev_loss() -> None:
    trials = three((4.0, 3.0), (4.0, 3.0), (4.0, 3.0))
    trials[2] = stand(trials[2], (4.0, 3.0), dev=0.8)
    decided = step("Learning rate", trials).decision
    assert decided is not None
    assert decided.startswith("Learning rate 9.49e-3, by dev loss (too few logged losses to judge a fall)")


def test_a_double_rank_is_kept_when_dev_loss_falls_by_more_than_two_percent() -> None:
    trials = three(SMOOTH, ROUGH, ROUGH)

    better, equal = doubled(trials, 0.97), doubled(trials, 0.99)

    assert step("Rank", better).decision == (
        "Rank 16: dev loss 0.970 at rank 16 is 3.0 % below the 1.000 at rank 8; the double must be more than "
        "2 % below."
    )
    assert [a.run for a in protocol.decide(SEARCH, better, 1).actions if isinstance(a, Continue)] == [
        "run-03"
    ]
    assert [a.run for a in protocol.decide(SEARCH, equal, 1).actions if isinstance(a, Continue)] == ["run-00"]


def test_a_double_rank_that_failed_is_not_kept() -> None:
    trials = doubled(three(SMOOTH, ROUGH, ROUGH), 0.5)
    trials[3] = failed(trials[3])
    assert step("Rank", trials).decision == "Rank 8: the training with rank 16 did not get so far."


def test_full_fine_tuning_has_no_rank_to_decide() -> None:
    full = search(SearchMethod.PROTOCOL, runs=4, of=Method.FULL)
    started = act([], protocol.decide(full, [], 3))
    trials = [stand(trial) for trial in started]

    (action,) = protocol.decide(full, trials, 1).actions

    assert isinstance(action, Continue)
    assert "Rank" not in action.why
    assert protocol.plan(full, [])[1].decision == "Full fine-tuning has no rank."


def test_first_steps_without_a_spike_let_the_short_training_go_on() -> None:
    trials = doubled(three(ROUGH, SMOOTH, ROUGH), 1.0)

    (action,) = protocol.decide(SEARCH, trials, 1).actions

    assert isinstance(action, Continue)
    assert (action.run, action.pause_at) == ("run-01", None)
    assert "Warm-up 0.05: a loss of the first 10 % of the steps reached 0.75 times" in action.why


def test_a_spike_that_gentler_steps_do_not_have_asks_for_a_longer_warm_up() -> None:
    trials = doubled(three((4.0, 4.0, 4.0, 4.0), SPIKY, (4.0, 4.0, 4.0, 4.0)), 1.0)

    (action,) = protocol.decide(SEARCH, trials, 1).actions

    assert isinstance(action, Start)
    assert (action.config.warmup_ratio, action.config.learning_rate, action.pause_at) == (0.1, 3e-3, None)
    assert "reached 1.50 times the larger of the first step's" in action.why


def test_the_plan_fills_itself() -> None:
    states = [[one.state for one in protocol.plan(SEARCH, [])]]
    trials = act([], protocol.decide(SEARCH, [], 3))
    states.append([one.state for one in protocol.plan(SEARCH, trials)])
    trials = [stand(trial) for trial in trials]
    trials = act(trials, protocol.decide(SEARCH, trials, 1))
    states.append([one.state for one in protocol.plan(SEARCH, trials)])
    trials = [*trials[:-1], stand(trials[-1])]
    trials = act(trials, protocol.decide(SEARCH, trials, 1))
    states.append([one.state for one in protocol.plan(SEARCH, trials)])
    trials = [finish(trial) if trial.is_open else trial for trial in trials]
    states.append([one.state for one in protocol.plan(SEARCH, trials)])

    waiting, running, decided = State
    assert states == [
        [waiting, waiting, waiting, decided, waiting],
        [running, waiting, waiting, decided, waiting],
        [decided, running, waiting, decided, waiting],
        [decided, decided, decided, decided, running],
        [decided, decided, decided, decided, decided],
    ]


def test_a_decision_stays_known_while_and_after_its_training_goes_on() -> None:
    trials = doubled(three(ROUGH, SMOOTH, ROUGH), 1.0)
    before = [one.decision for one in protocol.plan(SEARCH, trials)]
    going = act(trials, protocol.decide(SEARCH, trials, 1))
    during = [one.decision or "" for one in protocol.plan(SEARCH, going)]
    ended = [replace(finish(t), losses_by_step=trials[1].losses_by_step) if t.is_open else t for t in going]

    assert during[0].startswith("Learning rate 3e-3") and "3e-3 goes on" in during[0]
    assert during[1:3] == [
        "Rank 8: its training is the one that goes on.",
        "Warm-up 0.05: its training is the one that goes on.",
    ]
    after = [one.decision for one in protocol.plan(SEARCH, ended)]
    assert (after[0], after[2]) == (before[0], before[2])


def test_learning_rates_that_all_failed_end_it() -> None:
    trials = [failed(trial) for trial in three(SMOOTH, SMOOTH, SMOOTH)]
    assert protocol.decide(SEARCH, trials, 1).over == (
        "No learning rate can be kept: 9.49e-4 failed, 3e-3 failed, 9.49e-3 failed."
    )


def test_a_search_with_too_few_runs_is_refused() -> None:
    with pytest.raises(ConfigError, match="The protocol needs 5 runs, but has 3. Give it 5."):
        protocol.decide(replace(SEARCH, runs=3), [], 1)


CURVES = st.lists(st.floats(0.1, 9.0), min_size=2, max_size=8).map(tuple)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(CURVES, st.floats(0.1, 5.0), st.booleans()), min_size=6, max_size=6), st.integers(1, 3)
)
def test_however_its_trainings_go_it_ends_with_at_most_five_configs_each_started_once(
    outcomes: list[tuple[tuple[float, ...], float, bool]], workers: int
) -> None:
    def train(trial: Trial) -> Trial:
        curve, dev, fails = outcomes[int(trial.run.removeprefix("run-"))]
        if fails:
            return failed(trial)
        return finish(trial) if trial.pause_at is None else stand(trial, curve, dev)

    trials, why = drive(SEARCH, train, workers=workers)

    assert len({trial.config for trial in trials}) == len(trials) <= 5
    assert why.startswith(("The full training", "No learning rate"))
