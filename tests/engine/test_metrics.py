"""Scores and losses are written by one rule wherever they stand."""

from __future__ import annotations

from engine import metrics
from engine.records import Score


def test_scores_have_one_digit_in_points_and_losses_three_in_nats() -> None:
    assert metrics.number(0.71234, loss=False) == "71.2"
    assert metrics.number(1.23456, loss=True) == "1.235"


def test_a_difference_that_rounds_to_nothing_has_no_sign() -> None:
    assert metrics.number(-0.0004, loss=False) == "0.0"
    assert metrics.number(-0.0004, loss=True) == "0.000"
    assert metrics.number(-0.004, loss=False) == "-0.4"


def test_an_interval_has_the_digits_of_its_score() -> None:
    score = Score(0.5, 0.4, 0.6, 20)

    assert metrics.points(score, loss=False, unit=" points") == "50.0 points (40.0 to 60.0)"
    assert metrics.points(score, loss=True) == "0.500 (0.400 to 0.600)"
