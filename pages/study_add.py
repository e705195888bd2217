"""One more config for a study, also while it runs: from one of its own, changed."""

from __future__ import annotations

import streamlit as st

from engine.errors import ConfigError
from engine.records import Config
from jobs import studies
from jobs.studies import NewRun
from jobs.views import StudyView
from pages import problems, tune_own


@st.dialog("Add a config to this study")
def form(view: StudyView) -> None:
    """Choose a start, change its values, train it on the same rows."""
    specs = {run.spec.name: run.spec for run in view.runs if run.spec.config is not None}
    name = st.selectbox("Start from", specs, key="added_from")
    with problems.shown():
        own = Config.from_dict(tune_own.fields(specs[name]))
        if st.button("Train it too", type="primary", key="add_to_study"):
            add(view, own)
            st.rerun()


def add(view: StudyView, own: Config) -> None:
    """Queue it as a run of the study; raises ConfigError when one has the same values."""
    for run in view.runs:
        if run.spec.config == own and run.spec.kind.competes and run.spec.seed == view.study.seed:
            raise ConfigError(f"{run.spec.name} has these values already. Change one of them.")
    studies.extend(view.study.study, [NewRun(_name(view), own, early_stopping=True)])


def _name(view: StudyView) -> str:
    """own 1, own 2, ...: the next that no run has."""
    taken = {run.spec.name for run in view.runs}
    return next(name for n in range(1, len(taken) + 2) if (name := f"own {n}") not in taken)
