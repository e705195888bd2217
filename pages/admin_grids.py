"""Admin, Grids: how far a grid is, what failed, and the buttons that steer it."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd
import streamlit as st

from engine import grids
from engine.findings import counted
from engine.records import Method
from jobs import grid, gridstatus
from jobs.gridboard import GridState
from jobs.gridstatus import GridStatus
from pages import admin_access, admin_grid_form, words

LIVE_SECONDS = 2.0
COLOURS: dict[GridState, Literal["blue", "orange", "gray", "green"]] = {
    GridState.RUNNING: "blue",
    GridState.PAUSED: "orange",
    GridState.STOPPED: "gray",
    GridState.FINISHED: "green",
}
FAILURES_SHOWN = 200
WIDTH = 140


def show() -> None:
    """One grid, live; then the door, behind which a new one is defined."""
    known = gridstatus.all_grids()
    names = [found.version for found in known]
    if names:
        version = names[0]
        if admin_grid_form.NEXT in st.session_state:
            st.session_state.admin_grid = st.session_state.pop(admin_grid_form.NEXT)
        if len(names) > 1:
            version = st.selectbox("Grid", names, key="admin_grid", bind="query-params", width=280)
        _live(version)
    else:
        st.header("No grid was started here yet", anchor=False)
        st.caption(
            "A grid trains every config of a search space on several datasets; shortlists come from it. "
            "Define one below, or run `python cli.py grid run SPEC`."
        )
    st.divider()
    if admin_access.door():
        admin_grid_form.show(next((found.version for found in known if found.state.is_active), None))


@st.fragment(run_every=LIVE_SECONDS)
def _live(version: str) -> None:
    """Redrawn every two seconds."""
    found = gridstatus.status(version)
    admin_access.say()
    with st.container(horizontal=True, vertical_alignment="center", key="grid_head"):
        st.header(finding(found), anchor=False, width="content")
        st.badge(found.state.capitalize(), color=COLOURS[found.state])
    if found.held:
        st.caption("It stands still while studies run or wait: they come first.")
    if found.runs:
        st.progress(found.ended / found.runs, ended(found))
    _numbers(found)
    if admin_access.allowed():
        _actions(found)
    _matrix(found)
    _failures(found)


def finding(found: GridStatus) -> str:
    """The state of a grid in one line."""
    if found.state is GridState.RUNNING and not found.workers:
        return words.plain(f"Grid {found.version} waits for a worker")
    share = f"{100 * found.ended / found.runs:.0f} % done" if found.runs else "nothing planned"
    failed = f", {found.failed} failed" if found.failed else ""
    return words.plain(f"Grid {found.version}: {share}{failed}")


def ended(found: GridStatus) -> str:
    """How many runs have ended, and of which kinds all of them are."""
    trainings = sum(cell.runs for cell in found.cells)
    kinds = (
        f"{counted(trainings, 'training')}, {counted(found.runs - trainings, 'scoring')} of untuned models"
    )
    return f"{found.ended:,} of {found.runs:,} runs ended{left(found)}: {kinds}"


def left(found: GridStatus) -> str:
    """How long it will take, where that is known."""
    if not found.state.is_active or found.eta_seconds is None:
        return ""
    return f", about {words.duration(found.eta_seconds)} left"


def _numbers(found: GridStatus) -> None:
    values = {
        "Finished": found.finished,
        "Failed": found.failed,
        "Running": found.running,
        "Waiting": found.waiting,
        "Workers": found.workers,
    }
    with st.container(horizontal=True, key="grid_numbers"):
        for name, value in values.items():
            st.metric(name, f"{value:,}", border=True, width=130)


def _actions(found: GridStatus) -> None:
    version, state = found.version, found.state
    with st.container(horizontal=True, key="grid_actions"):
        if state is GridState.RUNNING:
            admin_access.button("Pause", "grid_pause", grid.pause, version)
        if not (state is GridState.RUNNING or state is GridState.FINISHED):
            admin_access.button("Resume", "grid_resume", grid.resume, version, kind="primary")
        if state.is_active:
            admin_access.button("Stop", "grid_stop", grid.stop, version)
        if found.failed:
            label = f"Retry {found.failed} failed run{'s' if found.failed > 1 else ''}"
            admin_access.button(label, "grid_retry", _retry, version)
        if state is GridState.FINISHED and version not in {known.version for known in grids.versions()}:
            _publish_link(version)


def _publish_link(version: str) -> None:
    if st.button("Compare and publish", key="grid_publish", on_click=_to_publish, args=(version,)):
        st.rerun(scope="app")


def _to_publish(version: str) -> None:
    st.session_state.update({"admin_section": "Versions", "publish_grid": version, "compared": version})


def _retry(version: str) -> None:
    grid.retry_failed(version)


def _matrix(found: GridStatus) -> None:
    """Datasets by kind of training; a cell is the share of its trainings that have ended."""
    if not found.cells:
        return
    rows: dict[str, dict[str, Any]] = {}
    for cell in found.cells:
        method = "LoRA" if cell.method is Method.LORA else "full"
        column = f"{cell.model.removeprefix('shortlist-')}, {method}, {cell.train_size} rows"
        rows.setdefault(cell.dataset, {})[column] = 100 * cell.ended / cell.runs
    table = pd.DataFrame.from_dict(rows, orient="index")
    bar = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100, width=WIDTH)
    st.subheader("Trainings that have ended, by cell", anchor=False)
    config: dict[str, Any] = dict.fromkeys(table.columns, bar)
    st.dataframe(table, column_config=config, key="grid_matrix", height="content")


def _failures(found: GridStatus) -> None:
    if not found.failures:
        return
    st.subheader("Failed runs", anchor=False)
    shown = found.failures[:FAILURES_SHOWN]
    rows = [{"Run": failure.name, "Cause": failure.error, "Id": failure.run} for failure in shown]
    wide = st.column_config.TextColumn(width="large")
    st.dataframe(rows, hide_index=True, key="grid_failures", column_config={"Cause": wide})
    if len(found.failures) > len(shown):
        st.caption(f"The first {len(shown)} of {len(found.failures)}; `grid status --json` has all.")
