"""What given hours are spent on, and how many runs fit into minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import budget
from engine.errors import ConfigError


def test_hours_are_split_as_the_lesson_says() -> None:
    found = budget.split(2.0, seconds_per_run=1800, steps_per_run=600)

    assert [(part.title, part.share, part.runs, part.steps) for part in found.parts] == [
        ("Learning-rate test", 0.05, None, 120),
        ("Rank", 0.10, 2, 240),
        ("Warm-up", 0.10, 2, 240),
        ("Final training", 0.40, 1, 960),
        ("Held-out evaluation", 0.05, None, None),
        ("Reserve", 0.30, 1, 720),
    ]
    assert found.sentence == (
        "Of 2 hours, 48 min are for the final training (1 run of 30 min), 6 min for a test of learning rates "
        "(120 steps), 12 min each for rank and warm-up (2 runs to 20 % of the schedule), 6 min for the "
        "held-out evaluation, and 36 min stay in reserve."
    )


def test_hours_that_do_not_hold_the_final_training_are_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError) as error:
        budget.split(1.0, seconds_per_run=3000, steps_per_run=600)
    assert str(error.value) == (
        "The final training takes 50 min, but 40 % of 1 hour is 24 min. Give at least 2.09 hours, or fewer "
        "rows or epochs."
    )
    assert budget.split(2.09, seconds_per_run=3000, steps_per_run=600).parts[3].runs == 1


@pytest.mark.parametrize("hours", [0.0, -1.0, float("nan"), float("inf")])
def test_hours_that_are_none_are_refused(hours: float) -> None:
    with pytest.raises(ConfigError, match="hours must be above 0"):
        budget.split(hours, 60, 10)


@given(st.floats(1.0, 1000.0), st.floats(1.0, 1000.0))
def test_what_is_planned_never_takes_longer_than_the_hours(hours: float, seconds: float) -> None:
    found = budget.split(hours, seconds, 100)

    assert sum(part.seconds for part in found.parts) == pytest.approx(3600 * hours)
    for part in found.parts:
        if part.runs is not None and part.length is not None:
            assert part.runs * part.length * seconds <= part.seconds * (1 + 1e-6)
    assert (found.parts[3].runs or 0) >= 1


def test_each_worker_ends_whole_runs() -> None:
    assert budget.runs_for(10, seconds_per_run=180, workers=2) == 6
    assert budget.runs_for(1, seconds_per_run=61, workers=8) == 0
    with pytest.raises(ConfigError, match="minutes must be above 0"):
        budget.runs_for(0, 60)
