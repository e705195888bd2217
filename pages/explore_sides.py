"""The two methods, sizes or models that a section of Explore sets side by side."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine import figures_paired
from pages import explore_chart, words
from pages.explore_data import Chosen


def choose(known: list[Any], by: str, title: Any) -> tuple[Any, Any] | None:
    """The two values to compare: chosen by a person where there are more than two."""
    if len(known) < 2:
        return None
    if len(known) == 2:
        return known[0], known[1]
    with st.container(horizontal=True, key="sides"):
        options = {str(title(value)): value for value in known}
        last = len(known) - 1 if by == "train_size" else 1
        first = st.selectbox("Compare", options, key=f"explore_first_{by}", bind="query-params", width=280)
        rest = [name for name in options if name != first]
        second = st.selectbox(
            "with", rest, min(last, len(rest)) - 1, key=f"explore_second_{by}", bind="query-params", width=280
        )
    return options[first], options[second]


def nothing(by: str, known: list[Any], chosen: Chosen) -> None:
    noun = {"method": "method", "train_size": "number of training rows", "model": "model"}[by]
    has = f"only {figures_paired.side_name(by, known[0])}" if known else f"no {noun}"
    explore_chart.heading(f"Only one {noun} here, so there is nothing to compare")
    st.caption(
        words.plain(
            f"Grid {chosen.version} has {has} for {chosen.filters.over(by).sentence}. Choose another grid, "
            "or set a filter to all."
        )
    )
