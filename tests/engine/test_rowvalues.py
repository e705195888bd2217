"""What scores of single rows say: who is not worse than the best, and what the best could reach."""

from __future__ import annotations

import numpy as np
import pytest

from engine.rowvalues import CellRows, indistinguishable, oracle


def rows(values: list[list[float]], groups: list[int] | None = None) -> CellRows:
    numbers = np.arange(len(values[0])) if groups is None else np.array(groups)
    return CellRows(np.arange(len(values)), np.array(values), numbers)


def test_a_config_is_in_the_net_unless_the_rows_show_that_it_is_worse() -> None:
    best, near, far = [1.0] * 30 + [0.0] * 10, [1.0] * 29 + [0.0] * 11, [1.0] * 15 + [0.0] * 25

    top = indistinguishable([rows([best, near, far])], np.array([[0.75, 0.725, 0.375]]))

    assert top.tolist() == [[True, True, False]]


def test_rows_of_one_document_count_once() -> None:
    """10 of 40 rows differ: plenty if they are independent, one observation of four if they are not."""
    best, other = [1.0] * 40, [1.0] * 30 + [0.0] * 10
    scores, groups = np.array([[1.0, 0.75]]), [row // 10 for row in range(40)]

    assert indistinguishable([rows([best, other])], scores).tolist() == [[True, False]]
    assert indistinguishable([rows([best, other], groups)], scores).tolist() == [[True, True]]


def test_of_a_loss_the_lower_is_the_better() -> None:
    low, high = [0.1] * 20, [0.9] * 20

    top = indistinguishable([rows([low, high]), None], np.array([[0.1, 0.9], [0.5, 0.6]]), True)

    assert top.tolist() == [[True, False], [False, False]]
    assert oracle(rows([low, high]), lower_is_better=True) == pytest.approx(0.1)


def test_a_config_that_is_better_on_every_half_is_the_oracle() -> None:
    assert oracle(rows([[1.0] * 20, [0.0] * 20])) == 1.0


def test_luck_is_not_part_of_the_oracle() -> None:
    draw = np.random.default_rng(0)
    coins = draw.integers(0, 2, (100, 200)).astype(float)

    assert coins.mean(axis=1).max() > 0.58
    assert oracle(rows(coins.tolist())) == pytest.approx(0.5, abs=0.03)


def test_one_document_cannot_be_halved() -> None:
    assert np.isnan(oracle(rows([[1.0, 0.0]], [0, 0])))
