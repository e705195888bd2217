"""Workers: each takes one job after another from one queue and runs it in a forked child that ends with it.

`python -m jobs.worker --queue studies` on any machine with REDIS_URL and SHORTLIST_ARTIFACTS; jobs.stack
starts the local ones. What a training imports is imported once, before the fork; CUDA and more than one
thread are left to the child (forked after either, a child waits for ever).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import signal
import socket
import time

from redis import Redis
from redis.exceptions import RedisError
from rq import Worker
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from engine import settings as settings_module
from engine import speed
from engine.errors import StackError
from jobs import gridboard, lost, process, queue

DEQUEUE_SECONDS = 10
CLEANING_SECONDS = 15
MONITORING_SECONDS = 5
LOST_AFTER_SECONDS = 30
WORKER_RETRIES = 15
EARLY_SECONDS = 2
EARLY_ENDS = 5
GOODBYE_SECONDS = 0.8
MEASURE_AFTER_SECONDS = 15
MEASURING_NICE = 10
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
    "jobs.grid",
    "jobs.gridrun",
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
        """Grid jobs wait while studies want the machine, and while their grid is paused."""
        super().check_for_suspension(burst)
        if self.queues[0].name == queue.GRID:
            while not self._stop_requested and (
                queue.is_busy(self.connection) or gridboard.is_paused(self.connection)
            ):
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
        from jobs import gridrun, tasks

        lost_of = {queue.STUDIES: tasks.record_lost, queue.GRID: gridrun.record_lost}
        lost_of[self.queues[0].name](self.connection, settings_module.current())


def preload() -> None:
    """Import what jobs use, so that a forked child has it: 3.2 s per job become 0.1 s (measured)."""
    import torch

    torch.set_num_threads(1)
    for name in PRELOADED:
        importlib.import_module(name)
    if torch.cuda.is_initialized():
        raise RuntimeError("An import started CUDA; a forked child could not use it.")


class Pool:
    """Worker processes of one queue, forked from this process after its imports, and again when one ends.

    The imports take 5 s and 500 MB; a forked worker shares both.
    """

    def __init__(self, name: str, indices: range, threads: int) -> None:
        self._name, self._indices, self._threads = name, indices, threads
        self._running: dict[int, tuple[int, float]] = {}
        self._early_ends = 0

    def run(self) -> None:
        """Keep the workers alive until SIGTERM; raises StackError when they keep ending at their start."""
        signal.signal(signal.SIGTERM, _exit)
        client = queue.connection(settings_module.current())
        try:
            for index in self._indices:
                self._fork(index)
            if self._name == queue.STUDIES and 0 in self._indices:
                _measure_beside()
            while True:
                ended, _ = os.wait()
                if ended in self._running:
                    self._replace(client, ended)
        finally:
            self._stop()

    def _fork(self, index: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                process.die_with_parent(parent)
                _work(self._name, index, self._threads, parent)
            except Exception:
                logging.getLogger(__name__).exception("The worker failed")
            finally:
                os._exit(0)
        self._running[pid] = index, time.monotonic()

    def _replace(self, client: Redis, ended: int) -> None:
        index, begun = self._running.pop(ended)
        early = time.monotonic() - begun < EARLY_SECONDS
        self._early_ends = self._early_ends + 1 if early else 0
        if self._early_ends > EARLY_ENDS:
            raise StackError("Workers end as soon as they have started.")
        with contextlib.suppress(RedisError):
            lost.release(client, lambda worker: worker.endswith(f"-{ended}"))
        time.sleep(self._early_ends)
        self._fork(index)

    def _stop(self) -> None:
        """Idle workers say goodbye; what is busy ends with this process."""
        for pid in self._running:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GOODBYE_SECONDS
        while self._running and time.monotonic() < deadline:
            ended, _ = os.waitpid(-1, os.WNOHANG)
            self._running.pop(ended, None)
            time.sleep(0 if ended else 0.02)


def _measure_beside() -> None:
    """Fork a child that measures how fast this processor computes, unless a GPU does.

    It waits until the start is over, and improves what a busier time has measured.
    """
    home, parent = settings_module.current().home, os.getpid()
    if process.gpus() or os.fork() != 0:
        return
    try:
        process.die_with_parent(parent)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.nice(MEASURING_NICE)
        time.sleep(MEASURE_AFTER_SECONDS)
        speed.keep(home, speed.better(speed.measure(), speed.read(home)))
    except Exception:
        logging.getLogger(__name__).exception("The processor's speed could not be measured")
    finally:
        os._exit(0)


def _exit(number: int, frame: object) -> None:
    raise SystemExit(0)


def _work(name: str, index: int, threads: int, pool: int) -> None:
    """Work off one queue until SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.environ["SHORTLIST_WORKER"] = str(index)
    os.environ["SHORTLIST_THREADS"] = str(threads)
    client = queue.connection(settings_module.current(), retries=WORKER_RETRIES)
    worker = ForkingWorker(
        [queue.queue(client, name)],
        name=f"{socket.gethostname()}-{name}-{index}-{pool}-{os.getpid()}",
        connection=client,
        serializer=JSONSerializer,
        worker_ttl=DEQUEUE_SECONDS + 15,
        maintenance_interval=CLEANING_SECONDS,
        job_monitoring_interval=MONITORING_SECONDS,
    )
    worker.log_result_lifespan = False
    worker.work(logging_level="INFO")


def main() -> None:
    """`python -m jobs.worker`: worker processes of one queue."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--queue", choices=(queue.STUDIES, queue.GRID), default=queue.STUDIES)
    parser.add_argument("--first", type=int, default=0, help="number of the first worker")
    parser.add_argument("--count", type=int, default=1, help="workers to run here")
    parser.add_argument("--threads", type=int, default=process.cores(), help="of each training")
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    preload()
    Pool(given.queue, range(given.first, given.first + given.count), given.threads).run()


if __name__ == "__main__":
    main()
