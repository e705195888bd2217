"""Real Redis servers and workers, ended with the test that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from engine import settings
from jobs import process, stack, worker
from jobs.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
StartWorker = Callable[[], subprocess.Popen[bytes]]


def eventually(check: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until the check holds; the test fails when it does not in time."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"did not come true within {seconds:.0f} s"
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    """A process's living descendants."""
    return [p for p in psutil.Process(pid).children(recursive=True) if process.is_alive(p.pid)]


def workers(home: Path) -> list[int]:
    """The process ids of a home's workers, without the pools that they were forked from."""
    pools = [p for p in psutil.Process(supervisor(home)).children() if "redis" not in p.name()]
    return [p.pid for pool in pools for p in workers_of(pool.pid)]


def workers_of(pool: int) -> list[psutil.Process]:
    """A pool's workers, without the child that measures how fast the processor computes."""
    children = [p for p in psutil.Process(pool).children() if process.is_alive(p.pid)]
    return [p for p in children if p.nice() != worker.MEASURING_NICE]


def supervisor(home: Path) -> int:
    """The process id of a home's supervisor."""
    return int((home / "locks" / "supervisor.pid").read_text())


@pytest.fixture
def redis_only() -> Iterator[Stack]:
    """A stack of the test's home without workers."""
    with stack.start(user="test", workers=0) as running:
        yield running


@pytest.fixture
def client(redis_only: Stack) -> Redis:
    """The queue's Redis."""
    return redis_only.connection


@pytest.fixture
def toy_worker(redis_only: Stack) -> Iterator[StartWorker]:
    """Starts workers for toy jobs on this home's Redis."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TEST_PID": str(os.getpid())}
        log = (settings.current().logs / f"toy-{len(started)}.log").open("wb")
        with log:
            command = [sys.executable, "-m", "tests.jobs.toy_worker"]
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        return started[-1]

    yield start
    for pool in started:
        pool.send_signal(signal.SIGKILL)
        pool.wait()
