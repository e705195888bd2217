"""Explore: why should I believe this shortlist? The finding first, then what it rests on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from pages import (
    explore_chart,
    explore_compare,
    explore_curves,
    explore_dataset,
    explore_filters,
    explore_matters,
    explore_overview,
    explore_similar,
    problems,
    words,
)
from pages.explore_data import Chosen


class Section(NamedTuple):
    """A part of the page; `compared` names the filters that it sets side by side."""

    show: Callable[[Chosen], None]
    compared: frozenset[str] = frozenset()


SECTIONS = {
    "Overview": Section(explore_overview.show),
    "What matters": Section(explore_matters.show),
    "LoRA or full": Section(explore_compare.methods, frozenset({"method"})),
    "Rows": Section(explore_compare.rows, frozenset({"train_size"})),
    "Models": Section(explore_compare.models, frozenset({"model"})),
    "Curves": Section(explore_curves.show),
    "One dataset": Section(explore_dataset.show),
    "Like mine": Section(explore_similar.show),
}


def _section() -> str:
    name = st.segmented_control(
        "Section", SECTIONS, default="Overview", key="explore_section", bind="query-params",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    return name or "Overview"


def _nothing(chosen: Chosen) -> None:
    explore_chart.heading("No result fits these filters")
    st.caption(
        words.plain(f"Grid {chosen.version} has nothing for {chosen.filters.sentence}. Set a filter to all.")
    )


def _origin(chosen: Chosen) -> None:
    """Whose results these are, where they are not ours, and what a grid of ours still lacks."""
    facts = chosen.grid.manifest
    if not facts.get("complete", True):
        here = f"{facts['present']:,} of {facts['expected']:,}"
        st.caption(
            words.plain(f"{chosen.version} is incomplete: {here} results; what is missing covers nothing.")
        )
    if chosen.grid.provenance == "published":
        st.caption(words.plain(f"Published by others, not measured here. {facts['about']}"))
        st.caption(words.plain(facts["attribution"]))


def _unranked(chosen: Chosen) -> None:
    """A table whose configs were not all run everywhere on purpose: no ranking is made of it."""
    explore_chart.heading(f"The configs of {chosen.version} cannot be ranked")
    st.caption("It compares methods, memory and cost: see the section LoRA or full.")


st.title("Explore", anchor=False)
with problems.shown():
    section = SECTIONS[_section()]
    chosen = explore_filters.choose(section.compared)
    if chosen is None:
        st.caption("No grid is published yet, so there is no shortlist to explain.")
    elif chosen.filters.apply(chosen.table).empty:
        _nothing(chosen)
    else:
        _origin(chosen)
        if chosen.rankable or section.compared:
            section.show(chosen)
        else:
            _unranked(chosen)
