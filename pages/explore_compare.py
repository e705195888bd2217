"""Explore, side by side: LoRA or full fine-tuning, few or many rows, model against model."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine import agreement, figures_agreement, figures_cost, figures_paired, paired
from engine.exploration import Filters
from engine.paired import Comparison
from engine.records import Method
from pages import explore_chart, explore_data, explore_filters, explore_sides
from pages.explore_data import Chosen


def methods(chosen: Chosen) -> None:
    """LoRA against full fine-tuning, with what each costs."""
    table = chosen.filters.over("method").apply(chosen.table)
    known = list(table["method"].value_counts().index)
    known.sort(key=lambda name: (name not in set(Method), name != Method.LORA))
    sides = explore_sides.choose(known, "method", explore_filters.method_title)
    if sides is None:
        explore_sides.nothing("method", known, chosen)
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
        explore_chart.heading("A loss per token compares within a model only")
        st.caption("Tokenizers differ, so the same text has another number of tokens in each model.")
        return
    _compared(chosen, "model", list(table["model"].value_counts().index), str)


def _compared(chosen: Chosen, by: str, known: list[Any], title: Any) -> None:
    sides = explore_sides.choose(known, by, title)
    if sides is None:
        explore_sides.nothing(by, known, chosen)
        return
    _pairs(chosen, by, sides)
    first, second = sides
    filters, loss = chosen.filters.over(by), chosen.grid.lower_is_better
    info = figures_agreement.agreement_info(
        agreement.agreement(filters.apply(chosen.table), by, first, second, loss), by, first, second
    )
    method = chosen.filters.method
    explore_chart.show(info, lambda i: figures_agreement.agreement_figure(i, method), "agreement")


def _pairs(chosen: Chosen, by: str, sides: tuple[Any, Any]) -> None:
    found = _compare(
        chosen.version, chosen.digest, chosen.filters.over(by), by, *sides, chosen.grid.lower_is_better
    )
    info = figures_paired.pair_info(found)
    explore_chart.heading(info.finding)
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
    table: pd.DataFrame = filters.apply(explore_data.results(version, digest))
    return paired.compare(table, by, first, second, lower_is_better)
