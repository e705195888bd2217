"""How often early stopping would have dropped the config that wins, in a grid's own curves."""

from collections.abc import Mapping

import pandas as pd
import pytest

from engine import grids
from engine.pruning_risk import Risk, measure, points

Losses = Mapping[float, tuple[float, ...]]
DATASETS = ("trec", "clapnq", "dialogsum")
EPOCHS = (1, 3)
EARLY: Losses = {
    1e-3: (0.1, 0.4),
    3e-3: (0.2, 0.3),
    1e-2: (0.3, 0.2),
    3e-2: (0.4, 0.1),
}  # who leads early, loses
SCORES = {1e-3: 0.5, 3e-3: 0.6, 1e-2: 0.7, 3e-2: 0.8}


def table(losses: Losses = EARLY, epochs: tuple[int, ...] = EPOCHS) -> pd.DataFrame:
    """Each learning rate trained once and scored twice; only its end is worth having."""
    rows = [
        {
            "model": "shortlist-tiny-4m",
            "method": "full",
            "dataset": dataset,
            "train_size": 100,
            "run": f"{dataset}-{rate}",
            "learning_rate": rate,
            "num_train_epochs": epoch,
            "dev_loss": loss,
            "score": SCORES[rate] if epoch == epochs[-1] else 0.1,
            "test_score": SCORES[rate] if epoch == epochs[-1] else 0.1,
        }
        for dataset in DATASETS
        for rate, by_epoch in losses.items()
        for epoch, loss in zip(epochs, by_epoch, strict=True)
    ]
    return pd.DataFrame(rows)


def risk(results: pd.DataFrame, k: int = 4) -> Risk:
    found = measure(results, k)
    assert found is not None
    return found


def test_the_one_that_wins_late_is_dropped_early() -> None:
    found = risk(table())

    assert (found.cells, found.datasets, found.dropped) == (3, 3, 3)
    assert found.lost == pytest.approx(20.0)  # 0.8 was dropped, of 0.5 and 0.6 the better was kept
    assert (found.picks, found.by_end) == (12, 0)
    assert found.sentence == (
        "In 3 cells of 3 grid datasets, early stopping dropped the best of 4 configs 3 times (100 %, 44 to "
        "100 %; a random choice: 50 %) and cost 20.0 points (20.0 to 20.0) on test on average."
    )


def test_where_the_early_loss_tells_who_wins_nothing_is_lost() -> None:
    found = risk(table({rate: loss[::-1] for rate, loss in EARLY.items()}))
    assert (found.dropped, found.lost) == (0, 0.0)


def test_points_gained_are_told_with_their_interval_turned() -> None:
    assert points(-1.7, -4.2, 0.3, "cost", "gained") == "gained 1.7 points (-0.3 to 4.2)"
    assert points(0.0, None, None, "cost", "gained") == "cost 0.0 points"


def test_a_schedule_without_an_early_score_is_compared_by_its_end_and_counted() -> None:
    found = risk(table(epochs=(1, 2)))  # half of it is no early score
    assert (found.dropped, found.by_end) == (0, 12)
    assert found.sentence.endswith("12 of 12 configs have no early score and were compared by their end.")


def test_a_config_that_failed_is_none_of_those_compared() -> None:
    results = table()
    results.loc[results["learning_rate"] == 3e-2, ["score", "test_score", "dev_loss"]] = float("nan")
    found = risk(results)
    assert (found.picks, found.by_end) == (12, 3)  # one of a single epoch has its place
    assert found.lost == pytest.approx(20.0)  # 0.7 was dropped, 0.5 was kept


def test_with_two_configs_nothing_can_be_dropped() -> None:
    assert measure(table(), k=2) is None


def test_a_table_without_curves_says_nothing() -> None:
    assert measure(table().drop(columns="dev_loss")) is None


def test_the_shipped_grid_is_measured() -> None:
    found = risk(grids.load("v1"))
    assert (found.k, found.cells, found.datasets, found.dropped) == (4, 6, 4, 3)
    assert found.chance == 0.5
    assert found.lost == pytest.approx(3.1, abs=0.1)
