"""What is known of a study that is over and what can be done with it, a section at a time; it is in the URL.

While a search goes on there are only its own section and the scores.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.records import Task
from engine.verdict import Summary
from jobs.views import StudyView
from pages import (
    study_classes,
    study_continue,
    study_diagnosis,
    study_export,
    study_judge,
    study_outputs,
    study_predict,
    study_report,
    study_scores,
    study_search,
    study_talk,
)

SECTIONS: dict[str, Callable[[StudyView, Summary], None]] = {
    "Scores": study_scores.show,
    "Outputs": study_outputs.show,
    "Classes": study_classes.show,
    "Diagnosis": study_diagnosis.show,
    "Try it": study_talk.show,
    "Predict": study_predict.show,
    "Search": study_search.show,
    "Judge": study_judge.show,
    "Export": study_export.show,
    "Report": study_report.show,
    "Continue": study_continue.show,
}
ONLY_FOR: dict[str, frozenset[Task]] = {
    "Classes": frozenset({Task.CLASSIFICATION, Task.MULTILABEL}),
    "Judge": study_judge.TASKS,
}


def show(view: StudyView, found: Summary) -> None:
    """The chosen section; the first one where the URL names none."""
    names = [name for name in SECTIONS if view.study.task in ONLY_FOR.get(name, Task)]
    names = ["Search", "Scores"] if view.searching else names
    first = names[0]
    name = st.segmented_control(
        "Section", names, default=first, key="study_section", bind="query-params",
        required=True, label_visibility="collapsed",
    )  # fmt: skip
    SECTIONS[name or first](view, found)
