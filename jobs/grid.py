"""The control of a grid: start, pause, resume, stop, retry, take results of another machine over.

A grid's runs (jobs.gridrun) go through the queue `grid`, whose workers run at nice 19 and stand still while a
study wants the machine. A run with a result is never run again, so a stopped grid goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout
from redis import Redis

from engine import exchange, grid
from engine import settings as settings_module
from engine.dataset import Dataset
from engine.errors import BusyError, ConfigError
from engine.gridspec import GridSpec, parse_spec
from engine.records import RunSpec
from engine.settings import Settings
from jobs import gridboard, queue, stack
from jobs.gridboard import Ended, GridState
from jobs.gridfiles import GridFiles, Kept

TASK = "jobs.gridrun.run_one"
DOOR_SECONDS = 10
ADVANCE_SECONDS = 600


def start(spec_text: str, source: Path, workers: int | None = None) -> str:
    """Cut the datasets of `source`, plan the runs and queue those without a result; the grid's version.

    `workers`: grid workers to ask for; None: as many as for studies. Raises BusyError beside another grid.
    """
    spec, settings = parse_spec(spec_text), settings_module.current()
    client, files = queue.require(settings), GridFiles(settings, spec.version)
    if not source.is_dir():
        raise ConfigError(
            f"{source} must be a folder with a folder for each dataset, but there is none. "
            "Name another one with --source."
        )
    count = stack.grid_worker_count(settings) if workers is None else workers
    with _door(settings):
        _refuse(client, spec.version)
        datasets = grid.prepare(spec, source, files.datasets_root)
        for found in datasets.values():
            files.push_dataset(found.id)
        ids = {name: found.id for name, found in datasets.items()}
        files.write_kept(Kept(spec_text, str(source.resolve()), ids, time.time(), count))
        _go_on(client, files, spec, datasets, count)
    return spec.version


def resume(version: str) -> None:
    """Go on after a pause, or where a stopped grid was."""
    settings = settings_module.current()
    client, files = queue.require(settings), GridFiles(settings, version)
    kept = files.read_kept()
    with _door(settings):
        if gridboard.state(client, version) is GridState.PAUSED:
            gridboard.set_state(client, version, GridState.RUNNING)
            return
        _refuse(client, version)
        _go_on(client, files, kept.parsed, files.load_datasets(kept), kept.workers)


def pause(version: str) -> None:
    """Let the runs stand still at their next step; their workers keep them in memory."""
    settings = settings_module.current()
    client = queue.require(settings)
    with _door(settings):
        if (found := gridboard.state(client, version)) is not GridState.RUNNING:
            raise ConfigError(f"Only a running grid can be paused, but {version} is {found}.")
        gridboard.set_state(client, version, GridState.PAUSED)


def stop(version: str) -> None:
    """Take all waiting runs back and break off those that run; what has ended is kept."""
    settings = settings_module.current()
    client = queue.require(settings)
    with _door(settings):
        if not (found := gridboard.state(client, version)).is_active:
            raise ConfigError(f"Only a running or paused grid can be stopped, but {version} is {found}.")
        _close(client, version, GridState.STOPPED)
        queue.empty(client, queue.GRID)


def retry_failed(version: str) -> int:
    """Run again what failed; how many runs that are."""
    settings = settings_module.current()
    client, files = queue.require(settings), GridFiles(settings, version)
    kept = files.read_kept()
    with _door(settings):
        _refuse(client, version)
        datasets = files.load_datasets(kept)
        _plan(client, files, kept.parsed, datasets)
        failed = [run for run, result in gridboard.ended(client, version).items() if result.failed]
        for run in failed:
            files.delete_result(run)
        gridboard.forget_ends(client, version, failed)
        _go_on(client, files, kept.parsed, datasets, kept.workers)
    return len(failed)


def export_results(version: str, path: Path) -> int:
    """Write what the grid's runs have found so far into one file, to go on elsewhere; how many results."""
    files = GridFiles(settings_module.current(), version)
    runs = (files.read_spec(run.run) for run in files.read_plan() if files.has_run(run.run))
    return exchange.export_results(runs, files.read_result, path)


def import_results(version: str, path: Path) -> int:
    """Take over results that the grid of the same spec and data found elsewhere; how many were new.

    Raises TableError naming a row that does not belong here, BusyError while the grid is active.
    """
    settings = settings_module.current()
    client, files = queue.require(settings), GridFiles(settings, version)
    kept = files.read_kept()
    with _door(settings):
        if gridboard.state(client, version).is_active:
            raise BusyError(f"Grid {version} is active. Stop it, import, then resume it.")
        spec, datasets = kept.parsed, files.load_datasets(kept)
        taken = exchange.import_results(_possible(spec, datasets), path, files)
        _plan(client, files, spec, datasets)
    return taken


def advance(version: str) -> None:
    """The RQ job after the last planned run: queue the runs that became known by then, else end the grid."""
    settings = settings_module.current()
    client, files = queue.connection(settings), GridFiles(settings, version)
    kept = files.read_kept()
    with FileLock(settings.locks / "grid.lock", timeout=ADVANCE_SECONDS):
        if gridboard.state(client, version).is_active:
            _go_on(client, files, kept.parsed, files.load_datasets(kept), kept.workers)


def _go_on(
    client: Redis, files: GridFiles, spec: GridSpec, datasets: Mapping[str, Dataset], workers: int
) -> None:
    """Queue what has no result; a grid with nothing left is finished."""
    missing = _plan(client, files, spec, datasets)
    if not missing:
        _close(client, spec.version, GridState.FINISHED)
        return
    gridboard.set_state(client, spec.version, GridState.RUNNING)
    gridboard.demand_workers(client, workers)
    _enqueue(client, files, missing)


def _plan(client: Redis, files: GridFiles, spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[RunSpec]:
    """Write down every run that is known by now; those without a result."""
    read = cache(files.read_result)
    runs = {run.run: run for run in grid.expand(spec, datasets)}
    runs |= {run.run: run for run in grid.repeats(spec, datasets, read)}
    files.write_plan(runs.values(), datasets)
    ended = {run: Ended.of(result) for run in runs if (result := read(run)) is not None}
    _recount(client, files, ended)
    return [run for name, run in runs.items() if name not in ended]


def _possible(spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[RunSpec]:
    """Every run that the grid may ever have, whichever second seeds become known."""
    again = spec.repeat.seeds if spec.repeat else ()
    cells = [cell for cell in grid.cells(spec, datasets) if cell.origin == grid.SEARCHED]
    more = [run for cell in cells for seed in again for run in grid.trainings(replace(cell, seed=seed))]
    return [*grid.expand(spec, datasets), *more]


def _recount(client: Redis, files: GridFiles, ended: Mapping[str, Ended]) -> None:
    """Make the board agree with the run folders; a run may end at this very moment."""
    unknown = [run for run in gridboard.ended(client, files.version) if run not in ended]
    gone = [run for run in unknown if files.read_result(run) is None]
    gridboard.forget_ends(client, files.version, gone)
    gridboard.note_end(client, files.version, ended)


def _enqueue(client: Redis, files: GridFiles, runs: list[RunSpec]) -> None:
    pending = {*queue.waiting(client, queue.GRID), *queue.running(client, queue.GRID)}
    for run in runs:
        if run.run in pending:
            continue
        if not files.has_run(run.run):
            files.write_spec(run)
        queue.forget(client, run.run)
        queue.enqueue(client, queue.GRID, TASK, run.run, files.version, run.run)


def _close(client: Redis, version: str, state: GridState) -> None:
    gridboard.set_state(client, version, state)
    gridboard.demand_workers(client, 0)


@contextmanager
def _door(settings: Settings) -> Iterator[None]:
    """One person at a time changes grids."""
    settings.locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.locks / "grid.lock", timeout=DOOR_SECONDS)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError("Another change to a grid is under way. Try again in a moment.") from None
    try:
        yield
    finally:
        lock.release()


def _refuse(client: Redis, version: str) -> None:
    """Raises BusyError while another grid is active."""
    other = gridboard.active(client)
    if other not in (None, version):
        raise BusyError(f"Grid {other} is {gridboard.state(client, other)}. Stop it before another one runs.")
