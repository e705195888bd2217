"""A grid goes through its own queue, is steered, steps aside for studies and goes on where it stopped."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from engine import grids, models
from engine import settings as settings_module
from engine.errors import BusyError, ConfigError, NotFoundError
from engine.watch import StopMode
from jobs import grid, gridboard, gridrun, gridstatus, gridversions, queue
from jobs.gridboard import GridState
from jobs.gridfiles import GridFiles
from tests.jobs import gridsource
from tests.jobs.gridsource import MODEL
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weights model, made once."""
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def source(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset, a model with random weights and no published grid."""
    shutil.copytree(weights, tmp_path / "models" / MODEL)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    return gridsource.write(tmp_path / "source")


def files(version: str = "t1") -> GridFiles:
    return GridFiles(settings_module.current(), version)


def start(source: Path, **changes: object) -> str:
    """Start without asking the stack for workers."""
    return grid.start(gridsource.spec(**changes), source, workers=0)  # type: ignore[arg-type]


def work_off(client: Redis) -> None:
    """Do the grid's jobs in this process."""
    worker = SimpleWorker([queue.queue(client, queue.GRID)], connection=client, serializer=JSONSerializer)
    worker.work(burst=True)


def attempts(version: str = "t1") -> dict[str, list[int]]:
    """The numbers of the attempt folders that each run has."""
    return {run.run: files(version).attempts(run.run) for run in files(version).read_plan()}


@pytest.mark.slow
def test_a_grid_runs_to_its_end_and_can_be_published_once(client: Redis, source: Path) -> None:
    start(source)
    before = gridstatus.status("t1")
    work_off(client)
    after = gridstatus.status("t1")
    (change,) = gridversions.compare(None, "t1")
    published = gridversions.publish("t1")

    assert change.before is None and change.after is not None and change.after.configs == 4
    assert (before.state, before.runs, before.waiting) == (GridState.RUNNING, 3, 3)
    assert (after.state, after.finished, after.failed, after.waiting) == (GridState.FINISHED, 3, 0, 0)
    assert [(cell.dataset, cell.runs, cell.ended) for cell in after.cells] == [("colours", 2, 2)]
    assert gridstatus.results("t1") == len(grids.load("t1")) == 4
    assert published.manifest["complete"]
    facts = gridversions.facts(published)
    assert (facts.results, facts.trainings, facts.cells, facts.complete_cells) == (4, 2, 1, 1)
    with pytest.raises(ConfigError, match="t1 is published already"):
        gridversions.publish("t1")


@pytest.mark.slow
def test_a_run_with_a_result_is_never_run_again(client: Redis, source: Path) -> None:
    start(source)
    work_off(client)
    first, *others = sorted(attempts())
    files().delete_result(first)
    before = {run: files().read_result(run) for run in others}

    grid.resume("t1")
    waiting = queue.waiting(client, queue.GRID)
    work_off(client)

    assert waiting == [first]
    assert attempts() == {first: [2], **dict.fromkeys(others, [1])}
    assert {run: files().read_result(run) for run in others} == before
    assert gridstatus.status("t1").state is GridState.FINISHED


def test_a_second_start_queues_no_run_twice(client: Redis, source: Path) -> None:
    start(source)
    first = queue.waiting(client, queue.GRID)

    start(source)

    assert queue.waiting(client, queue.GRID) == first
    assert len(first) == len(set(first)) == 3


def test_a_second_grid_is_refused_until_the_first_is_stopped(client: Redis, source: Path) -> None:
    start(source)

    with pytest.raises(BusyError, match="Grid t1 is running. Stop it before another one runs"):
        start(source, version="t2")
    grid.stop("t1")
    start(source, version="t2")

    assert [(found.version, found.state) for found in gridstatus.all_grids()] == [
        ("t2", GridState.RUNNING),
        ("t1", GridState.STOPPED),
    ]


@pytest.mark.parametrize(
    ("changes", "words"), [({"datasets": ["smells"]}, "smells"), ({"train_sizes": [0]}, "train_sizes")]
)
def test_what_cannot_run_is_refused_before_anything_is_queued(
    client: Redis, source: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        start(source, **changes)

    assert queue.waiting(client, queue.GRID) == []


@pytest.mark.parametrize("act", [grid.pause, grid.stop])
def test_only_an_active_grid_can_be_paused_or_stopped(client: Redis, source: Path, act: object) -> None:
    start(source)
    grid.stop("t1")

    with pytest.raises(ConfigError, match="but t1 is stopped"):
        act("t1")  # type: ignore[operator]


@pytest.mark.parametrize("version", ["t9", "../../etc"])
def test_a_grid_that_was_never_started_cannot_go_on(client: Redis, version: str) -> None:
    with pytest.raises(NotFoundError):
        grid.resume(version)


def test_a_running_grid_job_stands_still_while_a_study_wants_the_machine(client: Redis, source: Path) -> None:
    start(source)
    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "s-20260101-aaaaaa-01", "x")
    training = threading.Thread(target=gridrun._signal(client, "t1"))

    training.start()
    training.join(1.5)
    assert training.is_alive()
    queue.forget(client, "s-20260101-aaaaaa-01")
    training.join(10)
    assert not training.is_alive()


def test_a_running_grid_job_stands_still_in_a_pause_and_is_discarded_by_a_stop(
    client: Redis, source: Path
) -> None:
    start(source)
    said: list[StopMode | None] = []
    grid.pause("t1")
    training = threading.Thread(target=lambda: said.append(gridrun._signal(client, "t1")()))

    training.start()
    training.join(1.5)
    assert training.is_alive()
    assert gridboard.is_paused(client)
    grid.stop("t1")
    training.join(10)

    assert said == [StopMode.DISCARD]
    assert not gridboard.is_paused(client)


def test_a_stopped_grid_leaves_nothing_in_the_queue_and_no_half_run(client: Redis, source: Path) -> None:
    start(source)
    (first, *_) = queue.waiting(client, queue.GRID)
    grid.stop("t1")

    gridrun.run_one("t1", first)

    assert queue.waiting(client, queue.GRID) == []
    assert gridboard.demanded_workers(client) == 0
    assert files().read_result(first) is None
    assert files().attempts(first) == []


def test_a_paused_grid_goes_on_with_what_was_queued(client: Redis, source: Path) -> None:
    start(source)
    waiting = queue.waiting(client, queue.GRID)

    grid.pause("t1")
    paused = gridstatus.status("t1").state
    grid.resume("t1")

    assert paused is GridState.PAUSED
    assert gridstatus.status("t1").state is GridState.RUNNING
    assert queue.waiting(client, queue.GRID) == waiting


@pytest.mark.slow
def test_a_failure_is_kept_with_its_cause_and_run_again_on_demand_only(client: Redis, source: Path) -> None:
    hidden = [path.rename(path.with_suffix(".away")) for path in (models.FOLDER / MODEL).glob("tokenizer*")]
    start(source)
    work_off(client)
    failed = gridstatus.status("t1")
    for path in hidden:
        path.rename(path.with_suffix(".json"))

    start(source)
    again = gridstatus.status("t1")
    count = grid.retry_failed("t1")
    work_off(client)

    assert (failed.state, failed.failed) == (GridState.FINISHED, 3)
    assert all(failure.error for failure in failed.failures)
    assert (again.state, again.failed) == (GridState.FINISHED, 3)
    assert count == 3
    assert (gridstatus.status("t1").finished, gridstatus.status("t1").failed) == (3, 0)


@pytest.mark.slow
def test_second_seeds_follow_when_the_last_run_has_ended(client: Redis, source: Path) -> None:
    start(source, repeat={"top": 1, "seeds": [1]})
    planned = len(files().read_plan())

    work_off(client)

    plan = files().read_plan()
    assert (planned, len(plan)) == (3, 4)
    assert [run.seed for run in plan] == [0, 0, 0, 1]
    assert gridstatus.status("t1").state is GridState.FINISHED
    assert gridstatus.status("t1").finished == 4


def test_a_run_that_the_queue_gave_up_has_failed(client: Redis, source: Path) -> None:
    start(source)
    (first, *_) = queue.waiting(client, queue.GRID)
    registry = queue.queue(client, queue.GRID).failed_job_registry
    registry.connection.zadd(registry.key, {first: 2_000_000_000})

    gridrun.record_lost(client, settings_module.current())

    (failure,) = gridstatus.status("t1").failures
    assert failure.run == first
    assert "ended 3 times" in failure.error


@pytest.mark.slow
def test_results_travel_in_a_file_and_are_taken_over_once(
    client: Redis, source: Path, tmp_path: Path
) -> None:
    start(source, repeat={"top": 1, "seeds": [1]})
    work_off(client)
    exported = grid.export_results("t1", tmp_path / "results.parquet")
    for run in attempts():
        files().delete_result(run)

    first = grid.import_results("t1", tmp_path / "results.parquet")
    again = grid.import_results("t1", tmp_path / "results.parquet")
    grid.resume("t1")

    assert (exported, first, again) == (4, 4, 0)
    assert gridstatus.status("t1").finished == 4
    assert queue.waiting(client, queue.GRID) == []


def test_results_are_not_taken_over_while_the_grid_is_active(client: Redis, source: Path) -> None:
    start(source)

    with pytest.raises(BusyError, match="Stop it, import, then resume it"):
        grid.import_results("t1", source / "results.parquet")


@pytest.mark.slow
def test_what_redis_lost_is_counted_again_from_the_run_folders(client: Redis, source: Path) -> None:
    start(source)
    work_off(client)
    client.flushall()

    status = gridstatus.status("t1")
    start(source)

    assert (status.state, status.finished) == (GridState.STOPPED, 3)
    assert gridstatus.status("t1").state is GridState.FINISHED
    assert all(found == [1] for found in attempts().values())


def test_the_time_left_is_what_the_open_runs_of_each_cell_will_take() -> None:
    plan = [
        gridstatus.PlannedRun(f"r{n}", "", name, MODEL, "full", 16, 0, True)  # type: ignore[arg-type]
        for n, name in enumerate(("a", "a", "b", "b"))
    ]
    ended = {"r0": gridboard.Ended(False, 10.0, None), "r2": gridboard.Ended(False, 40.0, None)}

    assert gridstatus._eta(plan, ended, running=0, workers=1) == 50.0
    assert gridstatus._eta(plan, ended, running=2, workers=2) == 12.5
    assert gridstatus._eta(plan, ended, running=0, workers=0) is None
    assert gridstatus._eta(plan, {}, running=0, workers=1) is None
