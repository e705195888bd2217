"""A worker: takes one job after another from one queue and runs each in a forked child that ends with it.

`python -m jobs.worker --queue studies` on any machine with REDIS_URL and SHORTLIST_ARTIFACTS; jobs.stack
starts the local ones. What a training imports is imported once, before the fork; CUDA and more than one
thread are left to the child (forked after either, a child waits for ever).
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import socket
import time

from rq import Worker
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from engine import settings as settings_module
from jobs import process, queue

DEQUEUE_SECONDS = 10
CLEANING_SECONDS = 15
MONITORING_SECONDS = 5
LOST_AFTER_SECONDS = 30
PRELOADED: tuple[str, ...] = (
    "accelerate",
    "datasets",
    "peft",
    "peft.tuners.lora",
    "rouge_score.rouge_scorer",
    "scipy.stats",
    "sklearn.feature_extraction.text",
    "sklearn.linear_model",
    "sklearn.metrics",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
    "transformers.trainer",
    "trl",
    "trl.trainer.sft_trainer",
    "engine.baselines",
    "engine.dataset",
    "engine.evaluate",
    "engine.train",
    "jobs.tasks",
)


class ForkingWorker(Worker):
    """RQ's worker with prompt clean-up of lost jobs, no thread to fork beside, and children that end with it.

    A job whose worker stops reporting counts as lost after 30 s (RQ: 90 s); lost jobs are looked for every
    15 s (RQ: 600 s).
    """

    queue_class = queue.JobQueue

    def get_heartbeat_ttl(self, job: Job) -> int:
        """Seconds without a report after which the job counts as lost."""
        return LOST_AFTER_SECONDS

    def subscribe(self) -> None:
        """Nothing: RQ would listen for commands in a thread, and a fork wants no second thread."""

    def check_for_suspension(self, burst: bool) -> None:
        """Grid jobs wait while studies want the machine."""
        super().check_for_suspension(burst)
        if self.queues[0].name == queue.GRID:
            while not self._stop_requested and queue.is_busy(self.connection):
                self.heartbeat()
                time.sleep(1)

    def clean_registries(self) -> None:
        """Also gives runs that RQ has given up a result that says so."""
        super().clean_registries()  # type: ignore[no-untyped-call]
        self._record_lost()

    def handle_job_failure(
        self, job: Job, queue: Queue, started_job_registry: object = None, exc_string: str = ""
    ) -> None:
        """Called here when a child was killed: the run is queued again, or failed for good."""
        super().handle_job_failure(job, queue, started_job_registry, exc_string)
        if not self.is_horse:
            self._record_lost()

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """The child's first acts: tie its life to this worker's, and take its share of the cores."""
        process.die_with_parent(self.pid or 0)
        import torch

        torch.set_num_threads(int(os.environ["SHORTLIST_THREADS"]))
        super().main_work_horse(job, queue)

    def _record_lost(self) -> None:
        from jobs import tasks

        if self.queues[0].name == queue.STUDIES:
            tasks.record_lost(self.connection, settings_module.current())


def preload() -> None:
    """Import what jobs use, so that a forked child has it: 3.2 s per job become 0.1 s (measured)."""
    import torch

    torch.set_num_threads(1)
    for name in PRELOADED:
        importlib.import_module(name)
    if torch.cuda.is_initialized():
        raise RuntimeError("An import started CUDA; a forked child could not use it.")


def work(name: str, index: int, workers: int) -> None:
    """Work off one queue until SIGTERM; `workers` of them share this machine."""
    os.environ["SHORTLIST_WORKER"] = str(index)
    os.environ["SHORTLIST_THREADS"] = str(max(1, process.cores() // workers))
    preload()
    client = queue.require(settings_module.current())
    worker = ForkingWorker(
        [queue.queue(client, name)],
        name=f"{socket.gethostname()}-{name}-{index}-{os.getpid()}",
        connection=client,
        serializer=JSONSerializer,
        worker_ttl=DEQUEUE_SECONDS + 15,
        maintenance_interval=CLEANING_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    worker.log_result_lifespan = False
    worker.work(logging_level="INFO")


def main() -> None:
    """`python -m jobs.worker`: one worker process."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--queue", choices=(queue.STUDIES, queue.GRID), default=queue.STUDIES)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--parent", type=int)
    given = parser.parse_args()
    if given.parent:
        process.die_with_parent(given.parent)
    logging.basicConfig(level=logging.WARNING)
    work(given.queue, given.index, given.workers)


if __name__ == "__main__":
    main()
