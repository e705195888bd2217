"""The scores of a study: the plot with intervals, the runs while they go on, what failed, the losses."""

from __future__ import annotations

import streamlit as st

from engine import figures, rivals
from engine.records import Event
from engine.verdict import Summary
from jobs import views
from jobs.views import RunView, StudyView
from pages import live, study_runs, words

LIVE_SECONDS = 1.5
CHART = {"displayModeBar": False}


def show(view: StudyView, _: Summary | None = None) -> None:
    """Redrawn every LIVE_SECONDS until the study is over."""
    st.fragment(_drawn, run_every=None if view.is_over else LIVE_SECONDS)(view.study.study)


def _drawn(study_id: str) -> None:
    view = views.study(study_id)
    found = summary_so_far(view)
    if found is not None:
        _scores(view, found)
    st.subheader("Runs", anchor=False)
    study_runs.table(view, found)
    st.caption(words.plain(" ".join(rivals.told((run.spec, run.result) for run in view.runs))))
    for warning in found.warnings if found and view.is_over else study_runs.failures(view):
        st.warning(words.plain(warning))
    _curves(view)


def _scores(view: StudyView, found: Summary) -> None:
    scored = [(run.spec, run.result) for run in view.runs if run.result is not None]
    info = figures.score_info(scored, view.study.metric, found.use, found.ties_of_use)
    st.plotly_chart(figures.score_figure(info), key="scores", config=CHART)


def _curves(view: StudyView) -> None:
    trained = [run for run in view.runs if run.spec.kind.trains]
    events = [(run.spec, _events(run)) for run in trained if run.attempt]
    if any(rows for _, rows in events):
        info = figures.curve_info(events)
        st.plotly_chart(figures.curve_figure(info), key="curves", config=CHART)


def _events(run: RunView) -> list[Event]:
    assert run.attempt is not None
    read = _events_for_good if run.status.is_final else live.files().events
    return read(run.spec.run, run.attempt)


@st.cache_resource(max_entries=256, show_spinner=False)
def _events_for_good(run: str, attempt: int) -> list[Event]:
    """The events of an attempt that has ended: read once."""
    return live.files().events(run, attempt)


def summary_so_far(view: StudyView) -> Summary | None:
    """The verdict as far as it goes; None while no run has a score."""
    scored = any(run.result is not None and run.result.test is not None for run in view.runs)
    return summary(view) if scored or view.is_over else None


def summary(view: StudyView) -> Summary:
    """The verdict over the runs that have ended; computed again only when another one has."""
    ended = tuple((run.spec.run, run.result.attempt) for run in view.runs if run.result is not None)
    return kept_summary(view.study.study, ended)


@st.cache_resource(max_entries=256, show_spinner=False)
def kept_summary(study_id: str, ended: object) -> Summary:
    """The verdict on a study; `ended` says which results it is over, so that a new one is not missed."""
    found: Summary = views.summary(study_id)
    return found
