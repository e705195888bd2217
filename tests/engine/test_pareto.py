"""The front of several objectives, by hand and against a slow definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine import pareto
from engine.records import RunStatus
from engine.search import Objective
from tests.engine.searches import LORA, trial_of

STAIRS = [(1.0, 3.0), (2.0, 2.0), (3.0, 1.0), (3.0, 3.0), (2.0, 2.5)]

costs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def test_the_front_is_what_nothing_beats() -> None:
    assert pareto.front(STAIRS) == [0, 1, 2]
    assert pareto.front([(1.0, 1.0), (1.0, 1.0)]) == [0, 1]
    assert pareto.front([]) == []


@given(costs)
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(points: list[tuple[float, float]]) -> None:
    front = [points[n] for n in pareto.front(points)]

    for point in points:
        assert point in front or any(a <= point[0] and b <= point[1] for a, b in front)


def test_the_cost_of_a_score_is_its_negative() -> None:
    trial = trial_of(1, LORA.fixed, 0.5, score=0.75)

    assert pareto.costs(trial, Objective.LOSS) == (0.5,)
    assert pareto.costs(trial, Objective.METRIC) == (-0.75,)
    assert pareto.costs(trial, Objective.BOTH) == (0.5, -0.75)


def test_what_was_not_measured_to_its_end_has_no_cost() -> None:
    for status in (RunStatus.STOPPED, RunStatus.RUNNING, RunStatus.FAILED):
        assert pareto.costs(trial_of(1, LORA.fixed, 0.5, status=status), Objective.LOSS) is None
    assert pareto.costs(trial_of(1, LORA.fixed), Objective.LOSS) is None
    assert pareto.costs(trial_of(1, LORA.fixed, float("nan")), Objective.LOSS) is None
    assert pareto.costs(trial_of(1, LORA.fixed, 0.5, score=None), Objective.BOTH) is None
