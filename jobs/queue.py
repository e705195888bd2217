"""How work reaches a worker: the connection, the two queues, and the keys that runs leave in Redis."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry
from rq import Queue, Retry
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from engine.errors import StackError
from engine.settings import Settings

STUDIES = "studies"
GRID = "grid"
EVENTS = "shortlist:events"
SEARCHING = "shortlist:searching"
"""A set: studies with a search that goes on."""
EVENTS_KEPT = 200_000
JOB_TIMEOUT = 24 * 3600
RESULT_TTL = 24 * 3600
QUESTION_TIMEOUT = 3600
FAILURE_TTL = 7 * 24 * 3600
LOST_RETRIES = 2
CLEANING_LOCK_SECONDS = 20


class JobQueue(Queue):
    """A queue whose clean-up lock outlives a killed cleaner by seconds, not by RQ's quarter of an hour."""

    def acquire_maintenance_lock(self) -> bool:
        """True when this worker may clean the registries now."""
        return bool(self.connection.set(self.registry_cleaning_key, 1, nx=True, ex=CLEANING_LOCK_SECONDS))


def socket_folder(settings: Settings) -> Path:
    """A short folder of this home alone: Redis cuts a socket path above 107 bytes without a word."""
    base = Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())
    digest = hashlib.sha256(str(settings.home).encode()).hexdigest()[:12]
    return base / f"shortlist-{os.getuid()}-{digest}"


def connection(settings: Settings, retries: int = 5) -> Redis:
    """A client of REDIS_URL or of the home's own server; it does not connect before its first command.

    Five retries bridge the seconds in which a killed server is started again.
    """
    retry = RedisRetry(ExponentialBackoff(cap=1, base=0.05), retries)
    if settings.redis_url:
        return Redis.from_url(settings.redis_url, retry=retry)
    return Redis(unix_socket_path=str(socket_folder(settings) / "redis.sock"), retry=retry)


def answers(settings: Settings) -> bool:
    """Whether the Redis of these settings answers now."""
    with connection(settings, retries=0) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False


def require(settings: Settings) -> Redis:
    """A client of a Redis that answers; raises StackError in one sentence otherwise."""
    if not answers(settings):
        raise StackError("No job queue answers. Start it with `python cli.py serve`, or check REDIS_URL.")
    return connection(settings)


def queue(client: Redis, name: str = STUDIES) -> JobQueue:
    """One of the two queues."""
    return JobQueue(name, connection=client, serializer=JSONSerializer)


def enqueue(client: Redis, name: str, function: str, job_id: str, *args: str) -> None:
    """Add a job; ids as arguments, an explicit time limit, retried only when its process is lost."""
    retry = Retry(max=LOST_RETRIES, enqueue_at_front=True)
    _add(client, name, function, job_id, args, timeout=JOB_TIMEOUT, result_ttl=RESULT_TTL, retry=retry)


def enqueue_question(client: Redis, function: str, job_id: str, *args: str) -> None:
    """Add a short job of `studies` that a person waits for: before all that wait, and never done twice."""
    limits = {"timeout": QUESTION_TIMEOUT, "result_ttl": QUESTION_TIMEOUT}
    _add(client, STUDIES, function, job_id, args, **limits, at_front=True)


def _add(client: Redis, name: str, function: str, job_id: str, args: tuple[str, ...], **how: Any) -> None:
    queue(client, name).enqueue_call(
        function, args=args, job_id=job_id, failure_ttl=FAILURE_TTL, description=job_id, **how
    )


def forget(client: Redis, job_id: str) -> None:
    """Take a job out of its queue and all registries; one that runs goes on."""
    for name in (STUDIES, GRID):
        client.zrem(FailedJobRegistry(queue=queue(client, name)).key, job_id)
    with contextlib.suppress(NoSuchJobError):
        job = Job.fetch(job_id, connection=client, serializer=JSONSerializer)
        _forget_lost_executions(client, job)
        job.delete()


def _forget_lost_executions(client: Redis, job: Job) -> None:
    """Of a worker that was killed, whose record has expired: RQ cannot delete a job that still names one."""
    registry = job.execution_registry
    for name in registry.get_execution_ids():
        lost = Execution(name, job.id, client)
        if not client.exists(lost.key):
            client.zrem(registry.key, name)
            client.zrem(job.started_job_registry.key, lost.composite_key)


def status(client: Redis, job_id: str) -> JobStatus | None:
    """What RQ says about a job; None: it does not know it."""
    try:
        return Job.fetch(job_id, connection=client, serializer=JSONSerializer).get_status(refresh=False)
    except NoSuchJobError:
        return None


def waiting(client: Redis, name: str = STUDIES) -> list[str]:
    """Ids of the jobs that wait, next first."""
    return list(queue(client, name).job_ids)


def running(client: Redis, name: str) -> frozenset[str]:
    """Ids of the jobs that run; one whose worker is known to be dead does not."""
    started = StartedJobRegistry(queue=queue(client, name))
    alive = client.zrangebyscore(started.key, time.time(), "+inf")
    return frozenset(started.parse_job_id(entry) for entry in alive)  # type: ignore[arg-type]


def arguments(client: Redis, job_id: str) -> tuple[str, ...] | None:
    """What a job was called with; None: it is gone."""
    try:
        return tuple(Job.fetch(job_id, connection=client, serializer=JSONSerializer).args)
    except NoSuchJobError:
        return None


def empty(client: Redis, name: str) -> None:
    """Forget every job that waits."""
    queue(client, name).empty()  # type: ignore[no-untyped-call]


def failed(client: Redis, name: str = STUDIES) -> list[str]:
    """Ids of the jobs whose process was lost more often than they are retried."""
    return list(FailedJobRegistry(queue=queue(client, name)).get_job_ids())


def is_busy(client: Redis, name: str = STUDIES) -> bool:
    """Whether a job of this queue waits or runs."""
    started = StartedJobRegistry(queue=queue(client, name))
    return client.llen(f"rq:queue:{name}") > 0 or client.zcount(started.key, time.time(), "+inf") > 0


def stop_key(run: str) -> str:
    """Holds the StopMode that a person asked for."""
    return f"shortlist:stop:{run}"


def attempt_key(run: str) -> str:
    """Counts the attempts at a run: the fence that keeps a late result of an old one out."""
    return f"shortlist:attempt:{run}"


def progress_key(run: str) -> str:
    """Holds the newest event of each kind of a run."""
    return f"shortlist:progress:{run}"
