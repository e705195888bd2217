"""All parts real: workers come when a grid starts, and a study is served at once in the middle of it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine import dataset as datasets
from engine import models
from engine.records import Config, Method
from jobs import grid, gridstatus, plans, process, stack, studies, views
from jobs.plans import PlanRequest
from jobs.stack import Stack
from tests.jobs import gridsource
from tests.jobs.conftest import eventually, family, supervisor
from tests.tiny import tiny_classification, write_jsonl

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]
FIRST_STEP_SECONDS = 5.0
LONG = {"full": {"learning_rate": [1e-3, 3e-3, 1e-4], "num_train_epochs": [300]}}


@pytest.fixture
def served(home: Path) -> Iterator[Stack]:
    """The stack as the web process starts it: workers for studies, none for grids."""
    with stack.start(user="web") as running:
        running.wait_until_ready()
        yield running


def wait_for_a_run() -> None:
    """Looks seldom, for grid workers get only what others leave."""
    while not gridstatus.status("t1").running:
        time.sleep(1)


def grid_workers() -> list[psutil.Process]:
    return [psutil.Process(w.pid) for w in stack.view().workers if w.queue == "grid"]


def test_a_study_launched_during_a_grid_takes_its_first_step_within_5_s(
    served: Stack, tmp_path: Path
) -> None:
    source = gridsource.write(tmp_path / "source")
    assert grid_workers() == []
    grid.start(gridsource.spec(space=LONG, train_sizes=[32]), source, workers=2)
    wait_for_a_run()
    time.sleep(3)

    path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification(80))
    data = datasets.build(path)
    studies.save_dataset(data, path)
    config = Config(learning_rate=1e-3, num_train_epochs=40, per_device_train_batch_size=4)
    request = PlanRequest(data, models.registry()[0].id, Method.FULL, k=0, custom=(config,))
    study = studies.create(plans.make(request)).study
    launched = time.monotonic()
    studies.launch(study)
    eventually(lambda: any(run.progress and run.progress.step for run in views.study(study).runs), 60)
    seconds = time.monotonic() - launched

    sys.stderr.write(f"\nfirst step of a study after {seconds:.2f} s beside a grid\n")
    assert {p.nice() for p in grid_workers()} == {19}
    assert seconds <= FIRST_STEP_SECONDS
    studies.stop(study)
    eventually(lambda: views.study(study).is_over, seconds=60)


def test_grid_workers_end_with_the_stack_and_come_back_with_the_next(home: Path, tmp_path: Path) -> None:
    source = gridsource.write(tmp_path / "source")
    with stack.start(user="web", workers=0):
        grid.start(gridsource.spec(space=LONG), source, workers=1)
        wait_for_a_run()
        everybody = family(supervisor(home))
    eventually(lambda: not any(process.is_alive(p.pid) for p in everybody))

    with stack.start(user="web", workers=0):
        wait_for_a_run()
        grid.stop("t1")
        eventually(lambda: not gridstatus.status("t1").running, seconds=60)
    assert os.listdir(home / "artifacts" / "grids" / "t1")
