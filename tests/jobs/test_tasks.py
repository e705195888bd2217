from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from redis import Redis

from engine import dataset as datasets
from engine import settings
from engine.artifacts import Artifacts
from engine.records import RunKind, RunResult, RunStatus
from jobs import process, queue, studies, tasks
from tests.jobs.conftest import ROOT, eventually
from tests.studies import RUN, STUDY, result, spec, study
from tests.tiny import tiny_classification, write_jsonl


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    return baseline_study(tmp_path)


def baseline_study(tmp_path: Path) -> Artifacts:
    """A study whose runs are the majority baseline on a small dataset."""
    path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification())
    data = datasets.build(path)
    studies.save_dataset(data, path)
    found = tasks.artifacts(settings.current())
    found.write_study(study(dataset=data.id))
    for run in study().runs:
        found.write_spec(replace(spec(run, RunKind.BASELINE, "majority"), dataset=data.id))
    return found


def test_a_run_leaves_its_result_its_predictions_and_its_events(client: Redis, files: Artifacts) -> None:
    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None
    assert (found.status, found.attempt) == (RunStatus.FINISHED, 1)
    assert found.seconds is not None and found.test is not None
    assert (files.open_attempt(RUN, 1) / "predictions.parquet").exists()
    kinds = [event.kind for event in files.events(RUN, 1)]
    assert (kinds[0], kinds[-1]) == ("started", "ended")
    assert [event.seq for event in files.events(RUN, 1)] == list(range(len(kinds)))
    assert client.xlen(queue.EVENTS) >= len(kinds)


def test_another_machine_finds_a_run_of_a_shared_root(
    client: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHORTLIST_ARTIFACTS", "memory://shared")
    written = baseline_study(tmp_path)
    worker = Artifacts("memory://shared", tmp_path / "worker")
    monkeypatch.setattr(tasks, "artifacts", lambda _: worker)

    tasks.run_training(RUN)

    found = written.read_result(RUN)
    assert found is not None and found.status is RunStatus.FINISHED
    assert (written.open_attempt(RUN, found.attempt) / "predictions.parquet").exists()
    assert [event.kind for event in written.events(RUN, found.attempt)][-1] == "ended"
    fsspec.filesystem("memory").store.clear()


def test_a_finished_run_is_not_repeated(client: Redis, files: Artifacts) -> None:
    tasks.run_training(RUN)
    before = files.read_result(RUN)

    tasks.run_training(RUN)

    assert files.read_result(RUN) == before
    assert files.attempts(RUN) == [1]


def test_a_late_result_of_an_old_attempt_is_ignored(client: Redis, files: Artifacts) -> None:
    old = tasks.next_attempt(client, files, RUN)
    new = tasks.next_attempt(client, files, RUN)

    assert not tasks.record(client, files, result(attempt=old))
    assert files.read_result(RUN) is None

    assert tasks.record(client, files, result(attempt=new))
    assert files.read_result(RUN) == result(attempt=new)


def test_attempts_go_on_counting_when_redis_was_emptied(client: Redis, files: Artifacts) -> None:
    files.attempt_folder(RUN, 1)
    files.attempt_folder(RUN, 4)

    assert tasks.next_attempt(client, files, RUN) == 5


def test_a_run_told_to_stop_before_it_began_does_not_train(client: Redis, files: Artifacts) -> None:
    client.set(queue.stop_key(RUN), tasks.DISCARD)

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.STOPPED and found.test is None


def test_a_run_whose_study_was_purged_leaves_nothing(client: Redis, files: Artifacts) -> None:
    files.delete_study(STUDY)

    tasks.run_training(RUN)

    assert files.studies() == []


def test_a_missing_dataset_is_a_failed_run_with_one_sentence(client: Redis, files: Artifacts) -> None:
    files.write_spec(replace(files.read_spec(RUN), dataset="0" * 12))

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FAILED
    assert found.error is not None and "There is no dataset" in found.error


def test_a_fault_of_our_own_is_a_failed_run_with_its_traceback_in_the_folder(
    client: Redis, files: Artifacts
) -> None:
    rows = settings.current().home / "artifacts" / "datasets" / files.read_spec(RUN).dataset / "rows.parquet"
    rows.write_bytes(b"not parquet")

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FAILED
    assert found.error is not None and "\n" not in found.error
    assert "Traceback" in (files.open_attempt(RUN, 1) / "error.log").read_text()


def test_a_run_that_rq_gave_up_gets_a_result_that_says_so(client: Redis, files: Artifacts) -> None:
    queue.enqueue(client, queue.STUDIES, studies.TASK, RUN, RUN)
    job = queue.queue(client).fetch_job(RUN)
    assert job is not None
    queue.queue(client).failed_job_registry.add(job)

    tasks.record_lost(client, settings.current())

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FAILED
    assert found.error is not None and "ended 3 times without a word" in found.error
    assert queue.failed(client) == []


HANGS = """
import sys, time
from engine import settings
from jobs import queue, tasks
client, files = queue.connection(settings.current()), tasks.artifacts(settings.current())
tasks.STOP_PATIENCE_SECONDS = 0.5
flag = tasks.StopFlag(client, files, sys.argv[1], tasks.next_attempt(client, files, sys.argv[1]))
print("hanging", flush=True)
time.sleep(60)
"""


def test_a_run_that_does_not_react_to_stop_is_ended(client: Redis, files: Artifacts) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HANGS, RUN]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as hanging:
        assert hanging.stdout is not None and hanging.stdout.readline() == "hanging\n"

        client.set(queue.stop_key(RUN), tasks.DISCARD)

        eventually(lambda: not process.is_alive(hanging.pid), seconds=10)
    assert files.read_result(RUN) == RunResult(RUN, 1, RunStatus.STOPPED)


def test_events_are_in_the_folder_also_when_redis_is_away(files: Artifacts) -> None:
    nobody = queue.connection(settings.current(), retries=0)

    with tasks.Recorder(nobody, files, RUN, 1) as recorder:
        recorder.emit("progress", {"step": 1, "total_steps": 2})

    lines = (files.open_attempt(RUN, 1) / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["started", "progress"]
    assert STUDY in RUN


def test_one_gpu_is_shown_to_one_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setenv("SHORTLIST_WORKER", "1")
    found = settings.current()
    found.locks.mkdir(parents=True)

    with tasks.device(found):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
        with tasks.device(found):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
