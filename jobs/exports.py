"""Exports of trained runs, made and checked by a worker: one at a time of a run, kept in the run's folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from rq.job import JobStatus

from engine import dataset as datasets
from engine import export_parts
from engine import settings as settings_module
from engine.artifacts import Artifacts, study_of
from engine.errors import BusyError, NotFoundError, ShortlistError, StackError
from engine.export_parts import Cancelled, Hooks, Trained, What
from engine.parity import Parity
from jobs import process, queue, tasks, views

TASK = "jobs.exports.build"
ZIP, FACTS = "export.zip", "export.json"
POLL_SECONDS = 0.3
STAGE_SECONDS = 3600
LOST = "The worker was lost while it made the export, most likely because the memory ran out. Try again."


class State(StrEnum):
    """Where the export of a run stands."""

    NONE = "none"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished export; `left_out`: parts that could not be had and why; `bytes` of the zip."""

    what: What
    attempt: int
    created: float
    bytes: int
    parts: tuple[What, ...]
    left_out: Mapping[What, str]
    parity: tuple[Parity, ...]


@dataclass(frozen=True, slots=True)
class ExportView:
    """The export of a run as it stands. `place` counts from 1 (next); `error` is one sentence."""

    state: State
    place: int | None = None
    stage: str | None = None
    error: str | None = None
    done: Done | None = None


def request(run: str, what: What) -> None:
    """Have a run exported; an earlier export of it goes. Raises BusyError while one is under way."""
    files, client = _files(), queue.require(settings_module.current())
    export_parts.chosen(what, refusals(run))
    if view(run).state in (State.QUEUED, State.RUNNING):
        raise BusyError(f"Run {run} is being exported already. Wait for it, or cancel it.")
    files.delete_export(run)
    queue.forget(client, _job(run))
    client.delete(queue.stop_key(_job(run)), queue.progress_key(_job(run)))
    queue.enqueue_question(client, TASK, _job(run), run, what)


def refusals(run: str) -> dict[What, str]:
    """Why parts of a run cannot be exported; empty: all can."""
    files = _files()
    spec, result = files.read_spec(run), files.read_result(run)
    kept = files.attempt_names(run, result.attempt) if result else frozenset()
    return export_parts.refusals(spec, result, kept)


def view(run: str) -> ExportView:
    """How the run's export stands; one of an older attempt does not count."""
    settings = settings_module.current()
    files, client = _files(), queue.connection(settings, retries=0)
    if queue.answers(settings) and (found := live(client, _job(run))) is not None:
        return found
    content, result = files.read_export(run, FACTS), files.read_result(run)
    if content is None or result is None:
        return ExportView(State.NONE)
    values = json.loads(content)
    if values["attempt"] != result.attempt:
        return ExportView(State.NONE)
    if "error" in values:
        return ExportView(State.FAILED, error=values["error"])
    return ExportView(State.DONE, done=_done(values))


def cancel(run: str) -> None:
    """End the run's export, or take it out of the queue."""
    client = queue.require(settings_module.current())
    client.set(queue.stop_key(_job(run)), tasks.DISCARD, ex=STAGE_SECONDS)
    if queue.status(client, _job(run)) != JobStatus.STARTED:
        queue.forget(client, _job(run))


def discard(run: str) -> None:
    """Delete a finished export."""
    _files().delete_export(run)


def packed(run: str) -> Path:
    """The zip of the run's export, on this machine; raises NotFoundError when there is none."""
    return _files().open_export(run, ZIP)


def wait(run: str, say: Callable[[str], None]) -> Done:
    """Follow an export to its end; raises StackError when it failed, NotFoundError when it was cancelled."""
    told = None
    while (found := view(run)).state in (State.QUEUED, State.RUNNING):
        text = found.stage or "waiting for a free worker"
        if text != told:
            say(text)
            told = text
        time.sleep(POLL_SECONDS)
    if found.error is not None:
        raise StackError(found.error)
    if found.done is None:
        raise NotFoundError(f"The export of run {run} was cancelled.")
    return found.done


def build(run: str, what: str) -> None:
    """The RQ job; a failure is written where the export would be."""
    settings = settings_module.current()
    client, files = queue.connection(settings), tasks.artifacts(settings)
    scratch = settings.home / "scratch" / _job(run)
    with tasks.alone(settings.locks / f"{_job(run)}.lock"):
        shutil.rmtree(scratch, ignore_errors=True)  # of a worker that was lost
        try:
            (scratch / "folder").mkdir(parents=True)
            with tasks.device(settings):
                _build(files, run, What(what), scratch, hooks(client, _job(run)))
        except Cancelled:
            return
        except (ShortlistError, RuntimeError, OSError, MemoryError) as error:
            sentence = str(error) if isinstance(error, ShortlistError) else tasks.cause(error)
            result = files.read_result(run)
            facts = {"attempt": result.attempt if result else None, "error": sentence}
            files.write_export(run, FACTS, json.dumps(facts).encode())
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _build(files: Artifacts, run: str, what: What, scratch: Path, by: Hooks) -> None:
    from engine import export, models

    spec = files.read_spec(run)
    if spec.kind.trains and not models.fetch(models.get(spec.model), by.say, by.stopped):
        raise Cancelled
    found = export.write(_trained(files, run), what, scratch / "folder", by)
    by.stage("Packing")
    archive = scratch / ZIP
    export.pack(scratch / "folder", archive, f"shortlist-{run}")
    size = archive.stat().st_size
    by.stage("Keeping")
    files.keep_export(run, archive)
    result = files.read_result(run)
    facts = {
        "what": what,
        "attempt": result.attempt if result else None,
        "created": time.time(),
        "bytes": size,
        "parts": list(found.parts),
        "left_out": dict(found.left_out),
        "parity": [entry.to_dict() for entry in found.parity],
    }
    files.write_export(run, FACTS, json.dumps(facts).encode())


def _trained(files: Artifacts, run: str) -> Trained:
    spec, result = files.read_spec(run), files.read_result(run)
    if result is None:
        raise NotFoundError(f"Run {run} has no result. Choose a run that has finished.")
    study = files.read_study(study_of(run))
    others = [(other, files.read_result(other)) for other in study.runs if other != run]
    files.pull_dataset(spec.dataset)
    data = datasets.load(spec.dataset, files.datasets_root)
    original = files.datasets_root / "datasets" / data.id / "original" / data.file_name
    return Trained(
        spec=spec,
        result=result,
        attempt=files.open_attempt(run, result.attempt),
        dataset=data,
        study=study,
        beside=tuple((files.read_spec(other), found) for other, found in others if found and found.test),
        file_sha256=hashlib.sha256(original.read_bytes()).hexdigest() if original.is_file() else None,
        verdict=_verdict(study.study),
    )


def _verdict(study: str) -> str:
    found = views.summary(study)
    return " ".join(filter(None, (found.decision.headline, found.reason)))


def hooks(client: Redis, job: str) -> Hooks:
    """How a job tells the page where it is, and hears of a cancel."""
    key, stop = queue.progress_key(job), queue.stop_key(job)

    def say(text: str) -> None:
        client.set(key, text, ex=STAGE_SECONDS)

    return Hooks(say, lambda: bool(client.exists(stop)), partial(process.die_with_parent, os.getpid()))


def live(client: Redis, job: str) -> ExportView | None:
    """What the queue knows of a job under way, or of one whose worker was lost; None: nothing."""
    status = queue.status(client, job)
    if status in (JobStatus.QUEUED, JobStatus.SCHEDULED, JobStatus.DEFERRED):
        places = queue.waiting(client)
        return ExportView(State.QUEUED, place=places.index(job) + 1 if job in places else None)
    if status is JobStatus.STARTED:
        stage = client.get(queue.progress_key(job))
        return ExportView(State.RUNNING, stage=stage.decode() if isinstance(stage, bytes) else "Starting")
    if status is JobStatus.FAILED:
        return ExportView(State.FAILED, error=LOST)
    return None


def _done(values: Mapping[str, Any]) -> Done:
    return Done(
        what=What(values["what"]),
        attempt=values["attempt"],
        created=values["created"],
        bytes=values["bytes"],
        parts=tuple(What(part) for part in values["parts"]),
        left_out={What(part): why for part, why in values["left_out"].items()},
        parity=tuple(Parity.from_dict(entry) for entry in values["parity"]),
    )


def _job(run: str) -> str:
    return f"export-{run}"


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())
