"""One study: what to do, the sections with all that is known, and what can be done with the winner."""

from __future__ import annotations

import time

import streamlit as st

from jobs import fitting, promises, views
from jobs.views import StudyView
from pages import live, study_actions, study_scores, study_sections, study_verdict, words


def show(study_id: str) -> None:
    """The page of the study that the URL names."""
    view = views.study(study_id)
    st.page_link("studies.py", label="All studies", icon=":material/arrow_back:")
    title, buttons = st.columns(2, vertical_alignment="bottom")
    title.title(words.plain(view.study.name), anchor=False)
    with buttons:
        study_actions.bar(view)
    st.caption(f"{study_actions.facts(view)}{_promise(view)}")
    if view.study.note:
        st.text(view.study.note)
    study_actions.launch_waiting(view)
    st.set_page_config(page_title=study_actions.headline(view))
    if view.is_over:
        study_verdict.show(view, study_scores.summary(view))
    else:
        st.fragment(_progress, run_every=study_scores.LIVE_SECONDS)(study_id)
    if view.is_readable:
        study_sections.show(view, study_scores.summary(view))
    else:
        study_scores.show(view)


def _promise(view: StudyView) -> str:
    """What was promised of time and memory and what it took, once the study is over."""
    kept = promises.told(view) if view.is_over else None
    if kept is None:
        return ""
    promised, took = words.span(kept.low, kept.high), words.duration(kept.took)
    if kept.peak is None:
        return f". Promised {promised}, took {took}"
    return (
        f". Promised {promised} and {words.size(kept.memory)} a run, took {took} and {words.size(kept.peak)}"
    )


def _progress(study_id: str) -> None:
    """How far the study is; the whole page once it is over, or once there is something to look at."""
    view = views.study(study_id)
    st.set_page_config(page_title=study_actions.headline(view))
    readable = st.session_state.setdefault("readable", {}).setdefault(study_id, view.is_readable)
    if view.is_over or view.is_readable != readable:
        st.session_state.readable = {}
        st.rerun()
    _bar(view)


def _bar(view: StudyView) -> None:
    if (problem := live.problem()) is not None:
        st.warning(words.plain(problem))
    done = sum(run.status.is_final for run in view.runs)
    seconds = promises.seconds_left(view, fitting.crew().workers, time.time())
    left = f", about {words.duration(seconds)} left" if seconds and not view.is_over else ""
    st.progress(done / len(view.runs), f"{done} of {len(view.runs)} runs ended{left}")
