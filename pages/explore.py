"""Explore: why should I believe this shortlist? The finding first, then what it rests on."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine import figures, grids, models, shortlist
from engine.coverage import Ranking
from engine.records import Method
from pages import problems, tune_configs, words

PLAIN = {"displayModeBar": False}
PERCENT = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width=130)


def _choose(version: str) -> tuple[str, Method]:
    """A model and a method that the grid has trained; kept in the URL."""
    grid = grids.get(version)
    with st.container(horizontal=True, key="choice"):
        model = st.selectbox("Model", grid.models, key="explore_model", bind="query-params", width=280)
        methods = [Method(name) for name in grid.manifest["methods"]]
        method = st.segmented_control(
            "Method", methods, default=methods[0],
            key="explore_method", bind="query-params", required=True, format_func=words.method,
        )  # fmt: skip
    return model, Method(method)


def _table(ranking: Ranking) -> None:
    rows = [
        {
            "Rank": entry.rank,
            "Config": figures.config_label(entry.config),
            "Covered so far": 100 * entry.cumulative_coverage,
            "Covers": f"{entry.covers} of {len(ranking.cells)}",
            "New": entry.new,
            "S": round(entry.score, 2),
            "Mean share of best": None if entry.mean_normalized is None else 100 * entry.mean_normalized,
        }
        for entry in ranking.entries
    ]  # fmt: skip
    narrow = dict.fromkeys(("Rank", "Covers", "New", "S"), st.column_config.Column(width=60))
    config: dict[str, Any] = {"Covered so far": PERCENT, "Mean share of best": PERCENT, **narrow}
    st.dataframe(rows, hide_index=True, column_config=config, key="ranking", height=420)


def _evidence(ranking: Ranking, version: str, evidence: str) -> None:
    st.caption(words.plain(evidence))
    with st.container(horizontal=True, key="evidence"):
        cells = len(ranking.cells)
        st.metric("Datasets that count", f"{cells} of {cells + len(ranking.left_out)}")
        st.metric("Configs ranked", len(ranking.entries))
        st.metric("Pairs not run", ranking.missing)
        noisy = "unknown" if ranking.noisy_cells is None else ranking.noisy_cells
        st.metric("Datasets where 3 % is noise", noisy)
        st.metric("Grid", version)
    for cell, reason in ranking.left_out:
        st.caption(words.plain(f"Left out: {cell.dataset}, because {reason}."))


st.title("Explore", anchor=False)
with problems.shown():
    version = grids.current()
    if version is None:
        st.caption("No grid is published yet, so there is no shortlist to explain.")
        st.stop()
    model, method = _choose(version)
    found = shortlist.recommend(models.get(model), method, 64)
    unseen = tune_configs.shares(version, model, method, ())
    covered = figures.coverage_info(found.ranking, unseen)
    st.header(covered.finding, anchor=False)
    if found.ranking is not None:
        _evidence(found.ranking, version, found.evidence)
        left, right = st.columns([2, 3], gap="large")
        left.plotly_chart(figures.coverage_figure(covered, method), key="coverage", config=PLAIN)
        with right:
            _table(found.ranking)
        heat = figures.heat_figure(figures.heat_info(found.ranking))
        st.plotly_chart(heat, key="heat", config=PLAIN)
