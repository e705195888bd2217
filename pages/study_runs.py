"""The runs of one study: how far each is, what it scored, why it failed; stop, retry."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine import diagnose, few_shot, figures
from engine.metrics import lower_is_better
from engine.records import RunStatus
from engine.verdict import Summary
from jobs import studies
from jobs.views import RunView, StudyView
from pages import compare, words

COLUMNS = {  # what a narrow window shows comes first
    "run": st.column_config.TextColumn("Run", pinned=True, width=165),
    "progress": st.column_config.ProgressColumn(
        "Progress", min_value=0, max_value=100, format="%d %%", width=110
    ),
    "now": st.column_config.TextColumn("Now", width=250),
    "test": st.column_config.TextColumn("Test (reports)", width=140),
    "dev": st.column_config.TextColumn("Dev (selects)", width=140),
    "gap": st.column_config.TextColumn("First on dev is better by", width=175),
    "time": st.column_config.TextColumn("Time", width=60),
    "status": st.column_config.TextColumn("Status", width=75),
    "diagnosis": st.column_config.TextColumn("Losses", width=130),
    "config": st.column_config.TextColumn("Config", width=235),
}
UNKNOWN = "its process was lost more often than it is retried."
LIVE = ("progress", "now")
LATER = ("dev", "test", "time", "gap", "diagnosis")


def table(view: StudyView, found: Summary | None) -> None:
    """One row per run; a selected row offers what can be done with it, several to compare them.

    `found`: the verdict so far.
    """
    loss = lower_is_better(view.study.metric)
    rows = [{**_row(run, loss), "gap": _gap(run, found, loss)} for run in view.runs]
    shown = [name for name in COLUMNS if not (view.is_over and name in LIVE)]
    shown = [name for name in shown if name not in LATER or any(row[name] for row in rows)]
    event = st.dataframe(
        rows, hide_index=True, column_config=COLUMNS, column_order=shown, key="runs", on_select="rerun",
        selection_mode="multi-row", height="content",
    )  # fmt: skip
    if not view.is_over:
        st.caption("Choose a run in the table to stop or skip it.")
    chosen = [view.runs[row] for row in event["selection"]["rows"] if row < len(view.runs)]
    if len(chosen) == 1:
        _actions(chosen[0])
    if scored := [run.spec.run for run in chosen if run.result is not None and run.result.test]:
        compare.link("Compare it with other runs" if len(scored) == 1 else "Compare these runs", scored)


def failures(view: StudyView) -> list[str]:
    """A sentence for each run that failed."""
    failed = [run for run in view.runs if run.status == RunStatus.FAILED]
    unknown = "its process was lost more often than it is retried."
    return [
        f"{figures.run_title(run.spec)} failed: {run.result.error if run.result else unknown}"
        for run in failed
    ]


def _row(run: RunView, loss: bool) -> dict[str, Any]:
    result = run.result
    return {
        "run": figures.run_title(run.spec),
        "status": words.STATUS[run.status],
        "progress": _share(run),
        "now": _now(run),
        "dev": words.points(result.dev, loss) if result and result.dev else "",
        "test": words.points(result.test, loss) if result and result.test else "",
        "diagnosis": said.short if (said := diagnose.diagnose(run.spec, result)) else "",
        "time": words.duration(result.seconds) if result else "",
        "config": run.spec.config.label if run.spec.config else _asked(run),
    }


def _asked(run: RunView) -> str:
    """How a run without a config answers."""
    examples = few_shot.told(run.result.facts) if run.result else ""
    return f"not trained, {examples}" if examples else "not trained"


def _gap(run: RunView, found: Summary | None, loss: bool) -> str:
    """The test score of the first on dev minus this run's, paired row by row; which one to use."""
    if found is None:
        return ""
    gap = found.differences.get(run.spec.run)
    difference = "" if gap is None else words.points(gap, loss)
    tie = "tie" if run.spec.run in found.ties else ""
    return ", ".join(filter(None, (difference, tie, found.mark(run.spec.run))))


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
            parts.append(f"loss {run.progress.loss:.3f}")
        if run.progress.eta_seconds is not None:
            parts.append(f"{words.duration(run.progress.eta_seconds)} left")
    return ", ".join(parts)


def _actions(run: RunView) -> None:
    name = words.plain(figures.run_title(run.spec))
    with st.container(horizontal=True, key="run_actions"):
        if not run.status.is_final:
            if run.status == RunStatus.RUNNING and st.button(f"Stop {name}, keep the best", key="run_keep"):
                studies.stop(run.spec.run, keep_best=True)
            verb = "Stop" if run.status == RunStatus.RUNNING else "Skip"
            if st.button(f"{verb} {name}", key="run_stop"):
                studies.stop(run.spec.run)
        elif run.status != RunStatus.FINISHED and st.button(f"Retry {name}", key="run_retry"):
            studies.retry(run.spec.run)
            st.rerun(scope="app")
