"""A grid goes through its own queue, steps aside for studies and goes on where it stopped."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from redis import Redis
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from engine import grids, models, space
from engine import settings as settings_module
from engine.grid import GridSpec
from engine.records import Method, RunStatus
from engine.space import SearchSpace
from jobs import grid, queue
from tests.tiny import tiny_classification, tiny_model, write_jsonl

MODEL = "shortlist-tiny-4m"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset, a model with random weights, a search space of two trainings, and no published grid."""
    shutil.copytree(tiny_model(tmp_path / "weights"), tmp_path / "models" / MODEL)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    small = SearchSpace(learning_rates=(1e-3, 3e-3), batch_sizes=(8,), epochs=(1, 2))
    monkeypatch.setattr(space, "EMBEDDED_SPACE", {Method.FULL: small})
    folder = tmp_path / "source" / "colours"
    folder.mkdir(parents=True)
    write_jsonl(folder / "train.jsonl", tiny_classification(60, seed=1))
    write_jsonl(
        folder / "test.jsonl", [{**row, "text": f"{row['text']} t"} for row in tiny_classification(20)]
    )
    return folder.parent


def spec() -> GridSpec:
    fixed = {"version": "t1", "datasets": ["colours"], "models": [MODEL], "methods": ["full"]}
    return GridSpec.model_validate({**fixed, "train_sizes": [16], "dev_rows": 20, "test_rows": 10})


def work_off(client: Redis) -> None:
    """Do the grid's jobs in this process."""
    SimpleWorker([queue.queue(client, queue.GRID)], connection=client, serializer=JSONSerializer).work(
        burst=True
    )


def run_with_a_worker(client: Redis, source: Path, said: list[str]) -> None:
    """Run the grid while its jobs are worked off beside it."""
    driver = threading.Thread(target=grid.run_grid, args=(spec(), source, said.append))
    driver.start()
    while driver.is_alive():
        work_off(client)
        driver.join(0.1)


@pytest.mark.slow
def test_a_grid_runs_through_its_queue_goes_on_where_it_stopped_and_is_published(
    client: Redis, source: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    run_with_a_worker(client, source, said)
    files = grid.artifacts(settings_module.current(), "t1")
    runs = sorted(path.parent.name for path in tmp_path.rglob("result.json"))
    assert len(runs) == 3
    files.delete_result(runs[0])
    before = {run: files.read_result(run) for run in runs[1:]}

    run_with_a_worker(client, source, said)
    target = grid.publish(spec(), source, tmp_path / "grids", workers=1)

    assert files.attempts(runs[0]) == [1, 2]
    assert {run: files.read_result(run) for run in runs[1:]} == before
    assert said[-1].startswith("3 of 3 runs")
    assert target == tmp_path / "grids" / "t1"
    assert grids.get("t1").manifest["complete"]
    assert len(grids.load("t1")) == 4


def test_a_grid_job_stands_still_while_a_study_wants_the_machine(client: Redis) -> None:
    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "s-20260101-aaaaaa-01", "x")
    stop = grid._pauses(client)
    training = threading.Thread(target=stop)

    training.start()
    training.join(1.5)
    assert training.is_alive()
    queue.forget(client, "s-20260101-aaaaaa-01")
    training.join(10)
    assert not training.is_alive()


@pytest.mark.slow
def test_a_failed_run_is_a_result_of_the_grid(
    client: Redis, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = SearchSpace(learning_rates=(0.9,), batch_sizes=(8,), epochs=(1,))
    monkeypatch.setattr(space, "EMBEDDED_SPACE", {Method.FULL: wild})
    for path in (models.FOLDER / MODEL).glob("tokenizer*"):
        path.unlink()

    run_with_a_worker(client, source, [])

    files = grid.artifacts(settings_module.current(), "t1")
    found = [files.read_result(path.name) for path in files.datasets_root.glob("studies/*/runs/*")]
    assert {None if result is None else result.status for result in found} == {RunStatus.FAILED}
