"""Explore, side by side: LoRA or full fine-tuning, few or many rows, model against model."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine import figures_agreement, figures_cost, figures_paired, paired
from engine.exploration import Filters
from engine.paired import Comparison
from engine.records import Method
from pages import explore_chart, explore_filters, words
from pages.explore_filters import Chosen


def methods(chosen: Chosen) -> None:
    """LoRA against full fine-tuning, with what each costs."""
    table = chosen.filters.over("method").apply(chosen.table)
    known = list(table["method"].value_counts().index)
    known.sort(key=lambda name: (name not in set(Method), name != Method.LORA))
    sides = _sides(known, "method", explore_filters.method_title)
    if sides is None:
        _nothing("method", known, chosen)
        return
    _pairs(chosen, "method", sides)
    if table["model"].nunique() == table["dataset"].nunique() == 1:
        front = figures_cost.front_info(table, chosen.grid.lower_is_better)
        if front.points:
            explore_chart.show(front, figures_cost.front_figure, "front")


def rows(chosen: Chosen) -> None:
    """The most training rows against the least, unless a person chooses others."""
    table = chosen.filters.over("train_size").apply(chosen.table)
    sizes = table["train_size"].dropna().unique().tolist() if "train_size" in table else []
    known = sorted(sizes, reverse=True)
    _compared(chosen, "train_size", known, str)


def models(chosen: Chosen) -> None:
    """Two models on the same datasets, never by a loss: tokenizers differ."""
    table = chosen.filters.over("model").apply(chosen.table)
    if chosen.grid.lower_is_better:
        st.header("A loss per token compares within a model only", anchor=False)
        st.caption("Tokenizers differ, so the same text has another number of tokens in each model.")
        return
    _compared(chosen, "model", list(table["model"].value_counts().index), str)


def _compared(chosen: Chosen, by: str, known: list[Any], title: Any) -> None:
    sides = _sides(known, by, title)
    if sides is None:
        _nothing(by, known, chosen)
        return
    _pairs(chosen, by, sides)
    first, second = sides
    filters, loss = chosen.filters.over(by), chosen.grid.lower_is_better
    info = figures_agreement.agreement_info(
        paired.agreement(filters.apply(chosen.table), by, first, second, loss), by, first, second
    )
    method = chosen.filters.method
    explore_chart.show(info, lambda i: figures_agreement.agreement_figure(i, method), "agreement")


def _sides(known: list[Any], by: str, title: Any) -> tuple[Any, Any] | None:
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


def _nothing(by: str, known: list[Any], chosen: Chosen) -> None:
    noun = {"method": "method", "train_size": "number of training rows", "model": "model"}[by]
    has = f"only {figures_paired.side_name(by, known[0])}" if known else f"no {noun}"
    st.header(f"Only one {noun} here, so there is nothing to compare", anchor=False)
    st.caption(
        words.plain(
            f"Grid {chosen.version} has {has} for {chosen.filters.over(by).sentence}. Choose another grid, "
            "or set a filter to all."
        )
    )


def _pairs(chosen: Chosen, by: str, sides: tuple[Any, Any]) -> None:
    found = _compare(
        chosen.version, chosen.digest, chosen.filters.over(by), by, *sides, chosen.grid.lower_is_better
    )
    info = figures_paired.pair_info(found)
    st.header(info.finding, anchor=False)
    method = None if by == "method" else chosen.filters.method
    if info.points:
        explore_chart.show(info, lambda i: figures_paired.pair_figure(i, method), f"pairs_{by}")
    explore_chart.notes(info.notes)
    cost = figures_cost.cost_info(found, info)
    if cost.points:
        explore_chart.show(cost, lambda i: figures_cost.cost_figure(i, method), f"cost_{by}")


@st.cache_data(max_entries=64, show_spinner="Comparing")
def _compare(
    version: str, digest: str, filters: Filters, by: str, first: Any, second: Any, lower_is_better: bool
) -> Comparison:
    table: pd.DataFrame = filters.apply(explore_filters.results(version, digest))
    return paired.compare(table, by, first, second, lower_is_better)
