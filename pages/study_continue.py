"""Go on with a study when its dataset has grown: upload the newer version, the same test rows report."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from engine.verdict import Summary
from jobs import comparisons, continuing
from jobs.continuing import Continued
from jobs.views import StudyView
from pages import compare, live, problems, study_rows, tune_cost, tune_file, tune_rows, words


def show(view: StudyView, found: Summary) -> None:
    """Whether more rows help, how this study compares with the one that it continues, and the way on."""
    study_rows.show(view)
    _earlier(view, found)
    st.subheader("Continue with newer rows", anchor=False)
    st.caption(
        "Upload a newer version of the file, with the same columns. Its test rows stay the test rows, new "
        "rows are learned from, and the same plan is run: so the old and the new winner are compared on the "
        "same rows."
    )
    upload = st.file_uploader("Newer version of the file", tune_file.SUFFIXES, key="newer_file")
    if upload is None:
        return
    with problems.shown():
        path = tune_file.keep(upload.name, upload.getvalue())
        _offer(_prepared(view.study.study, path), path)


def _earlier(view: StudyView, found: Summary) -> None:
    pairing = comparisons.with_earlier(view.study.study)
    if pairing is None or found.winner is None or view.study.continues is None:
        return
    st.subheader(words.plain(pairing.sentence), anchor=False)
    earlier = comparisons.winner(view.study.continues)
    if earlier is not None:
        compare.link("Compare both winners", (found.winner, earlier))


def _offer(found: Continued, path: Path) -> None:
    rows = ", ".join(f"{len(numbers):,} {name}" for name, numbers in found.dataset.splits.items())
    st.text(f"Rows: {rows}.")
    tune_rows.checks(found.dataset.issues)
    cost = tune_cost.of_runs(found.plan.specs, found.dataset)
    problem = live.problem()
    label = problem or f"Train the same plan on the newer rows, about {words.duration(cost.seconds)}"
    if st.button(label, type="primary", key="start_newer", disabled=problem is not None):
        study = continuing.start(found, path)
        st.switch_page("studies.py", query_params={"study": study.study})


@st.cache_resource(max_entries=4, show_spinner="Checking and splitting the rows")
def _prepared(study: str, path: Path) -> Continued:
    return continuing.prepare(study, path)
