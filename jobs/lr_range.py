"""The learning-rate range test as a job: a worker climbs the ramp, a page or the terminal reads along."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis import Redis
from rq.job import JobStatus

from engine import dataset as datasets
from engine import lr_range, models
from engine import settings as settings_module
from engine.artifacts import PREDICTION_ID, Artifacts
from engine.errors import NotFoundError, ShortlistError
from engine.lr_range import LrRange, Question
from jobs import queue, tasks
from jobs.talk import State

TASK = "jobs.lr_range.climb"
ASKED, FOUND, ERROR = "lr-range-asked.json", "lr-range.json", "error.txt"
KEPT_SECONDS = 24 * 3600
LOST = "The worker was lost while it climbed, most likely because the memory ran out. Start it again."


@dataclass(frozen=True, slots=True)
class Climb:
    """A test as it stands. `place` counts from 1 (next); `losses`: by step, so far, of `steps`."""

    state: State
    place: int | None = None
    steps: int = lr_range.STEPS
    losses: tuple[float, ...] = ()
    doing: str | None = None
    error: str | None = None


def start(dataset: str, question: Question) -> str:
    """Queue a test on a kept dataset; its id. Raises ModelError or NotFoundError for what is not there."""
    files = _files()
    models.get(question.model)
    datasets.load(dataset, files.datasets_root)
    client = queue.require(settings_module.current())
    request = f"p-{secrets.token_hex(6)}"
    asked = {"dataset": dataset, "question": question.to_dict()}
    files.write_prediction(request, ASKED, json.dumps(asked).encode())
    queue.enqueue_question(client, TASK, request, request)
    return request


def cancel(request: str) -> None:
    """Ask for an end: at the next step, or before the first one."""
    client = queue.require(settings_module.current())
    client.set(_key(request, "stop"), 1, ex=KEPT_SECONDS)
    if request in queue.waiting(client):
        queue.forget(client, request)


def result(request: str) -> LrRange | None:
    """What was found, also long after; None: nothing (yet)."""
    content = _files().read_prediction(request, FOUND)
    return None if content is None else LrRange.from_dict(json.loads(content))


def delete(request: str) -> None:
    """Forget the test and what it found."""
    _files().delete_prediction(request)


def read(request: str) -> Climb:
    """The test as it stands; StackError without a job queue."""
    files = _files()
    if files.read_prediction(request, FOUND) is not None:
        return Climb(State.DONE)
    if (error := files.read_prediction(request, ERROR)) is not None:
        return Climb(State.FAILED, error=error.decode())
    client = queue.require(settings_module.current())
    if client.exists(_key(request, "stopped")):
        return Climb(State.STOPPED)
    waiting = queue.waiting(client)
    if request in waiting:
        return Climb(State.WAITING, place=waiting.index(request) + 1)
    status = queue.status(client, request)
    if status in (JobStatus.FAILED, None):
        stopped = client.exists(_key(request, "stop"))
        return Climb(State.STOPPED) if stopped else Climb(State.FAILED, error=LOST)
    losses = tuple(float(loss) for loss in client.lrange(_key(request, "losses"), 0, -1))
    doing = client.get(_key(request, "doing"))
    return Climb(State.RUNNING, losses=losses, doing=doing.decode() if isinstance(doing, bytes) else None)


def climb(request: str) -> None:
    """The RQ job: measure and keep what was found; a failure is written where that would be."""
    settings = settings_module.current()
    client, files = queue.connection(settings), _files()
    content = files.read_prediction(request, ASKED)
    if content is None:
        return
    try:
        with tasks.device(settings):
            found = _climb(client, files, request, content)
    except (ShortlistError, RuntimeError, MemoryError, OSError) as error:
        cause = str(error) if isinstance(error, ShortlistError) else tasks.cause(error)
        files.write_prediction(request, ERROR, " ".join(cause.split()).encode())
        return
    if found is None:
        client.set(_key(request, "stopped"), 1, ex=KEPT_SECONDS)
        return
    files.write_prediction(request, FOUND, json.dumps(found.to_dict()).encode())


def _climb(client: Redis, files: Artifacts, request: str, content: bytes) -> LrRange | None:
    asked = json.loads(content)
    question = Question.from_dict(asked["question"])
    files.pull_dataset(asked["dataset"])
    data = datasets.load(asked["dataset"], files.datasets_root)

    def say(text: str) -> None:
        client.set(_key(request, "doing"), text, ex=KEPT_SECONDS)

    def tell(step: int, steps: int, loss: float) -> None:
        client.rpush(_key(request, "losses"), loss)
        client.expire(_key(request, "losses"), KEPT_SECONDS)

    stopped = _every_so_often(lambda: bool(client.exists(_key(request, "stop"))))
    if not models.fetch(models.get(question.model), say, stopped):
        return None
    say("climbing")
    return lr_range.measure(data, question, lr_range.ramp(question.model), tell, stopped)


def _every_so_often(ask: Callable[[], bool], seconds: float = 0.3) -> Callable[[], bool]:
    """Steps may take a millisecond: asking Redis at each would slow them down."""
    asked, answer = -seconds, False

    def remembered() -> bool:
        nonlocal asked, answer
        if not answer and time.monotonic() - asked >= seconds:
            asked, answer = time.monotonic(), ask()
        return answer

    return remembered


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())


def _key(request: str, name: str) -> str:
    if not PREDICTION_ID.fullmatch(request):
        raise NotFoundError(f"There is no learning-rate test {request!r}.")
    return f"shortlist:lr-range:{request}:{name}"
