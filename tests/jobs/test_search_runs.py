"""A real search from a terminal; its worker and then the terminal are killed, and nothing is done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine import dataset as datasets
from engine import models, settings
from engine.records import Method, RunStatus
from jobs import plans, process, search, stack, studies, tasks, views
from jobs.plans import PlanRequest
from tests.jobs.conftest import ROOT, eventually, supervisor, workers
from tests.tiny import tiny_classification, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture
def study(tmp_path: Path) -> str:
    """A study that is over: default, base and baselines."""
    path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification(80))
    data = datasets.build(path)
    studies.save_dataset(data, path)
    of = studies.create(plans.make(PlanRequest(data, models.registry()[0].id, Method.FULL, k=0))).study
    with stack.start(workers=1):
        studies.launch(of)
        eventually(lambda: views.study(of).is_over, seconds=180)
    return of


def terminal(study: str, *options: str) -> subprocess.Popen[bytes]:
    """`cli.py search`, the controlling process."""
    command = [sys.executable, "cli.py", "search", study, "--json", *options]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(study: str) -> list[str]:
    """The search's runs with a result, in the order of the study."""
    files = tasks.artifacts(settings.current())
    ours = [run for run in files.read_study(study).runs if files.read_spec(run).search]
    return [run for run in ours if files.read_result(run) is not None]


def test_a_search_goes_on_after_its_worker_and_its_terminal_were_killed(
    study: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_WORKERS", "1")
    files = tasks.artifacts(settings.current())
    first = terminal(study, "--method", "random", "--runs", "3")
    eventually(lambda: len(finished(study)) == 1, seconds=120)
    (pid,) = workers(home)
    psutil.Process(pid).send_signal(signal.SIGKILL)
    eventually(lambda: len(finished(study)) == 2, seconds=150)
    keeper = supervisor(home)
    first.kill()
    first.communicate()
    done = finished(study)
    attempts = {run: files.attempts(run) for run in done}
    eventually(lambda: not process.is_alive(keeper), seconds=60)  # its last user is gone

    second = terminal(study, "--resume")
    said, problem = second.communicate(timeout=180)

    assert second.returncode == 0, problem.decode()
    found = json.loads(said)
    assert [trial["status"] for trial in found["trials"]] == [RunStatus.FINISHED] * 3
    assert finished(study)[: len(done)] == done and len(finished(study)) == 3
    assert {run: files.attempts(run) for run in done} == attempts
    assert search.unfinished(study) is None
