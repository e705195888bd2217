"""Drives the searches of studies: starts what they want next while workers are free, until their budget ends.

A search is driven by the web process and by a terminal that waits for it, one at a time. Neither remembers
anything: each time all is read from the run folders, so that a search goes on after either was killed.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError
from rq.worker import Worker

from engine import decide, mads, searchspace
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.errors import ConfigError, NotFoundError, ShortlistError
from engine.metrics import lower_is_better
from engine.records import RunKind, RunResult, RunSpec, RunStatus, Study
from engine.search import Continue, Decision, Objective, Search, SearchMethod, Start, Trial
from engine.searchspace import Space
from jobs import plans, queue, studies, tasks
from jobs.studies import NewRun

DRIVER_SECONDS = 30
"""After a driver was killed in the middle of a decision, so long until another one decides."""
LOOK_SECONDS = 1.0
TITLES = {
    SearchMethod.RANDOM: "random",
    SearchMethod.TPE: "TPE",
    SearchMethod.MADS: "MADS",
    SearchMethod.HALVING: "halving",
    SearchMethod.PROTOCOL: "protocol",
    SearchMethod.SHORTLIST: "shortlist",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a person chose; without a space, the model's own. See engine.search.Search."""

    method: SearchMethod
    runs: int = 8
    objective: Objective = Objective.METRIC
    minutes: float | None = None
    cold: bool = False
    space: Space | None = None
    seed: int = 0


def start(study: str, request: SearchRequest) -> Search:
    """Begin a search of a study; raises ConfigError while another one goes on or where it cannot be run."""
    files, client = _files(), queue.require(settings_module.current())
    of = files.read_study(study)
    before = files.searches(study)
    like = files.read_spec(of.runs[0])
    _check(of, like, request, before)
    search = Search(
        search=f"{len(before) + 1:02d}",
        study=study,
        method=request.method,
        objective=request.objective,
        runs=request.runs,
        space=request.space or searchspace.space_of(of.model, of.method),
        began=time.time(),
        earlier=of.runs,
        minutes=request.minutes,
        cold=request.cold,
        seed=request.seed,
    )
    files.write_search(search)
    client.sadd(queue.SEARCHING, study)
    tasks.announce_study(client, study)
    return search


def stop(study: str, search: str) -> None:
    """End a search; what it trains at this moment stops, what has finished is kept."""
    files = _files()
    found = _search(files, study, search)
    if found.ended is None:
        files.write_search(found.end(time.time(), "Stopped by hand."))
        for run in files.read_study(study).runs:
            if files.read_spec(run).search == search and files.read_result(run) is None:
                studies.stop(run)
        tasks.announce_study(queue.connection(settings_module.current(), retries=0), study)


def of_study(study: str) -> list[Search]:
    """All its searches, oldest first."""
    return _files().searches(study)


def get(study: str, search: str) -> Search:
    """One search; raises NotFoundError."""
    return _search(_files(), study, search)


def unfinished(study: str) -> Search | None:
    """The search that goes on, or waits for somebody to drive it."""
    return _files().unfinished_search(study)


def trials(study: str, search: Search | None = None) -> list[Trial]:
    """Every training of the study as this search sees it, oldest first; None: as none of them does."""
    files = _files()
    of = files.read_study(study)
    specs = [files.read_spec(run) for run in of.runs]
    return [
        _trial(spec, files.read_result(spec.run), search, of)
        for spec in specs
        if spec.kind.trains and spec.kind.competes
    ]  # fmt: skip


def advance(study: str) -> bool:
    """Do what the study's search wants now; whether it goes on. Safe to be called by several at once."""
    settings = settings_module.current()
    client = queue.connection(settings)
    search = unfinished(study)
    if search is None:
        client.srem(queue.SEARCHING, study)
        return False
    with _only_driver(client, study) as alone:
        return _advance(client, search) if alone else True


class Driver:
    """The thread of the web process that drives every search of its artifact root."""

    def __init__(self) -> None:
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="searches", daemon=True)

    def start(self) -> None:
        """Begin; searches that another process left unfinished go on."""
        self._thread.start()

    def stop(self) -> None:
        """End after the decision at hand."""
        self._leaving.set()
        self._thread.join()

    def _run(self) -> None:
        client = queue.connection(settings_module.current(), retries=0)
        found = False
        while not self._leaving.wait(LOOK_SECONDS):
            try:
                found = found or _find_unfinished(client)
                for study in client.smembers(queue.SEARCHING):
                    _advance_or_end(client, study.decode() if isinstance(study, bytes) else study)
            except RedisError as error:
                _log.info("Redis does not answer, searches wait: %s", error)


def _find_unfinished(client: Redis) -> bool:
    files = _files()
    going_on = [s for s in files.studies() if files.unfinished_search(s) is not None]
    if going_on:
        client.sadd(queue.SEARCHING, *going_on)
    return True


def _advance_or_end(client: Redis, study: str) -> None:
    """A search that cannot go on ends with its reason; a study that is gone has none."""
    try:
        advance(study)
    except NotFoundError:
        client.srem(queue.SEARCHING, study)
    except RedisError:
        raise
    except ShortlistError as error:
        _end(client, study, str(error))
    except Exception as error:
        _log.exception("The search of %s ended", study)
        _end(client, study, f"The search failed: {tasks.cause(error)}")


def _advance(client: Redis, search: Search) -> bool:
    _queue_lost(client, search)
    found = trials(search.study, search)
    workers = max(1, Worker.count(queue=queue.queue(client)))
    free = workers - sum(trial.is_open for trial in found)
    decision = _within_budget(search, found, workers) or decide.decide(search, found, free)
    _act(search, decision)
    if decision.over is None:
        return True
    _end(client, search.study, decision.over)
    return False


def _within_budget(search: Search, found: Sequence[Trial], workers: int) -> Decision | None:
    """None while there is time left; then nothing more is started, and the search ends with what trains."""
    ours = [trial for trial in found if trial.ours]
    spent = sum(trial.seconds or 0.0 for trial in ours) / workers
    if search.minutes is None or spent < 60 * search.minutes:
        return None
    if any(trial.is_open for trial in ours):
        return Decision()
    done = sum(trial.status is RunStatus.FINISHED for trial in ours)
    return Decision(over=f"The {search.minutes:g} minutes are spent, on {done} finished runs.")


def _act(search: Search, decision: Decision) -> None:
    starts = [action for action in decision.actions if isinstance(action, Start)]
    for action in decision.actions:
        if isinstance(action, Continue):
            studies.continue_run(action.run, action.why, action.pause_at)
    if starts:
        first = _next_number(search)
        studies.extend(
            search.study, [_new_run(search, action, number) for number, action in enumerate(starts, first)]
        )


def _new_run(search: Search, action: Start, number: int) -> NewRun:
    return NewRun(
        name=f"{TITLES[search.method]} {number}",
        config=action.config,
        kind=RunKind.SEARCH,
        early_stopping=search.method not in (SearchMethod.HALVING, SearchMethod.PROTOCOL),
        search=search.search,
        why=action.why,
        pause_at=action.pause_at,
    )


def _next_number(search: Search) -> int:
    """Runs of one method are numbered through all searches of the study."""
    files = _files()
    specs = (files.read_spec(run) for run in files.read_study(search.study).runs)
    names = [spec.name for spec in specs if spec.kind is RunKind.SEARCH]
    return sum(name.startswith(f"{TITLES[search.method]} ") for name in names) + 1


def _queue_lost(client: Redis, search: Search) -> None:
    """Queue what was written down but not queued yet when whoever drove the search was killed."""
    files = _files()
    for run in files.read_study(search.study).runs:
        if files.read_result(run) is None and queue.status(client, run) is None:
            studies.launch(search.study)
            return


def _trial(spec: RunSpec, result: RunResult | None, search: Search | None, of: Study) -> Trial:
    assert spec.config is not None
    ours = search is not None and spec.search == search.search
    if result is None:
        return Trial(spec.run, spec.config, RunStatus.QUEUED, ours, pause_at=spec.pause_at)
    facts = result.facts
    paused = facts.get("paused") or {}
    rows = paused.get("row_losses") or facts.get("row_losses") or ()
    score = None if result.dev is None else result.dev.value
    return Trial(
        run=spec.run,
        config=spec.config,
        status=result.status,
        ours=ours,
        loss=paused.get("loss", facts.get("dev_loss")),
        score=-score if score is not None and lower_is_better(of.metric) else score,
        pause_at=spec.pause_at,
        row_losses=tuple(rows),
        seconds=result.seconds,
        losses_by_step=tuple(
            (entry["step"], entry["loss"]) for entry in facts.get("log_history", ()) if "loss" in entry
        ),
    )


def _check(of: Study, like: RunSpec, request: SearchRequest, before: Sequence[Search]) -> None:
    if any(search.ended is None for search in before):
        raise ConfigError("A search of this study goes on already. Wait for its end, or stop it first.")
    if of.deleted:
        raise ConfigError("The study is deleted. Bring it back first.")
    plans.check_number(len(of.runs) + request.runs)
    if request.method is SearchMethod.MADS:
        mads.check(request.objective)
    if like.folds is not None and request.method in (SearchMethod.HALVING, SearchMethod.PROTOCOL):
        raise ConfigError(
            f"A study in folds cannot be searched with {request.method}: its runs cannot stand half-way. "
            "Choose tpe, mads or random."
        )
    if request.space is not None and request.space.fixed.method != of.method:
        raise ConfigError(f"The search space is for {request.space.fixed.method}, the study for {of.method}.")


def _search(files: Artifacts, study: str, search: str) -> Search:
    for found in files.searches(study):
        if found.search == search:
            return found
    raise NotFoundError(f"The study {study} has no search {search!r}.")


def _end(client: Redis, study: str, why: str) -> None:
    search = unfinished(study)
    if search is not None:
        _files().write_search(search.end(time.time(), why))
    client.srem(queue.SEARCHING, study)
    tasks.announce_study(client, study)


@contextlib.contextmanager
def _only_driver(client: Redis, study: str) -> Iterator[bool]:
    """Whether this process decides now; a lock in Redis, since drivers may be on several machines."""
    lock = client.lock(f"shortlist:search-driver:{study}", timeout=DRIVER_SECONDS, blocking=False)
    if not lock.acquire():
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(RedisError):
            lock.release()


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())
