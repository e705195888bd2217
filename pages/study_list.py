"""All studies: how each stands, on what, how good its best run is, how old it is."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from engine import figures
from engine.metrics import lower_is_better
from engine.records import RunStatus
from engine.store import StudyRow
from jobs import collector
from pages import compare, study_actions, words

LIVE_SECONDS = 2.0
PAGE = 25
WIDTHS = (0.4, 4, 2, 3, 1.2)
TITLES = ("", "Study", "Status", "Test score of the best run", "Age")
COLOURS: dict[RunStatus, Literal["gray", "blue", "green", "red", "orange"]] = {
    RunStatus.QUEUED: "gray",
    RunStatus.RUNNING: "blue",
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "orange",
}


def show() -> None:
    """The list, newest first."""
    st.title("Studies", anchor=False)
    study_actions.undo()
    _rows()


@st.fragment(run_every=LIVE_SECONDS)
def _rows() -> None:
    rows = collector.store().study_rows()
    if not rows:
        st.text("No study yet: tune a model on your rows, and its verdict will be kept here.")
        st.page_link("tune.py", label="Go to Tune", icon=":material/arrow_forward:")
        return
    _compare(rows)
    pages = -(-len(rows) // PAGE)
    page = st.pagination(pages, key="page") if pages > 1 else 1
    for title, place in zip(TITLES, st.columns(WIDTHS), strict=True):
        place.caption(title)
    for row in rows[PAGE * (page - 1) : PAGE * page]:
        _line(row)


def _compare(rows: list[StudyRow]) -> None:
    """The best runs of the ticked studies side by side; ticks on other pages of the list count too."""
    picked = [row.best for row in rows if row.best and st.session_state.get(f"pick_{row.study.study}")]
    if picked:
        compare.link(f"Compare the best runs of {len(picked)} ticked", picked)


def _line(row: StudyRow) -> None:
    study = row.study
    with st.container(border=True, key=f"row_{study.study}", gap="xxsmall"):
        pick, name, status, score, age = st.columns(WIDTHS, vertical_alignment="center")
        pick.checkbox(
            f"Compare {words.plain(study.name)}", key=f"pick_{study.study}", disabled=row.best is None,
            label_visibility="collapsed", help="Compare its best run with those of other studies.",
        )  # fmt: skip
        name.page_link(
            "studies.py", label=f"**{words.plain(study.name)}**", query_params={"study": study.study}
        )
        name.caption(
            words.plain(f"{study.dataset_name}, {study.model}, {words.method(study.method)}. {study.note}")
        )
        running = "" if row.ended == row.runs else f", {row.ended} of {row.runs} runs ended"
        status.badge(f"{words.STATUS[row.status]}{running}", color=COLOURS[row.status])
        if row.test is not None:
            score.text(
                f"{figures.metric_name(study.metric)} {words.points(row.test, lower_is_better(study.metric))}"
            )
        age.caption(words.age(study.created))
