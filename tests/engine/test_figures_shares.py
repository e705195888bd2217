"""Share of the best against k: what is said where a rival wins, and where nothing can be judged."""

from __future__ import annotations

from engine import figures_shares
from engine.curves import Curve
from engine.rules import Rule
from engine.validation import LeaveOneOut


def flat(*means: float | None) -> Curve:
    def bound(by: float) -> tuple[float | None, ...]:
        return tuple(None if mean is None else mean + by for mean in means)

    return Curve(tuple(means), bound(-0.1), bound(0.05), tuple(0 if mean is None else 3 for mean in means))


def found(**changed: object) -> LeaveOneOut:
    rules = {
        Rule.CBS: flat(0.8, 0.9, 0.95, 0.96),
        Rule.BEST_AVERAGE: flat(0.9, 0.92, 0.97, 0.985),
        Rule.RANDOM: flat(0.6, 0.7, 0.8, 0.9),
    }
    values = {
        "k": (1, 2, 3, 4), "rules": rules, "ahead": {}, "of_oracle": None, "oracle": 1.03,
        "minutes": (0.5, 1.0, 20.0, 120.0),
        "recommended_k": 2, "unit": "dataset", "datasets": 4, "cells": 4, "left_out": 1,
        "left_out_by_k": (1, 1, 1, 1),
    }  # fmt: skip
    return LeaveOneOut(**{**values, **changed})  # type: ignore[arg-type]


def test_the_title_says_what_cbs_reaches_and_which_rival_does_better() -> None:
    info = figures_shares.share_info(found())

    assert info.title == (
        "On a dataset not seen, CBS with k = 4 reaches 96.0 % (86.0 to 101.0) of the best, "
        "best average 98.5 %, random 90.0 %"
    )
    assert info.oracle == 103


def test_notes_count_what_is_not_judged_and_name_the_recommended_k() -> None:
    notes = figures_shares.share_info(found()).notes

    assert notes[1] == "3 of 4 datasets judged; the others say nothing or lack the configs."
    assert notes[2].startswith("Recommended k: 2")


def test_a_k_that_cannot_be_judged_has_no_point() -> None:
    rules = {Rule.CBS: flat(None, 0.9, 0.9, 0.9)}

    points = figures_shares.share_info(found(rules=rules)).points

    assert [point.k for point in points] == [2, 3, 4]


def test_one_dataset_says_why_there_is_nothing_to_draw() -> None:
    info = figures_shares.share_info(found(datasets=1))

    assert info.title == "One dataset only: none is left to rank by when it is left out"
    assert not figures_shares.share_figure(info).data


def test_the_upper_axis_tells_the_training_time_of_the_first_k() -> None:
    figure = figures_shares.share_figure(figures_shares.share_info(found()))

    assert list(figure.layout.xaxis2.ticktext) == ["30 s", "60 s", "20.0 min", "2 h"]
    assert [trace.name for trace in figure.data[:3]] == ["CBS", "best average", "random"]


def test_without_measured_seconds_there_is_no_upper_axis() -> None:
    figure = figures_shares.share_figure(figures_shares.share_info(found(minutes=None)))

    assert "xaxis2" not in figure.layout
