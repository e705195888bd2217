"""What a search of a study is: its budget, what it knows of each training, what it wants next.

A search has no memory of its own. Whoever drives it (jobs.search) gives it every training of the study as it
stands, and gets back what to start and what to continue; asked again with the same facts it says the same. So
a search that is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from engine.errors import ConfigError
from engine.records import Config, RunStatus
from engine.searchspace import Space


class SearchMethod(StrEnum):
    """How configs are proposed, or which of them are trained to their end."""

    RANDOM = "random"
    TPE = "tpe"
    MADS = "mads"
    HALVING = "halving"
    PROTOCOL = "protocol"
    SHORTLIST = "shortlist"


class Objective(StrEnum):
    """What a search improves: the loss on dev, the study's metric on dev, or both (Pareto)."""

    LOSS = "loss"
    METRIC = "metric"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Search:
    """One search of a study; written as JSON beside study.json.

    `runs` and `minutes` (of wall clock, from `began`) are its budget; a cold search learns nothing from
    `earlier`, the runs that the study had before. `ended` and `why` (one sentence) are set when it is over.
    Times are seconds since 1970, UTC.
    """

    search: str
    study: str
    method: SearchMethod
    objective: Objective
    runs: int
    space: Space
    began: float
    earlier: tuple[str, ...]
    minutes: float | None = None
    cold: bool = False
    seed: int = 0
    ended: float | None = None
    why: str | None = None

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise ConfigError(f"A search needs at least 1 run, but has {self.runs}.")
        if self.minutes is not None and self.minutes <= 0:
            raise ConfigError(f"minutes must be above 0, but is {self.minutes:g}.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values.update(
            method=str(self.method), objective=str(self.objective), space=self.space.to_dict(),
            earlier=list(self.earlier),
        )  # fmt: skip
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Search:
        """Inverse of to_dict."""
        return cls(
            **{
                **values,
                "method": SearchMethod(values["method"]),
                "objective": Objective(values["objective"]),
                "space": Space.from_dict(values["space"]),
                "earlier": tuple(values["earlier"]),
            }
        )

    def end(self, when: float, why: str) -> Search:
        """The same search, over."""
        return replace(self, ended=when, why=why)


@dataclass(frozen=True, slots=True)
class Trial:
    """A training of the study as a search sees it.

    `loss`: on dev, nats per token; `score`: the study's metric on dev, turned so that higher is better; None
    where not measured. `pause_at`: where it will stand still, or stands (None: it goes or went to its end);
    `row_losses`: there, by dev row, in the order of the split. `ours`: proposed by this search; `seconds`:
    what it took so far. `status` STOPPED with a `pause_at` and no score: it stands and may be continued; with
    a score a person stopped it.
    """

    run: str
    config: Config
    status: RunStatus
    ours: bool
    loss: float | None = None
    score: float | None = None
    pause_at: float | None = None
    row_losses: tuple[float, ...] = ()
    seconds: float | None = None
    losses_by_step: tuple[tuple[float, float], ...] = ()

    @property
    def is_paused(self) -> bool:
        """Whether it stands at `pause_at`."""
        stopped = self.status is RunStatus.STOPPED and self.score is None
        return stopped and self.pause_at is not None and bool(self.row_losses)

    @property
    def is_open(self) -> bool:
        """Whether it waits or trains."""
        return not self.status.is_final


@dataclass(frozen=True, slots=True)
class Start:
    """A new training, to its end or to a share of its schedule; `why` in one sentence."""

    config: Config
    why: str
    pause_at: float | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Let a training that stands go on, to its end or to a later share of its schedule."""

    run: str
    why: str
    pause_at: float | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a search wants now; `over` (one sentence) when it wants nothing more."""

    actions: tuple[Start | Continue, ...] = ()
    over: str | None = None
