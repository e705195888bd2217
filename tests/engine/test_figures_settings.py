"""What matters: titles that say what the table says."""

from __future__ import annotations

import pandas as pd

from engine import exploration, figures_importance, figures_settings, importance
from engine.exploration import Filters, View
from tests.engine.test_importance import seen, table

NAN = float("nan")


def interacting() -> View:
    """The best rate is 1e-3 at 3 epochs and 1e-2 at 1; four datasets alike."""
    scores = {(1e-3, 1): 0.2, (1e-3, 3): 1.0, (1e-2, 1): 0.6, (1e-2, 3): 0.8}
    return seen(table(lambda rate, epochs, name: scores[rate, epochs]))


def test_the_interaction_names_the_best_value_at_each_other_value() -> None:
    info = figures_importance.interaction_info(importance.importance(interacting()))

    assert info.title == "The best learning rate depends on epochs: 1e-2 at 1 and 1e-3 at 3"
    assert [(p.first_value, p.second_value, p.mean_share) for p in info.points] == [
        ("1e-3", "1", 20),
        ("1e-3", "3", 100),
        ("1e-2", "1", 60),
        ("1e-2", "3", 80),
    ]


def test_importance_is_ordered_and_says_how_many_datasets_it_rests_on() -> None:
    view = interacting()
    info = figures_importance.importance_info(view, importance.importance(view))

    assert info.points[0].effect == "Epochs"
    # variances of the means: epochs 0.4 / 0.9, rate 0.6 / 0.7, total 0.0875
    assert info.points[0].share == 71.4
    assert info.notes[0] == "Mean over 4 datasets; a dot is one of them."


def test_slices_hold_every_run_and_name_the_setting_that_moves_most() -> None:
    info = figures_settings.slice_info(interacting())

    assert {(p.hyperparameter, p.value): (p.runs, p.median) for p in info.points} == {
        ("learning_rate", "1e-3"): (8, 60),
        ("learning_rate", "1e-2"): (8, 70),
        ("num_train_epochs", "1"): (8, 40),
        ("num_train_epochs", "3"): (8, 90),
    }
    assert info.title == "The median config moves most with epochs: 90 % of the best at 3, 40 % at 1"


def test_the_best_value_on_the_edge_is_named_where_there_are_three_or_more() -> None:
    frame = table(lambda rate, epochs, name: rate + epochs / 10)
    later = frame["num_train_epochs"] + 4
    wide = pd.concat([frame, frame.assign(num_train_epochs=later, score=later / 10)])

    assert figures_settings.slice_info(seen(wide)).edges == ("Epochs",)
    assert figures_settings.slice_info(interacting()).edges == ()


def test_failed_runs_count_as_nothing_reached_and_are_counted() -> None:
    frame = table(lambda rate, epochs, name: NAN if rate == 1e-2 else epochs / 3)

    points = figures_settings.slice_info(seen(frame)).points

    assert [(p.failed, p.median) for p in points if p.value == "1e-2"] == [(8, 0)]


def test_parallel_lines_tell_what_the_best_have_in_common() -> None:
    info = figures_settings.parallel_info(interacting())

    assert info.title == "Of the 4 best of 4 configs on average no half share a setting"
    assert info.points[0].settings == (1e-3, 3)
    assert info.points[0].mean_share == 100


def test_the_numbers_behind_have_a_column_for_each_setting_and_each_dataset() -> None:
    view = interacting()
    lines = figures_settings.parallel_numbers(figures_settings.parallel_info(view))
    bars = figures_importance.importance_numbers(
        figures_importance.importance_info(view, importance.importance(view))
    )

    assert list(lines.columns) == ["config", "mean_share", "cells_run", "learning_rate", "num_train_epochs"]
    assert list(lines.iloc[0])[1:] == [100, 4, 1e-3, 3]
    assert list(bars.columns[-4:]) == ["a", "b", "c", "d"]
    assert bars.iloc[0]["a"] == 71.4


def test_every_config_of_the_best_five_alike_says_all() -> None:
    frame = table(lambda rate, epochs, name: 0.9 if epochs == 3 else 0.1)
    ranks = [frame.assign(lora_r=r, lora_alpha=16) for r in (4, 8, 16)]

    info = figures_settings.parallel_info(seen(pd.concat(ranks)))

    assert info.title == "Of the 5 best of 12 configs on average all have epochs 3"


def test_one_config_gives_titled_empty_figures() -> None:
    view = exploration.view(table(lambda rate, epochs, name: 0.5).iloc[:1], Filters())

    for figure in (
        figures_settings.slice_figure(figures_settings.slice_info(view)),
        figures_settings.parallel_figure(figures_settings.parallel_info(view)),
        figures_importance.importance_figure(figures_importance.importance_info(view, None)),
        figures_importance.interaction_figure(figures_importance.interaction_info(None)),
    ):
        assert not figure.data
        assert figure.layout.title.text


def test_figures_are_drawn_from_their_numbers() -> None:
    view = interacting()
    found = importance.importance(view)

    bars = figures_importance.importance_figure(figures_importance.importance_info(view, found))
    boxes = figures_settings.slice_figure(figures_settings.slice_info(view), "full")
    lines = figures_settings.parallel_figure(figures_settings.parallel_info(view))

    assert list(bars.data[0].y)[0] == "Epochs"
    assert len(bars.data[1].x) == 4 * 4
    assert [trace.marker.color for trace in boxes.data] == ["#D55E00", "#D55E00"]
    assert [axis.label for axis in lines.data[0].dimensions] == ["Learning rate", "Epochs", "Mean share (%)"]
