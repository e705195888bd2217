"""Which trainings that stand go on: successive halving, and the shortlist with early stopping.

Trainings are compared where they stand, each at the same share of its own schedule, by their losses on the
same dev rows. The mean of the paired differences to the best orders them as their mean losses do; equal
losses: the config's JSON decides. All of a rung must stand, or have ended, before the first of it goes on, so
that the outcome does not depend on which was quicker.

Successive halving: Jamieson and Talwalkar, arXiv 1502.07943, with the eta of Hyperband (Li et al., arXiv
1603.06560) and only its bracket that stops most: the others train every third config to its end unasked,
which is dear in searches of 6 to 16 runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine import intervals, proposals
from engine.errors import ConfigError
from engine.records import RunStatus
from engine.search import Continue, Decision, Search, SearchMethod, Start, Trial

PAUSE_AT = 0.25  # of the own schedule; 20 % keeps 4 of the top 5 LoRA configs (arXiv 2407.13906)
KEEP = 2

ETA = 3  # Hyperband's, and that of the sweep in the lesson "Fine-Tuning Hyperparameter Search"
# From 20 % on, as above; the usual 1/9 is 7 of the 65 steps that 100 rows take in 5 epochs: mostly warm-up.
RUNGS = (0.2, 0.6)


def decide(search: Search, trials: Sequence[Trial], free: int) -> Decision:
    """What goes on; of successive halving also what to start, drawn at random.

    Random, because below about 15 trials TPE is no better (the lesson), and losses at different shares of a
    schedule are none that it could learn from. The runs of a shortlist are queued before, with PAUSE_AT.
    """
    ours = [trial for trial in trials if trial.ours]
    if search.method is SearchMethod.SHORTLIST:
        return _shortlist(ours, free)
    return _start(search, trials, free) or _promote(ours, free)


def _start(search: Search, trials: Sequence[Trial], free: int) -> Decision | None:
    """None once every config is started, or when there is no further one in the space."""
    left = search.runs - sum(trial.ours for trial in trials)
    if left <= 0:
        return None
    if free <= 0:
        return Decision()
    found = proposals.propose(replace(search, method=SearchMethod.RANDOM), trials, min(free, left))
    why = f"Drawn at random, trained to {_percent(RUNGS[0])} of its schedule first."
    starts = tuple(Start(one.config, why, RUNGS[0]) for one in found)
    return Decision(starts) if starts else None


def _promote(ours: Sequence[Trial], free: int) -> Decision:
    for rung, (share, to) in enumerate(zip(RUNGS, (*RUNGS[1:], None), strict=True), start=1):
        quota = math.ceil(len(ours) / ETA**rung)
        if (decision := _go_on(ours, share, to, quota, free)) is not None:
            return decision
    if any(trial.is_open for trial in ours):
        return Decision()
    return Decision(over=_halved(ours))


def _shortlist(ours: Sequence[Trial], free: int) -> Decision:
    if (decision := _go_on(ours, PAUSE_AT, None, KEEP, free)) is not None:
        return decision
    if any(trial.is_open for trial in ours):
        return Decision()
    finished = sum(trial.status is RunStatus.FINISHED for trial in ours)
    left = sum(trial.is_paused for trial in ours)
    parts = [f"{finished} of {_number(ours, 'config')} trained to the end"]
    parts += [f"{left} left at {_percent(PAUSE_AT)} of the schedule"] if left else []
    return Decision(over=f"{', '.join([*parts, *_failures(ours)])}.")


def _go_on(ours: Sequence[Trial], share: float, to: float | None, quota: int, free: int) -> Decision | None:
    """Let the best `quota` of those at a share go on; None when that is done.

    A training beyond the share has taken a place, whoever let it go on; one that failed there gives it back.
    One that ended before it could stand (a schedule of one step) is compared too, and needs nothing.
    """
    if any(trial.is_open and trial.pause_at == share for trial in ours):
        return Decision()
    beyond = [t for t in ours if (t.pause_at or 1.0) > share and t.status is not RunStatus.FAILED]
    ranked = rank([trial for trial in ours if trial.pause_at == share])
    places = max(0, quota - len(beyond))
    chosen, rest = ranked[:places], ranked[places:]
    actions = [
        Continue(trial.run, _why(trial, share, len(beyond) + place, len(ours), rest), to)
        for place, trial in enumerate(chosen, start=1)
        if trial.is_paused
    ]
    return Decision(tuple(actions[: max(0, free)])) if actions else None


def rank(trials: Sequence[Trial]) -> list[Trial]:
    """Those that have losses by dev row, the least mean first; raises ConfigError if their rows differ."""
    known = [t for t in trials if (t.is_paused or t.status is RunStatus.FINISHED) and _is_measured(t)]
    for trial in known[1:]:
        if len(trial.row_losses) != len(known[0].row_losses):
            raise ConfigError(
                f"{trial.run} was measured on {len(trial.row_losses)} dev rows, {known[0].run} on "
                f"{len(known[0].row_losses)}: they cannot be compared row by row. Run one of them again."
            )
    return sorted(known, key=lambda trial: (mean_loss(trial), trial.config.to_json()))


def mean_loss(trial: Trial) -> float:
    """Of the dev rows where it stands, in nats."""
    return math.fsum(trial.row_losses) / len(trial.row_losses)


def _is_measured(trial: Trial) -> bool:
    return bool(trial.row_losses) and all(map(math.isfinite, trial.row_losses))


def _why(trial: Trial, share: float, place: int, of: int, rest: Sequence[Trial]) -> str:
    """Its place, and the paired difference to the best that is left out."""
    where = (
        f"Place {place} of {of} by dev loss at {_percent(share)} of the own schedule: {mean_loss(trial):.3f}"
    )
    if not rest:
        return f"{where}; none is left out."
    found = intervals.mean_difference(rest[0].row_losses, trial.row_losses)
    return (
        f"{where}, {found.value:.3f} ({found.low:.3f} to {found.high:.3f}) below the best "
        f"that is left out, on the same {found.n} rows."
    )


def _halved(ours: Sequence[Trial]) -> str:
    parts = [_number(ours, "config")]
    for rung, share in enumerate(RUNGS):
        there = sum((t.pause_at or 1.0) > share or (t.is_paused and t.pause_at == share) for t in ours)
        parts.append(f"{there} {'went on to' if rung else 'reached'} {_percent(share)} of the schedule")
    finished = sum(trial.status is RunStatus.FINISHED for trial in ours)
    return f"{', '.join([*parts, f'{finished} the end', *_failures(ours)])}."


def _failures(ours: Sequence[Trial]) -> list[str]:
    failed = sum(trial.status is RunStatus.FAILED for trial in ours)
    return [f"{failed} failed"] if failed else []


def _number(ours: Sequence[Trial], noun: str) -> str:
    return f"{len(ours)} {noun}{'' if len(ours) == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@dataclass(frozen=True, slots=True)
class Saving:
    """The share of the training of `configs` that is not done because only `kept` go to their end.

    Before the start `low` to `high` is what it may be, by which are kept; afterwards both are the share.
    `seconds` is what is saved, where the costs are seconds.
    """

    configs: int
    kept: int
    share: float
    low: float
    high: float
    seconds: float | None = None
    over: bool = False

    @property
    def sentence(self) -> str:
        """'Early stopping saves about 38 % of the training of 4 configs (31 to 44 %, by which 2 go on).'"""
        if self.kept >= self.configs:
            return f"Early stopping saves nothing: all {self.configs} configs are trained to their end."
        share, minutes = _percent(self.share), _minutes(self.seconds)
        if self.over:
            kept = f"{self.kept} of {self.configs} configs"
            return f"Early stopping saved about {share} of the training{minutes}: {kept} went to their end."
        low, high = f"{100 * self.low:.0f}", _percent(self.high)
        span = "" if high == f"{low} %" else f" ({low} to {high}, by which {self.kept} go on)"
        return f"Early stopping saves about {share} of the training of {self.configs} configs{span}{minutes}."


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f", {seconds / 60:.1f} min"


def expected_saving(
    costs: Sequence[float], *, in_seconds: bool = False, pause_at: float = PAUSE_AT, keep: int = KEEP
) -> Saving:
    """Before the start; `costs`: each config's own steps or seconds to its end.

    The mean over which configs are kept, all equally likely; the scoring where they stand is not counted.
    """
    kept, total = min(keep, len(costs)), math.fsum(costs)
    if not costs or total <= 0:
        raise ConfigError("A saving needs the steps or seconds of at least one config.")
    ascending, dropped = sorted(costs), len(costs) - kept
    rest = (1 - pause_at) / total
    share = (1 - pause_at) * dropped / len(costs)
    low, high = (rest * math.fsum(part) for part in (ascending[:dropped], ascending[kept:]))
    return Saving(len(costs), kept, share, low, high, share * total if in_seconds else None)


def actual_saving(trials: Sequence[Trial]) -> Saving | None:
    """Afterwards, of the search's own runs that did not fail; None while one is open or its time unknown.

    What a dropped run would have taken is its own pace to where it stands, carried on to its end; its start
    and the scoring there are in that pace, so that this is a little too much.
    """
    ours = [trial for trial in trials if trial.ours and trial.status is not RunStatus.FAILED]
    if not ours or any(trial.is_open or trial.seconds is None for trial in ours):
        return None
    left = [trial for trial in ours if trial.is_paused]
    spent = math.fsum(trial.seconds or 0.0 for trial in ours)
    saved = math.fsum((t.seconds or 0.0) * (1 / t.pause_at - 1) for t in left if t.pause_at)
    share = saved / (spent + saved) if spent else 0.0
    return Saving(len(ours), len(ours) - len(left), share, share, share, saved, over=True)
