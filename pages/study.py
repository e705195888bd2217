"""One study: the verdict, the scores, the runs while they go on, and what to do with the winner."""

from __future__ import annotations

import streamlit as st

from engine import figures, rivals
from engine.records import Event
from engine.verdict import Summary
from jobs import promises, views
from jobs.views import RunView, StudyView
from pages import live, study_actions, study_runs, study_sections, study_seeds, words

LIVE_SECONDS = 1.5


def show(study_id: str) -> None:
    """The page of the study that the URL names."""
    view = views.study(study_id)
    st.page_link("studies.py", label="All studies", icon=":material/arrow_back:")
    title, buttons = st.columns(2, vertical_alignment="bottom")
    title.title(words.plain(view.study.name), anchor=False)
    with buttons:
        study_actions.bar(view)
    st.caption(study_actions.facts(view))
    if view.study.note:
        st.text(view.study.note)
    study_actions.launch_copy(view)
    st.fragment(_running, run_every=None if view.is_over else LIVE_SECONDS)(study_id)
    if view.is_readable:
        study_sections.show(view, summary(view))


def _running(study_id: str) -> None:
    """Redrawn every LIVE_SECONDS until the study is over, then the whole page once."""
    view = views.study(study_id)
    st.set_page_config(page_title=study_actions.headline(view))
    was_over = st.session_state.get("over", {}).get(study_id, view.is_over)
    st.session_state.over = {study_id: view.is_over}
    if view.is_over and not was_over:
        st.rerun()
    _head(view)
    _scores(view)
    st.subheader("Runs", anchor=False)
    study_runs.table(view, _summary_so_far(view))
    st.caption(words.plain(" ".join(rivals.told((run.spec, run.result) for run in view.runs))))
    for warning in summary(view).warnings if view.is_over else study_runs.failures(view):
        st.warning(words.plain(warning))
    _curves(view)


def _head(view: StudyView) -> None:
    """The verdict; before there is one, how far the study is."""
    if view.is_over:
        found = summary(view)
        first, _, rest = found.verdict.partition(". ")
        with st.container(border=True, key="verdict"):
            st.markdown(f"#### {words.plain(first)}")
            st.markdown(words.plain(rest))
            if (kept := promises.told(view)) is not None:
                st.caption(f"Promised {words.span(kept.low, kept.high)}, took {words.duration(kept.took)}.")
        study_seeds.offer(view)
        return
    if (problem := live.problem()) is not None:
        st.warning(words.plain(problem))
    done = sum(run.status.is_final for run in view.runs)
    left = "" if view.eta_seconds is None else f", about {words.duration(view.eta_seconds)} left"
    st.progress(done / len(view.runs), f"{done} of {len(view.runs)} runs ended{left}")


def _scores(view: StudyView) -> None:
    scored = [(run.spec, run.result) for run in view.runs if run.result is not None]
    found = _summary_so_far(view)
    if found is None:
        return
    info = figures.score_info(scored, view.study.metric, found.winner, found.ties)
    st.plotly_chart(figures.score_figure(info), key="scores", config={"displayModeBar": False})


def _curves(view: StudyView) -> None:
    trained = [run for run in view.runs if run.spec.kind.trains]
    events = [(run.spec, _events(run)) for run in trained if run.attempt]
    if any(rows for _, rows in events):
        info = figures.curve_info(events)
        st.plotly_chart(figures.curve_figure(info), key="curves", config={"displayModeBar": False})


def _events(run: RunView) -> list[Event]:
    assert run.attempt is not None
    read = _events_for_good if run.status.is_final else live.files().events
    return read(run.spec.run, run.attempt)


@st.cache_resource(max_entries=256, show_spinner=False)
def _events_for_good(run: str, attempt: int) -> list[Event]:
    """The events of an attempt that has ended: read once."""
    return live.files().events(run, attempt)


def _summary_so_far(view: StudyView) -> Summary | None:
    scored = any(run.result is not None and run.result.test is not None for run in view.runs)
    return summary(view) if scored else None


def summary(view: StudyView) -> Summary:
    """The verdict over the runs that have ended; computed again only when another one has."""
    ended = tuple((run.spec.run, run.result.attempt) for run in view.runs if run.result is not None)
    return _summary(view.study.study, ended)


@st.cache_resource(max_entries=64, show_spinner=False)
def _summary(study_id: str, ended: tuple[tuple[str, int], ...]) -> Summary:
    found: Summary = views.summary(study_id)
    return found
