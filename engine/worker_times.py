"""Which worker trained what and when: from the events of runs, for a picture of how busy workers were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from engine.records import Event


class Span(NamedTuple):
    """One attempt at a run, or one part of it where it stood still in between; seconds since 1970, UTC."""

    run: str
    attempt: int
    worker: str
    started: float
    ended: float


def spans(events: Mapping[str, Iterable[Event]], now: float) -> tuple[Span, ...]:
    """The attempts of each run, earliest first; one without an end goes on until `now` if it is the last.

    An earlier attempt without an end was lost with its worker: it is left out, as nobody knows when.
    """
    found = [span for run, own in events.items() for span in _of_run(run, list(own), now)]
    return tuple(sorted(found, key=lambda span: (span.started, span.run)))


def _of_run(run: str, events: Sequence[Event], now: float) -> list[Span]:
    attempts = sorted({event.attempt for event in events})
    found = []
    for attempt in attempts:
        own = {event.kind: event for event in events if event.attempt == attempt}
        started, ended = own.get("started"), own.get("ended")
        if started is None or (ended is None and attempt != attempts[-1]):
            continue
        end = now if ended is None else ended.time
        found.append(Span(run, attempt, str(started.data.get("worker", "0")), started.time, end))
    return found


def busy(found: Sequence[Span]) -> float | None:
    """The share of the time from the first start to the last end that its workers trained."""
    if not found:
        return None
    whole = max(span.ended for span in found) - min(span.started for span in found)
    workers = len({span.worker for span in found})
    if whole <= 0:
        return None
    return min(1.0, sum(span.ended - span.started for span in found) / (whole * workers))
