"""Runs a grid through the queue `grid` and publishes what it found; run again after a stop, it goes on.

`python -m jobs.grid grids/first.yaml --source ../shared/datasets --workers 2`
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from redis import Redis

from engine import grid, gridresults, grids
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.errors import ShortlistError
from engine.grid import GridSpec
from engine.records import RunSpec
from engine.settings import Settings
from jobs import process, queue, stack, tasks

TASK = "jobs.grid.run_one"
POLL_SECONDS = 1.0


def artifacts(settings: Settings, version: str) -> Artifacts:
    """The run folders of one grid, apart from those of studies."""
    return Artifacts(f"{settings.artifact_root}/grids/{version}", settings.home / "scratch" / "grids")


def run_one(version: str, run: str) -> None:
    """The RQ job of one run of a grid; it stands still at the next step while a study wants the machine."""
    from engine import dataset, train

    settings = settings_module.current()
    client, files = queue.connection(settings), artifacts(settings, version)
    with tasks.alone(settings.locks / f"{run}.lock"):
        if files.read_result(run) is not None:
            return
        attempt = tasks.next_attempt(client, files, run)
        spec = files.read_spec(run)
        files.pull_dataset(spec.dataset)
        data = dataset.load(spec.dataset, files.datasets_root)
        folder = files.attempt_folder(run, attempt)
        with tasks.device(settings):
            result = train.run(spec, data, folder, attempt, lambda kind, data: None, _pauses(client))
        files.publish_attempt(run, attempt)
        files.write_result(result)


def run_grid(
    spec: GridSpec, source: Path, say: Callable[[str], None]
) -> tuple[Artifacts, dict[str, Dataset]]:
    """Queue every run without a result and wait for the end; a worker must listen."""
    settings = settings_module.current()
    client, files = queue.require(settings), artifacts(settings, spec.version)
    datasets = grid.prepare(spec, source, files.datasets_root)
    for found in datasets.values():
        files.push_dataset(found.id)
    _run_all(client, files, spec.version, grid.expand(spec, datasets), say)
    _run_all(client, files, spec.version, grid.repeats(spec, datasets, files.read_result), say)
    return files, datasets


def _run_all(
    client: Redis, files: Artifacts, version: str, runs: Sequence[RunSpec], say: Callable[[str], None]
) -> None:
    for run in runs:
        if files.read_result(run.run) is None:
            files.write_spec(run)
            queue.forget(client, run.run)
            queue.enqueue(client, queue.GRID, TASK, run.run, version, run.run)
    _wait(client, files, runs, say)


def publish(spec: GridSpec, source: Path, target: Path, workers: int) -> Path:
    """Write what the grid has so far as a version under `target`."""
    settings = settings_module.current()
    files = artifacts(settings, spec.version)
    datasets = grid.prepare(spec, source, files.datasets_root)
    read = cache(files.read_result)
    table = gridresults.collect(spec, datasets, read)
    facts = gridresults.manifest(
        spec,
        datasets,
        table,
        read,
        digests=grid.digests(spec, source),
        created=time.time(),
        workers=workers,
        cores=process.cores(),
    )
    return gridresults.publish(target, table, facts, grid.row_hashes(datasets, source))


def _pauses(client: Redis) -> Callable[[], None]:
    """A stop signal that never says stop, and only returns while no study is running."""
    asked = 0.0

    def wait() -> None:
        nonlocal asked
        if time.monotonic() - asked < POLL_SECONDS:
            return
        while queue.is_busy(client):
            time.sleep(POLL_SECONDS)
        asked = time.monotonic()

    return wait


def _wait(client: Redis, files: Artifacts, runs: Sequence[RunSpec], say: Callable[[str], None]) -> None:
    """Until every run has a result or no job is left that could give one."""
    pending = {run.run for run in runs if files.read_result(run.run) is None}
    began, first = time.monotonic(), len(pending)
    while pending and queue.is_busy(client, queue.GRID):
        time.sleep(POLL_SECONDS)
        ended = {run for run in pending if files.read_result(run) is not None}
        pending -= ended
        if ended:
            spent = time.monotonic() - began
            left = spent / (first - len(pending)) * len(pending)
            done = f"{len(runs) - len(pending)} of {len(runs)} runs"
            say(f"{done}, {spent / 60:.1f} min, {left / 60:.1f} min left")
    if pending:
        say(f"{len(pending)} runs gave no result; run the grid again to go on.")


def main() -> None:
    """`python -m jobs.grid`: run a grid, then publish it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--source", type=Path, required=True, help="folder with a folder for each dataset")
    parser.add_argument("--workers", type=int, default=process.cores())
    parser.add_argument("--target", type=Path, default=grids.FOLDER)
    parser.add_argument("--publish-only", action="store_true", help="publish what has finished, run nothing")
    given = parser.parse_args()
    try:
        spec = grid.read_spec(given.spec)
        if not given.publish_only:
            with stack.start(user="grid", workers=0, grid_workers=given.workers):
                run_grid(spec, given.source, _say)
        _say(f"Published {publish(spec, given.source, given.target, given.workers)}.")
    except ShortlistError as error:
        _say(str(error))
        sys.exit(2)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main()
