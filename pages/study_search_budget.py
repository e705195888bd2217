"""Hours to spend, split over the steps of a whole search before anything starts."""

from __future__ import annotations

import streamlit as st

from engine import budget
from engine.budget import Part
from engine.records import Study
from engine.search import SearchMethod
from pages import problems, study_search_cost, words
from pages.study_search_cost import Specs

COLUMNS = {
    "for": st.column_config.TextColumn("For", width=180),
    "share": st.column_config.ProgressColumn("Share", min_value=0, max_value=100, format="%d %%", width=120),
    "time": st.column_config.TextColumn("Time", width=80),
    "fits": st.column_config.TextColumn("What fits", width=330),
}


def offer(study: Study, specs: Specs) -> None:
    """A number of hours in, the split out, and the button that takes it over into the form."""
    with st.expander("Split hours over a whole search", key="search_budget"):
        hours = st.number_input(
            "Hours of one worker", 0.01, None, None, 0.5, key="search_hours", placeholder="2", width=200
        )
        if hours is None:
            st.caption("Enter how long one worker may train: the split is shown before anything starts.")
            return
        with problems.shown():
            seconds, steps = study_search_cost.one_run(study, specs)
            found = budget.split(float(hours), seconds, steps)
            st.dataframe(
                [_row(part) for part in found.parts], hide_index=True, column_config=COLUMNS,
                key="search_split", height="content",
            )  # fmt: skip
            st.caption(words.plain(found.sentence))
            st.button(
                "Take the protocol within these hours", key="search_take_hours", on_click=_take, args=(hours,)
            )


def _row(part: Part) -> dict[str, object]:
    return {
        "for": part.title,
        "share": round(100 * part.share),
        "time": words.duration(part.seconds),
        "fits": _fits(part),
    }


def _fits(part: Part) -> str:
    if part.runs is not None:
        length = "" if part.length in (None, 1.0) else f" to {100 * (part.length or 0):.0f} % of the schedule"
        return f"{part.runs} run{'' if part.runs == 1 else 's'}{length}"
    return "" if part.steps is None else f"{part.steps:,} steps"


def _take(hours: float) -> None:
    st.session_state.search_method = SearchMethod.PROTOCOL
    st.session_state.search_minutes = max(1, round(60 * hours))
