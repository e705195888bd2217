"""What a person does with studies: create, launch, stop, retry, rename, add to, delete and bring back.

Every function takes ids and reads the settings of the moment; a run id (`s-...-03`) names one run, a study id
(`s-...`) all its runs. Nothing here opens the database: the collector learns of changes by the event stream.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock
from redis import Redis
from redis.exceptions import RedisError
from rq.job import JobStatus

from engine import dataset as datasets
from engine import settings as settings_module
from engine import space
from engine.artifacts import RUN_ID, Artifacts, check_study, study_of
from engine.dataset import Dataset
from engine.errors import ConfigError, NotFoundError
from engine.records import Config, RunKind, RunResult, RunSpec, RunStatus, Study
from jobs import plans, queue, tasks
from jobs.plans import Plan

TASK = "jobs.tasks.run_training"
LONGEST_NAME = 120
_PENDING = (JobStatus.QUEUED, JobStatus.STARTED, JobStatus.SCHEDULED, JobStatus.DEFERRED)


def save_dataset(dataset: Dataset, original: Path) -> None:
    """Keep a built dataset with its file, where workers find it."""
    files = _files()
    datasets.save(dataset, original, files.datasets_root)
    files.push_dataset(dataset.id)


def create(plan: Plan) -> Study:
    """Write the study, its run specs and its search, if any; nothing runs before `launch`."""
    if plan.search is not None:
        _files().write_search(plan.search)
    return _write(plan.study, plan.specs)


@dataclass(frozen=True, slots=True)
class NewRun:
    """A training to add to a study; without a seed or a train size it has the study's. The last three are as
    in RunSpec."""

    name: str
    config: Config
    kind: RunKind = RunKind.CUSTOM
    rank: int | None = None
    seed: int | None = None
    train_size: int | None = None
    early_stopping: bool = False
    search: str | None = None
    why: str | None = None
    pause_at: float | None = None


def extend(study: str, runs: Iterable[NewRun]) -> tuple[str, ...]:
    """Add trainings on the same rows to a study and queue them; the ids of the new runs.

    Raises ConfigError for another method's config or above MOST_RUNS runs.
    """
    files = _files()
    with _changing(study):
        of = files.read_study(study)
        like = files.read_spec(of.runs[0])
        first = max(int(run.rpartition("-")[2]) for run in of.runs) + 1
        specs = tuple(_added(of, like, number, new) for number, new in enumerate(runs, start=first))
        plans.check_number(len(of.runs) + len(specs))
        _write(replace(of, runs=(*of.runs, *(spec.run for spec in specs))), specs)
    launch(study)
    return tuple(spec.run for spec in specs)


def continue_run(run: str, why: str, pause_at: float | None) -> None:
    """Let a training that stands at its `pause_at` go on, to its end (None) or to a later share."""
    files, client = _files(), queue.require(settings_module.current())
    files.delete_result(run)  # first: a stop in between trains to the same place again, and nothing is lost
    files.write_spec(replace(files.read_spec(run), why=why, pause_at=pause_at))
    tasks.announce_study(client, study_of(run))
    tasks.announce(client, run)
    _enqueue(client, run)


def launch(study: str) -> None:
    """Queue every run that has no result and is not queued yet; safe to call twice."""
    files, client = _files(), queue.require(settings_module.current())
    for run in files.read_study(study).runs:
        if files.read_result(run) is None and queue.status(client, run) not in _PENDING:
            _enqueue(client, run)
    if files.unfinished_search(study) is not None:
        client.sadd(queue.SEARCHING, study)
    _announce_study(study)


def stop(run_or_study: str, *, keep_best: bool = False) -> None:
    """End what has not ended. A waiting run never starts; a running one stops at its next step, and with
    `keep_best` is scored with what it has learnt so far."""
    files, client = _files(), queue.require(settings_module.current())
    if RUN_ID.fullmatch(run_or_study) is None:
        search = files.unfinished_search(run_or_study)
        if search is not None:
            files.write_search(search.end(time.time(), "Stopped by hand."))
    for run in _runs(files, run_or_study):
        if files.read_result(run) is None:
            _stop_run(files, client, run, keep_best)


def retry(run_or_study: str) -> None:
    """Run again what failed or was stopped; a training that a search dropped goes on to its end."""
    files, client = _files(), queue.require(settings_module.current())
    for run in _runs(files, run_or_study):
        result = files.read_result(run)
        if result is not None and result.status in (RunStatus.FAILED, RunStatus.STOPPED):
            files.delete_result(run)
            files.write_spec(replace(files.read_spec(run), pause_at=None))
            tasks.announce(client, run)
            _enqueue(client, run)


def rename(study: str, name: str) -> Study:
    """Give a study another name."""
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ConfigError(f"A name has 1 to {LONGEST_NAME} characters, but this one has {len(name.strip())}.")
    return _change(study, name=name.strip())


def note(study: str, text: str) -> Study:
    """Replace the study's note."""
    return _change(study, note=text)


def delete(study: str) -> Study:
    """Stop the study and hide it; `undelete` brings it back until it is purged (when the app next starts)."""
    if queue.answers(settings_module.current()):
        stop(study)
    return _change(study, deleted=True)


def undelete(study: str) -> Study:
    """Bring a deleted study back."""
    return _change(study, deleted=False)


def purge(study: str) -> None:
    """Remove a deleted study's files for good."""
    files = _files()
    if not files.read_study(study).deleted:
        raise ConfigError(f"Study {study} must be deleted before it can be purged. Delete it first.")
    client = queue.connection(settings_module.current(), retries=0)
    with contextlib.suppress(RedisError):
        for run in files.read_study(study).runs:
            queue.forget(client, run)
    files.delete_study(study)
    _announce_study(study)


def delete_dataset(dataset: str) -> None:
    """Remove a dataset with all its copies; refused while a study that is not deleted needs it."""
    files = _files()
    for study in files.studies():
        found = files.read_study(study)
        if found.dataset == dataset and not found.deleted:
            raise ConfigError(f"The study '{found.name}' uses this dataset. Delete the study first.")
    datasets.delete(dataset, files.datasets_root)
    files.delete_dataset(dataset)


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())


def _runs(files: Artifacts, run_or_study: str) -> tuple[str, ...]:
    if RUN_ID.fullmatch(run_or_study) is None:
        return files.read_study(run_or_study).runs
    if run_or_study not in files.read_study(study_of(run_or_study)).runs:
        raise NotFoundError(f"There is no run {run_or_study}.")
    return (run_or_study,)


def _enqueue(client: Redis, run: str) -> None:
    client.delete(queue.stop_key(run), queue.progress_key(run))
    queue.enqueue(client, queue.STUDIES, TASK, run, run)


def _stop_run(files: Artifacts, client: Redis, run: str, keep_best: bool) -> None:
    """The flag first: a worker that takes the run at this moment sees it."""
    started = queue.status(client, run) == JobStatus.STARTED
    wish = tasks.KEEP_BEST if keep_best and started else tasks.DISCARD
    client.set(queue.stop_key(run), wish, ex=queue.JOB_TIMEOUT)
    if not started:
        queue.forget(client, run)
        attempt = tasks.next_attempt(client, files, run)
        tasks.record(client, files, RunResult(run, attempt, RunStatus.STOPPED))


def _write(study: Study, specs: Iterable[RunSpec]) -> Study:
    files = _files()
    for spec in specs:
        files.write_spec(spec)
    files.write_study(study)
    _announce_study(study.study)
    return study


def _change(study: str, **changes: object) -> Study:
    files = _files()
    with _changing(study):
        changed = replace(files.read_study(study), **changes)  # type: ignore[arg-type]
        files.write_study(changed)
    _announce_study(study)
    return changed


def _changing(study: str) -> FileLock:
    """Held while study.json is read and written anew: searches and people change it at the same time."""
    folder = settings_module.current().locks
    folder.mkdir(parents=True, exist_ok=True)
    return FileLock(folder / f"{check_study(study)}.lock")


def _added(of: Study, like: RunSpec, number: int, new: NewRun) -> RunSpec:
    stops_early = new.early_stopping and like.folds is None
    return replace(
        like,
        run=f"{of.study}-{number:02d}",
        kind=new.kind,
        name=new.name,
        rank=new.rank,
        config=plans.checked(new.config, of.method),
        seed=of.seed if new.seed is None else new.seed,
        train_size=like.train_size if new.train_size is None else new.train_size,
        search=new.search,
        why=new.why,
        pause_at=new.pause_at,
        **(space.EARLY_STOPPING if stops_early else dict.fromkeys(space.EARLY_STOPPING)),
    )


def _announce_study(study: str) -> None:
    tasks.announce_study(queue.connection(settings_module.current(), retries=0), study)
