"""The runs of one study: how far each is, what it scored, why it failed; stop, retry."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.metrics import lower_is_better
from engine.records import RunStatus
from jobs import studies
from jobs.views import RunView, StudyView
from pages import words

STATUS = {
    RunStatus.QUEUED: "Waiting",
    RunStatus.RUNNING: "Running",
    RunStatus.FINISHED: "Finished",
    RunStatus.FAILED: "Failed",
    RunStatus.STOPPED: "Stopped",
}
COLUMNS = {
    "progress": st.column_config.ProgressColumn("Progress", min_value=0, max_value=100, format="%d %%"),
    "run": st.column_config.TextColumn("Run", pinned=True),
    "config": st.column_config.TextColumn("Config", width="large"),
    "now": st.column_config.TextColumn("Now", width="medium"),
    "dev": st.column_config.TextColumn("Dev (selects)"),
    "test": st.column_config.TextColumn("Test (reports)"),
    "time": st.column_config.TextColumn("Time"),
    "status": st.column_config.TextColumn("Status"),
}


def table(view: StudyView) -> None:
    """One row per run; a selected row offers what can be done with it."""
    loss = lower_is_better(view.study.metric)
    rows = [_row(run, loss) for run in view.runs]
    event = st.dataframe(
        rows, hide_index=True, column_config=COLUMNS, key="runs", on_select="rerun",
        selection_mode="single-row", height="content",
    )  # fmt: skip
    chosen = event["selection"]["rows"]
    if chosen and chosen[0] < len(view.runs):
        _actions(view.runs[chosen[0]])


def failures(view: StudyView) -> list[str]:
    """A sentence for each run that failed."""
    failed = [run for run in view.runs if run.status == RunStatus.FAILED]
    unknown = "its process was lost more often than it is retried."
    return [f"{run.spec.name} failed: {run.result.error if run.result else unknown}" for run in failed]


def _row(run: RunView, loss: bool) -> dict[str, Any]:
    result = run.result
    return {
        "run": run.spec.name,
        "status": STATUS[run.status],
        "progress": _share(run),
        "now": _now(run),
        "dev": words.points(result.dev, loss) if result and result.dev else "",
        "test": words.points(result.test, loss) if result and result.test else "",
        "time": words.duration(result.seconds) if result else "",
        "config": run.spec.config.label if run.spec.config else "not trained",
    }


def _share(run: RunView) -> int | None:
    if run.status.is_final:
        return 100 if run.status == RunStatus.FINISHED else None
    return int(100 * run.progress.share) if run.progress else 0


def _now(run: RunView) -> str:
    if run.queue_position is not None:
        return "next in the queue" if run.queue_position == 1 else f"place {run.queue_position} in the queue"
    parts = [f"since {words.clock(run.started)}"] if run.started else []
    if run.stage:
        parts.append(run.stage)
    if run.progress and run.stage == "training":
        parts.append(f"step {run.progress.step} of {run.progress.total_steps}")
        if run.progress.loss is not None:
            parts.append(f"loss {run.progress.loss:.2f}")
        if run.progress.eta_seconds is not None:
            parts.append(f"{words.duration(run.progress.eta_seconds)} left")
    return ", ".join(parts)


def _actions(run: RunView) -> None:
    name = words.plain(run.spec.name)
    with st.container(horizontal=True, key="run_actions"):
        if not run.status.is_final:
            if run.status == RunStatus.RUNNING and st.button(f"Stop {name}, keep the best", key="run_keep"):
                studies.stop(run.spec.run, keep_best=True)
            if st.button(f"Stop {name}", key="run_stop"):
                studies.stop(run.spec.run)
        elif run.status != RunStatus.FINISHED and st.button(f"Retry {name}", key="run_retry"):
            studies.retry(run.spec.run)
            st.rerun(scope="app")
