"""Defaults run as they are: shares of the best that dev selects, failed ones nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from engine import asis, exploration, figures_defaults, peers
from engine.exploration import Filters, View

NAN = float("nan")
CELL = {"model": "m", "method": "lora", "train_size": 100}


def rows(origin: str, rate: float, scores: dict[str, tuple[float, float]]) -> pd.DataFrame:
    found = [{"dataset": name, "score": dev, "test_score": test} for name, (dev, test) in scores.items()]
    return pd.DataFrame(found).assign(origin=origin, learning_rate=rate, **CELL)


def grid() -> View:
    searched = [
        rows("space", 1e-3, {"a": (0.9, 0.8), "b": (0.5, 0.6), "tie": (0.5, 0.5)}),
        rows("space", 1e-2, {"a": (0.8, 0.9), "b": (0.2, 0.2), "tie": (0.5, 0.5)}),
    ]
    view = exploration.view(pd.concat(searched), Filters())
    assert view is not None
    return view


def test_a_default_is_measured_against_what_dev_selects_and_a_failed_run_reaches_nothing() -> None:
    results = pd.concat(
        [
            rows("unsloth", 2e-4, {"a": (0.1, 0.2), "b": (NAN, NAN), "tie": (0.5, 0.5)}),
            rows("default", 3e-3, {"a": (0.7, 0.8), "b": (0.4, 0.3)}),
        ]
    )

    found = asis.as_they_are(grid(), results)

    assert [(one.origin, one.share, one.cells, one.failed) for one in found] == [
        ("default", pytest.approx(0.75), 2, 0),
        ("unsloth", pytest.approx(0.125), 2, 1),
    ]
    assert (found[0].low, found[0].high) == (None, None)
    assert found[0].config == {"learning_rate": 3e-3}


def test_the_title_names_both_ends_and_the_caveat_is_told() -> None:
    results = pd.concat([rows("unsloth", 2e-4, {"a": (0.1, 0.2)}), rows("default", 3e-3, {"a": (0.7, 0.8)})])

    info = figures_defaults.defaults_info(grid(), results)
    figure = figures_defaults.defaults_figure(info)

    assert info.title == "Run as it is, the default here reaches 100 % of the best, unsloth 25 %"
    assert info.notes[-1] == peers.CAVEAT
    assert list(figure.data[0].marker.color) == ["#CC79A7", "#E69F00"]


def test_a_grid_without_defaults_has_nothing_to_show() -> None:
    info = figures_defaults.defaults_info(grid(), pd.DataFrame({"origin": []}))

    assert info.points == ()
    assert not figures_defaults.defaults_figure(info).data
