from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from engine import settings
from engine.errors import StackError
from jobs import queue


def test_a_job_carries_ids_as_json_a_time_limit_and_two_retries_for_lost_processes(client: Redis) -> None:
    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "job-1", "id")

    job = Job.fetch("job-1", connection=client, serializer=JSONSerializer)
    assert job.args == ["id"]
    assert job.timeout == 24 * 3600
    assert job.retries_left == 2 and job.retry_intervals in (None, [0])
    assert b"tests.jobs.toys.succeeds" in client.hget(job.key, "data") or job.func_name.endswith("succeeds")


def test_a_queue_with_a_waiting_job_is_busy_until_the_job_is_forgotten(client: Redis) -> None:
    assert not queue.is_busy(client)

    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "job-1", "id")
    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "job-2", "id")
    assert queue.is_busy(client) and not queue.is_busy(client, queue.GRID)
    assert queue.waiting(client) == ["job-1", "job-2"]
    assert queue.status(client, "job-1") is JobStatus.QUEUED

    for job in ("job-1", "job-2", "job-3"):
        queue.forget(client, job)
    assert not queue.is_busy(client)
    assert queue.status(client, "job-1") is None


def test_a_job_whose_worker_was_killed_long_ago_is_forgotten_too(client: Redis) -> None:
    queue.enqueue(client, queue.GRID, "tests.jobs.toys.succeeds", "job-1", "id")
    job = Job.fetch("job-1", connection=client, serializer=JSONSerializer)
    with client.pipeline() as pipe:
        lost = Execution.create(job, ttl=60, pipeline=pipe)
        pipe.execute()
    client.delete(lost.key)  # as when its time is over

    queue.forget(client, "job-1")

    assert queue.status(client, "job-1") is None
    assert client.zcard(job.started_job_registry.key) == 0


def test_two_homes_have_sockets_of_their_own_short_enough_for_redis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sockets = set()
    for name in ("one", "two", "deep/" * 30):
        monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / name))
        sockets.add(str(queue.socket_folder(settings.current()) / "redis.sock"))

    assert len(sockets) == 3
    assert max(map(len, sockets)) < 107


def test_without_redis_one_sentence_says_how_to_start_it() -> None:
    with pytest.raises(StackError, match="No job queue answers. Start it with"):
        queue.require(settings.current())
