"""The local stack: Redis and worker processes, started by the first user of a home and stopped by the last.

A supervisor process (jobs.supervisor) owns them. Users (the web process, a terminal) keep a heart-beat key in
Redis; when none is left, the supervisor goes with everything it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

import psutil
from filelock import Timeout
from redis.exceptions import RedisError
from rq.worker import BaseWorker, Worker

from engine import settings as settings_module
from engine.errors import StackError
from engine.settings import Settings
from jobs import home, process, queue, supervisor
from jobs.home import Wanted

HEARTBEAT_SECONDS = 3
MEMORY_PER_WORKER = 3 * 2**30
MOST_CPU_WORKERS = 4


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process, as the admin page and `doctor` show it. `memory`: bytes; None elsewhere."""

    name: str
    queue: str
    state: str
    pid: int
    host: str
    run: str | None
    born: float
    heard: float
    memory: int | None


@dataclass(frozen=True, slots=True)
class StackView:
    """What is running. `problem`: why workers keep ending at their start; `waiting`: jobs by queue."""

    redis: bool
    workers: tuple[WorkerView, ...]
    waiting: Mapping[str, int]
    problem: str | None = None


class Stack:
    """One user's hold on the stack; leave it once, in any thread."""

    def __init__(self, settings: Settings, user: str, wanted: Wanted, ensure: Callable[[], None]) -> None:
        """`ensure` starts the supervisor when there is none; it is called again should that one die."""
        self.settings = settings
        self.connection = queue.connection(settings)
        self._key = home.user_key(settings, user)
        self._wanted = wanted
        self._ensure = ensure
        self._leaving = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._keep_beating, name="stack heart-beat", daemon=True)
        self._thread.start()

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Return when a worker listens; raises StackError naming the logs when none does in time."""
        deadline = time.monotonic() + seconds
        while not (found := view(self.settings)).workers:
            if found.problem or time.monotonic() > deadline:
                reason = found.problem or f"No worker started within {seconds:.0f} s."
                raise StackError(f"{reason} Run `python cli.py doctor`; logs are in {self.settings.logs}.")
            time.sleep(0.05)

    def leave(self) -> None:
        """Give up this user's hold; the last one stops Redis and the workers and waits for their end."""
        if self._leaving.is_set():
            return
        self._leaving.set()
        self._thread.join()
        with home.door(self.settings):
            with contextlib.suppress(RedisError):
                self.connection.delete(self._key)
                if home.wanted_by_users(self.connection, self.settings) is not None:
                    return
            _stop_supervisor(self.settings)

    def __enter__(self) -> Stack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def _keep_beating(self) -> None:
        while not self._leaving.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(RedisError, StackError, Timeout):
                self._beat()

    def _beat(self) -> None:
        with home.door(self.settings):
            self._ensure()
            home.beat(self.connection, self._key, self._wanted)


def start(
    settings: Settings | None = None,
    *,
    user: str = "terminal",
    workers: int | None = None,
    grid_workers: int | None = None,
) -> Stack:
    """Join the home's stack, starting it first when nothing runs; returns when Redis answers.

    Workers may still be importing then: jobs can be added at once, `wait_until_ready` waits for a listener.
    """
    settings = settings or settings_module.current()
    wanted = Wanted(
        worker_count(settings) if workers is None else workers,
        settings.grid_workers if grid_workers is None else grid_workers,
    )
    if settings.redis_url and wanted == Wanted(0, 0):
        queue.require(settings)
        return Stack(settings, user, wanted, lambda: None)
    home.prepare(settings)
    return Stack(settings, user, wanted, lambda: _ensure_supervisor(settings, wanted))


def supervise(settings: Settings, workers: int, grid_workers: int = 0) -> None:
    """Run workers in this process's foreground until SIGTERM: what a worker machine does."""
    supervisor.supervise(settings, Wanted(workers, grid_workers), until_unused=False)


def worker_count(settings: Settings) -> int:
    """Study workers to start: the setting, else one per GPU, else one per core while the memory lasts.

    Measured on two cores, 4 M parameters, 100 rows, batch 8: a run with two threads takes 6.8 s, two runs at
    once with one thread each 6.9 s together; alone with one thread 5.8 s.
    """
    if settings.workers is not None:
        return settings.workers
    by_memory = psutil.virtual_memory().total // MEMORY_PER_WORKER
    return len(process.gpus()) or max(1, min(process.cores(), by_memory, MOST_CPU_WORKERS))


def grid_worker_count(settings: Settings) -> int:
    """Grid workers to start when somebody starts a grid: the setting, else as many as for studies, or one."""
    return settings.grid_workers or max(1, worker_count(settings))


def view(settings: Settings | None = None) -> StackView:
    """What is running now; also answers when nothing is."""
    settings = settings or settings_module.current()
    if not queue.answers(settings):
        return StackView(False, (), {})
    client = queue.connection(settings)
    names = (queue.STUDIES, queue.GRID)
    found = (_worker_view(worker) for name in names for worker in Worker.all(queue=queue.queue(client, name)))
    problem = client.get(home.problem_key(settings))
    return StackView(
        redis=True,
        workers=tuple(worker for worker in found if not _is_dead(worker)),
        waiting={name: queue.queue(client, name).count for name in names},
        problem=problem.decode() if isinstance(problem, bytes) else problem,
    )


def _ensure_supervisor(settings: Settings, wanted: Wanted) -> None:
    if home.supervisor(settings) is None:
        pid = _spawn_supervisor(settings, wanted)
        home.wait(lambda: home.supervisor(settings) == pid or not process.is_alive(pid))
    home.wait_for_redis(settings)


def _spawn_supervisor(settings: Settings, wanted: Wanted) -> int:
    """In a session of its own: an interrupt at the terminal must not reach it."""
    command = [sys.executable, "-m", "jobs.supervisor"]
    command += ["--workers", str(wanted.studies), "--grid-workers", str(wanted.grid)]
    log, writing = str(settings.logs / "stack.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        sys.executable,
        command,
        supervisor.environment(settings),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, log, writing, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _stop_supervisor(settings: Settings) -> None:
    pid = home.supervisor(settings)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    if not home.wait(lambda: not process.is_alive(pid)):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _is_dead(worker: WorkerView) -> bool:
    """RQ notices after a minute that a killed worker is gone; on this machine we can look."""
    return worker.host == socket.gethostname() and not process.is_alive(worker.pid)


def _worker_view(worker: BaseWorker) -> WorkerView:
    born, heard = worker.birth_date, worker.last_heartbeat
    return WorkerView(
        name=worker.name,
        queue=worker.queue_names()[0],
        state=str(worker.get_state()),
        pid=worker.pid or 0,
        host=worker.hostname or "",
        run=worker.get_current_job_id(),
        born=born.timestamp() if born else 0.0,
        heard=heard.timestamp() if heard else 0.0,
        memory=_memory(worker.pid) if worker.pid and worker.hostname == socket.gethostname() else None,
    )


def _memory(pid: int) -> int | None:
    """Of the process that trains, else of the worker that waits; they share the libraries."""
    try:
        worker = psutil.Process(pid)
        return int(max(part.memory_info().rss for part in (worker, *worker.children())))
    except psutil.NoSuchProcess:
        return None
