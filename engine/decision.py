"""Decides what to do after a study: which run to use, what it was held against, and the one next step.

Dev rows select among the tuned models; the test rows have a veto: what is clearly worse there than another
scored run is never recommended. "Clearly" means that the 95 % interval of the paired difference excludes 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine import intervals
from engine.records import RunKind, Score

FEW_ROWS = 50  # test rows; a dataset below 200 rows has fewer (design.md: "too few to conclude")
FILE_ROWS = 4  # rows of a file for each test row: a quarter of them is test (splits)
MOST_ROWS = 5_000  # more rows than that are no advice that a person can follow [ours]
FEW_TRIED = 4  # trained configs: with fewer, other settings come before a larger model [ours]
COSTS = {RunKind.BASELINE: 0, RunKind.BASE: 1, RunKind.FEW_SHOT: 2}  # of what needs no training, by rank

Paired = Callable[[str, str], Score]
"""How much better the first run is than the second on the test rows; above 0: better, also of a loss."""


class Outcome(StrEnum):
    """What a study shows."""

    TUNED = "tuned is clearly best"
    AHEAD = "tuned is best, not clearly"
    CHEAPER = "a model without LLM is as good"
    UNTUNED = "the untuned model is as good"
    BASELINE = "a model without LLM is better"
    NOTHING = "nothing learnt"
    FEW_ROWS = "too few rows"
    UNFINISHED = "unfinished"


class Standing(StrEnum):
    """How the tuned models stand against the best that needs no tuning."""

    WON = "won"
    TIED = "tied"
    LOST = "lost"


class Action(StrEnum):
    """The one next step."""

    EXPORT = "export"
    USE = "use"
    MORE_ROWS = "more rows"
    LARGER_MODEL = "larger model"
    SEARCH = "search"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Contender:
    """A run with scores. `name`: as in a sentence; `constant`: it gives nearly every row the same answer."""

    run: str
    name: str
    kind: RunKind
    score: Score
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do. `run`: what to use, None: nothing yet; `leader`: the run that the numbers are of.

    `score` is the leader's on the test rows; `against_*` its paired differences, above 0 where it is better:
    to the untuned model, and to `alternative`: for a tuned model the strongest that needs no training, else
    the best tuned one, or a constant answer. `missing` names the runs without which nothing can be said.
    """

    outcome: Outcome
    action: Action
    headline: str
    step: str
    run: str | None = None
    leader: str | None = None
    leader_name: str = ""
    alternative: str | None = None
    alternative_name: str = ""
    standing: Standing | None = None
    score: Score | None = None
    against_untuned: Score | None = None
    against_alternative: Score | None = None
    more_rows: int | None = None
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        texts = ("headline", "step", "run", "leader", "alternative", "more_rows")
        scores = ("score", "against_untuned", "against_alternative")
        return {
            "outcome": str(self.outcome),
            "action": str(self.action),
            "standing": None if self.standing is None else str(self.standing),
            **{name: getattr(self, name) for name in texts},
            **{n: None if (found := getattr(self, n)) is None else found.to_dict() for n in scores},
            "missing": list(self.missing),
        }


def decide(field: Sequence[Contender], paired: Paired, missing: Sequence[str] = ()) -> Decision:
    """The decision over all scored runs, best on dev first; `missing`: planned runs without a score."""
    if missing or not any(c.kind.trains for c in field):
        return _unfinished(tuple(missing))
    sound = [c for c in field if not c.constant and not _is_beaten(c, field, paired)]
    constants = [c for c in field if c.constant]
    learnt = [c for c in sound if all(_is_clear(paired(c.run, other.run)) for other in constants)]
    few = bool(sound) and sound[0].score.n < FEW_ROWS
    if not learnt and not few:
        return _nothing(field, sound, paired)
    chosen = _chosen(learnt or sound, field, paired)
    rival = _rival(chosen, learnt or sound, field, paired)
    return _few(chosen, rival, field, paired) if few else _usable(chosen, rival, field, paired)


def more_rows(difference: Score, test_rows: int) -> int | None:
    """Rows to add to the file until a difference of this size shows in 4 of 5 studies; None: too many.

    From its interval: the rows needed grow with the square of the spread over the difference (methods.md).
    """
    half = (difference.high - difference.low) / 2
    if difference.value == 0 or half == 0:
        return None
    scale = intervals.POWER_FACTOR / intervals.NORMAL * half / abs(difference.value)
    needed = FILE_ROWS * (test_rows * scale**2 - test_rows)
    return _rounded(needed) if 0 < needed <= MOST_ROWS else None


def _is_clear(difference: Score) -> bool:
    return difference.low > 0


def _is_beaten(one: Contender, field: Sequence[Contender], paired: Paired) -> bool:
    return any(_is_clear(paired(other.run, one.run)) for other in field if other is not one)


def _cheaper(field: Sequence[Contender]) -> list[Contender]:
    """What needs no training, the cheapest first; of equals the better on dev."""
    return sorted((c for c in field if not c.kind.trains), key=lambda c: COSTS[c.kind])


def _chosen(pool: Sequence[Contender], field: Sequence[Contender], paired: Paired) -> Contender:
    """The cheapest of those that nothing beats; of tuned ones the first that beats all that is cheaper."""
    if cheaper := _cheaper(pool):
        return cheaper[0]
    return next((c for c in pool if _beats_cheaper(c, field, paired)), pool[0])


def _beats_cheaper(one: Contender, field: Sequence[Contender], paired: Paired) -> bool:
    cheaper = _cheaper(field)
    return bool(cheaper) and all(_is_clear(paired(one.run, other.run)) for other in cheaper)


def _rival(
    chosen: Contender, pool: Sequence[Contender], field: Sequence[Contender], paired: Paired
) -> Contender | None:
    """What the chosen run is held against."""
    if chosen.kind.trains:
        cheaper = _cheaper(field)
        return min(cheaper, key=lambda c: paired(chosen.run, c.run).value) if cheaper else None
    tuned = [c for c in (*pool, *field) if c.kind.trains]
    return next((c for c in tuned if not c.constant), tuned[0])


def _usable(
    chosen: Contender, rival: Contender | None, field: Sequence[Contender], paired: Paired
) -> Decision:
    difference = None if rival is None else paired(chosen.run, rival.run)
    is_clear = difference is not None and _is_clear(difference)
    if chosen.kind.trains:
        best = _beats_cheaper(chosen, field, paired)
        outcome = Outcome.TUNED if best else Outcome.AHEAD
        why = (
            "clearly better than anything cheaper"
            if best
            else "the best tuned model, though not clearly ahead"
        )
        action, step = Action.EXPORT, f"Export {chosen.name}"
        standing = Standing.WON if best else Standing.TIED
    else:
        without = Outcome.BASELINE if is_clear else Outcome.CHEAPER
        outcome = without if chosen.kind is RunKind.BASELINE else Outcome.UNTUNED
        why = "tuning is clearly worse" if is_clear else "tuning is not clearly better"
        action, step = Action.USE, f"Use {chosen.name}"
        standing = Standing.LOST if is_clear else Standing.TIED
    told = _told(chosen, rival, field, paired)
    return Decision(
        outcome, action, f"Use {chosen.name}: {why}.", step, chosen.run, standing=standing, **told
    )


def _told(
    leader: Contender, rival: Contender | None, field: Sequence[Contender], paired: Paired
) -> dict[str, Any]:
    """The numbers of a decision."""
    base = next((c for c in field if c.kind is RunKind.BASE and c is not leader), None)
    return {
        "leader": leader.run,
        "leader_name": leader.name,
        "alternative_name": "" if rival is None else rival.name,
        "alternative": None if rival is None else rival.run,
        "score": leader.score,
        "against_untuned": None if base is None else paired(leader.run, base.run),
        "against_alternative": None if rival is None else paired(leader.run, rival.run),
    }


def _few(chosen: Contender, rival: Contender | None, field: Sequence[Contender], paired: Paired) -> Decision:
    rows = _rounded(FILE_ROWS * (FEW_ROWS - chosen.score.n))
    return Decision(
        Outcome.FEW_ROWS, Action.MORE_ROWS, f"Too few rows to say: only {chosen.score.n} test rows.",
        _rows_step(rows), chosen.run, more_rows=rows, **_told(chosen, rival, field, paired),
    )  # fmt: skip


def _nothing(field: Sequence[Contender], sound: Sequence[Contender], paired: Paired) -> Decision:
    """No model is shown to be better than one answer to every row."""
    constants = sorted((c for c in field if c.constant), key=lambda c: paired(field[0].run, c.run).value)
    leader = next(iter(sound), field[0])
    rival = next((c for c in constants if c is not leader), None)
    difference = None if rival is None else paired(leader.run, rival.run)
    hopeful = difference is not None and difference.value > 0 and not leader.constant
    rows = more_rows(difference, leader.score.n) if difference is not None and hopeful else None
    tuned = [c for c in field if c.kind.trains]
    headline = "No model clearly beats giving every row the same answer."
    if all(c.constant for c in tuned):
        headline = "Nothing was learnt: tuned models give nearly every row one answer."
    action, step = Action.LARGER_MODEL, "Try a larger model"
    if rows is not None:
        action, step = Action.MORE_ROWS, _rows_step(rows)
    elif len(tuned) < FEW_TRIED:
        action, step = Action.SEARCH, "Search further"
    told = _told(leader, rival, field, paired)
    return Decision(Outcome.NOTHING, action, headline, step, more_rows=rows, **told)


def _unfinished(missing: tuple[str, ...]) -> Decision:
    what = "no training has a score" if not missing else f"{missing[0]} has no score"
    what = f"{len(missing)} runs have no score" if len(missing) > 1 else what
    step = "Finish what is missing"
    return Decision(Outcome.UNFINISHED, Action.FINISH, f"Unfinished: {what}.", step, missing=missing)


def _rows_step(rows: int) -> str:
    return f"Get about {rows:,} more rows"


def _rounded(rows: float) -> int:
    """Up to two digits, at least tens."""
    unit = 10 ** max(1, math.floor(math.log10(rows)) - 1) if rows >= 1 else 10
    return int(math.ceil(rows / unit) * unit)
