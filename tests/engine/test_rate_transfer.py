"""Whether the best learning rate of a small model is that of a larger one."""

from collections.abc import Mapping

import pandas as pd
import pytest

from engine.rate_transfer import LARGE, SMALL, Pair, measured_transfer

RATES = (1e-3, 3e-3, 1e-2)
Scores = Mapping[str, tuple[float, ...]]


def table(small: Scores, large: Scores) -> pd.DataFrame:
    """Dev scores by dataset for RATES on both models; test is a tenth below dev."""
    rows = [
        {
            "model": model,
            "method": "full",
            "dataset": dataset,
            "train_size": 100,
            "learning_rate": rate,
            "num_train_epochs": 3,
            "score": score,
            "test_score": score - 0.1,
        }
        for model, scores in ((SMALL, small), (LARGE, large))
        for dataset, values in scores.items()
        for rate, score in zip(RATES, values, strict=False)
    ]
    return pd.DataFrame(rows)


def test_a_cell_compares_the_learning_rates_that_dev_selects() -> None:
    found = measured_transfer(table({"trec": (0.5, 0.7, 0.6)}, {"trec": (0.8, 0.6, 0.5)}))

    assert found is not None
    (pair,) = found.pairs
    assert (pair.small_rate, pair.large_rate) == (3e-3, 1e-3)
    assert pair.ratio == pytest.approx(1 / 3)
    assert pair.lost == pytest.approx(20.0)  # 0.8 with its own rate, 0.6 with the small model's
    assert (found.lost_low, found.ratio_low) == (None, None)
    assert found.sentence == (
        "In 0 of 1 cell (1 dataset) shortlist-tiny-4m has the best learning rate of shortlist-tiny-1m; on "
        "average its own is 0.33 times that, and taking the small model's costs 20.0 points on test."
    )


def test_three_datasets_give_an_interval() -> None:
    same = (0.5, 0.7, 0.6)
    found = measured_transfer(
        table({"a": same, "b": same, "c": same}, {"a": same, "b": same, "c": (0.8, 0.6, 0.5)})
    )
    assert found is not None
    assert (found.same, found.datasets) == (2, 3)
    assert found.lost == pytest.approx(20 / 3)
    assert found.lost_low == 0.0
    assert found.lost_high == pytest.approx(20.0)


def test_only_configs_of_both_models_are_compared() -> None:
    found = measured_transfer(table({"trec": (0.5, 0.7)}, {"trec": (0.6, 0.7, 0.9)}))
    assert found is not None
    assert found.pairs == (Pair("trec", "full", 100, 3e-3, 3e-3, 0.0),)


def test_a_cell_that_says_nothing_is_left_out_and_counted() -> None:
    found = measured_transfer(
        table({"a": (0.5, 0.5, 0.5), "b": (0.5, 0.7, 0.6)}, {"a": (0.8, 0.6, 0.5), "b": (0.5, 0.7, 0.6)})
    )
    assert found is not None
    assert [pair.dataset for pair in found.pairs] == ["b"]
    assert found.left_out == 1


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ({}, {"trec": (0.8, 0.6, 0.5)}),
        ({"clapnq": (0.8, 0.6, 0.5)}, {"trec": (0.8, 0.6, 0.5)}),
        ({"trec": (0.8,)}, {"trec": (0.8, 0.6, 0.5)}),
    ],
)
def test_without_two_learning_rates_on_both_models_nothing_is_said(small: Scores, large: Scores) -> None:
    assert measured_transfer(table(small, large)) is None


def test_the_shipped_grid_has_one_model_and_says_nothing() -> None:
    from engine import grids

    assert measured_transfer(grids.load("v1")) is None
