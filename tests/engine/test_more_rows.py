"""Whether more rows would help is said as far as the intervals allow."""

from __future__ import annotations

import pytest

from engine import figures_rows, more_rows
from engine.more_rows import Point, RowCurve
from engine.records import Score


def score(value: float, low: float, high: float) -> Score:
    return Score(value, low, high, 60)


def curve(
    values: tuple[float, ...], last: tuple[float, ...], over_all: tuple[float, ...], metric: str = "accuracy"
) -> RowCurve:
    """25, 50 and 100 rows; each gain as value, low and high."""
    points = tuple(
        Point(rows, score(value, value - 0.05, value + 0.05))
        for rows, value in zip((25, 50, 100), values, strict=True)
    )
    return RowCurve(metric, points, score(*last), score(*over_all))


def test_a_clear_last_doubling_says_what_the_next_may_bring() -> None:
    # error now 0.11: gains of 0.03 to 0.13 give 0.11 * 0.03 / 0.14 = 0.024 to 0.11 * 0.13 / 0.24 = 0.060
    found = curve((0.70, 0.81, 0.89), (0.08, 0.03, 0.13), (0.19, 0.1, 0.28))

    assert found.next == pytest.approx((0.02357, 0.05958), abs=1e-4)
    assert more_rows.sentence(found) == (
        "70.0 at 25 rows, 81.0 at 50, 89.0 at 100: doubling again may bring 2 to 6 points."
    )


def test_gains_below_a_point_are_called_so() -> None:
    found = curve((0.90, 0.97, 0.99), (0.02, 0.005, 0.03), (0.09, 0.05, 0.1))

    assert more_rows.sentence(found).endswith("doubling again may bring less than a point.")


def test_intervals_that_hold_zero_are_no_sign_that_more_rows_help() -> None:
    found = curve((0.86, 0.88, 0.89), (0.01, -0.03, 0.05), (0.03, -0.02, 0.08))

    assert found.next is None
    assert more_rows.sentence(found) == (
        "86.0 at 25 rows, 88.0 at 50, 89.0 at 100: no sign that more rows help, as far as 60 test rows show "
        "(between -3.0 and +5.0 points a doubling)."
    )


def test_rows_that_helped_only_at_first_are_told_apart() -> None:
    found = curve((0.70, 0.88, 0.89), (0.01, -0.03, 0.05), (0.19, 0.1, 0.28))

    assert "more rows helped at first, but the last doubling shows no clear gain" in more_rows.sentence(found)


def test_a_last_doubling_that_harmed_asks_for_a_look_at_the_labels() -> None:
    found = curve((0.80, 0.89, 0.81), (-0.08, -0.13, -0.03), (0.01, -0.05, 0.07))

    assert more_rows.sentence(found).endswith(
        "the last doubling made it worse by 3 to 13 points, so more rows like the newer ones do not help. "
        "Look at their labels."
    )


def test_a_perfect_score_leaves_nothing_to_gain() -> None:
    found = curve((0.9, 0.95, 1.0), (0.05, 0.01, 0.09), (0.1, 0.02, 0.18))

    assert more_rows.sentence(found).endswith("nothing is left to gain on these test rows.")


def test_a_loss_is_told_in_nats_and_is_better_where_it_falls() -> None:
    # loss now 1.0: 1.0 * 0.25 / 1.25 = 0.2 to 1.0 * 1.0 / 2.0 = 0.5
    found = curve((2.0, 1.5, 1.0), (0.5, 0.25, 1.0), (1.0, 0.5, 1.5), "loss")

    assert more_rows.sentence(found) == (
        "2.000 at 25 rows, 1.500 at 50, 1.000 at 100: doubling again may bring 0.20 to 0.50 nats."
    )


@pytest.mark.parametrize("rows, wanted", [(100, (25, 50)), (33, (8, 16)), (31, ())])
def test_a_quarter_and_a_half_are_trained_where_a_quarter_has_eight_rows(
    rows: int, wanted: tuple[int, ...]
) -> None:
    assert more_rows.sizes(rows) == wanted


def test_the_figure_has_a_point_and_an_interval_for_each_size() -> None:
    figure = figures_rows.rows_figure(curve((0.70, 0.81, 0.89), (0.08, 0.03, 0.13), (0.19, 0.1, 0.28)))

    (trace,) = figure.data
    assert list(trace.x) == [25, 50, 100]
    assert list(trace.y) == pytest.approx([70, 81, 89])
    assert list(trace.error_y.array) == pytest.approx([5, 5, 5])
