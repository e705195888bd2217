"""Examples for the prompt of the untuned model: which ones, how many, and a run with them end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from engine import few_shot
from engine.records import Role, Row, Task

LABELS = ("red", "green", "blue")


def rows(number: int, labels: Sequence[str] = LABELS) -> list[Row]:
    """Rows 1, 2, ...; the text of row n has n letters."""
    return [Row(n, {Role.SOURCE: "x" * n}, (labels[n % len(labels)],)) for n in range(1, number + 1)]


def choose(
    train: Sequence[Row], most_tokens: int = 10_000, seed: int = 0, task: Task = Task.CLASSIFICATION
) -> tuple[Row, ...]:
    labels = tuple(dict.fromkeys(row.targets[0] for row in train))
    return few_shot.choose(train, labels, task, seed, most_tokens, lambda row: len(row.inputs[Role.SOURCE]))


def test_eight_examples_are_chosen_where_they_fit() -> None:
    assert len(choose(rows(60))) == few_shot.MOST == 8


def test_fewer_rows_than_examples_are_all_shown() -> None:
    assert {row.number for row in choose(rows(3))} == {1, 2, 3}


def test_labels_get_as_many_examples_as_each_other() -> None:
    assert sorted(Counter(row.targets[0] for row in choose(rows(60))).values()) == [2, 3, 3]


def test_a_rare_label_has_an_example() -> None:
    train = [*rows(60, ("red", "green")), Row(61, {Role.SOURCE: "x"}, ("blue",))]

    assert 61 in {row.number for row in choose(train)}


def test_every_label_has_one_where_the_room_is_just_enough() -> None:
    train = [Row(n, {Role.SOURCE: "xx"}, (label,)) for n, label in enumerate(LABELS * 4)]

    assert {row.targets[0] for row in choose(train, most_tokens=6)} == set(LABELS)


def test_a_long_row_takes_no_room_that_another_label_needs() -> None:
    long = [Row(n, {Role.SOURCE: "x" * 50}, ("red",)) for n in range(10)]
    short = [Row(n, {Role.SOURCE: "x" * 20}, (label,)) for n, label in ((10, "green"), (11, "blue"))]

    for seed in range(10):
        assert {row.targets[0] for row in choose([*long, *short], 60, seed)} >= {"green", "blue"}


def test_with_more_labels_than_examples_each_example_has_another_label() -> None:
    found = choose(rows(60, [f"label {n}" for n in range(20)]))

    assert len({row.targets[0] for row in found}) == len(found) == 8


@pytest.mark.parametrize("most_tokens", [1, 5, 20, 40])
def test_the_examples_fit_into_the_room(most_tokens: int) -> None:
    for task in (Task.CLASSIFICATION, Task.QA):
        found = choose(rows(60), most_tokens, task=task)

        assert sum(len(row.inputs[Role.SOURCE]) for row in found) <= most_tokens
        assert found


def test_nothing_is_chosen_where_nothing_fits() -> None:
    assert choose(rows(60)[5:], most_tokens=5) == ()


def test_the_seed_decides_and_the_order_is_not_by_label() -> None:
    assert choose(rows(60)) == choose(rows(60))
    assert choose(rows(60)) != choose(rows(60), seed=1)
    orders = [[row.targets[0] for row in choose(rows(60), seed=seed)] for seed in range(5)]
    assert any(order[:3] != order[3:6] for order in orders)
