"""What a study was promised to take when it was launched, beside what it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine import settings
from engine.artifacts import Artifacts
from engine.estimate import Estimate
from engine.records import RunResult, RunStatus
from jobs import tasks
from jobs.views import RunView, StudyView


@dataclass(frozen=True, slots=True)
class Kept:
    """Seconds from the first run's start to the last one's end, promised (from, to) and taken; bytes of the
    largest run, promised and its highest (None where it was not measured)."""

    low: float
    high: float
    took: float
    memory: int
    peak: int | None


def keep(study: str, cost: Estimate, runs: Sequence[str]) -> None:
    """Write the promise for these runs of a study that is about to be launched."""
    promised = {
        "low": cost.low,
        "seconds": cost.seconds,
        "high": cost.high,
        "memory_bytes": cost.memory_bytes,
        "basis": cost.basis,
        "runs": list(runs),
    }
    _files().write_promise(study, promised)


def told(view: StudyView) -> Kept | None:
    """Promised against taken; None without a promise, and where a run was stopped, failed or run again."""
    promised = _files().read_promise(view.study.study)
    if promised is None:
        return None
    runs = [run for run in view.runs if run.spec.run in promised["runs"]]
    whole = all(run.status is RunStatus.FINISHED and run.attempt == 1 for run in runs)
    times = [time for run in runs for time in _times(run)] if whole else []
    if not times:
        return None
    peaks = [run.result.facts["peak_memory_mb"] for run in runs if run.result and _measured(run.result)]
    return Kept(
        float(promised["low"]),
        float(promised["high"]),
        max(times) - min(times),
        int(promised["memory_bytes"]),
        round(max(peaks) * 2**20) if peaks else None,
    )


def _measured(result: RunResult) -> bool:
    return "peak_memory_mb" in result.facts


def _times(run: RunView) -> list[float]:
    """Of the first and the last event of a run."""
    assert run.attempt is not None
    events = _files().events(run.spec.run, run.attempt)
    return [events[0].time, events[-1].time] if events else []


def _files() -> Artifacts:
    return tasks.artifacts(settings.current())
