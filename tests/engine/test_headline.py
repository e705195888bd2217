"""The headline is free of the luck of having been picked, and its interval holds the truth."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from benchmarks import headline as simulation
from engine import evaluate, headline
from engine.records import Role, Row, Task


def right(rows: int, *shares: float, seed: int = 0) -> np.ndarray:
    """Right and wrong answers, rows x configs, each config right as often as its share says."""
    draw = np.random.default_rng(seed)
    return (draw.random((rows, len(shares))) < shares).astype(float)


def table(said: dict[str, list[str]], group: str | None = None) -> pd.DataFrame:
    """Predictions of a run on rows whose right answers are blue, red, blue, red, ..."""
    rows = {
        split: [
            Row(n, {Role.SOURCE: "x"}, (("blue", "red")[n % 2],), group and f"{group}{n // 4}")
            for n in range(len(answers))
        ]
        for split, answers in said.items()
    }
    return evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], rows, said)


def halves_right(wrong: int, rows: int = 40) -> list[str]:
    """Answers that are wrong on the first so many rows."""
    return [("blue", "red")[(n + (n < wrong)) % 2] for n in range(rows)]


def test_a_config_that_is_far_ahead_is_always_picked_so_the_headline_is_its_score() -> None:
    values = right(200, 0.9, 0.2, 0.3)

    found = headline.of_values(values)

    assert found is not None
    assert found.value == pytest.approx(values[:, 0].mean(), abs=0.002) and found.n == 200
    assert found.low < found.value < found.high


def test_the_best_of_equals_is_not_better_than_they_are() -> None:
    shown, headlines = [], []
    for seed in range(60):
        values = right(60, *[0.6] * 8, seed=seed)
        found = headline.of_values(values)
        assert found is not None
        shown.append(values.mean(axis=0).max())
        headlines.append(found.value)

    assert np.mean(shown) > 0.6 + 0.06
    assert abs(np.mean(headlines) - 0.6) < 0.025


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    cell = simulation.Cell(n=100, k=4, correlation=0.5, spread=3.0)

    naive, ours = simulation.measure(cell, repeats=150)

    assert abs(ours.off.mean()) < 1.2 < naive.off.mean()
    assert 0.9 < ours.covered.mean() < 0.99


def test_a_bound_that_is_not_kept_is_noticed() -> None:
    spread = np.tile([-1.0, 1.0], 500)

    assert simulation.holds(simulation.Found(spread, np.repeat([1.0, 0.0], [950, 50])))
    assert not simulation.holds(simulation.Found(spread + 0.7, np.repeat([1.0, 0.0], [950, 50])))
    assert not simulation.holds(simulation.Found(spread, np.repeat([1.0, 0.0], [880, 120])))
    assert not simulation.holds(simulation.Found(spread, np.ones(1000)))


def test_all_right_is_not_certain() -> None:
    found = headline.of_values(np.ones((50, 3)))

    assert found is not None
    assert found.value == 1.0 == found.high and 0.9 < found.low < 0.95


def test_rows_of_one_document_widen_the_interval() -> None:
    documents = right(20, 0.6, 0.5, 0.5)
    values = np.repeat(documents, 10, axis=0)
    groups = [str(n // 10) for n in range(200)]

    alone, together = headline.of_values(values), headline.of_values(values, groups)

    assert alone is not None and together is not None
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_order_of_rows_changes_the_headline_only_by_the_draw_of_the_halves() -> None:
    values = right(300, 0.7, 0.65, 0.6)

    first, second = headline.of_values(values), headline.of_values(values[::-1])

    assert first is not None and second is not None
    assert first.value == pytest.approx(second.value, abs=0.01)


@pytest.mark.parametrize("shape", [(3, 4), (50, 1)])
def test_too_few_rows_or_one_config_have_no_headline(shape: tuple[int, int]) -> None:
    assert headline.of_values(np.ones(shape)) is None


def test_dev_and_test_rows_of_the_tables_are_pooled_and_groups_kept() -> None:
    good = table({"dev": halves_right(4), "test": halves_right(8)})
    poor = table({"dev": halves_right(20), "test": halves_right(24)})

    found = headline.of_tables([[good], [poor]], "accuracy")
    on_test = headline.of_tables([[good], [poor]], "accuracy", ("test",))

    assert found is not None and on_test is not None
    assert (found.n, on_test.n) == (80, 40)
    assert found.value == pytest.approx(68 / 80, abs=0.01)
    assert on_test.value == pytest.approx(32 / 40, abs=0.01)


def test_macro_f1_has_a_headline_too() -> None:
    good = table({"test": halves_right(8)}, group="d")
    poor = table({"test": ["blue"] * 40}, group="d")

    found = headline.of_tables([[good], [poor]], "macro_f1")

    assert found is not None
    assert found.value == pytest.approx(0.8, abs=0.03) and found.low < 0.8 < found.high


def test_more_seeds_of_a_config_are_no_more_chances_to_be_picked() -> None:
    tables = [table({"test": halves_right(wrong)}) for wrong in (10, 30)]
    steady = table({"test": halves_right(15)})

    found = headline.of_tables([tables, [steady]], "accuracy")

    assert found is not None
    assert found.value == pytest.approx(25 / 40, abs=0.02)


def test_an_interval_ends_where_the_scale_does() -> None:
    nearly, poor = (table({"test": halves_right(0)}).assign(rougeL=[0.2] + [v] * 39) for v in (1.0, 0.1))

    found = headline.of_tables([[nearly], [poor]], "rougeL")

    assert found is not None
    assert found.low < 0.98 < found.high == 1.0


def test_of_a_loss_less_is_better() -> None:
    draw = np.random.default_rng(0)
    low, high = (table({"test": halves_right(0)}).assign(loss=m + draw.random(40)) for m in (1.0, 2.0))

    found = headline.of_tables([[high], [low]], "loss")

    assert found is not None
    assert found.value == pytest.approx(low["loss"].mean(), abs=0.02)
    assert found.low < found.value < found.high


def test_a_metric_that_was_not_measured_has_no_headline() -> None:
    tables = [[table({"test": halves_right(wrong)})] for wrong in (3, 9)]

    assert headline.of_tables(tables, "loss") is None


def test_sixty_four_configs_on_a_thousand_rows_take_less_than_a_second() -> None:
    values = right(1000, *np.linspace(0.5, 0.7, 64))
    began = time.perf_counter()

    headline.of_values(values)

    assert time.perf_counter() - began < 1.0
