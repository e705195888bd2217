"""How grids stand: what is done, what runs, what failed and why, how long it will take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from redis import Redis

from engine import settings as settings_module
from engine.records import Method
from engine.settings import Settings
from jobs import gridboard, queue, stack
from jobs.gridboard import Ended, GridState
from jobs.gridfiles import GridFiles, Kept, PlannedRun, kept_versions


@dataclass(frozen=True, slots=True)
class CellStatus:
    """How far one cell of the matrix is, in trainings."""

    dataset: str
    model: str
    method: Method
    train_size: int
    runs: int = 0
    ended: int = 0
    failed: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that failed, and why."""

    run: str
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class GridStatus:
    """One grid as it stands. `workers`: those that listen for it; `held`: it stands still for studies;
    `eta_seconds` None: not known yet."""

    version: str
    state: GridState
    created: float
    source: str
    runs: int
    finished: int
    failed: int
    running: int
    waiting: int
    workers: int
    held: bool
    eta_seconds: float | None
    cells: tuple[CellStatus, ...]
    failures: tuple[Failure, ...]

    @property
    def ended(self) -> int:
        """Runs with a result."""
        return self.finished + self.failed


def status(version: str) -> GridStatus:
    """The grid as it stands; without a queue, as its run folders say. Raises NotFoundError."""
    settings = settings_module.current()
    files = GridFiles(settings, version)
    kept, plan = files.read_kept(), files.read_plan()
    if not queue.answers(settings):
        return _status(version, GridState.STOPPED, kept, plan, _count(files, plan), frozenset(), 0)
    client = queue.connection(settings)
    state, ended = gridboard.state(client, version), gridboard.ended(client, version)
    if not ended and not state.is_active:
        gridboard.note_end(client, version, ended := _count(files, plan))
    running = queue.running(client, queue.GRID)
    found = _status(version, state, kept, plan, ended, running, _workers(settings))
    return replace(found, held=state.is_active and queue.is_busy(client))


def all_grids() -> list[GridStatus]:
    """Every grid that was started here: the active one first, then the newest."""
    found = [status(version) for version in kept_versions(settings_module.current())]
    return sorted(found, key=lambda grid: (not grid.state.is_active, -grid.created))


def results(version: str) -> int:
    """How many results (a config scored in a cell) the grid has, failed ones among them."""
    settings = settings_module.current()
    files = GridFiles(settings, version)
    return sum(
        len(files.read_spec(run.run).score_epochs)
        for run in files.read_plan()
        if run.trains and files.read_result(run.run) is not None
    )


def run_names(client: Redis, settings: Settings) -> Mapping[str, str]:
    """What the runs of the active grid are called."""
    version = gridboard.active(client)
    plan = GridFiles(settings, version).read_plan() if version else []
    return {run.run: run.name for run in plan}


def _status(
    version: str,
    state: GridState,
    kept: Kept,
    plan: Sequence[PlannedRun],
    known: Mapping[str, Ended],
    running: Collection[str],
    workers: int,
) -> GridStatus:
    ended = {run.run: known[run.run] for run in plan if run.run in known}
    now = [run for run in plan if run.run in running and run.run not in ended]
    failures = tuple(
        Failure(run.run, run.name, ended[run.run].error or "The cause was not recorded.")
        for run in plan
        if run.run in ended and ended[run.run].failed
    )
    return GridStatus(
        version=version,
        state=state,
        created=kept.created,
        source=kept.source,
        runs=len(plan),
        finished=len(ended) - len(failures),
        failed=len(failures),
        running=len(now),
        waiting=len(plan) - len(ended) - len(now),
        workers=workers,
        held=False,
        eta_seconds=_eta(plan, ended, len(now), workers) if state.is_active else None,
        cells=_cells(plan, ended, {run.run for run in now}),
        failures=failures,
    )


def _count(files: GridFiles, plan: Iterable[PlannedRun]) -> dict[str, Ended]:
    """From the run folders: slow, for when Redis knows nothing."""
    found = ((run.run, files.read_result(run.run)) for run in plan)
    return {run: Ended.of(result) for run, result in found if result is not None}


def _workers(settings: Settings) -> int:
    return sum(worker.queue == queue.GRID for worker in stack.view(settings).workers)


def _cells(
    plan: Iterable[PlannedRun], ended: Mapping[str, Ended], running: Collection[str]
) -> tuple[CellStatus, ...]:
    """In the order of the plan; scoring an untuned model belongs to no cell."""
    cells: dict[tuple[str, str, Method, int], CellStatus] = {}
    for run in plan:
        if run.trains:
            cell = cells.get(run.cell, CellStatus(*run.cell))
            result = ended.get(run.run)
            cells[run.cell] = replace(
                cell,
                runs=cell.runs + 1,
                ended=cell.ended + (result is not None),
                failed=cell.failed + (result is not None and result.failed),
                running=cell.running + (run.run in running),
            )
    return tuple(cells.values())


def _eta(plan: Sequence[PlannedRun], ended: Mapping[str, Ended], running: int, workers: int) -> float | None:
    """What the open runs will take: the mean of their cell so far, else of all; half of one that runs."""
    seconds: dict[object, list[float]] = {}
    for run in plan:
        taken = ended[run.run].seconds if run.run in ended else None
        if taken is not None:
            for key in ((run.cell, run.trains), run.trains, None):
                seconds.setdefault(key, []).append(taken)
    if not seconds or not workers:
        return None
    left = [_expected(run, seconds) for run in plan if run.run not in ended]
    return sum(left) * (1 - 0.5 * running / len(left)) / workers if left else 0.0


def _expected(run: PlannedRun, seconds: Mapping[object, list[float]]) -> float:
    for key in ((run.cell, run.trains), run.trains):
        if key in seconds:
            return fmean(seconds[key])
    return fmean(seconds[None])
