"""What a search that has ended found: the sentence first, then what to do about it, then why."""

from __future__ import annotations

import streamlit as st

from engine import halving, searched, searched_table
from engine.search import Search, SearchMethod
from engine.searched import Gain
from jobs import predictions
from jobs import searched as gathering
from jobs.searched import Tried
from jobs.views import StudyView
from pages import study_search_edges, study_search_figures, study_search_plan, study_search_running, words

WITHOUT_GAIN = "Neither side has a run with a score, so there is nothing to compare."


def show(view: StudyView, one: Search) -> None:
    """The one sentence, then the figures."""
    tried = gathering.gather(one)
    with st.container(border=True, key="search_found"):
        _sentence(tried)
    if one.method is SearchMethod.PROTOCOL:
        study_search_plan.steps(one, tried.trials)
    elif one.method is not SearchMethod.SHORTLIST:
        _advice(tried)
        study_search_edges.offer(tried)
    study_search_figures.show(tried)
    with st.expander("What was tried, and why", key="search_tried"):
        study_search_running.table(tried, {run.spec.run: run for run in view.runs})
        _download(tried)


def _sentence(of: Tried) -> None:
    found = None if of.search.method is SearchMethod.SHORTLIST else _gain(of)
    if of.search.method is SearchMethod.SHORTLIST:
        saving = halving.actual_saving(of.trials)
        st.markdown(f"#### {words.plain(of.search.why or '' if saving is None else saving.sentence)}")
    elif found is None:
        st.markdown(f"#### {WITHOUT_GAIN}")
    else:
        st.markdown(f"#### {words.plain(searched.gain_sentence(found))}")
        st.markdown(words.plain(searched.choice_sentence(found, of.specs)))
    st.caption(words.plain(of.search.why or ""))


def _gain(of: Tried) -> Gain | None:
    ended = tuple((trial.run, str(trial.status), trial.score) for trial in of.trials)
    return _kept_gain((of.study.study, of.search.search, ended), of)


@st.cache_data(max_entries=32, show_spinner="Comparing on the test rows")
def _kept_gain(key: tuple[object, ...], _of: Tried) -> Gain | None:
    return gathering.gain(_of)


def _advice(of: Tried) -> None:
    advice = searched.stop_advice(of.search, of.trials, of.specs, of.measure)
    if advice is not None:
        st.info(words.plain(advice))


def _download(of: Tried) -> None:
    table = searched_table.table(of.trials, of.specs, of.study.metric)
    st.download_button(
        "Download all trainings (CSV)", predictions.encode(table, ".csv"),
        f"{of.study.study}-search-{of.search.search}.csv", key="search_csv", on_click="ignore",
    )  # fmt: skip
