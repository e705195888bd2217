"""Jobs whose worker is known to be dead: they need not wait until their heart-beat runs out."""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis
from rq.executions import Execution
from rq.registry import StartedJobRegistry

from jobs import queue


def release(client: Redis, lost: Callable[[str], bool]) -> None:
    """Let jobs of workers that are known to be dead run again at the next clean-up instead of 30 s later."""
    for name in (queue.STUDIES, queue.GRID):
        started = StartedJobRegistry(queue=queue.queue(client, name))
        for job_id, execution_id in started.get_job_and_execution_ids(cleanup=False):
            try:
                execution = Execution.fetch(execution_id, job_id, client)
            except ValueError:
                continue
            if lost(execution.worker_name):
                client.zadd(started.key, {execution.composite_key: 1}, xx=True)
