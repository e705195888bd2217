"""What a worker's child does with one run of a grid; it goes on, stands still or ends as its grid does."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from engine import settings as settings_module
from engine.artifacts import RUN_ID
from engine.errors import ShortlistError
from engine.records import RunResult, RunSpec, RunStatus
from engine.settings import Settings
from engine.watch import StopMode
from jobs import gridboard, queue, tasks
from jobs.gridboard import Ended, GridState
from jobs.gridfiles import GridFiles

ADVANCE = "jobs.grid.advance"
POLL_SECONDS = 1.0


def run_one(version: str, run: str) -> None:
    """The RQ job of one run; a failure of the training is a result, not an exception."""
    settings = settings_module.current()
    client, files = queue.connection(settings), GridFiles(settings, version)
    with tasks.alone(settings.locks / f"{run}.lock"):
        result = files.read_result(run)
        if result is None:
            if not gridboard.state(client, version).is_active:
                return
            result = _attempt(settings, client, files, run)
        if result.status is not RunStatus.STOPPED:
            _note(client, files, run, result)


def record_lost(client: Redis, settings: Settings) -> None:
    """Give every run that RQ has given up a failed result; a grid that cannot go on is stopped."""
    for job in queue.failed(client, queue.GRID):
        version, *_ = queue.arguments(client, job) or ("",)
        queue.forget(client, job)
        if not version:
            continue
        if not RUN_ID.fullmatch(job):
            gridboard.set_state(client, version, GridState.STOPPED)
            continue
        files = GridFiles(settings, version)
        if files.read_result(job) is None:
            error = tasks.LOST.format(times=queue.LOST_RETRIES + 1)
            attempt = tasks.next_attempt(client, files, job)
            result = RunResult(job, attempt, RunStatus.FAILED, error=error)
            if tasks.write_result(client, files, result):
                _note(client, files, job, result)


def _attempt(settings: Settings, client: Redis, files: GridFiles, run: str) -> RunResult:
    """One attempt at a run; the files of it alone remain, and none of one that was stopped."""
    attempt = tasks.next_attempt(client, files, run)
    with tasks.device(settings):
        result = _train(files, files.read_spec(run), attempt, _signal(client, files.version))
    if result.status is RunStatus.STOPPED or not tasks.write_result(client, files, result):
        files.drop_attempt(run, attempt)
        return RunResult(run, attempt, RunStatus.STOPPED)
    for older in files.attempts(run):
        if older < attempt:
            files.drop_attempt(run, older)
    return result


def _train(files: GridFiles, spec: RunSpec, attempt: int, stop: Callable[[], StopMode | None]) -> RunResult:
    from engine import dataset, train

    folder = files.attempt_folder(spec.run, attempt)
    try:
        files.pull_dataset(spec.dataset)
        data = dataset.load(spec.dataset, files.datasets_root)
        return train.run(spec, data, folder, attempt, lambda kind, data: None, stop)
    except ShortlistError as error:
        return RunResult(spec.run, attempt, RunStatus.FAILED, error=str(error))
    except RedisError:
        raise
    except Exception as error:
        (folder / "error.log").write_text(traceback.format_exc())
        return RunResult(spec.run, attempt, RunStatus.FAILED, error=tasks.cause(error))


def _signal(client: Redis, version: str) -> Callable[[], StopMode | None]:
    """Asked at each step: returns only while the run may go on, and says so when it may not at all."""
    asked = 0.0

    def wait() -> StopMode | None:
        nonlocal asked
        if time.monotonic() - asked < POLL_SECONDS:
            return None
        while True:
            state = gridboard.state(client, version)
            if not state.is_active:
                return StopMode.DISCARD
            if state is GridState.RUNNING and not queue.is_busy(client):
                asked = time.monotonic()
                return None
            time.sleep(POLL_SECONDS)

    return wait


def _note(client: Redis, files: GridFiles, run: str, result: RunResult) -> None:
    """Count a run that has ended; after the last one somebody must look what comes next."""
    ended = gridboard.note_end(client, files.version, {run: Ended.of(result)})
    if ended >= len(files.read_plan()):
        job = f"grid-advance-{files.version}"
        queue.forget(client, job)
        queue.enqueue(client, queue.GRID, ADVANCE, job, files.version)
