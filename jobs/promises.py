"""What a study was promised to take when it was launched, beside what it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import settings
from engine.artifacts import Artifacts
from engine.estimate import Estimate, side_by_side
from engine.records import RunKind, RunResult, RunStatus
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
        "each": dict(zip(runs, cost.each, strict=False)),
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


def seconds_left(view: StudyView, workers: int, now: float) -> float | None:
    """Until the last run ends: what was promised of each, times what those that ended took of their promise.

    A run that was added later counts as the mean training; None where nothing is known of any.
    """
    each: dict[str, float] = (_files().read_promise(view.study.study) or {}).get("each", {})
    ended = {
        run.spec.run: run.result.seconds
        for run in view.runs
        if run.spec.kind is not RunKind.BASELINE and run.result and run.result.seconds
    }
    usual = _usual([run.spec.run for run in view.runs if run.spec.kind.trains], each, ended)
    if usual is None:
        return None
    known = [run for run in ended if run in each]
    pace = sum(ended[run] for run in known) / sum(each[run] for run in known) if known else 1.0
    open_runs = sorted(
        (run for run in view.runs if not run.status.is_final), key=lambda run: run.started is None
    )
    left = [_left(run, pace * each.get(run.spec.run, usual), now) for run in open_runs]
    return side_by_side(left, max(workers, sum(run.started is not None for run in open_runs)))


def _usual(trained: Sequence[str], each: Mapping[str, float], ended: Mapping[str, float]) -> float | None:
    """Seconds of a training of which nothing was promised."""
    known = [each.get(run, ended.get(run)) for run in trained]
    found = [seconds for seconds in known if seconds is not None]
    return sum(found) / len(found) if found else None


def _left(run: RunView, expected: float, now: float) -> float:
    """Seconds of an open run; never less than its training says by itself."""
    gone = 0.0 if run.started is None else now - run.started
    steps = run.progress.eta_seconds if run.progress else None
    return max(expected - gone, steps or 0.0)


def _times(run: RunView) -> list[float]:
    """Of the first and the last event of a run."""
    assert run.attempt is not None
    events = _files().events(run.spec.run, run.attempt)
    return [events[0].time, events[-1].time] if events else []


def _files() -> Artifacts:
    return tasks.artifacts(settings.current())
