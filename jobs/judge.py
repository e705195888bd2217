"""Two runs of a study before the judge: what is to be asked, asking it in a worker, and how far it is.

Nothing is sent before a person agreed to exactly this endpoint; a worker that is configured for another one
refuses. Answers are kept with the study, so that asking again asks only what is missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from redis import Redis
from redis.exceptions import RedisError
from rq.job import JobStatus

from engine import dataset as datasets
from engine import judge
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.errors import ConfigError, NotFoundError, ShortlistError
from engine.judge import Answer, Endpoint, Pair
from engine.records import RunKind, RunSpec, RunStatus, Task
from jobs import queue, tasks, views
from jobs.judgeclient import Client, NoChoiceError
from jobs.views import StudyView

TASK = "jobs.judge.ask_all"
DEFAULT_ROWS = 50
AT_ONCE = 4
POLL_SECONDS = 0.5
SAVE_SECONDS = 1.0
MOST_FAILURES = 8  # in a row: then the endpoint is down, and asking on only costs time
KEPT = "What is judged is kept; ask again for the rest."


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of a study, the rows that both answered, and the judge that compares them."""

    study: str
    first: str
    second: str
    task: Task
    pairs: tuple[Pair, ...]
    endpoint: Endpoint
    id: str

    @property
    def job(self) -> str:
        """The id of its job."""
        return f"judge-{self.study}-{self.id}"


@dataclass(frozen=True, slots=True)
class State:
    """How far a comparison is. `status`: queued, running, or None when nothing goes on; `problem`: why it
    ended before all was asked."""

    answers: Mapping[int, Answer]
    status: RunStatus | None
    problem: str | None


def endpoint() -> Endpoint | None:
    """The judge of this moment's settings; None: there is none. Raises ConfigError when it is set wrongly."""
    return judge.endpoint(settings_module.current())


def candidates(view: StudyView) -> list[RunSpec]:
    """The runs whose answers can be compared."""
    return [run.spec for run in view.runs if run.result is not None and run.result.test is not None]


def opponents(view: StudyView, winner: str | None) -> tuple[RunSpec, RunSpec] | None:
    """The winner against the untuned base, or else the default; None with fewer than two runs."""
    found = candidates(view)
    if len(found) < 2:
        return None
    first = next((spec for spec in found if spec.run == winner), found[0])
    trained = (kind for kind in RunKind if kind.trains)
    order = (RunKind.BASE, RunKind.FEW_SHOT, *trained, RunKind.BASELINE)
    others = [spec for spec in found if spec is not first]
    return first, min(others, key=lambda spec: order.index(spec.kind))


def compare(study: str, first: str, second: str, by: Endpoint) -> Comparison:
    """What would be asked. Raises ConfigError for a task without free text, NotFoundError without answers."""
    files = _files()
    of = files.read_study(study)
    if of.task not in judge.QUESTIONS:
        raise ConfigError(f"A judge compares free texts, but the study's task is {of.task}.")
    if first == second or not {first, second} <= set(of.runs):
        raise ConfigError(f"Choose two different runs of study {study} to compare.")
    attempts = {run: _attempt(files, run) for run in (first, second)}
    ours, theirs = (views.predictions(run, attempt) for run, attempt in attempts.items())
    files.pull_dataset(of.dataset)
    data = datasets.load(of.dataset, files.datasets_root)
    pairs = judge.pairs(data.split("test"), ours, theirs, of.task)
    parts = (*map(str, attempts.items()), by.url, by.model, judge.wording(of.task))
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
    return Comparison(study, first, second, of.task, pairs, by, digest)


def ask(comparison: Comparison, rows: int, agreed: Endpoint) -> None:
    """Queue the questions about the first `rows` pairs that have no answer yet; safe to call twice.

    `agreed` is the endpoint that a person agreed to send them to; raises ConfigError when it is another one.
    """
    if agreed != comparison.endpoint or agreed != endpoint():
        raise ConfigError("The judge was changed after you agreed. Read again what is sent where.")
    client = queue.require(settings_module.current())
    if _status(client, comparison.job) is not None:
        return
    queue.forget(client, comparison.job)
    client.delete(queue.stop_key(comparison.job))
    arguments = (comparison.study, comparison.first, comparison.second, str(rows), agreed.url, agreed.model)
    queue.enqueue(client, queue.STUDIES, TASK, comparison.job, *arguments)


def cancel(comparison: Comparison) -> None:
    """Ask nothing more; what has been answered is kept."""
    client = queue.require(settings_module.current())
    client.set(queue.stop_key(comparison.job), tasks.DISCARD, ex=queue.JOB_TIMEOUT)
    if _status(client, comparison.job) is RunStatus.QUEUED:
        queue.forget(client, comparison.job)


def state(comparison: Comparison) -> State:
    """How far it is."""
    settings = settings_module.current()
    answers, problem = _kept(_files(), comparison)
    if not queue.answers(settings):
        return State(answers, None, problem)
    client = queue.connection(settings)
    if comparison.job in queue.failed(client):
        return State(answers, None, f"The worker was lost while it asked. {KEPT}")
    status = _status(client, comparison.job)
    return State(answers, status, None if status else problem)


def ask_all(study: str, first: str, second: str, rows: str, url: str, model: str) -> None:
    """The RQ job: ask what is missing, in both orders, and keep each answer; a failed call stays missing."""
    settings, files = settings_module.current(), _files()
    comparison = compare(study, first, second, Endpoint(url, model))
    with tasks.alone(settings.locks / f"{comparison.job}.lock"):
        kept = _Kept(files, comparison)
        try:
            if endpoint() != comparison.endpoint:
                raise ConfigError(
                    "The worker is configured for another judge than the pages. Start both with the same "
                    "SHORTLIST_JUDGE_URL and SHORTLIST_JUDGE_MODEL."
                )
            with Client(comparison.endpoint, settings) as client:
                problem = _ask(client, comparison, int(rows), kept, queue.connection(settings))
        except ShortlistError as error:
            problem = str(error)
        kept.save(problem)


class _Kept:
    """The answers of a comparison, written at most once a second while they come in."""

    def __init__(self, files: Artifacts, comparison: Comparison) -> None:
        self._files, self._comparison = files, comparison
        self.answers = dict(_kept(files, comparison)[0])
        self._saved = 0.0

    def add(self, row: int, answer: Answer) -> None:
        self.answers[row] = answer
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save(None)

    def save(self, problem: str | None) -> None:
        if _is_deleted(self._files, self._comparison.study):
            return
        answers = {str(row): answer.to_dict() for row, answer in self.answers.items()}
        of = self._comparison
        values = {"first": of.first, "second": of.second, "url": of.endpoint.url, "model": of.endpoint.model}
        self._files.write_judging(of.study, of.id, {**values, "problem": problem, "answers": answers})
        self._saved = time.monotonic()


def _ask(client: Client, comparison: Comparison, rows: int, kept: _Kept, redis: Redis) -> str | None:
    """Why it ended early; None: all was asked."""
    if _is_stopped(redis, comparison):
        return f"The judging was stopped. {KEPT}"
    failures = 0
    missing = judge.unanswered(comparison.pairs[:rows], kept.answers)
    with _asking(client, comparison, missing, kept.answers) as waiting:
        while waiting:
            done, _ = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            for future in done:
                answer = future.result()
                kept.add(waiting.pop(future).row, answer)
                failures = 0 if answer.complete else failures + 1
                if failures == MOST_FAILURES:
                    return f"The judge failed {failures} times in a row. {answer.problem} {KEPT}"
            if _is_stopped(redis, comparison):
                return f"The judging was stopped. {KEPT}"
    return None


@contextlib.contextmanager
def _asking(
    client: Client, comparison: Comparison, pairs: list[Pair], known: Mapping[int, Answer]
) -> Iterator[dict[Future[Answer], Pair]]:
    """Ask several pairs at once; leaving early asks nothing more and waits for no answer."""
    pool = ThreadPoolExecutor(AT_ONCE, "judge")
    known = dict(known)
    try:
        yield {pool.submit(_answer, client, comparison.task, p, known.get(p.row, Answer())): p for p in pairs}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _answer(client: Client, task: Task, pair: Pair, known: Answer) -> Answer:
    """Ask the orders that are missing; the second is not asked when the first fails."""
    try:
        if known.forward is None:
            known = replace(known, forward=client.choose(judge.messages(pair, task, swapped=False)))
        if known.swapped is None:
            known = replace(known, swapped=client.choose(judge.messages(pair, task, swapped=True)))
    except NoChoiceError as error:
        return replace(known, problem=str(error))
    return replace(known, problem=None)


def _kept(files: Artifacts, comparison: Comparison) -> tuple[dict[int, Answer], str | None]:
    values = files.read_judging(comparison.study, comparison.id)
    if values is None:
        return {}, None
    answers = {int(row): Answer.from_dict(answer) for row, answer in values["answers"].items()}
    return answers, values["problem"]


def _status(client: Redis, job: str) -> RunStatus | None:
    """Whether the job waits or runs."""
    known = {JobStatus.QUEUED: RunStatus.QUEUED, JobStatus.STARTED: RunStatus.RUNNING}
    found = queue.status(client, job)
    return None if found is None else known.get(found)


def _is_stopped(redis: Redis, comparison: Comparison) -> bool:
    """A person stopped it, or deleted the study."""
    with contextlib.suppress(RedisError):
        if redis.exists(queue.stop_key(comparison.job)):
            return True
    return _is_deleted(_files(), comparison.study)


def _is_deleted(files: Artifacts, study: str) -> bool:
    try:
        return files.read_study(study).deleted
    except NotFoundError:
        return True


def _attempt(files: Artifacts, run: str) -> int:
    result = files.read_result(run)
    if result is None or result.test is None:
        raise NotFoundError(f"Run {run} has no answers to compare. Choose a run that has finished.")
    return result.attempt


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())
