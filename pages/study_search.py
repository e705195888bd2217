"""Search further: the search that goes on, what the last one found, and the way to a next one."""

from __future__ import annotations

import streamlit as st

from engine.search import Search, SearchMethod
from engine.verdict import Summary
from jobs import search
from jobs.views import StudyView
from pages import (
    problems,
    study_search_carry,
    study_search_form,
    study_search_found,
    study_search_running,
    words,
)

POLL_SECONDS = 3.0
WHY = (
    "No search of this study has run yet. When the shortlist is not enough, a search goes on from what is "
    "known: it proposes further configs, trains them on the same rows, and says whether that was worth it."
)


def show(view: StudyView, _: Summary) -> None:
    """One search at a time; the newest one first."""
    with problems.shown():
        found = search.of_study(view.study.study)
        going_on = next((one for one in found if one.ended is None), None)
        if going_on is not None:
            st.subheader(f"Search: {title(going_on)}", anchor=False)
            st.fragment(study_search_running.show, run_every=POLL_SECONDS)(view.study.study)
            return
        if found:
            study_search_found.show(view, _chosen(found))
        _next(view, found)
        study_search_carry.offer(view.study)


def title(one: Search) -> str:
    """'TPE, 8 runs'; the shortlist with early stopping is a search too."""
    runs = f"{one.runs} run{'' if one.runs == 1 else 's'}"
    if one.method is SearchMethod.SHORTLIST:
        return f"shortlist with early stopping, {runs}"
    return f"{search.TITLES[one.method]}, {runs}"


def _chosen(found: list[Search]) -> Search:
    st.subheader("What the search found", anchor=False)
    if len(found) == 1:
        return found[0]
    newest = found[::-1]
    return st.selectbox(
        "Search", newest, key="search_shown", label_visibility="collapsed",
        format_func=lambda one: f"{title(one)}, ended {words.age(one.ended or one.began)}",
    )  # fmt: skip


def _next(view: StudyView, found: list[Search]) -> None:
    st.subheader("Search on" if found else "Search further", anchor=False)
    if not found:
        st.caption(WHY)
    study_search_form.show(view, found[-1] if found else None)
