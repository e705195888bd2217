from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from jobs import process, queue
from tests.jobs.conftest import ROOT, StartWorker, eventually, workers_of

TOYS = "tests.jobs.toys"


def finished(client: Redis, job_id: str) -> bool:
    return queue.status(client, job_id) is JobStatus.FINISHED


def test_a_worker_runs_jobs_one_after_another(client: Redis, toy_worker: StartWorker) -> None:
    for number in range(3):
        queue.enqueue(client, queue.STUDIES, f"{TOYS}.succeeds", f"job-{number}", str(number))

    toy_worker()

    eventually(lambda: all(finished(client, f"job-{number}") for number in range(3)))
    job = Job.fetch("job-2", connection=client, serializer=JSONSerializer)
    assert job.return_value() == "2"


def test_a_job_that_raises_is_given_up_after_two_retries(client: Redis, toy_worker: StartWorker) -> None:
    queue.enqueue(client, queue.STUDIES, f"{TOYS}.raises", "job")

    toy_worker()

    eventually(lambda: queue.status(client, "job") is JobStatus.FAILED or not queue.status(client, "job"))
    assert queue.waiting(client) == []


def test_a_job_whose_child_was_killed_runs_again_at_once(
    client: Redis, toy_worker: StartWorker, tmp_path: Path
) -> None:
    queue.enqueue(client, queue.STUDIES, f"{TOYS}.killed_once", "job", str(tmp_path))

    toy_worker()

    eventually(lambda: finished(client, "job"))


def test_a_job_whose_worker_was_killed_is_done_by_the_next_fork_and_its_child_is_gone(
    client: Redis, toy_worker: StartWorker, tmp_path: Path
) -> None:
    queue.enqueue(client, queue.STUDIES, f"{TOYS}.never_ends_at_first", "job", str(tmp_path))
    pool = toy_worker()
    eventually(lambda: list(tmp_path.glob("*.pid")))
    (child,) = (int(path.stem) for path in tmp_path.glob("*.pid"))

    (worker,) = workers_of(pool.pid)
    worker.kill()

    eventually(lambda: not process.is_alive(child), seconds=5)
    eventually(lambda: finished(client, "job"), seconds=10)
    assert pool.poll() is None


def test_a_job_whose_whole_pool_was_killed_is_done_by_another_and_its_child_is_gone(
    client: Redis, toy_worker: StartWorker, tmp_path: Path
) -> None:
    queue.enqueue(client, queue.STUDIES, f"{TOYS}.never_ends_at_first", "job", str(tmp_path))
    first = toy_worker()
    eventually(lambda: list(tmp_path.glob("*.pid")))
    (child,) = (int(path.stem) for path in tmp_path.glob("*.pid"))

    first.kill()
    eventually(lambda: not process.is_alive(child), seconds=5)
    toy_worker()

    eventually(lambda: finished(client, "job"), seconds=30)


def test_a_clean_up_that_was_killed_does_not_block_the_next_for_long(client: Redis) -> None:
    studies = queue.queue(client)

    assert studies.acquire_maintenance_lock()
    assert not studies.acquire_maintenance_lock()
    assert 0 < client.ttl(studies.registry_cleaning_key) <= 20


def test_a_worker_told_to_stop_ends_with_nothing_left(client: Redis, toy_worker: StartWorker) -> None:
    worker = toy_worker()
    queue.enqueue(client, queue.STUDIES, f"{TOYS}.succeeds", "job", "1")
    eventually(lambda: finished(client, "job"))

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(10) == 0
    assert not client.smembers("rq:workers")


FORK_AFTER_PRELOAD = """
import os, sys
from jobs import worker
worker.preload()
import torch
assert not torch.cuda.is_initialized()
torch.ones(300, 300) @ torch.ones(300, 300)
child = os.fork()
if child == 0:
    torch.set_num_threads(2)
    layer = torch.nn.Linear(512, 512)
    optimizer = torch.optim.AdamW(layer.parameters())
    for _ in range(5):
        layer(torch.ones(256, 512)).square().mean().backward()
        optimizer.step()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
def test_a_child_forked_after_the_imports_trains_with_two_threads() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_WAIT_POLICY": "PASSIVE"}

    done = subprocess.run(
        [sys.executable, "-c", FORK_AFTER_PRELOAD],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.stdout.strip() == "7", done.stderr
