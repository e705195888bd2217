"""Learning curves and the choice by dev loss."""

from __future__ import annotations

import pandas as pd
import pytest

from engine import exploration, figures_losses
from engine.exploration import Filters, View

NAN = float("nan")


def grid(**columns: object) -> View:
    """Two trainings of two epochs on each of two datasets; the one with the least loss scores less."""
    rows = [
        (data, rate, epoch, f"{data}-{rate}", loss * scale, score)
        for data, scale in (("trec", 1.0), ("qa", 10.0))
        for rate, epoch, loss, score in (
            (1e-3, 1, 2.0, 0.2), (1e-3, 3, 1.0, 0.4), (1e-2, 1, 1.5, 0.5), (1e-2, 3, 3.0, 0.8),
        )
    ]  # fmt: skip
    names = ["dataset", "learning_rate", "num_train_epochs", "run", "dev_loss", "score"]
    table = pd.DataFrame(rows, columns=names).assign(model="m", method="lora", train_size=100, **columns)
    view = exploration.view(table, Filters())
    assert view is not None
    return view


def test_losses_are_ratios_to_the_least_of_their_dataset() -> None:
    info = figures_losses.curves_info(grid(), "learning_rate")

    assert [(p.group, p.epoch, p.trainings, p.median) for p in info.points] == [
        ("1e-3", 1, 2, 2.0),
        ("1e-3", 3, 2, 1.0),
        ("1e-2", 1, 2, 1.5),
        ("1e-2", 3, 2, 3.0),
    ]
    assert info.title == "Dev loss is lowest after epoch 1 (learning rate 1e-2) and 3 (learning rate 1e-3)"


def test_a_training_that_lacks_an_epoch_is_left_out_and_counted() -> None:
    whole = grid()
    gap = whole.table.copy()
    gap.loc[0, "dev_loss"] = NAN
    view = exploration.view(gap, Filters())

    info = figures_losses.curves_info(view, "learning_rate")

    assert info.left_out == 1
    assert info.points[0].trainings == 1


def test_one_line_can_stand_for_a_dataset() -> None:
    view = grid()

    assert figures_losses.groupings(view) == ["learning_rate", "dataset"]
    assert {p.group for p in figures_losses.curves_info(view, "dataset").points} == {"trec", "qa"}


def test_choosing_by_loss_is_judged_by_score() -> None:
    info = figures_losses.proxy_info(grid())

    assert info.finding == (
        "The config with the least dev loss is a top config on 0 of 2 datasets and reaches 50 % of the best "
        "dev score on average"
    )
    assert {(p.cell, p.dev_loss, p.top) for p in info.points} == {("trec", 1.0, False), ("qa", 10.0, False)}


@pytest.mark.parametrize("by", ["learning_rate", "dataset"])
def test_curves_are_drawn_with_a_band_each(by: str) -> None:
    figure = figures_losses.curves_figure(figures_losses.curves_info(grid(), by))

    assert len(figure.data) == 4
    assert len(figures_losses.proxy_figure(figures_losses.proxy_info(grid())).data[0].x) == 2


def test_a_table_without_losses_says_so() -> None:
    view = exploration.view(grid().table.drop(columns=["dev_loss"]), Filters())

    assert (
        figures_losses.curves_info(view, "learning_rate").title == "Dev loss by epoch was not measured here"
    )
    assert figures_losses.proxy_info(view).points == ()
    assert not figures_losses.proxy_figure(figures_losses.proxy_info(None)).data
