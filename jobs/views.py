"""How studies stand, from run folders and Redis: what pages and terminal show while runs go on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from engine import dataset as datasets
from engine import settings as settings_module
from engine import verdict
from engine.records import RunResult, RunSpec, RunStatus, Study
from engine.verdict import Summary
from jobs import queue, tasks


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a running training is; a value that was not measured is None."""

    step: int
    total_steps: int
    epoch: float | None
    loss: float | None
    learning_rate: float | None
    grad_norm: float | None
    tokens_per_second: float | None
    eta_seconds: float | None
    time: float

    @property
    def share(self) -> float:
        """Of the training steps, 0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as it stands. `queue_position` counts from 1 (next) over all studies; `started` from 1970."""

    spec: RunSpec
    status: RunStatus
    result: RunResult | None
    attempt: int | None
    queue_position: int | None
    started: float | None
    stage: str | None
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study with all its runs as they stand; `searching`: a search may add or continue runs."""

    study: Study
    runs: tuple[RunView, ...]
    searching: bool = False

    @property
    def status(self) -> RunStatus:
        """Running while any run or search does; stopped or failed only when no run finished."""
        if self.searching:
            return RunStatus.RUNNING
        found = [view.status for view in self.runs]
        for status in (RunStatus.RUNNING, RunStatus.QUEUED, RunStatus.FINISHED, RunStatus.STOPPED):
            if status in found:
                started = status is RunStatus.QUEUED and any(s.is_final for s in found)
                return RunStatus.RUNNING if started else status
        return RunStatus.FAILED

    @property
    def is_over(self) -> bool:
        """Whether every run and search has ended."""
        return not self.searching and all(view.status.is_final for view in self.runs)

    @property
    def is_readable(self) -> bool:
        """Whether there is something to look at that stays: all is over but what a search adds."""
        planned = [view for view in self.runs if view.spec.search is None]
        scored = any(view.result is not None and view.result.test is not None for view in planned)
        return self.is_over or (self.searching and scored and all(v.status.is_final for v in planned))


def study(study_id: str) -> StudyView:
    """The study as it stands; raises NotFoundError."""
    settings = settings_module.current()
    files, client = tasks.artifacts(settings), queue.connection(settings)
    found = files.read_study(study_id)
    results = {run: files.read_result(run) for run in found.runs}
    pending = [run for run, result in results.items() if result is None]
    live = _live(client, pending) if pending and queue.answers(settings) else {}
    runs = tuple(_view(files.read_spec(run), results[run], live.get(run)) for run in found.runs)
    return StudyView(found, runs, files.unfinished_search(study_id) is not None)


def summary(study_id: str) -> Summary:
    """The verdict over the runs that have ended."""
    files = tasks.artifacts(settings_module.current())
    found = files.read_study(study_id)
    results = {run: result for run in found.runs if (result := files.read_result(run)) is not None}
    specs = [files.read_spec(run) for run in found.runs]
    tables = {run: predictions(run, result.attempt) for run, result in results.items() if result.test}
    return verdict.summarize(found, specs, results, tables)


def predictions(run: str, attempt: int) -> pd.DataFrame:
    """The predictions of an attempt, one row per scored row."""
    files = tasks.artifacts(settings_module.current())
    return pd.read_parquet(files.open_attempt(run, attempt) / "predictions.parquet")


def labels(dataset: str) -> tuple[str, ...]:
    """The classes of a dataset's training rows; none for other tasks."""
    files = tasks.artifacts(settings_module.current())
    files.pull_dataset(dataset)
    return datasets.load(dataset, files.datasets_root).labels


@dataclass(frozen=True, slots=True)
class _Live:
    """What Redis knows of a run without a result."""

    status: JobStatus | None
    position: int | None
    events: Mapping[str, Mapping[str, Any]]
    attempt: int | None


def _live(client: Redis, runs: list[str]) -> dict[str, _Live]:
    places = {run: place for place, run in enumerate(queue.waiting(client), start=1)}
    jobs = Job.fetch_many(runs, connection=client, serializer=JSONSerializer)
    with client.pipeline(transaction=False) as pipe:
        for run in runs:
            pipe.hgetall(queue.progress_key(run))
        found = pipe.execute()
    return {
        run: _Live(job.get_status(refresh=False) if job else None, places.get(run), *_decoded(values))
        for run, job, values in zip(runs, jobs, found, strict=True)
    }


def _decoded(values: Mapping[bytes, bytes]) -> tuple[dict[str, dict[str, Any]], int | None]:
    events = {name.decode(): json.loads(text) for name, text in values.items() if name != b"attempt"}
    return events, int(values[b"attempt"]) if b"attempt" in values else None


def _view(spec: RunSpec, result: RunResult | None, live: _Live | None) -> RunView:
    if result is not None:
        return RunView(spec, result.status, result, result.attempt, None, None, None, None)
    if live is None or live.status is not JobStatus.STARTED:
        lost = live is not None and live.status is JobStatus.FAILED
        status = RunStatus.FAILED if lost else RunStatus.QUEUED
        return RunView(spec, status, None, None, live.position if live else None, None, None, None)
    started, stage = live.events.get("started"), live.events.get("stage")
    return RunView(
        spec=spec,
        status=RunStatus.RUNNING,
        result=None,
        attempt=live.attempt,
        queue_position=None,
        started=started["time"] if started else None,
        stage=stage["data"]["stage"] if stage else None,
        progress=_progress(live.events.get("progress")),
    )


def _progress(event: Mapping[str, Any] | None) -> Progress | None:
    if event is None:
        return None
    data = event["data"]
    measured = ("epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "eta_seconds")
    values = {name: data.get(name) for name in measured}
    return Progress(step=data["step"], total_steps=data["total_steps"], time=event["time"], **values)
