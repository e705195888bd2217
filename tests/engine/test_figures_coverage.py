"""Coverage and heat map: what they say of a table that one can check by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from engine import figures_coverage, figures_heat
from engine.exploration import Filters, View, view

NAN = float("nan")


def small(*, failed: bool = False, skipped: bool = False) -> View:
    """Three configs on three datasets; on qa all are equal, so it says nothing."""
    rows = [
        ("trec", 1e-3, 0.80), ("trec", 3e-3, 0.60), ("trec", 1e-4, NAN if failed else 0.20),
        ("clapnq", 1e-3, 0.30), ("clapnq", 3e-3, 0.50), ("clapnq", 1e-4, 0.10),
        ("same", 1e-3, 0.30), ("same", 3e-3, 0.30), ("same", 1e-4, 0.30),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["dataset", "learning_rate", "score"])
    found = view(table.assign(model="m", method="full")[: 5 if skipped else None], Filters())
    assert found is not None
    return found


def test_the_finding_names_how_many_configs_are_needed() -> None:
    info = figures_coverage.coverage_info(small())

    assert [point.covered for point in info.points] == [50, 100, 100]
    assert info.finding == "2 configs are enough to be within 3 % of the best on 2 of 2 datasets"
    assert info.title == "The first config covers 50 % of the datasets, the first 2 together 100 %"


def test_left_out_cells_come_last_and_have_no_top_config() -> None:
    info = figures_heat.heat_info(small())

    assert info.cells == ("clapnq", "trec", "same (left out)")
    assert [p.state for p in info.points].count(figures_heat.TOP) == 2
    assert {p.left_out for p in info.points if p.dataset == "same"} == {"all finished configs tie"}
    assert info.title == "A dataset has 1.0 top configs of 3 on average; 1 of 3 datasets left out"


def test_a_failed_run_is_not_a_missing_one() -> None:
    failed = figures_heat.heat_info(small(failed=True))
    skipped = figures_heat.heat_info(small(skipped=True))

    assert [(p.state, p.share) for p in failed.points if p.state == figures_heat.FAILED] == [("failed", 0.0)]
    assert [p.share for p in skipped.points if p.state == figures_heat.NOT_RUN] == [None]
    assert skipped.title.endswith("; 1 pair not run")


def test_a_heat_map_stays_within_the_points_that_a_browser_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_heat, "MAX_POINTS", 7)

    info = figures_heat.heat_info(small())

    assert (info.configs, len(info.points)) == (2, 6)
    assert "(the first 2 of 3 shown)" in info.title


def test_every_mark_can_be_clicked_and_hovers_in_words() -> None:
    figure = figures_heat.heat_figure(figures_heat.heat_info(small()))

    marks = figure.data[-1]
    assert len(marks.x) == 9
    assert len({row[0] for row in marks.customdata}) == 9
    assert "100.0 % of the best dev score: a top config" in {row[2] for row in marks.customdata}


def test_nothing_to_draw_gives_a_titled_empty_figure() -> None:
    for figure in (
        figures_coverage.coverage_figure(figures_coverage.coverage_info(None)),
        figures_heat.heat_figure(figures_heat.heat_info(None)),
    ):
        assert not figure.data
        assert figure.layout.title.text == "No result fits"
