"""Explore, what matters: which hyperparameters the differences between configs come from."""

from __future__ import annotations

import streamlit as st

from engine import figures_importance, figures_settings, importance
from engine.exploration import Filters
from engine.importance import Importance
from pages import explore_chart, explore_data, words
from pages.explore_data import Chosen

SHARED = "Configs that differ in epochs alone share a training, so their scores go together."


def show(chosen: Chosen) -> None:
    """Importance first, then the interaction, then the values themselves."""
    view = chosen.view()
    found = _importance(chosen.version, chosen.digest, chosen.filters, chosen.grid.lower_is_better)
    ranked = figures_importance.importance_info(view, found)
    explore_chart.heading(ranked.finding)
    shared = view is not None and "run" in view.table and view.table["run"].duplicated().any()
    explore_chart.notes([*ranked.notes, *([SHARED] if shared else [])])
    method = chosen.filters.method
    if ranked.points:
        explore_chart.show(
            ranked,
            lambda i: figures_importance.importance_figure(i, method),
            "importance",
            numbers=figures_importance.importance_numbers(ranked),
        )
        pair = figures_importance.interaction_info(found)
        explore_chart.show(pair, figures_importance.interaction_figure, "interaction")
    by_value = figures_settings.slice_info(view)
    explore_chart.show(by_value, lambda i: figures_settings.slice_figure(i, method), "slices")
    if by_value.edges:
        st.caption(
            words.plain(
                f"Best at the least or most that was tried: {', '.join(by_value.edges)}. A wider grid may "
                "find better."
            )
        )
    lines = figures_settings.parallel_info(view)
    explore_chart.show(
        lines,
        lambda i: figures_settings.parallel_figure(i, method),
        "parallel",
        numbers=figures_settings.parallel_numbers(lines),
    )
    st.caption("Drag along an axis to keep the configs that pass there; click the axis to let go.")


@st.cache_data(max_entries=32, show_spinner="Weighing the hyperparameters")
def _importance(version: str, digest: str, filters: Filters, lower_is_better: bool) -> Importance | None:
    view = explore_data.ranked(version, digest, filters, lower_is_better)
    return None if view is None else importance.importance(view)
