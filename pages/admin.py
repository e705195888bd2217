"""Admin: are the machines busy, and does everything that is needed run?"""

import streamlit as st

from jobs import doctor, stack
from jobs.stack import StackView, WorkerView
from pages import live, problems, words

LIVE_SECONDS = 2.0


def _finding(view: StackView) -> str:
    if not view.redis:
        return "The job queue does not answer"
    busy = sum(worker.run is not None for worker in view.workers)
    waiting = sum(view.waiting.values())
    if not view.workers:
        return "No worker listens yet"
    return f"{busy} of {len(view.workers)} workers busy, {waiting} runs waiting"


def _line(worker: WorkerView) -> dict[str, str]:
    return {
        "Worker": worker.name,
        "Queue": worker.queue,
        "State": worker.state,
        "Run": worker.run or "",
        "Machine": worker.host,
        "Process": str(worker.pid),
        "Started": words.age(worker.born),
        "Last heard of": words.age(worker.heard),
    }


@st.fragment(run_every=LIVE_SECONDS)
def _machines() -> None:
    view = stack.view()
    st.header(_finding(view), anchor=False)
    if (problem := live.problem()) is not None:
        st.error(words.plain(problem))
    with st.container(horizontal=True, key="queues"):
        for name, waiting in view.waiting.items():
            st.metric(f"Waiting in {name}", waiting, border=True, width=200)
    if view.workers:
        st.dataframe(
            [_line(worker) for worker in view.workers], hide_index=True, key="workers", height="content"
        )
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


st.title("Admin", anchor=False)
with problems.shown():
    _machines()
    _checks()
