from __future__ import annotations

import json

import pytest
from redis import Redis
from rq.job import JobStatus

from engine import settings
from engine.artifacts import Artifacts
from engine.records import RunStatus
from jobs import queue, studies, tasks, views
from tests.studies import RUN, STUDY, result, study, write

SECOND = study().runs[1]


@pytest.fixture
def files() -> Artifacts:
    found = tasks.artifacts(settings.current())
    write(found)
    return found


def start(client: Redis, files: Artifacts, run: str) -> tasks.Recorder:
    """What a worker does when it takes a run up."""
    job = queue.queue(client).fetch_job(run)
    assert job is not None
    job.set_status(JobStatus.STARTED)
    client.lrem("rq:queue:studies", 1, run)
    return tasks.Recorder(client, files, run, tasks.next_attempt(client, files, run))


def test_a_running_run_shows_its_stage_and_progress(client: Redis, files: Artifacts) -> None:
    studies.launch(STUDY)
    with start(client, files, RUN) as recorder:
        recorder.emit("stage", {"stage": "training"})
        recorder.emit("progress", {"step": 3, "total_steps": 12, "loss": 2.5, "eta_seconds": 9.0})

        view = views.study(STUDY)

    running, waiting = view.runs
    assert (running.status, running.stage, running.attempt) == (RunStatus.RUNNING, "training", 1)
    assert running.progress is not None and running.progress.share == 0.25
    assert (running.progress.loss, running.progress.learning_rate) == (2.5, None)
    assert running.started is not None and running.queue_position is None
    assert (waiting.status, waiting.queue_position) == (RunStatus.QUEUED, 1)
    assert view.status is RunStatus.RUNNING and not view.is_over


def test_a_study_is_shown_from_its_folders_alone(files: Artifacts) -> None:
    files.write_result(result(RUN))

    view = views.study(STUDY)

    assert [run.status for run in view.runs] == [RunStatus.FINISHED, RunStatus.QUEUED]
    assert view.runs[0].result == result(RUN)
    assert view.status is RunStatus.RUNNING


def test_a_retried_run_shows_nothing_of_its_old_attempt(client: Redis, files: Artifacts) -> None:
    studies.launch(STUDY)
    with start(client, files, RUN) as recorder:
        recorder.emit("progress", {"step": 12, "total_steps": 12})
    studies.stop(STUDY)
    tasks.record(client, files, result(RUN, attempt=2))
    files.delete_result(RUN)
    queue.forget(client, RUN)
    studies.launch(STUDY)

    (first, _) = views.study(STUDY).runs

    assert first.status is RunStatus.QUEUED and first.progress is None
    assert json.loads(json.dumps(first.spec.to_dict()))["run"] == RUN
