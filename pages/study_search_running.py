"""A search while it goes on: how far it is, what it tries and why, and the button that stops it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine import figures_search, searched
from engine.figures_search import Against
from engine.records import RunStatus
from engine.search import SearchMethod
from jobs import search, views
from jobs import searched as gathering
from jobs.searched import Tried
from jobs.views import RunView
from pages import live, problems, study_search_plan, words

COLUMNS = {
    "run": st.column_config.TextColumn("Run", width=110),
    "config": st.column_config.TextColumn("Config", width=300),
    "state": st.column_config.TextColumn("State", width=130),
    "value": st.column_config.TextColumn("On dev", width=110),
    "why": st.column_config.TextColumn("Why it is tried", width=520),
}
CHART = {"displayModeBar": False}


def show(study: str) -> None:
    """Redrawn while the search goes on; the page draws itself anew when the study is over."""
    with problems.shown():
        going_on = search.unfinished(study)
        if going_on is None:
            st.caption("The search has ended.")
            return
        if (problem := live.problem()) is not None:
            st.warning(words.plain(problem))
        tried = gathering.gather(going_on)
        runs = {run.spec.run: run for run in views.study(study).runs}
        _progress(tried)
        if going_on.method is SearchMethod.PROTOCOL:
            study_search_plan.steps(going_on, tried.trials)
        elif (advice := searched.stop_advice(going_on, tried.trials, tried.specs, tried.measure)) is not None:
            st.info(words.plain(advice))
        table(tried, runs)
        _best_so_far(tried)


def _progress(of: Tried) -> None:
    ended = sum(not trial.is_open for trial in of.ours)
    training = sum(trial.is_open for trial in of.ours)
    left = searched.seconds_left(of.search, of.trials)
    minutes = "" if of.search.minutes is None else f", at most {of.search.minutes:g} min of training"
    minutes += "" if left is None else f", about {words.duration(left)} left"
    share = min(1.0, ended / of.search.runs)
    bar, button = st.columns([4, 1], vertical_alignment="bottom")
    bar.progress(
        share, f"{ended} of {of.search.runs} runs ended, {training} in the queue or training{minutes}"
    )
    button.button(
        "Stop the search", key="search_stop", on_click=search.stop, args=(of.study.study, of.search.search),
        help="What trains stops, what has finished is kept.",
    )  # fmt: skip


def table(of: Tried, runs: dict[str, RunView]) -> None:
    """The search's own runs, newest first."""
    rows = [_row(of, runs[trial.run]) for trial in of.ours if trial.run in runs]
    if rows:
        st.dataframe(rows[::-1], hide_index=True, column_config=COLUMNS, key="search_runs", height="content")


def _row(of: Tried, run: RunView) -> dict[str, Any]:
    trial = next(trial for trial in of.ours if trial.run == run.spec.run)
    value = of.measure.value(trial)
    return {
        "run": run.spec.name,
        "config": trial.config.label,
        "state": _state(run),
        "value": of.measure.text(value) if value is not None else _half_way(trial.loss, trial.is_paused),
        "why": run.spec.why or "",
    }


def _half_way(loss: float | None, is_paused: bool) -> str:
    return f"{loss:.3f} nats so far" if is_paused and loss is not None else ""


def _state(run: RunView) -> str:
    if run.status is RunStatus.RUNNING and run.progress:
        return f"Running, {100 * run.progress.share:.0f} %"
    if run.status is RunStatus.STOPPED and run.spec.pause_at is not None:
        return f"Stands at {100 * run.spec.pause_at:.0f} %"
    return words.STATUS[run.status]


def _best_so_far(of: Tried) -> None:
    steps = searched.history(of.trials, of.specs, of.measure)
    info = figures_search.best_info(steps, of.specs, of.search.search, of.measure, Against.RUNS)
    if info.points:
        figure = figures_search.best_figure(info, of.study.method)
        st.plotly_chart(figure, key="search_best_live", config=CHART)
