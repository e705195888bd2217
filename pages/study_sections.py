"""What can be done with a study that is over, one section at a time; which one is in the URL."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.verdict import Summary
from jobs.views import StudyView
from pages import study_continue, study_predict, study_report

SECTIONS: dict[str, Callable[[StudyView, Summary], None]] = {
    "Predict": study_predict.show,
    "Report": study_report.show,
    "Continue": study_continue.show,
}


def show(view: StudyView, found: Summary) -> None:
    """The chosen section; the first one where the URL names none."""
    first = next(iter(SECTIONS))
    name = st.segmented_control(
        "Section", SECTIONS, default=first, key="study_section", bind="query-params",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    SECTIONS[name or first](view, found)
