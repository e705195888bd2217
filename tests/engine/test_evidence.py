"""What the grid says about k and about the method, on tables small enough to check by hand."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from engine import evidence
from engine.records import Method, Task


def table(scores: dict[str, dict[float, tuple[float, float]]], method: str = "full") -> pd.DataFrame:
    """dataset -> learning rate -> (dev, test)."""
    rows: list[dict[str, Any]] = [
        {
            "dataset": name, "model": "m", "method": method, "train_size": 100, "task": "classification",
            "metric": "accuracy", "learning_rate": rate, "score": dev, "test_score": test,
        }
        for name, by_rate in scores.items()
        for rate, (dev, test) in by_rate.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_share_of_the_best_is_judged_on_a_dataset_that_the_ranking_has_not_seen() -> None:
    found = table(
        {
            "a": {1e-3: (0.8, 0.8), 3e-3: (0.4, 0.4)},
            "b": {1e-3: (0.3, 0.3), 3e-3: (0.6, 0.6)},
        }
    )

    shares = evidence.expected_shares(found, ["learning_rate"], 2)

    assert shares == pytest.approx(((0.4 / 0.8 + 0.3 / 0.6) / 2, 1.0))


def test_a_config_that_failed_there_reaches_nothing() -> None:
    found = table(
        {
            "a": {1e-3: (0.8, 0.8), 3e-3: (math.nan, math.nan)},
            "b": {1e-3: (0.1, 0.1), 3e-3: (0.6, 0.6)},
        }
    )

    assert evidence.expected_shares(found, ["learning_rate"], 1) == pytest.approx([(0 + 0.1 / 0.6) / 2])


def test_one_dataset_says_nothing_about_another() -> None:
    assert evidence.expected_shares(table({"a": {1e-3: (0.8, 0.8)}}), ["learning_rate"], 3) == ()


def test_methods_are_compared_by_the_test_score_of_the_config_that_dev_selects() -> None:
    full = table({"a": {1e-3: (0.8, 0.7), 3e-3: (0.7, 0.9)}})
    lora = table({"a": {1e-3: (0.5, 0.6)}}, method="lora")

    found = evidence.methods(pd.concat([full, lora]), "m", Task.CLASSIFICATION)

    assert found is not None
    assert found.scores == {Method.FULL: 0.7, Method.LORA: 0.6}
    assert (
        found.sentence == "Best of the grid on a (accuracy): LoRA 60.0, full fine-tuning 70.0 points on test."
    )


def test_nothing_is_said_about_methods_when_one_was_not_measured() -> None:
    assert evidence.methods(table({"a": {1e-3: (0.8, 0.7)}}), "m", Task.CLASSIFICATION) is None
