"""Explore, one dataset: every config there, and what the other datasets would have chosen."""

from __future__ import annotations

import streamlit as st

from engine import exploration, figures_dataset, onedataset
from engine.exploration import View
from engine.figures_dataset import DatasetInfo
from engine.onedataset import OneDataset
from pages import explore_chart, explore_data, explore_runs
from pages.explore_data import Chosen


def show(chosen: Chosen) -> None:
    """The cell that the URL names, its configs and its runs."""
    view = chosen.view("datasets")
    if view is None:
        return
    cells = dict(zip(exploration.cell_names(view.grid.cells), view.grid.cells, strict=True))
    name = st.selectbox(
        exploration.cell_noun(view.grid.cells).removesuffix("s").capitalize(), cells,
        key="explore_cell", bind="query-params", width=320,
    )  # fmt: skip
    found, info = _one(chosen, view, name)
    explore_chart.heading(info.finding)
    method = chosen.filters.method
    explore_chart.show(info, lambda i: figures_dataset.dataset_figure(i, method), "dataset")
    explore_chart.notes(info.notes)
    st.subheader("All runs", anchor=False)
    runs = exploration.rows_of(view.table, found.cell)
    runs = runs.sort_values("score", ascending=view.lower_is_better)
    explore_runs.table(runs, view.lower_is_better, "runs")


def _one(chosen: Chosen, view: View, name: str) -> tuple[OneDataset, DatasetInfo]:
    filters = chosen.filters.over("datasets")
    return _cached(chosen.version, chosen.digest, filters, chosen.grid.lower_is_better, name)


@st.cache_data(max_entries=64, show_spinner="Ranking without this dataset")
def _cached(
    version: str, digest: str, filters: exploration.Filters, lower_is_better: bool, name: str
) -> tuple[OneDataset, DatasetInfo]:
    view = explore_data.ranked(version, digest, filters, lower_is_better)
    assert view is not None
    cell = view.grid.cells[exploration.cell_names(view.grid.cells).index(name)]
    found = onedataset.one_dataset(view, cell)
    return found, figures_dataset.dataset_info(view, found)
