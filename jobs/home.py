"""What the processes of one home agree on: its folders, its locks, who uses it and with how many workers."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from filelock import FileLock, Timeout
from redis import Redis

from engine.errors import StackError
from engine.settings import Settings
from jobs import process, queue

USER_SECONDS = 10
START_SECONDS = 20
LOOK_SECONDS = 2
SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many worker processes a user of the home asks for."""

    studies: int
    grid: int

    def at_least(self, other: Wanted) -> Wanted:
        """Enough for both."""
        return Wanted(max(self.studies, other.studies), max(self.grid, other.grid))


def prepare(settings: Settings) -> None:
    """Make the home's folders; raises StackError when the socket's folder is not safe."""
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


def door(settings: Settings) -> FileLock:
    """Held while a user joins or leaves."""
    settings.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.locks / "stack.lock", timeout=2 * START_SECONDS)


@contextlib.contextmanager
def only_supervisor(settings: Settings) -> Iterator[None]:
    """Held by the supervisor as long as it lives; a file names its process.

    Those who look whether there is one hold the lock for an instant, so this waits a little.
    """
    lock = FileLock(settings.locks / "supervisor.lock", timeout=LOOK_SECONDS)
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


def exists(settings: Settings) -> bool:
    """Whether the home is still there: one that was removed has no use for its supervisor."""
    return (settings.locks / "supervisor.pid").exists()


def supervisor(settings: Settings) -> int | None:
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


def user_key(settings: Settings, user: str) -> str:
    """A heart-beat key of a new user of this home."""
    return f"{_user_prefix(settings)}{user}-{os.getpid()}-{time.monotonic_ns()}"


def beat(client: Redis, key: str, wanted: Wanted) -> None:
    """Keep a user's hold on the stack for another ten seconds."""
    client.set(key, f"{wanted.studies} {wanted.grid}", ex=USER_SECONDS)


def wanted_by_users(client: Redis, settings: Settings) -> Wanted | None:
    """The workers that are enough for every present user; None: there is no user."""
    keys = list(client.scan_iter(f"{_user_prefix(settings)}*"))
    found: Wanted | None = None
    for value in client.mget(keys) if keys else []:
        if value is not None:
            wish = Wanted(*map(int, value.split()))
            found = wish if found is None else found.at_least(wish)
    return found


def problem_key(settings: Settings) -> str:
    """Holds why workers keep ending at their start."""
    return f"shortlist:problem:{_name(settings)}"


def wait_for_redis(settings: Settings) -> None:
    """Raises StackError when Redis does not answer in time."""
    if not wait(lambda: queue.answers(settings)):
        where = "REDIS_URL" if settings.redis_url else f"the log {settings.logs / 'redis.log'}"
        raise StackError(f"Redis did not answer within {START_SECONDS} s. Check {where}.")


def wait(check: Callable[[], bool]) -> bool:
    """Whether the check came true within the time that a start may take."""
    deadline = time.monotonic() + START_SECONDS
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _user_prefix(settings: Settings) -> str:
    return f"shortlist:user:{_name(settings)}:"


def _name(settings: Settings) -> str:
    """Machines that share a Redis may have homes of the same path."""
    return f"{socket.gethostname()}:{queue.socket_folder(settings).name}"
