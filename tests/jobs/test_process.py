from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import process
from tests.jobs.conftest import eventually

GRANDPARENT = """
import os, sys, time
from jobs import process
parent = os.getpid()
child = os.fork()
if child == 0:
    process.die_with_parent(parent)
    time.sleep(60)
print(child, flush=True)
time.sleep(60)
"""


def test_a_child_ends_with_its_killed_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", GRANDPARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert process.is_alive(child)

        parent.kill()

        eventually(lambda: not process.is_alive(child), seconds=5)


def test_a_child_whose_parent_died_before_it_asked_ends_itself() -> None:
    program = "from jobs import process; process.die_with_parent(1); print('still here')"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")


def test_a_process_that_waits_to_be_collected_does_not_count_as_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    eventually(lambda: not process.is_alive(child.pid))

    assert child.wait() == 0
    assert process.is_alive(os.getpid())


def test_gpus_are_those_that_cuda_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert process.gpus() == ("2", "5")

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert process.gpus() == ()


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this kernel does not group by session")
def test_a_nice_session_is_nice_towards_other_sessions() -> None:
    code = "from jobs import process; process.be_nice(19); print(open('/proc/self/autogroup').read())"

    said = subprocess.run(
        [sys.executable, "-c", code], start_new_session=True, capture_output=True, text=True, check=True
    )

    assert said.stdout.strip().endswith("nice 19")
