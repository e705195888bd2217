"""Dev loss against the score that counts: rank correlation with its interval, or why there is none."""

from __future__ import annotations

import pandas as pd
import pytest

from engine import grids, proxy
from engine.records import RunStatus
from engine.search import Trial
from tests import studies


def trials(*pairs: tuple[float, float]) -> list[Trial]:
    return [
        Trial(f"r{n}", studies.CONFIG, RunStatus.FINISHED, True, loss=loss, score=score)
        for n, (loss, score) in enumerate(pairs)
    ]


def test_the_same_order_is_one_and_the_opposite_minus_one() -> None:
    same = proxy.of_trainings(trials(*((5 - n, n) for n in range(5))), "accuracy")
    opposite = proxy.of_trainings(trials(*((n, n) for n in range(5))), "accuracy")

    assert same is not None and opposite is not None
    assert (same.value, same.n) == (pytest.approx(1.0), 5)
    assert opposite.value == pytest.approx(-1.0)


def test_the_interval_holds_the_value_and_narrows_with_trainings() -> None:
    pairs = [(n, -n + (3 if n % 2 else -3)) for n in range(8)]

    few = proxy.of_trainings(trials(*pairs), "accuracy")
    many = proxy.of_trainings(trials(*pairs * 4), "accuracy")

    assert few is not None and many is not None
    assert few.low is not None and few.high is not None and many.low is not None and many.high is not None
    assert few.low < few.value < few.high
    assert many.high - many.low < few.high - few.low


def test_few_trainings_or_equal_ones_say_nothing() -> None:
    assert proxy.of_trainings(trials(*[(n, -n) for n in range(4)]), "accuracy") is None
    assert proxy.of_trainings(trials(*[(1.0, n) for n in range(9)]), "accuracy") is None
    assert "cannot be said" in proxy.sentence("accuracy", None, None, 4)


def test_cells_of_a_grid_are_ranked_apart_and_datasets_averaged() -> None:
    table = pd.DataFrame(
        [
            {"dataset": name, "train_size": 100, "dev_loss": level + step, "score": sign * step}
            for name, level, sign in (("a", 0.0, -1.0), ("b", 50.0, -1.0), ("c", 100.0, 1.0))
            for step in range(5)
        ]
    )

    found = proxy.of_grid(table)

    assert found is not None
    assert (found.value, found.n) == (pytest.approx(1 / 3), 3)
    assert (found.low, found.high) == (pytest.approx(-1.0), pytest.approx(1.0))


def test_the_shipped_grid_has_an_answer() -> None:
    version = grids.current()
    assert version is not None
    table = grids.load(version)

    found = proxy.of_grid(table[table["method"] == "lora"])

    assert found is not None and found.low is not None
    assert -1 <= found.low <= found.value <= 1
    assert "datasets of the grid" in proxy.sentence("accuracy", None, found, 0)


def test_a_study_that_is_scored_by_its_loss_needs_no_proxy() -> None:
    assert proxy.sentence("loss", None, None, 9) == ""
