"""What a grid keeps in Redis: whether it runs, how its runs ended, how many workers it asks for.

The run folders are the truth; what Redis lost is counted again when the grid goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from redis import Redis

from engine.records import RunResult, RunStatus

STATES = "shortlist:grids"
WORKERS = "shortlist:grid-workers"


class GridState(StrEnum):
    """Where a grid stands; stopped: it goes on only when a person says so."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"

    @property
    def is_active(self) -> bool:
        """Whether workers are meant for it."""
        return self in (GridState.RUNNING, GridState.PAUSED)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, in short; `error`: the cause of a failure."""

    failed: bool
    seconds: float | None
    error: str | None

    @classmethod
    def of(cls, result: RunResult) -> Ended:
        """The short form of a result."""
        return cls(result.status is RunStatus.FAILED, result.seconds, result.error)


def states(client: Redis) -> dict[str, GridState]:
    """By version; one without an entry is stopped."""
    return {version: GridState(state) for version, state in _hash(client, STATES).items()}


def state(client: Redis, version: str) -> GridState:
    """Where a grid stands."""
    return states(client).get(version, GridState.STOPPED)


def set_state(client: Redis, version: str, state: GridState) -> None:
    """From now on."""
    client.hset(STATES, version, str(state))


def active(client: Redis) -> str | None:
    """The one grid that runs or is paused."""
    return next((version for version, state in states(client).items() if state.is_active), None)


def is_paused(client: Redis) -> bool:
    """Whether grid workers must take no run."""
    return GridState.PAUSED in states(client).values()


def ended(client: Redis, version: str) -> dict[str, Ended]:
    """The runs that have a result."""
    return {run: Ended(**json.loads(text)) for run, text in _hash(client, _ended_key(version)).items()}


def note_end(client: Redis, version: str, results: Mapping[str, Ended]) -> int:
    """Remember that runs have a result; the number of all that have."""
    if results:
        values = {run: json.dumps(asdict(result)) for run, result in results.items()}
        client.hset(_ended_key(version), mapping=values)  # type: ignore[arg-type]
    return int(client.hlen(_ended_key(version)))


def forget_ends(client: Redis, version: str, runs: Sequence[str]) -> None:
    """These runs have no result any more."""
    if runs:
        client.hdel(_ended_key(version), *runs)


def forget(client: Redis, version: str) -> None:
    """The grid was removed."""
    client.hdel(STATES, version)
    client.delete(_ended_key(version))


def demand_workers(client: Redis, count: int) -> None:
    """Ask every stack of this Redis for so many grid workers; 0: none is needed any more."""
    if count:
        client.set(WORKERS, count)
    else:
        client.delete(WORKERS)


def demanded_workers(client: Redis) -> int:
    """How many grid workers each stack should have."""
    return int(client.get(WORKERS) or 0)


def _hash(client: Redis, key: str) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in client.hgetall(key).items()}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _ended_key(version: str) -> str:
    return f"shortlist:grid-ended:{version}"
