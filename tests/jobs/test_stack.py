from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine import settings
from engine.errors import StackError
from jobs import process, queue, stack
from tests.jobs.conftest import eventually, family, supervisor, workers


def test_the_first_user_starts_the_stack_and_the_last_one_stops_it(home: Path) -> None:
    first = stack.start(user="web", workers=0)
    pid = supervisor(home)
    second = stack.start(user="terminal", workers=0)
    processes = [psutil.Process(pid), *family(pid)]
    assert supervisor(home) == pid
    assert "redis-server" in " ".join(p.name() for p in processes)

    first.leave()
    assert stack.view().redis

    second.leave()
    assert not any(process.is_alive(p.pid) for p in processes)
    assert not stack.view().redis


def test_what_redis_held_is_there_after_a_restart() -> None:
    with stack.start(workers=0) as first:
        first.connection.set("kept", "1")
    with stack.start(workers=0) as second:
        assert second.connection.get("kept") == b"1"


def test_redis_refuses_to_drop_jobs_and_listens_on_no_port(home: Path) -> None:
    with stack.start(workers=0) as running:
        config = running.connection.config_get("*")
        folder = queue.socket_folder(settings.current())

        assert config["maxmemory-policy"] == "noeviction"
        assert (config["appendonly"], config["appendfsync"], config["port"]) == ("yes", "everysec", "0")
        assert config["dir"] == str(home / "redis")
        assert folder.stat().st_mode & 0o777 == 0o700


def test_two_homes_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stack.start(workers=0) as one:
        one.connection.set("mine", "1")
        monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "other"))
        with stack.start(workers=0) as two:
            assert two.connection.get("mine") is None
            assert two.connection.config_get("dir") != one.connection.config_get("dir")
        assert one.connection.get("mine") == b"1"


def test_a_killed_supervisor_takes_its_redis_along_and_is_replaced(home: Path) -> None:
    with stack.start(workers=0) as running:
        old = supervisor(home)
        redis = family(old)
        running.connection.set("kept", "1")
        running.connection.config_set("appendfsync", "always")
        running.connection.set("kept", "2")

        os.kill(old, signal.SIGKILL)

        eventually(lambda: not any(process.is_alive(p.pid) for p in redis), seconds=5)
        eventually(lambda: stack.view().redis and supervisor(home) != old, seconds=10)
        assert running.connection.get("kept") == b"2"


def test_a_killed_redis_is_started_again_with_its_jobs(home: Path) -> None:
    with stack.start(workers=0) as running:
        running.connection.config_set("appendfsync", "always")
        queue.enqueue(running.connection, queue.STUDIES, "tests.jobs.toys.succeeds", "job-1", "id")
        (old,) = family(supervisor(home))

        old.kill()

        eventually(lambda: [p.pid for p in family(supervisor(home))] not in ([], [old.pid]), seconds=5)
        eventually(lambda: queue.answers(running.settings), seconds=5)
        assert queue.waiting(running.connection) == ["job-1"]


@pytest.mark.slow
def test_a_killed_worker_is_replaced_within_five_seconds(home: Path) -> None:
    with stack.start(workers=2) as running:
        running.wait_until_ready()
        eventually(lambda: len(workers(home)) == 2)
        old, other = workers(home)

        os.kill(old, signal.SIGKILL)

        eventually(lambda: old not in workers(home) and len(workers(home)) == 2, seconds=5)
        assert other in workers(home)
        eventually(lambda: len(stack.view().workers) == 2, seconds=5)


def test_a_later_user_gets_the_workers_that_the_first_did_not_want(home: Path) -> None:
    with stack.start(user="grid", workers=0), stack.start(user="web", workers=1):
        eventually(
            lambda: [p for p in family(supervisor(home)) if "--queue studies" in " ".join(p.cmdline())]
        )


@pytest.mark.slow
def test_workers_that_cannot_start_are_reported_with_their_last_words(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('no such processor')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with stack.start(workers=1) as running, pytest.raises(StackError, match="no such processor"):
        running.wait_until_ready(40)


@pytest.mark.slow
def test_the_stack_goes_after_a_user_that_crashed(home: Path) -> None:
    program = "from jobs import stack; import os; stack.start(workers=0); os._exit(1)"
    subprocess.run([sys.executable, "-c", program], check=False)
    pid = supervisor(home)
    assert process.is_alive(pid)

    eventually(lambda: not process.is_alive(pid), seconds=40)
    assert not stack.view().redis


def test_the_stack_of_a_removed_home_goes(home: Path) -> None:
    running = stack.start(workers=0)
    pid = supervisor(home)

    shutil.rmtree(home)

    eventually(lambda: not process.is_alive(pid), seconds=10)
    running.leave()


def test_workers_are_as_many_as_set_else_one_per_gpu_else_what_cores_and_memory_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(process, "cores", lambda: 2)
    assert stack.worker_count(settings.current()) == 2
    monkeypatch.setattr(stack, "MEMORY_PER_WORKER", psutil.virtual_memory().total)
    assert stack.worker_count(settings.current()) == 1

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    assert stack.worker_count(settings.current()) == 3
    monkeypatch.setenv("SHORTLIST_WORKERS", "0")
    assert stack.worker_count(settings.current()) == 0


def test_a_socket_folder_that_others_can_open_is_refused() -> None:
    folder = queue.socket_folder(settings.current())
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    try:
        with pytest.raises(StackError, match="must be a folder that only you can open"):
            stack.start(workers=0)
    finally:
        folder.rmdir()


def test_a_stack_that_cannot_start_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")

    with pytest.raises(StackError, match="No job queue answers"):
        stack.start(workers=0)
