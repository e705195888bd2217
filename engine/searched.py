"""What a search of a study found: how far it came, whether it beat the shortlist, whether to go on.

Dev selects and test reports here too: which runs are compared is decided on dev rows, by how much the better
one is better is said on test rows, paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from engine import repeats
from engine.evaluate import paired_difference
from engine.figures import setting
from engine.metrics import TITLES, lower_is_better, points
from engine.records import RunKind, RunSpec, RunStatus, Score
from engine.search import Objective, Search, SearchMethod, Trial
from engine.searchspace import Axis, Edge, Side, Space

STALE = 6  # ended runs in a row without a better one: then stopping is proposed [ours]
RULE = f"Rule: {STALE} ended runs in a row without a better one on dev."


class Measure(NamedTuple):
    """What 'better' means on dev: the study's metric, or the loss, as a search sees it."""

    metric: str

    @property
    def lower_is_better(self) -> bool:
        """True of losses."""
        return lower_is_better(self.metric)

    @property
    def unit(self) -> str:
        """Of the values that `value` gives."""
        return "nats" if self.lower_is_better else "points"

    @property
    def name(self) -> str:
        """'dev accuracy', 'dev loss'."""
        return f"dev {TITLES.get(self.metric, self.metric)}"

    def value(self, trial: Trial) -> float | None:
        """In points, a loss in nats; None where it was not measured, or half-way through the schedule."""
        if trial.is_open or trial.is_paused:
            return None
        if self.lower_is_better:
            return trial.loss
        return None if trial.score is None else 100 * trial.score

    def better(self, one: float, other: float) -> bool:
        """Whether the first value is better than the second."""
        return one < other if self.lower_is_better else one > other

    def text(self, value: float) -> str:
        """'71.2 points', '0.613 nats'."""
        return f"{value:.3f} nats" if self.lower_is_better else f"{value:.1f} points"


def measure(objective: Objective, metric: str) -> Measure:
    """What a search with this objective improves; of both, the metric, which the study selects by."""
    return Measure("loss" if objective is Objective.LOSS else metric)


class Step(NamedTuple):
    """A training that has ended; `minutes` of training up to its end, one run after another.

    `value` and `best` (so far) are as Measure.value; None: not measured.
    """

    run: str
    number: int
    minutes: float
    value: float | None
    best: float | None


def history(trials: Sequence[Trial], specs: Mapping[str, RunSpec], by: Measure) -> tuple[Step, ...]:
    """The trainings of a study that have ended, in its order; a repeat with another seed is none of them."""
    found: list[Step] = []
    minutes, best = 0.0, None
    for trial in _ended(trials, specs):
        minutes += (trial.seconds or 0.0) / 60
        value = by.value(trial)
        if value is not None and (best is None or by.better(value, best)):
            best = value
        found.append(Step(trial.run, len(found) + 1, minutes, value, best))
    return tuple(found)


def _ended(trials: Sequence[Trial], specs: Mapping[str, RunSpec]) -> list[Trial]:
    firsts = repeats.families(list(specs.values()))
    return [trial for trial in trials if not trial.is_open and trial.run in firsts]


def seconds_left(search: Search, trials: Sequence[Trial]) -> float | None:
    """Until a search ends, by the mean of its own ended runs and as many workers as train; None: unknown.

    Methods that let runs stand half-way have no such mean.
    """
    if search.method in (SearchMethod.HALVING, SearchMethod.PROTOCOL, SearchMethod.SHORTLIST):
        return None
    ours = [trial for trial in trials if trial.ours]
    taken = [trial.seconds for trial in ours if not trial.is_open and trial.seconds is not None]
    training = sum(trial.is_open for trial in ours)
    if not taken or not training:
        return None
    waiting = search.runs - len(ours)
    return sum(taken) / len(taken) * (waiting / training + 0.5)


class Gain(NamedTuple):
    """The best of a search beside the best of what was there before it, both chosen by the metric on dev.

    `runs` ended, `failed` of them, `half_way` still standing there; `difference` on test rows, above 0: the
    search's is better, also for a loss; None: they share no scored row. `leader`: the best of all trainings
    of the study on dev, which may be neither of the two.
    """

    runs: int
    failed: int
    half_way: int
    ours: str
    rival: str
    rival_title: str
    leader: str
    difference: Score | None
    metric: str


def gain(
    trials: Sequence[Trial], specs: Mapping[str, RunSpec], metric: str, tables: Mapping[str, pd.DataFrame]
) -> Gain | None:
    """None while either side has no run with a score; `tables`: predictions of the two runs, at least."""
    pair = opponents(trials, specs)
    if pair is None:
        return None
    ours, rival = pair
    mine = [trial for trial in trials if trial.ours and not trial.is_open]
    difference = None
    if {ours.run, rival.run} <= set(tables):
        difference = paired_difference(tables[ours.run], tables[rival.run], metric, "test")
    return Gain(
        len(mine),
        sum(trial.status is RunStatus.FAILED for trial in mine),
        sum(trial.is_paused for trial in mine),
        ours.run,
        rival.run,
        _title(specs[rival.run]),
        min(_scored(trials, specs), key=_key).run,
        difference,
        metric,
    )


def opponents(trials: Sequence[Trial], specs: Mapping[str, RunSpec]) -> tuple[Trial, Trial] | None:
    """The best of the search, and of the shortlist; of a study without one, of all that was there before."""
    scored = _scored(trials, specs)
    ours = [trial for trial in scored if trial.ours]
    before = [trial for trial in scored if not trial.ours]
    listed = [trial for trial in before if specs[trial.run].kind is RunKind.SHORTLIST]
    if not ours or not before:
        return None
    return min(ours, key=_key), min(listed or before, key=_key)


def _scored(trials: Sequence[Trial], specs: Mapping[str, RunSpec]) -> list[Trial]:
    return [trial for trial in _ended(trials, specs) if trial.score is not None]


def _key(trial: Trial) -> tuple[float, float]:
    """Best on dev first; of equals the one that took less time."""
    return -(trial.score or 0.0), trial.seconds or 0.0


def _title(spec: RunSpec) -> str:
    titles = {RunKind.SHORTLIST: "the shortlist's best", RunKind.DEFAULT: "the default config"}
    return titles.get(spec.kind, "the best run before")


def gain_sentence(found: Gain) -> str:
    """'12 more runs gained 1.1 points (-0.4 to 2.6) over the shortlist's best on 103 test rows, ...'."""
    runs = f"{found.runs} more run{'' if found.runs == 1 else 's'}"
    short = [f"{number} {how}" for number, how in _short(found) if number]
    runs += f" ({', '.join(short)})" if short else ""
    if found.difference is None:
        return f"{runs}: their best and {found.rival_title} have no scored test row in common."
    difference = found.difference
    rows = f"on {difference.n} test rows"
    if difference.value > 0:
        text = f"{runs} gained {_points(difference, found.metric)} over {found.rival_title} {rows}"
    elif difference.value == 0:
        text = f"{runs} gained nothing over {found.rival_title} {rows}: {_points(difference, found.metric)}"
    else:
        turned = Score(-difference.value, -difference.high, -difference.low, difference.n)
        best = "it is" if found.runs == 1 else "the best of them is"
        text = (
            f"{runs} gained nothing: {best} {_points(turned, found.metric)} below {found.rival_title} {rows}"
        )
    shown = not difference.low <= 0 <= difference.high
    return f"{text}." if shown else f"{text}, which is not a difference that can be shown."


def _short(found: Gain) -> tuple[tuple[int, str], ...]:
    return (found.failed, "failed"), (found.half_way, "not trained to the end")


def choice_sentence(found: Gain, specs: Mapping[str, RunSpec]) -> str:
    """Which of the two dev rows, which alone select, prefer."""
    chosen = specs[found.leader]
    label = chosen.name if chosen.config is None else f"{chosen.name} ({chosen.config.label})"
    if found.leader == found.ours:
        return f"On dev, which selects, {label} is ahead of {found.rival_title}."
    if found.leader == found.rival:
        return f"On dev, which selects, {found.rival_title} stays ahead: {label}."
    return f"On dev, which selects, {label}, which neither of them is, stays ahead."


def _points(difference: Score, metric: str) -> str:
    if lower_is_better(metric):
        return points(difference, loss=True, unit=" nats")
    return points(difference, loss=False, unit=" points")


def stop_advice(
    search: Search, trials: Sequence[Trial], specs: Mapping[str, RunSpec], by: Measure
) -> str | None:
    """Why more runs are not worth their time, by a simple stated rule; None: nothing speaks against more."""
    steps = history(trials, specs, by)
    ours = {trial.run for trial in trials if trial.ours}
    own = [step for step in steps if step.run in ours]
    failed = [t for t in trials if t.run in ours and t.status is RunStatus.FAILED]
    if len(own) >= 3 and len(failed) == len(own):
        return f"All {len(own)} runs of this search failed: mend what they report before more are started."
    best = next((step.best for step in reversed(steps) if step.best is not None), None)
    if best is not None and not by.lower_is_better and best >= 100:
        return "The best run has every dev row right: dev rows cannot show anything better."
    since = _since_better(steps, ours)
    if best is None or since < STALE:
        return None
    return (
        f"The last {since} runs did not improve the best {by.name}, {by.text(best)}. More of this search is "
        f"unlikely to pay: stop, or widen the search space. {RULE}"
    )


def _since_better(steps: Sequence[Step], ours: set[str]) -> int:
    """Measured runs of the search since the last one that was better than all before it."""
    since, best = 0, None
    for step in steps:
        if step.value is None:
            continue
        better = step.best != best
        best = step.best
        if step.run in ours:
            since = 0 if better else since + 1
    return since


def best_in(space: Space, trials: Sequence[Trial], by: Measure) -> Trial | None:
    """The best measured training whose config a search space has; None without one."""
    measured = [(t, value) for t in trials if (value := by.value(t)) is not None and space.covers(t.config)]
    if not measured:
        return None
    sign = 1.0 if by.lower_is_better else -1.0
    return min(measured, key=lambda pair: (sign * pair[1], pair[0].seconds or 0.0))[0]


def edges_sentence(edges: Sequence[Edge], axes: Sequence[Axis], best: RunSpec) -> str:
    """That nobody has looked beyond the best values, and how far wider ranges would reach."""
    told = [_edge(edge, axis) for edge, axis in zip(edges, axes, strict=True)]
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"The best config on dev, {best.name}, lies on the edge of what was searched: it has {listed}."


def _edge(edge: Edge, axis: Axis) -> str:
    """'learning_rate 1e-2, the largest (wider, it would reach 3e-2)'."""
    beyond = setting(axis.widened(edge.side).bounds[edge.side is Side.HIGH])
    end = "largest" if edge.side is Side.HIGH else "least"
    return f"{edge.axis} {setting(edge.value)}, the {end} tried (wider, it would reach {beyond})"
