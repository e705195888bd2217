"""A real study through Redis, workers and TRL, left alone and with its processes killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine import dataset as datasets
from engine import models, settings
from engine.records import Config, Method, RunStatus
from jobs import collector, plans, process, stack, studies, tasks, views
from jobs.plans import PlanRequest
from tests.jobs.conftest import eventually, family, supervisor, workers
from tests.tiny import tiny_classification, write_jsonl

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
QUICK = Config(learning_rate=1e-3, num_train_epochs=1, per_device_train_batch_size=8)
LONG = Config(learning_rate=1e-3, num_train_epochs=40, per_device_train_batch_size=4)


@pytest.fixture
def create(tmp_path: Path) -> Callable[..., str]:
    """Writes a study of the given configs beside default, base and baselines; its id."""
    first = models.registry()[0]
    if not first.embedded:
        pytest.skip("no embedded model is built yet")

    def created(*custom: Config) -> str:
        path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification(80))
        data = datasets.build(path)
        studies.save_dataset(data, path)
        request = PlanRequest(data, first.id, Method.FULL, k=0, custom=custom)
        return studies.create(plans.make(request)).study

    return created


def worker(home: Path) -> psutil.Process:
    """The one worker of this home, forked from the pool that the supervisor started."""
    (pid,) = workers(home)
    return psutil.Process(pid)


def step_of(study: str, index: int) -> int:
    progress = views.study(study).runs[index].progress
    return 0 if progress is None else progress.step


def test_a_study_runs_to_its_end_and_reaches_the_tables(create: Callable[..., str]) -> None:
    study = create(QUICK)
    store = collector.start()
    with stack.start(workers=1):
        studies.launch(study)
        eventually(lambda: views.study(study).is_over, seconds=180)
        view = views.study(study)
        eventually(lambda: len(store.results(study)) == len(view.runs), seconds=5)
    trained = [run for run in view.runs if run.spec.kind.trains]

    assert [run.status for run in view.runs] == [RunStatus.FINISHED] * len(view.runs)
    assert len(trained) == 2 and view.status is RunStatus.FINISHED
    assert all(len(store.curve(run.spec.run)) > 0 for run in trained)
    assert views.summary(study).winner in {run.spec.run for run in view.runs}
    collector.stop()


def test_a_study_survives_the_kill_of_its_training_and_of_its_worker(
    create: Callable[..., str], home: Path
) -> None:
    study = create(LONG)
    with stack.start(workers=1) as running:
        running.wait_until_ready()
        everything = [supervisor(home), *(p.pid for p in family(supervisor(home)))]
        studies.launch(study)

        eventually(lambda: step_of(study, 1) > 5, seconds=120)
        (child,) = worker(home).children()
        child.send_signal(signal.SIGKILL)
        eventually(lambda: views.study(study).runs[1].attempt == 2 and step_of(study, 1) > 5, seconds=60)
        parent = worker(home)
        (child,) = parent.children()
        os.kill(parent.pid, signal.SIGKILL)
        eventually(lambda: not process.is_alive(child.pid), seconds=5)
        eventually(lambda: views.study(study).runs[1].attempt == 3, seconds=60)
        eventually(lambda: views.study(study).is_over, seconds=90)
        everything += [p.pid for p in family(supervisor(home))]

    view = views.study(study)
    files = tasks.artifacts(settings.current())
    assert [run.status for run in view.runs] == [RunStatus.FINISHED] * len(view.runs)
    assert view.runs[1].attempt == 3 and files.attempts(view.runs[1].spec.run) == [1, 2, 3]
    ended = [
        attempt
        for attempt in files.attempts(view.runs[1].spec.run)
        if any(event.kind == "ended" for event in files.events(view.runs[1].spec.run, attempt))
    ]
    assert ended == [3]
    assert not [pid for pid in everything if process.is_alive(pid)]


def test_a_running_training_is_stopped_and_another_keeps_its_best(create: Callable[..., str]) -> None:
    study = create(LONG, LONG)
    with stack.start(workers=1):
        studies.launch(study)
        eventually(lambda: step_of(study, 1) > 5, seconds=120)
        studies.stop(views.study(study).runs[1].spec.run)
        eventually(lambda: views.study(study).runs[1].status is RunStatus.STOPPED, seconds=20)
        eventually(lambda: step_of(study, 2) > 25, seconds=60)
        studies.stop(views.study(study).runs[2].spec.run, keep_best=True)
        eventually(lambda: views.study(study).runs[2].status.is_final, seconds=60)
        dropped, kept = views.study(study).runs[1:3]
        studies.stop(study)

    assert dropped.result is not None and dropped.result.test is None
    assert kept.result is not None and kept.result.test is not None
    assert kept.status is RunStatus.STOPPED
