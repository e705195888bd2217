"""Explore, first section: which configs cover which datasets, how few are enough, and on what that rests."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine import exploration, figures_coverage, figures_defaults, figures_heat, figures_shares
from engine.exploration import Filters, View, cell_noun, varying
from engine.figures import config_label
from engine.validation import LeaveOneOut
from pages import explore_chart, explore_data, explore_runs
from pages.explore_data import Chosen

PERCENT = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width=130)


def show(chosen: Chosen) -> None:
    """The finding, what it rests on, the figures and the ranked table."""
    view = chosen.view()
    covered = figures_coverage.coverage_info(view)
    explore_chart.heading(covered.finding)
    if view is None:
        return
    _evidence(view)
    explore_chart.show(
        covered, lambda info: figures_coverage.coverage_figure(info, chosen.filters.method), "coverage"
    )
    shares = figures_shares.share_info(
        _left_out(chosen.version, chosen.digest, chosen.filters, chosen.grid.lower_is_better)
    )
    explore_chart.show(shares, figures_shares.share_figure, "shares")
    explore_chart.notes(shares.notes)
    _defaults(chosen, view)
    _table(view)
    heat = figures_heat.heat_info(view)
    event = explore_chart.show(heat, figures_heat.heat_figure, "heat", select=True)
    explore_runs.of_click(view, heat, event)


def _defaults(chosen: Chosen, view: View) -> None:
    """Configs that are run as they are, where the grid has them."""
    results = chosen.filters.apply(explore_data.defaults(chosen.version, chosen.digest))
    info = figures_defaults.defaults_info(view, results)
    if info.points:
        explore_chart.show(info, figures_defaults.defaults_figure, "defaults")
        explore_chart.notes(info.notes)


@st.cache_data(max_entries=64, show_spinner="Leaving one dataset out at a time")
def _left_out(version: str, digest: str, filters: Filters, lower_is_better: bool) -> LeaveOneOut:
    table = filters.apply(explore_data.with_defaults(version, digest))
    return exploration.leave_one_out(table, filters, lower_is_better)


def _evidence(view: View) -> None:
    noun = cell_noun(view.grid.cells)
    with st.container(horizontal=True, key="evidence"):
        st.metric(f"{noun.capitalize()} that count", f"{len(view.counted)} of {len(view.grid.cells)}")
        st.metric("Configs", len(view.grid.configs))
        st.metric("Results", f"{len(view.table):,}")
        st.metric("Pairs not run", view.missing, help="Of config and cell. They cover nothing.")
        st.metric("Pairs failed", view.failed, help="They count as 0 % of the best.")
        noisy = view.ranking.noisy_cells
        st.metric(
            f"{noun.capitalize()} where {100 * view.tolerance:g} % is noise",
            "unknown" if noisy is None else noisy,
            help="The best score's standard error is larger than the tolerance.",
        )
    if len(view.grid.cells) == 1:
        st.caption(
            "One dataset: nothing shows whether these configs hold elsewhere. Set Datasets to all, or see "
            "the section One dataset."
        )
    explore_chart.notes(figures_coverage.left_out_notes(view))


def _table(view: View) -> None:
    st.subheader("All configs, by rank", anchor=False)
    cells, settings = len(view.ranking.cells), varying(view)
    rows = [
        {
            "Rank": entry.rank,
            "Config": config_label(entry.config, settings),
            "Covered so far": 100 * entry.cumulative_coverage,
            "Covers alone": 100 * entry.covers / max(cells, 1),
            "New": entry.new,
            "S": round(entry.score, 2),
            "Mean share of best": None if entry.mean_normalized is None else 100 * entry.mean_normalized,
        }
        for entry in view.ranking.entries
    ]
    narrow = dict.fromkeys(("Rank", "New", "S"), st.column_config.Column(width=60))
    bars = dict.fromkeys(("Covered so far", "Covers alone", "Mean share of best"), PERCENT)
    config: dict[str, Any] = {**bars, **narrow}
    st.dataframe(rows, hide_index=True, column_config=config, key="ranking", height=390)
    explore_chart.downloads(pd.DataFrame(rows), "ranking", "")
