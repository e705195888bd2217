"""Explore, learning curves: dev loss by epoch, and whether it picks the config that scores best."""

from __future__ import annotations

import streamlit as st

from engine import figures_losses, figures_settings
from engine.findings import counted
from pages import explore_chart
from pages.explore_data import Chosen


def show(chosen: Chosen) -> None:
    """What the loss is worth first, then how it goes."""
    view = chosen.view()
    method = chosen.filters.method
    proxy = figures_losses.proxy_info(view)
    explore_chart.heading(proxy.finding)
    if view is None or not proxy.points:
        st.caption("Choose a grid that was measured here: it keeps the loss on the dev rows at every epoch.")
        return
    names = figures_losses.groupings(view)
    if names:
        by = st.selectbox(
            "One line for each", names, key="explore_line", bind="query-params", width=220,
            format_func=lambda name: "Dataset" if name == "dataset" else figures_settings.title_of(name),
        )  # fmt: skip
        curves = figures_losses.curves_info(view, by)
        explore_chart.show(curves, lambda info: figures_losses.curves_figure(info, method), "losses")
        if curves.left_out:
            left_out = counted(curves.left_out, "training")
            st.caption(f"Left out: {left_out} without a finite loss at each of these epochs.")
    explore_chart.show(proxy, lambda info: figures_losses.proxy_figure(info, method), "proxy")
