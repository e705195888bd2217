"""All studies: how each stands, on what, how good its best run is, how old it is."""

from __future__ import annotations

import streamlit as st

from engine import figures
from engine.metrics import lower_is_better
from engine.store import StudyRow
from jobs import collector
from pages import study_actions, words
from pages.study_runs import STATUS

LIVE_SECONDS = 2.0


def show() -> None:
    """The list; a click on a row opens the study."""
    st.title("Studies", anchor=False)
    study_actions.undo()
    st.fragment(_table, run_every=LIVE_SECONDS)()


def _table() -> None:
    rows = collector.store().study_rows()
    if not rows:
        st.caption("No study yet: tune a model on your rows, and its verdict will be kept here.")
        st.page_link("tune.py", label="Go to Tune", icon=":material/arrow_forward:")
        return
    event = st.dataframe(
        [_line(row) for row in rows], hide_index=True, key="studies", on_select="rerun",
        selection_mode="single-row", height="content",
    )  # fmt: skip
    chosen = event["selection"]["rows"]
    if chosen:
        st.query_params.study = rows[chosen[0]].study.study
        st.rerun(scope="app")


def _line(row: StudyRow) -> dict[str, str]:
    study = row.study
    status = (
        STATUS[row.status]
        if row.ended == row.runs
        else f"{STATUS[row.status]}, {row.ended} of {row.runs} ended"
    )
    score = words.points(row.test, lower_is_better(study.metric)) if row.test else ""
    return {
        "Study": study.name,
        "Status": status,
        "Dataset": study.dataset_name,
        "Model": study.model,
        "Method": words.method(study.method),
        "Best run's test score": f"{figures.metric_name(study.metric)} {score}" if score else "",
        "Age": words.age(study.created),
        "Note": study.note,
    }
