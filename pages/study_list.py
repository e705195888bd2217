"""All studies: how each stands, on what, what it decided, how old it is."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from engine import figures
from engine.decision import Decision, Outcome, Standing
from engine.metrics import lower_is_better
from engine.records import RunStatus
from engine.store import StudyRow
from jobs import collector
from pages import compare, study_actions, study_scores, words

LIVE_SECONDS = 2.0
PAGE = 25
WIDTHS = (0.4, 3.4, 1.6, 4.2, 1.2)
TITLES = ("", "Study", "Status", "Verdict", "Age")
COLOURS: dict[RunStatus, Literal["gray", "blue", "green", "red", "orange"]] = {
    RunStatus.QUEUED: "gray",
    RunStatus.RUNNING: "blue",
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "orange",
}
STANDINGS: dict[Standing, tuple[str, Literal["green", "gray", "orange"]]] = {
    Standing.WON: ("Tuning won", "green"),
    Standing.TIED: ("Tie", "gray"),
    Standing.LOST: ("Tuning lost", "orange"),
}
OPEN = {
    Outcome.NOTHING: "Nothing learnt",
    Outcome.FEW_ROWS: "Too few rows",
    Outcome.UNFINISHED: "Runs missing",
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
    with st.container(border=True, key="list_head"):  # a row without its border, so that columns agree
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
        with score:
            _verdict(row)
        age.caption(words.age(study.created))


def _verdict(row: StudyRow) -> None:
    """Whether tuning won, tied or lost, and against what; nothing while runs go on."""
    if not row.is_over:
        return
    decision = study_scores.kept_summary(row.study.study, row.digest).decision
    short, colour = STANDINGS[decision.standing] if decision.standing else (OPEN[decision.outcome], "gray")
    st.badge(short, color=colour)
    st.caption(words.plain(_numbers(row, decision)))


def _numbers(row: StudyRow, decision: Decision) -> str:
    """'Accuracy 90.3, shortlist 1; 26.2 ahead of TF-IDF'; the headline where nothing is to be used."""
    score, gap = decision.score, decision.against_alternative
    if score is None or decision.standing is None:
        return decision.headline
    loss = lower_is_better(row.study.metric)
    text = (
        f"{figures.metric_name(row.study.metric)} {words.number(score.value, loss)}, {decision.leader_name}"
    )
    if gap is None:
        return text
    size = words.number(abs(gap.value), loss)
    side = "ahead of" if gap.value > 0 else "behind" if gap.value < 0 else "from"
    return f"{text}; {size} {side} {decision.alternative_name}"
