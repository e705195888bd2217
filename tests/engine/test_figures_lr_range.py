from __future__ import annotations

import math
from dataclasses import replace

import pytest

from engine import figures_lr_range as figures
from engine import lr_range
from engine.lr_range import LrRange, Ramp
from engine.records import Method

RATES = Ramp(1e-5, 1e-1).rates
LOSSES = tuple(3 - 2 * math.tanh(2 * math.log10(rate / 1e-3)) for rate in RATES)


@pytest.fixture
def found() -> LrRange:
    suggestion = lr_range.suggest(RATES, LOSSES)
    return LrRange(
        "llama-3-8b", Method.LORA, "d0d0d0d0d0d0", {"lora_r": 8}, RATES, LOSSES,
        lr_range.smooth(LOSSES), suggestion.rate, suggestion.corrected, suggestion.least,
        None, False, 100, 4.2,
    )  # fmt: skip


def test_the_title_says_what_is_suggested_and_how_it_compares_with_a_grid(found: LrRange) -> None:
    said = "The loss falls most steeply near 1e-3: a tenth of it, 1e-4, is suggested"

    assert figures.lr_range_info(found).title == said
    assert figures.lr_range_info(found, (1e-3, 3e-3)).title == f"{said}, 10 times below the best of the grid"
    assert figures.lr_range_info(found, (5e-5, 2e-4)).title == f"{said}, among the best rates of the grid"
    assert figures.lr_range_info(found, (1e-6, 1e-5)).title == f"{said}, 10 times above the best of the grid"


def test_points_line_both_suggestions_and_the_grids_best_are_drawn(found: LrRange) -> None:
    figure = figures.lr_range_figure(figures.lr_range_info(found, (1e-3, 3e-3)))

    points, line, raw, corrected, _ = figure.data  # of a large model, whose centre is the corrected one
    assert points.mode == "markers" and tuple(points.y) == LOSSES and points.opacity < 0.5
    assert line.mode == "lines" and tuple(line.y) == found.smoothed
    assert set(raw.x) == {found.suggestion} and set(corrected.x) == {found.corrected}
    assert figure.layout.xaxis.type == "log" and len(figure.layout.shapes) == 1


def test_a_small_model_gets_half_the_rate_of_its_least_loss(found: LrRange) -> None:
    small = replace(found, model="shortlist-tiny-4m", least=6e-3)

    info = figures.lr_range_info(small, (1e-3, 3e-3))

    assert info.title == (
        "The loss is least near 6e-3: half of it, 3e-3, is suggested for a model so small, "
        "among the best rates of the grid"
    )
    assert [set(trace.x) for trace in figures.lr_range_figure(info).data[2:5]] == [
        {found.suggestion},
        {found.corrected},
        {3e-3},
    ]


def test_a_loss_that_does_not_fall_is_drawn_without_a_suggestion(found: LrRange) -> None:
    flat = replace(found, suggestion=None, corrected=None, least=None, problem="It did not fall.")

    info = figures.lr_range_info(flat)

    assert "does not fall on this ramp: no learning rate is suggested" in info.title
    assert len(figures.lr_range_figure(info).data) == 2
