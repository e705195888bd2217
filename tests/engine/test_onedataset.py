"""One dataset: its configs, and what the others would have chosen."""

from __future__ import annotations

import pandas as pd
import pytest

from engine import exploration, figures_dataset, onedataset
from engine.coverage import Cell
from engine.exploration import Filters, View

NAN = float("nan")
SCORES = {
    # learning rate: dev and test by dataset
    1e-4: {"a": (0.9, 0.8), "b": (0.9, 0.9), "c": (0.5, 0.6)},
    1e-3: {"a": (0.5, 0.5), "b": (0.5, 0.5), "c": (1.0, 0.8)},
    1e-2: {"a": (0.1, 0.1), "b": (0.1, 0.1), "c": (NAN, NAN)},
}


def seen(lower_is_better: bool = False) -> View:
    rows = [
        {"dataset": name, "learning_rate": rate, "score": dev, "test_score": test, "score_low": dev - 0.1,
         "score_high": dev + 0.1, "floor_score": 0.3}
        for rate, by_name in SCORES.items() for name, (dev, test) in by_name.items()
    ]  # fmt: skip
    table = pd.DataFrame(rows).assign(model="m", method="full", train_size=100, metric="accuracy")
    view = exploration.view(table, Filters(), lower_is_better)
    assert view is not None
    return view


def test_the_best_dev_score_comes_first_and_failed_configs_last() -> None:
    found = onedataset.one_dataset(seen(), Cell("m", "c", 100))

    assert [(one.config["learning_rate"], one.dev) for one in found.configs] == [
        (1e-3, 1.0),
        (1e-4, 0.5),
        (1e-2, None),
    ]
    assert (found.configs[0].dev_low, found.floor) == (0.9, 0.3)


def test_the_others_rank_without_the_dataset_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onedataset, "FIRST", 1)

    found = onedataset.one_dataset(seen(), Cell("m", "c", 100))

    assert [one.first_elsewhere for one in found.configs] == [None, 1, None]
    # dev selects 1e-3 from all (test 0.8); the others' first is 1e-4 (test 0.6)
    assert found.reached == pytest.approx(0.75)


def test_the_finding_and_the_title_tell_both_splits() -> None:
    view = seen()
    info = figures_dataset.dataset_info(view, onedataset.one_dataset(view, Cell("m", "c", 100)))

    assert info.finding == "On c the first 3 configs of the other datasets reach 100 % of the best"
    assert info.title == "Accuracy 100 on dev, 80 on test with lr 1e-3; 1 top config of 2"
    assert info.notes == ("1 config failed here.",)
    assert [point.place for point in info.points] == [1, 2]


def test_of_a_loss_the_least_comes_first() -> None:
    found = onedataset.one_dataset(seen(lower_is_better=True), Cell("m", "a", 100))

    assert [one.dev for one in found.configs] == [0.1, 0.5, 0.9]


def test_a_dataset_alone_has_no_others() -> None:
    view = exploration.view(seen().table.query("dataset == 'c'"), Filters())
    assert view is not None

    info = figures_dataset.dataset_info(view, onedataset.one_dataset(view, Cell("m", "c", 100)))

    assert info.finding == "On c 1 of 2 configs are top configs"
    assert info.notes[-1] == "There is no other dataset to rank the configs by, so none is marked."


def test_the_figure_marks_the_floor_and_the_configs_first_elsewhere() -> None:
    view = seen()
    info = figures_dataset.dataset_info(view, onedataset.one_dataset(view, Cell("m", "c", 100)))

    names = [trace.name for trace in figures_dataset.dataset_figure(info, "full").data]

    assert names == [
        "Dev: selects",
        "Test: reports",
        "first 4 elsewhere",
        "constant answer",
    ]
