"""What a worker's child does with one run: prepare, train and score, record; safe to be run twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout
from redis import Redis
from redis.exceptions import ConnectionError, RedisError, TimeoutError

from engine import pausing
from engine import settings as settings_module
from engine.artifacts import RUN_ID, Artifacts
from engine.errors import ShortlistError, StackError
from engine.records import RunKind, RunResult, RunSpec, RunStatus
from engine.settings import Settings
from jobs import process, queue

DISCARD = "discard"
KEEP_BEST = "keep_best"
PROGRESS_SECONDS = 7 * 24 * 3600
FENCE_TRIES = 20
STOP_POLL_SECONDS = 0.3
STOP_PATIENCE_SECONDS = 20.0
LOST = (
    "The training process ended {times} times without a word, most likely because the memory ran out. "
    "Choose a smaller batch size or model, then retry."
)


def artifacts(settings: Settings) -> Artifacts:
    """The run folders that these settings name."""
    return Artifacts(settings.artifact_root, settings.home / "scratch")


def run_training(run: str) -> None:
    """The RQ job of one run. A failure of the training is a result, not an exception."""
    settings = settings_module.current()
    client, files = queue.connection(settings), artifacts(settings)
    with alone(settings.locks / f"{run}.lock"):
        if files.read_result(run) is not None or not files.has_run(run):
            return
        attempt = next_attempt(client, files, run)
        live = queue.connection(settings, retries=0)
        with device(settings), Recorder(live, files, run, attempt) as recorder:
            result = _attempt(files, run, attempt, recorder, StopFlag(client, files, run, attempt))
            if record(client, files, result) and result.status is not RunStatus.FAILED:
                drop_checkpoints(files, run, before=attempt)


def drop_checkpoints(files: Artifacts, run: str, before: int | None = None) -> None:
    """Remove what earlier attempts (None: all) stood still with: it is gone on from, or not wanted."""
    for attempt in files.attempts(run):
        if before is None or attempt < before:
            files.delete_from_attempt(run, attempt, pausing.FOLDER)


def next_attempt(client: Redis, files: Artifacts, run: str) -> int:
    """A number above all earlier attempts', also when Redis was emptied in between."""
    key = queue.attempt_key(run)
    client.set(key, max(files.attempts(run), default=0), nx=True)
    return int(client.incr(key))


def record(client: Redis, files: Artifacts, result: RunResult) -> bool:
    """Write the result and tell the collector; False: it was too late."""
    if not write_result(client, files, result):
        return False
    announce(client, result.run)
    return True


def write_result(client: Redis, files: Artifacts, result: RunResult) -> bool:
    """Write the result unless a newer attempt has begun (the fence); False: it was too late."""
    if _newest_attempt(client, result.run) not in (None, result.attempt):
        return False
    files.publish_attempt(result.run, result.attempt)
    files.write_result(result)
    return True


def cause(error: Exception) -> str:
    """An unexpected error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def _newest_attempt(client: Redis, run: str) -> int | None:
    """None when Redis was emptied; patient, so that a Redis that is being started again loses no training."""
    for _ in range(FENCE_TRIES):
        with contextlib.suppress(ConnectionError, TimeoutError):
            newest = client.get(queue.attempt_key(run))
            return None if newest is None else int(newest)
        time.sleep(1.0)
    raise StackError("Redis has been away too long to record the result; the run will be done again.")


def announce(client: Redis, run: str) -> None:
    """Tell the collector that a run's result changed; it finds out by itself later when this is lost."""
    _announce(client, "run", run)


def announce_study(client: Redis, study: str) -> None:
    """Tell the collector that a study's files changed."""
    _announce(client, "study", study)


def _announce(client: Redis, what: str, name: str) -> None:
    with contextlib.suppress(RedisError):
        client.xadd(queue.EVENTS, {f"changed {what}": name}, maxlen=queue.EVENTS_KEPT, approximate=True)


def record_lost(client: Redis, settings: Settings) -> None:
    """Give every run that RQ has given up a failed result, so that its study can end."""
    files = artifacts(settings)
    for run in filter(RUN_ID.fullmatch, queue.failed(client)):
        if files.read_result(run) is None:
            attempt = next_attempt(client, files, run)
            error = LOST.format(times=queue.LOST_RETRIES + 1)
            record(client, files, RunResult(run, attempt, RunStatus.FAILED, error=error))
        queue.forget(client, run)


class Recorder:
    """Writes an attempt's events to its folder and to Redis, where the page and the collector read them."""

    def __init__(self, client: Redis, files: Artifacts, run: str, attempt: int) -> None:
        self._client, self._run, self._attempt = client, run, attempt
        self._path = files.attempt_folder(run, attempt) / "events.jsonl"
        self._file: TextIO | None = None
        self._seq = 0

    def __enter__(self) -> Recorder:
        with contextlib.suppress(RedisError):
            self._client.delete(queue.progress_key(self._run))
        self._file = self._path.open("a", encoding="utf-8")
        self.emit("started", {"worker": os.environ.get("SHORTLIST_WORKER", "0"), "pid": os.getpid()})
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """One event; the folder has it even when Redis is away, and the collector fetches it from there."""
        event = {"seq": self._seq, "time": time.time(), "kind": kind, "data": dict(data)}
        self._seq += 1
        text = json.dumps(event)
        assert self._file is not None
        self._file.write(text + "\n")
        self._file.flush()
        with contextlib.suppress(RedisError), self._client.pipeline(transaction=False) as pipe:
            fields = {"run": self._run, "attempt": str(self._attempt), "event": text}
            pipe.xadd(queue.EVENTS, fields, maxlen=queue.EVENTS_KEPT, approximate=True)  # type: ignore[arg-type]
            pipe.hset(queue.progress_key(self._run), mapping={kind: text, "attempt": self._attempt})
            pipe.expire(queue.progress_key(self._run), PROGRESS_SECONDS)
            pipe.execute()


class StopFlag:
    """What a person asked of a run, read in the background so that asking costs a training step nothing.

    A run that does not come back within 20 s of being told to discard is ended with its process.
    """

    def __init__(self, client: Redis, files: Artifacts, run: str, attempt: int) -> None:
        self._client, self._files, self._run, self._attempt = client, files, run, attempt
        self._wish = self._read()
        self._done = threading.Event()
        threading.Thread(target=self._watch, name="stop flag", daemon=True).start()

    def __call__(self) -> str | None:
        return self._wish

    def finish(self) -> None:
        """The run has come back: leave it alone."""
        self._done.set()

    def _read(self) -> str | None:
        wish = self._client.get(queue.stop_key(self._run))
        return wish.decode() if isinstance(wish, bytes) else wish

    def _watch(self) -> None:
        asked: float | None = None
        while not self._done.wait(STOP_POLL_SECONDS):
            with contextlib.suppress(RedisError):
                self._wish = self._read()
            if self._wish != DISCARD:
                asked = None
            elif asked is None:
                asked = time.monotonic()
            elif time.monotonic() - asked > STOP_PATIENCE_SECONDS:
                record(self._client, self._files, RunResult(self._run, self._attempt, RunStatus.STOPPED))
                os.kill(os.getpid(), signal.SIGKILL)


def _attempt(files: Artifacts, run: str, attempt: int, recorder: Recorder, stop: StopFlag) -> RunResult:
    folder = files.attempt_folder(run, attempt)
    begun = time.monotonic()
    try:
        if stop() == DISCARD:
            return RunResult(run, attempt, RunStatus.STOPPED)
        result = _train(files, files.read_spec(run), folder, attempt, recorder.emit, stop)
    except ShortlistError as error:
        result = RunResult(run, attempt, RunStatus.FAILED, error=str(error))
    except Exception as error:
        (folder / "error.log").write_text(traceback.format_exc())
        result = RunResult(run, attempt, RunStatus.FAILED, error=cause(error))
    finally:
        stop.finish()
    if result.seconds is None:
        result = replace(result, seconds=time.monotonic() - begun)
    recorder.emit("ended", {"status": str(result.status), "error": result.error})
    return result


def _train(
    files: Artifacts,
    spec: RunSpec,
    folder: Path,
    attempt: int,
    emit: Callable[[str, dict[str, Any]], None],
    stop: StopFlag,
) -> RunResult:
    from engine import dataset, tracking, train

    def asked() -> train.StopMode | None:
        wish = stop()
        return None if wish is None else train.StopMode(wish)

    files.pull_dataset(spec.dataset)
    if spec.kind is not RunKind.BASELINE and not _bring_model(spec.model, emit, stop):
        return RunResult(spec.run, attempt, RunStatus.STOPPED)
    data = dataset.load(spec.dataset, files.datasets_root)
    settings = settings_module.current()
    with tracking.of_run(spec, settings.report_to, settings.home) as tracked:
        earlier = _checkpoint(files, spec.run, attempt)
        result = train.run(spec, data, folder, attempt, emit, asked, earlier)
    return replace(result, facts={**result.facts, **tracked.facts})


def _checkpoint(files: Artifacts, run: str, attempt: int) -> Path | None:
    """The newest that an earlier attempt at the run left."""
    for earlier in reversed(files.attempts(run)):
        if earlier < attempt and pausing.FOLDER in files.attempt_names(run, earlier):
            return files.open_attempt(run, earlier) / pausing.FOLDER
    return None


def _bring_model(name: str, emit: Callable[[str, dict[str, Any]], None], stop: StopFlag) -> bool:
    """Download a model of the hub before its first run; False: a person stopped it."""
    from engine import models

    def say(text: str) -> None:
        emit("stage", {"stage": text})

    return models.fetch(models.get(name), say, lambda: stop() is not None)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """One process of this machine works on a run; a second copy waits and then finds the result."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


@contextlib.contextmanager
def device(settings: Settings) -> Iterator[None]:
    """Hold one free GPU and show CUDA no other; without GPUs nothing is held."""
    names = process.gpus()
    if not names:
        yield
        return
    first = int(os.environ.get("SHORTLIST_WORKER", "0")) % len(names)
    with _first_free(settings.locks, names[first:] + names[:first]) as name:
        os.environ["CUDA_VISIBLE_DEVICES"] = name
        yield


@contextlib.contextmanager
def _first_free(folder: Path, names: tuple[str, ...]) -> Iterator[str]:
    while True:
        for name in names:
            lock = FileLock(folder / f"gpu-{name}.lock", timeout=0)
            if _acquired(lock):
                try:
                    yield name
                finally:
                    lock.release()
                return
        time.sleep(0.2)


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire()
    except Timeout:
        return False
    return True
