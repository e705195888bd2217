"""Admin, Machines: are they busy, with what, and does everything that is needed run? Anybody may look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from engine import settings
from engine.artifacts import RUN_ID, study_of
from engine.errors import ShortlistError
from jobs import doctor, gridstatus, queue, stack
from jobs.stack import StackView, WorkerView
from pages import live, words

LIVE_SECONDS = 2.0
QUEUES = {queue.STUDIES: "Studies", queue.GRID: "Grid"}


def show() -> None:
    """The machines, live, and a check on demand."""
    _machines()
    _checks()


def _finding(view: StackView) -> str:
    if not view.redis:
        return "The job queue does not answer"
    busy = sum(worker.run is not None for worker in view.workers)
    waiting = sum(view.waiting.values())
    if not view.workers:
        return "No worker listens yet"
    return f"{busy} of {len(view.workers)} workers busy, {waiting} runs waiting"


def _line(worker: WorkerView, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "Queue": QUEUES.get(worker.queue, worker.queue),
        "State": worker.state,
        "Works on": _work(worker.run, names),
        "Memory": None if worker.memory is None else words.size(worker.memory),
        "Machine": worker.host,
        "Process": str(worker.pid),
        "Started": words.age(worker.born),
        "Last heard of": words.age(worker.heard),
    }


def _work(run: str | None, names: Mapping[str, str]) -> str:
    """The run as a person named it; its id when its files are gone."""
    if run is None:
        return ""
    if run in names or not RUN_ID.fullmatch(run):
        return names.get(run, run)
    try:
        files = live.files()
        return f"{files.read_study(study_of(run)).name}: {files.read_spec(run).name}"
    except ShortlistError:
        return run


@st.fragment(run_every=LIVE_SECONDS)
def _machines() -> None:
    current = settings.current()
    view = stack.view(current)
    st.header(_finding(view), anchor=False)
    if (problem := live.problem()) is not None:
        st.error(words.plain(problem))
    with st.container(horizontal=True, key="queues"):
        for name, waiting in view.waiting.items():
            st.metric(f"Waiting: {QUEUES.get(name, name).lower()}", f"{waiting:,}", border=True, width=200)
    if view.workers:
        names = gridstatus.run_names(queue.connection(current), current)
        lines = [_line(worker, names) for worker in view.workers]
        st.dataframe(lines, hide_index=True, key="workers", height="content")
    elif view.redis:
        st.caption(
            "A worker needs a few seconds to load its libraries. None after a minute: `python cli.py doctor`."
        )


def _checks() -> None:
    """What `cli.py doctor` says, when asked for."""
    if st.button("Check this machine", key="check"):
        rows = [
            {"What": c.name, "State": str(c.status), "Found": c.found, "Fix": c.fix} for c in doctor.checks()
        ]
        st.dataframe(rows, hide_index=True, key="checks", height="content")
