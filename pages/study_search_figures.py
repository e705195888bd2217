"""The figures of a search: how far it came, what mattered, loss against score, who trained when."""

from __future__ import annotations

import streamlit as st

from engine import (
    figures_search,
    figures_search_space,
    figures_tradeoff,
    figures_workers,
    proxy,
    run_importance,
    searched,
)
from engine.figures_search import Against
from engine.proxy import Correlation
from engine.records import Study
from engine.run_importance import Share
from engine.search import SearchMethod
from engine.worker_times import Span
from jobs import searched as gathering
from jobs.searched import Tried
from pages import words

CHART = {"displayModeBar": False}
AGAINST = {Against.RUNS: "Number of runs", Against.MINUTES: "Minutes of training"}


def show(of: Tried) -> None:
    """Each one where there is something to draw."""
    _best(of)
    if of.search.method not in (SearchMethod.SHORTLIST, SearchMethod.PROTOCOL):
        _importance(of)
        _lines(of)
    if of.study.metric != "loss":
        _tradeoff(of)
    _workers(of)


def _best(of: Tried) -> None:
    against = st.segmented_control(
        "Best so far against", list(AGAINST), default=Against.RUNS, key="search_against",
        format_func=AGAINST.__getitem__, required=True,
    )  # fmt: skip
    steps = searched.history(of.trials, of.specs, of.measure)
    info = figures_search.best_info(steps, of.specs, of.search.search, of.measure, against or Against.RUNS)
    figure = figures_search.best_figure(info, of.study.method)
    st.plotly_chart(figure, key="search_best", config=CHART)


def _importance(of: Tried) -> None:
    measured = sum(of.measure.value(trial) is not None for trial in of.trials)
    if measured < run_importance.FEWEST:
        st.caption(
            f"What matters: {measured} trainings are measured, fewer than the {run_importance.FEWEST} that "
            "it takes to tell the settings apart."
        )
    elif (found := _shares(_key(of), of)) is not None:
        info = figures_search_space.shares_info(found, measured)
        figure = figures_search_space.shares_figure(info, of.study.method)
        st.plotly_chart(figure, key="search_importance", config=CHART)
        st.caption(
            "Estimated by a random forest over these few trainings (fANOVA): a rough order. Interactions "
            "count to the settings that take part in them."
        )


def _lines(of: Tried) -> None:
    info = figures_search_space.lines_info(of.trials, of.specs, of.search.space.axes, of.measure)
    if info.axes:
        figure = figures_search_space.lines_figure(info, of.study.method)
        st.plotly_chart(figure, key="search_lines", config=CHART)
        st.caption("Drag along an axis to keep the trainings that pass there; click the axis to let go.")


def _tradeoff(of: Tried) -> None:
    info = figures_tradeoff.tradeoff_info(of.trials, of.specs, of.search.search, of.study.metric)
    if info.points:
        figure = figures_tradeoff.tradeoff_figure(info, of.study.method)
        st.plotly_chart(figure, key="search_tradeoff", config=CHART)
    here = proxy.of_trainings(of.trials, of.study.metric)
    st.caption(words.plain(proxy.sentence(of.study.metric, here, _grid(of.study), len(info.points))))


def _workers(of: Tried) -> None:
    info = figures_workers.workers_info(_spans(_key(of), of), of.specs, of.search.search)
    if info.bars:
        figure = figures_workers.workers_figure(info, of.study.method)
        st.plotly_chart(figure, key="search_workers", config=CHART)


def _key(of: Tried) -> tuple[object, ...]:
    """What caches go by: the trainings as they stand."""
    ended = tuple((trial.run, str(trial.status), trial.loss, trial.score) for trial in of.trials)
    return of.study.study, of.search.search, ended


@st.cache_data(max_entries=32, show_spinner="Weighing the hyperparameters")
def _shares(key: tuple[object, ...], _of: Tried) -> tuple[Share, ...] | None:
    return run_importance.importance(_of.trials, _of.search.space.axes, _of.measure)


@st.cache_data(max_entries=32, show_spinner=False)
def _spans(key: tuple[object, ...], _of: Tried) -> tuple[Span, ...]:
    return gathering.spans(_of)


@st.cache_data(max_entries=32, show_spinner=False)
def _grid(study: Study) -> Correlation | None:
    return gathering.grid_correlation(study)
