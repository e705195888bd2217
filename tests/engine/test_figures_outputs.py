"""Scores by the length of the input: the parts, the finding, what is said where there is nothing to see."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from engine import figures_outputs, outputs
from engine.evaluate import prediction_table
from engine.outputs import Outputs
from engine.records import Role, Row, RunKind, Score, Task
from tests import studies

BASE, TUNED = (f"{studies.STUDY}-0{number}" for number in (1, 2))


def joined(rows: int, words: Callable[[int], int], is_right: Callable[[int], bool]) -> Outputs:
    """A base that is never right, and a run that is right where it is said."""
    members = [Row(i, {Role.SOURCE: "w " * words(i)}, ("yes",)) for i in range(rows)]
    said = {BASE: ["no"] * rows, TUNED: ["yes" if is_right(i) else "no" for i in range(rows)]}
    tables = {
        run: prediction_table(Task.CLASSIFICATION, ("no", "yes"), {"test": members}, {"test": answers})
        for run, answers in said.items()
    }
    specs = [studies.spec(BASE, RunKind.BASE, "base"), studies.spec(TUNED)]
    return outputs.join(members, specs, tables, "test")


def test_a_run_that_fails_on_long_inputs_is_said_to_with_an_interval() -> None:
    info = figures_outputs.length_info(joined(80, lambda i: i + 1, lambda i: i < 40), TUNED)

    assert info.title == (
        "shortlist 1 scores 100.0 points (77.2 to 100.0) lower on the longest inputs than on the shortest"
    )
    assert [point.words for point in info.points[:4]] == [
        "1 to 20 words",
        "21 to 40 words",
        "41 to 60 words",
        "61 to 80 words",
    ]
    assert [point.value for point in info.points if point.run == "shortlist 1"] == [100, 100, 0, 0]
    assert {point.rows for point in info.points} == {20}
    assert len(figures_outputs.length_figure(info).data) == 2


def test_chance_is_not_called_an_effect() -> None:
    draw = random.Random(0)
    luck = [draw.random() < 0.5 for _ in range(80)]

    info = figures_outputs.length_info(joined(80, lambda i: i + 1, luck.__getitem__), TUNED)

    assert info.title.startswith("No effect of the input's length on shortlist 1 can be shown")


@pytest.mark.parametrize("rows, words", [(19, lambda i: i), (80, lambda i: 7)])
def test_few_rows_or_one_length_give_an_empty_figure_that_says_why(
    rows: int, words: Callable[[int], int]
) -> None:
    info = figures_outputs.length_info(joined(rows, words, lambda i: True), TUNED)

    assert "of about one length, or too few" in info.title
    assert not figures_outputs.length_figure(info).data


def test_the_interval_of_a_difference_comes_from_both_intervals() -> None:
    found = figures_outputs.difference(Score(0.5, 0.2, 0.9, 10), Score(0.4, 0.1, 0.7, 20))

    assert (round(found.value, 6), found.n) == (0.1, 30)
    assert round(found.low, 6) == round(0.1 - (0.3**2 + 0.3**2) ** 0.5, 6)
    assert round(found.high, 6) == round(0.1 + (0.4**2 + 0.3**2) ** 0.5, 6)
