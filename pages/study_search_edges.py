"""Where the best config lies on the edge of what was searched: say so, and offer to widen it and go on."""

from __future__ import annotations

import streamlit as st

from engine import searched
from engine.searchspace import Edge
from jobs import search
from jobs.search import SearchRequest
from jobs.searched import Tried
from pages import live, study_search_cost, words


def offer(of: Tried) -> None:
    """One warning, and a button for each such edge."""
    best = searched.best_in(of.search.space, of.trials, of.measure)
    edges = () if best is None else of.search.space.edges(best.config)
    if best is None or not edges:
        return
    axes = [of.search.space.axis(edge.axis) for edge in edges]
    st.warning(words.plain(searched.edges_sentence(edges, axes, of.specs[best.run])))
    with st.container(horizontal=True, key="search_edges"):
        for edge in edges:
            _widen(of, edge)


def _widen(of: Tried, edge: Edge) -> None:
    request = _wider(of, edge)
    label = f"Widen {edge.axis} and go on: {study_search_cost.label(of.study, of.specs, request)}"
    if st.button(words.plain(label), key=f"search_widen_{edge.axis}", disabled=live.problem() is not None):
        search.start(of.study.study, request)
        st.rerun(scope="app")


def _wider(of: Tried, edge: Edge) -> SearchRequest:
    """The same search once more over the wider space, from what is known."""
    one = of.search
    return SearchRequest(
        one.method, one.runs, one.objective, one.minutes, one.cold, one.space.widened(edge.axis, edge.side),
        one.seed + 1,
    )  # fmt: skip
