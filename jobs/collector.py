"""The one owner of the database: a thread of the web process that moves events from Redis into its tables.

Started and stopped by the web process (`start`, `stop`); pages read `store()`. Events are acknowledged after
their commit, and a batch that was not is delivered again. What Redis lost comes from the run folders.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from engine import settings as settings_module
from engine import store as stores
from engine.artifacts import RUN_ID, Artifacts, study_of
from engine.errors import NotFoundError, StackError
from engine.records import Event
from engine.settings import Settings
from engine.store import UNREADABLE, Store
from jobs import queue, tasks, webhook

BATCH = 5_000
BLOCK_MILLISECONDS = 500
RECONCILE_SECONDS = 60.0
RETRY_SECONDS = 5.0
NEWS_SECONDS = 24 * 3600  # a study that ended before is told to no webhook when the application starts
_CONSUMER = "collector"
_log = logging.getLogger(__name__)
_running: Collector | None = None


@dataclass(slots=True)
class _Batch:
    """What one read of the stream brought."""

    events: list[Event] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    studies: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    ids: list[str | bytes] = field(default_factory=list)


class Collector:
    """The thread with its store; one per home, which the store's lock ensures."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.database)
        self._files = tasks.artifacts(settings)
        self._client = queue.connection(settings, retries=0)  # _run waits and tries again
        self._group = f"{socket.gethostname()}-{queue.socket_folder(settings).name}"
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)
        _purge(self._files)
        self._reconcile(everything=True)

    def start(self) -> None:
        """Begin to collect."""
        self._thread.start()

    def stop(self) -> None:
        """End after the batch at hand and close the store."""
        self._leaving.set()
        self._thread.join()
        self.store.close()

    def collect(self, start: str = ">") -> int:
        """Move one batch; the number of messages. `start` "0": what was read but never acknowledged."""
        batch = _read(self._client, self._group, start)
        self.store.add_events(batch.events)
        for study in batch.studies:
            self._collect_study(study)
        for run in batch.runs:
            with contextlib.suppress(*UNREADABLE):
                stores.put_or_remove(self.store, run, self._files.read_result(run))
        if batch.ids:
            self._client.xack(queue.EVENTS, self._group, *batch.ids)
        for study in batch.ended:
            webhook.tell_beside(study)
        return len(batch.ids)

    @property
    def is_alive(self) -> bool:
        """Whether the thread still collects."""
        return self._thread.is_alive()

    def _reconcile(self, *, everything: bool) -> None:
        broken = stores.reconcile(self.store, self._files, everything=everything)
        if broken:
            _log.warning("Studies whose files cannot be read are left out: %s", ", ".join(broken))

    def _collect_study(self, study: str) -> None:
        try:
            stores.collect_study(self.store, self._files, study)
        except NotFoundError:
            self.store.remove_study(study)
        except UNREADABLE as error:
            _log.warning("Study %s cannot be read: %s", study, error)

    def _run(self) -> None:
        begin, reconciled = "0", time.monotonic()
        while not self._leaving.is_set():
            try:
                if begin == "0":
                    _make_group(self._client, self._group)
                if not self.collect(begin):
                    begin = ">"
                if time.monotonic() - reconciled > RECONCILE_SECONDS:
                    self._reconcile(everything=False)
                    reconciled = time.monotonic()
            except RedisError as error:
                _log.info("Redis does not answer, collecting waits: %s", error)
                begin = "0"
                self._leaving.wait(1.0)
            except Exception:
                _log.exception("A batch could not be collected and is tried again")
                begin = "0"
                self._leaving.wait(RETRY_SECONDS)


def start(settings: Settings | None = None) -> Store:
    """Open the store and begin to collect; raises BusyError when another process does so for this home."""
    global _running
    if _running is None:
        _running = Collector(settings or settings_module.current())
        _running.start()
    return _running.store


def stop() -> None:
    """End collecting and close the store."""
    global _running
    if _running is not None:
        collector, _running = _running, None
        collector.stop()


def store() -> Store:
    """The open store of this process; raises StackError before `start`."""
    if _running is None:
        raise StackError("The database is not open. Start the application with `python cli.py serve`.")
    return _running.store


def is_alive() -> bool:
    """Whether this process collects."""
    return _running is not None and _running.is_alive


def rebuild() -> dict[str, int]:
    """Make the database anew from run folders; rows of studies, runs and events. Raises BusyError."""
    settings = settings_module.current()
    return stores.rebuild(settings.database, tasks.artifacts(settings))


def _purge(files: Artifacts) -> None:
    """Deleted studies can be brought back until the application next starts."""
    for study in files.studies():
        with contextlib.suppress(*UNREADABLE):
            if files.read_study(study).deleted:
                files.delete_study(study)


def _make_group(client: Redis, group: str) -> None:
    with contextlib.suppress(ResponseError):
        client.xgroup_create(queue.EVENTS, group, id="0", mkstream=True)


def _read(client: Redis, group: str, start: str) -> _Batch:
    found = client.xreadgroup(group, _CONSUMER, {queue.EVENTS: start}, count=BATCH, block=BLOCK_MILLISECONDS)
    batch = _Batch()
    for message_id, values in _messages(found):
        batch.ids.append(message_id)
        if b"event" in values:
            with contextlib.suppress(LookupError, ValueError):
                batch.events.append(_event(values))
        elif b"changed run" in values:
            run = values[b"changed run"].decode()
            batch.runs.add(run)
            if RUN_ID.fullmatch(run) and _age(message_id) < NEWS_SECONDS:
                batch.ended.add(study_of(run))
        elif b"changed study" in values:
            batch.studies.add(values[b"changed study"].decode())
    return batch


def _messages(found: Any) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
    streams = found.items() if isinstance(found, dict) else found or []
    for _, messages in streams:
        yield from ((message_id, values or {}) for message_id, values in messages)


def _age(message_id: bytes) -> float:
    """Seconds since a message was added: Redis begins its id with the time."""
    return time.time() - int(message_id.partition(b"-")[0]) / 1000


def _event(values: Mapping[bytes, bytes]) -> Event:
    event = json.loads(values[b"event"])
    run, attempt = values[b"run"].decode(), int(values[b"attempt"])
    return Event(run, attempt, event["seq"], event["time"], event["kind"], event["data"])
