"""A question to base and tuned model, or to a baseline: a worker writes down the answers, a page reads."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from redis import Redis
from rq.job import JobStatus

from engine import dataset as datasets
from engine import settings as settings_module
from engine import talk
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.errors import NotFoundError, ShortlistError
from engine.records import RunKind, RunResult, RunSpec
from engine.talk import Sampling, Side
from jobs import queue, tasks

TASK = "jobs.talk.answer"
REQUEST = re.compile(r"t-[0-9a-f]{12}")
KEPT_SECONDS = 24 * 3600
LOST = "The worker was lost while it answered, most likely because the memory ran out. Ask again."
GONE = "This question is no longer kept. Ask again."


class State(StrEnum):
    """Where a question stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will be said."""
        return self in (State.DONE, State.STOPPED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model has said so far. `seconds`: until its last token, prompt included; None: it speaks."""

    text: str
    tokens: int
    seconds: float | None

    @property
    def tokens_per_second(self) -> float | None:
        """None while it speaks, and for an empty answer."""
        return self.tokens / self.seconds if self.seconds and self.tokens else None


@dataclass(frozen=True, slots=True)
class Talk:
    """A question as it stands. `place` counts from 1 (next); `prompt`: exactly what the chosen model reads.

    The base reads the same, but for the `examples` in it. `prompt_tokens`, `cut` and `one_line` as in
    engine.talk.Prompt; None before the prompt is there.
    """

    state: State
    place: int | None = None
    prompt: str | None = None
    prompt_tokens: int | None = None
    cut: bool | None = None
    one_line: bool | None = None
    examples: str = ""
    answers: Mapping[Side, Answer] = field(default_factory=dict)
    error: str | None = None


def ask(run: str, texts: Mapping[str, str], sampling: Sampling) -> str:
    """Queue a question (texts by role) to a trained run and its base, or to a baseline; its id.

    Raises DatasetError for an empty field, NotFoundError without a trained model or baseline.
    """
    talk.row(texts)
    _scored(tasks.artifacts(settings_module.current()), run)
    client = queue.require(settings_module.current())
    request = f"t-{secrets.token_hex(6)}"
    asked = {"run": run, "texts": dict(texts), "sampling": asdict(sampling)}
    client.set(_key(request, "asked"), json.dumps(asked), ex=KEPT_SECONDS)
    queue.enqueue_question(client, TASK, request, request)
    return request


def stop(request: str) -> None:
    """Ask for an end: at the next token, or before the first one."""
    client = queue.require(settings_module.current())
    client.set(_key(request, "stop"), 1, ex=KEPT_SECONDS)
    if request in queue.waiting(client):
        queue.forget(client, request)


def read(request: str) -> Talk:
    """The question as it stands; StackError without a job queue."""
    client = queue.require(settings_module.current())
    said = client.xrange(_key(request, "said")) or ()
    events = [json.loads(fields[b"event"]) for _, fields in said if fields]
    ended = next((event for event in events if event["kind"] in ("done", "stopped", "failed")), None)
    if ended is not None:
        return _talk(State(ended["kind"]), events, error=ended.get("error"))
    if not events and client.exists(_key(request, "stop")):
        return Talk(State.STOPPED)
    return _unended(client, request, events)


def _unended(client: Redis, request: str, events: list[dict[str, Any]]) -> Talk:
    waiting = queue.waiting(client)
    if request in waiting:
        return Talk(State.WAITING, place=waiting.index(request) + 1)
    status = queue.status(client, request)
    if status is JobStatus.FAILED:
        return _talk(State.FAILED, events, error=LOST)
    if status is None:
        return _talk(State.FAILED, events, error=GONE)
    return _talk(State.RUNNING, events)


def _talk(state: State, events: list[dict[str, Any]], error: str | None = None) -> Talk:
    prompt = next((event for event in events if event["kind"] == "prompt"), {})
    return Talk(
        state,
        prompt=prompt.get("text"),
        prompt_tokens=prompt.get("tokens"),
        cut=prompt.get("cut"),
        one_line=prompt.get("one_line"),
        examples=prompt.get("examples", ""),
        answers={side: _answer(events, side) for side in Side if _has_begun(events, side)},
        error=error,
    )


def _has_begun(events: list[dict[str, Any]], side: Side) -> bool:
    return any(event["kind"] == "begins" and event["side"] == side for event in events)


def _answer(events: list[dict[str, Any]], side: Side) -> Answer:
    own = [event for event in events if event.get("side") == side]
    pieces = [event["text"] for event in own if event["kind"] == "token"]
    seconds = next((event["seconds"] for event in own if event["kind"] == "ends"), None)
    return Answer("".join(pieces), len(pieces), seconds)


def answer(request: str) -> None:
    """The RQ job: both models answer; a failure is written where the answers would be."""
    settings = settings_module.current()
    client = queue.connection(settings)
    asked = client.get(_key(request, "asked"))
    if asked is None or client.exists(_key(request, "stop")):
        return
    say = partial(_say, client, request)
    say("started")
    try:
        with tasks.device(settings):
            stopped = _speak(json.loads(asked), say, lambda: bool(client.exists(_key(request, "stop"))))
    except ShortlistError as error:
        say("failed", error=str(error))
    except (RuntimeError, MemoryError, OSError) as error:
        say("failed", error=tasks.cause(error))
    else:
        say("stopped" if stopped else "done")


def _speak(asked: Mapping[str, Any], say: Callable[..., None], stopped: Callable[[], bool]) -> bool:
    """True: a person stopped it."""
    files = tasks.artifacts(settings_module.current())
    spec, result = _scored(files, asked["run"])
    files.pull_dataset(spec.dataset)
    data = datasets.load(spec.dataset, files.datasets_root)
    if spec.kind is RunKind.BASELINE:
        _baseline_answers(spec, data, asked, say)
        return False
    return _both_answer(spec, result, files, data, asked, say, stopped)


def _baseline_answers(
    spec: RunSpec, data: Dataset, asked: Mapping[str, Any], say: Callable[..., None]
) -> None:
    """At once: no token comes before another. Its seconds hold the time to learn from the training rows."""
    began = time.monotonic()
    text = talk.of_baseline(spec, data, talk.row(asked["texts"]))
    say("begins", side=Side.TUNED)
    say("token", side=Side.TUNED, text=text)
    say("ends", side=Side.TUNED, seconds=time.monotonic() - began)


def _both_answer(
    spec: RunSpec, result: RunResult, files: Artifacts, data: Dataset, asked: Mapping[str, Any],
    say: Callable[..., None], stopped: Callable[[], bool],
) -> bool:  # fmt: skip
    """True: a person stopped it."""
    from engine import few_shot, loading, models, predict, scoring

    folder = files.open_attempt(spec.run, result.attempt)
    if spec.kind.trains:
        predict.kept_weights(spec, folder)
    tokenizer = loading.load_tokenizer(models.path(models.get(spec.model)))
    row = talk.row(asked["texts"])
    prompt = talk.prompt(spec, data, tokenizer, row, result.facts)
    read = {Side.BASE: talk.prompt(spec, data, tokenizer, row), Side.TUNED: prompt}
    say(
        "prompt", text=prompt.text, tokens=len(prompt.ids), cut=prompt.cut, one_line=prompt.one_line,
        examples=few_shot.told(result.facts),
    )  # fmt: skip
    for side in Side:
        model = talk.load(side, spec, folder)
        with scoring.merged(model):
            pieces = talk.stream(model, tokenizer, read[side], Sampling(**asked["sampling"]))
            say("begins", side=side)
            began = time.monotonic()
            for piece in pieces:
                say("token", side=side, text=piece)
                if stopped():
                    return True
            say("ends", side=side, seconds=time.monotonic() - began)
        del model  # before the other one is loaded: both may not fit
    return False


def _say(client: Redis, request: str, kind: str, **data: Any) -> None:
    key = _key(request, "said")
    client.xadd(key, {"event": json.dumps({"kind": kind, **data})})
    if kind != "token":
        client.expire(key, KEPT_SECONDS)


def _scored(files: Artifacts, run: str) -> tuple[RunSpec, RunResult]:
    spec, result = files.read_spec(run), files.read_result(run)
    if spec.kind is RunKind.BASE or result is None or result.test is None:
        raise NotFoundError(f"Run {run} has no tuned model. Choose a training that has finished.")
    return spec, result


def _key(request: str, name: str) -> str:
    if not REQUEST.fullmatch(request):
        raise NotFoundError(f"There is no question {request!r}.")
    return f"shortlist:talk:{request}:{name}"
