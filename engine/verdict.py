"""Says which model of a study to use, by how much it is better, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine import baselines, classes, few_shot, headline, intervals, repeats
from engine.decision import Contender, Decision, Outcome, decide
from engine.evaluate import paired_difference
from engine.metrics import TITLES, lower_is_better, points, row_metric
from engine.records import RunKind, RunResult, RunSpec, RunStatus, Score, Study

SHORT = {"tfidf_logreg": "TF-IDF", "nearest_answer": "the most similar answer"}
"""Baselines whose title is long, as a headline calls them."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a study found; every difference is the winner's test score minus another run's, above 0: better.

    `decision` is what to do, `verdict` that in words; `reason` says its numbers and `details` how sure it is.
    `winner` is the model with the highest dev score, `runner_up` the second, untuned ones among them; `ties`
    are the runs whose difference with it may be 0. `smallest_difference` is the least true difference that
    this test split would show in 4 of 5 studies, in the metric's own unit. `headline` is what picking among
    the `candidates` by dev rows is worth, measured on rows that did not pick. `use` is the run that answers
    for the study: the one that the decision names, or else the winner.
    """

    winner: str | None
    decision: Decision
    reason: str
    differences: Mapping[str, Score]
    ties: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    smallest_difference: float | None = None
    headline: Score | None = None
    candidates: int = 0
    runner_up: str | None = None
    details: tuple[str, ...] = ()

    @property
    def use(self) -> str | None:
        """What predicts and is exported where nobody chooses."""
        return self.decision.run or self.winner

    @property
    def ties_of_use(self) -> tuple[str, ...]:
        """The ties where they are those of the run to use; none where another run was first on dev."""
        return self.ties if self.use == self.winner else ()

    def mark(self, run: str) -> str:
        """What a list says of a run: 'winner', or which of two it is where the decision names another."""
        if run == self.winner:
            return "winner" if run == self.decision.run else "first on dev"
        return "recommended" if run == self.decision.run else ""

    @property
    def verdict(self) -> str:
        """The whole of it in one text, the headline first."""
        return " ".join(filter(None, (self.decision.headline, self.reason, *self.details)))


def summarize(
    study: Study,
    specs: Sequence[RunSpec],
    results: Mapping[str, RunResult],
    predictions: Mapping[str, pd.DataFrame],
) -> Summary:
    """The verdict on a study. Dev selects, test reports: no test score takes part in choosing the winner."""
    specs = [spec for spec in specs if spec.kind.competes]
    view = _View(study, tuple(specs), results, predictions, repeats.families(specs))
    warnings = view.warnings()
    winner = view.winner()
    found = decide(view.contenders(), view.held, view.missing())
    if winner is None:
        return Summary(None, found, _not_counted(view), {}, warnings=warnings)
    differences = view.differences(winner)
    ties = tuple(run for run, found_ in differences.items() if found_.low <= 0 <= found_.high)
    rivals = [spec for spec in view.candidates() if spec is not winner]
    runner_up = view.best(rivals)
    expected, least = view.headline(), view.smallest_difference(winner)
    details = (
        _set_aside_sentence(view, found),
        *_held_sentences(view, found, runner_up),
        _one_answer_sentence(view),
        _expected_sentence(view, expected),
        _seeds_sentence(view),
        _limits_sentence(view, winner, ties, least),
        "" if found.outcome is Outcome.UNFINISHED else _not_counted(view),
    )
    return Summary(
        winner.run, found, _reason(view, found), differences, ties, warnings, least, expected,
        len(rivals) + 1, runner_up.run if runner_up else None, tuple(filter(None, details)),
    )  # fmt: skip


def ranked(study: Study, specs: Sequence[RunSpec], results: Mapping[str, RunResult]) -> list[str]:
    """The trained configs with a score, best on dev first; one with several seeds counts once."""
    specs = [spec for spec in specs if spec.kind.competes]
    view = _View(study, tuple(specs), results, {}, repeats.families(specs))
    return [spec.run for spec in view.ordered(view.candidates()) if spec.kind.trains]


@dataclass(frozen=True, slots=True)
class _View:
    study: Study
    specs: tuple[RunSpec, ...]
    results: Mapping[str, RunResult]
    predictions: Mapping[str, pd.DataFrame]
    families: Mapping[str, tuple[RunSpec, ...]]
    known: dict[tuple[str, str], Score | None] = field(default_factory=dict)

    def contenders(self) -> list[Contender]:
        """All scored runs, best on dev first."""
        return [
            Contender(spec.run, self.name(spec), spec.kind, self.test(spec), self.is_constant(spec))
            for spec in self.ordered(self.scored(*RunKind))
        ]

    def is_constant(self, spec: RunSpec) -> bool:
        """Whether it gives nearly every test row one answer: some baselines always do, a model may."""
        table = self.predictions.get(spec.run)
        alike = table is not None and classes.one_answer(table) is not None
        return alike or (spec.kind is RunKind.BASELINE and spec.name in baselines.CONSTANT)

    def missing(self) -> list[str]:
        """Planned runs that have not ended, or were stopped before they had a score."""
        planned = [s for s in self.specs if s.run in self.families and s.kind is not RunKind.SEARCH]
        return [self.name(s) for s in planned if self.is_missing(s)]

    def is_missing(self, spec: RunSpec) -> bool:
        result = self.results.get(spec.run)
        if result is None:
            return True
        stopped = result.status is RunStatus.STOPPED and not _is_dropped(result)
        return stopped and not self.has_scores(spec)

    def name(self, spec: RunSpec) -> str:
        """As a sentence calls it."""
        if spec.kind is RunKind.BASE:
            return "the untuned model"
        if spec.kind is RunKind.FEW_SHOT:
            result = self.results.get(spec.run)
            examples = "" if result is None else few_shot.told(result.facts).removesuffix(" in its prompt")
            return f"the untuned model with {examples or 'examples'}"
        if spec.kind is RunKind.BASELINE:
            return SHORT.get(spec.name, _title(spec))
        return "the default" if spec.kind is RunKind.DEFAULT else spec.name

    def spec(self, run: str) -> RunSpec:
        return next(spec for spec in self.specs if spec.run == run)

    def paired(self, first: str, second: str) -> Score | None:
        """The first run's test score minus the second's, row by row; None without the answers of both."""
        if (second, first) in self.known:
            return _turned(self.known[second, first])
        if (first, second) not in self.known:
            both = [self.predictions.get(run) for run in (first, second)]
            self.known[first, second] = (
                None
                if both[0] is None or both[1] is None
                else paired_difference(both[0], both[1], self.study.metric, "test")
            )
        return self.known[first, second]

    def held(self, first: str, second: str) -> Score:
        """The same, or what the two intervals leave where rows cannot be paired."""
        found = self.paired(first, second)
        if found is not None:
            return found
        ours, theirs = (self.test(self.spec(run)) for run in (first, second))
        if lower_is_better(self.study.metric):
            ours, theirs = theirs, ours
        return Score(ours.value - theirs.value, ours.low - theirs.high, ours.high - theirs.low, ours.n)

    def scored(self, *kinds: RunKind) -> list[RunSpec]:
        """Runs of these kinds with a dev and a test score, also when stopped early; not repeats of one."""
        return [s for s in self.specs if s.kind in kinds and s.run in self.families and self.has_scores(s)]

    def has_scores(self, spec: RunSpec) -> bool:
        result = self.results.get(spec.run)
        return result is not None and result.dev is not None and result.test is not None

    def candidates(self) -> list[RunSpec]:
        return self.scored(*(kind for kind in RunKind if kind.trains or kind.is_untuned))

    def seeds(self, spec: RunSpec) -> list[RunSpec]:
        """The run and its scored repeats."""
        return [s for s in self.families[spec.run] if self.has_scores(s)]

    def dev(self, spec: RunSpec) -> float:
        """The dev score, the mean of its seeds, turned so that higher is better.

        So a further seed is a better measurement of a config, not another chance to come first.
        """
        scores = [self.results[seed.run].dev for seed in self.seeds(spec)]
        value = float(np.mean([score.value for score in scores if score is not None]))
        return -value if lower_is_better(self.study.metric) else value

    def test(self, spec: RunSpec) -> Score:
        score = self.results[spec.run].test
        assert score is not None
        return score

    def ordered(self, specs: Sequence[RunSpec]) -> list[RunSpec]:
        """The highest on dev first; of equals the one that took less time, then the one named first."""
        order = {spec.run: place for place, spec in enumerate(self.specs)}

        def key(spec: RunSpec) -> tuple[float, float, int]:
            return -self.dev(spec), self.results[spec.run].seconds or 0.0, order[spec.run]

        return sorted(specs, key=key)

    def best(self, specs: Sequence[RunSpec]) -> RunSpec | None:
        """The first of these in order."""
        return next(iter(self.ordered(specs)), None)

    def winner(self) -> RunSpec | None:
        return self.best(self.candidates())

    def headline(self) -> Score | None:
        """Over dev and test rows; over test rows alone where dev rows shaped a candidate.

        They did where a run kept its best epoch on dev, and for a config that was added after the others.
        """
        specs = sorted(self.candidates(), key=lambda spec: self.results[spec.run].seconds or 0.0)
        tables = [[self.predictions.get(seed.run) for seed in self.seeds(spec)] for spec in specs]
        found = [[table for table in seeds if table is not None] for seeds in tables]
        if not all(found):
            return None
        shaped = any(self.shaped_by_dev(spec) for spec in specs)
        return headline.of_tables(found, self.study.metric, ("test",) if shaped else ("dev", "test"))

    def shaped_by_dev(self, spec: RunSpec) -> bool:
        planned = [s.kind.is_untuned or s.kind is RunKind.BASELINE for s in self.specs]  # they close the plan
        added = spec.kind is RunKind.CUSTOM and any(planned[: self.specs.index(spec)])
        stopped = self.results[spec.run].status is RunStatus.STOPPED
        return added or stopped or spec.search is not None or spec.early_stopping_patience is not None

    def differences(self, winner: RunSpec) -> dict[str, Score]:
        others = [spec.run for spec in self.scored(*RunKind) if spec.run != winner.run]
        found = {run: self.paired(winner.run, run) for run in others}
        return {run: difference for run, difference in found.items() if difference is not None}

    def smallest_difference(self, winner: RunSpec) -> float | None:
        """From the spread of the winner's row-by-row differences to the default, or else to the base."""
        rivals = [*self.scored(RunKind.DEFAULT), *self.scored(RunKind.BASE)]
        rival = next((s for s in rivals if s.run != winner.run), None)
        n = self.test(winner).n
        if self.study.metric == "loss":
            return None
        if rival is None or not {rival.run, winner.run} <= set(self.predictions):
            return intervals.smallest_difference(n)
        column = row_metric(self.study.metric, self.study.task)
        ours, theirs = (_by_row(self.predictions[s.run], column) for s in (winner, rival))
        spread = float(np.std((ours - theirs).dropna()))
        return intervals.smallest_difference(n, spread) if spread else intervals.smallest_difference(n)

    def warnings(self) -> tuple[str, ...]:
        """What went wrong with runs; those with the same to say share a sentence."""
        found: dict[tuple[str, str], list[str]] = {}
        for spec in self.specs:
            if (why := self.warning(spec)) is not None:
                found.setdefault(why, []).append(self.name(spec))
        return tuple(
            _capital(f"{_listed(names)} {many if names[1:] else one}") for (one, many), names in found.items()
        )

    def warning(self, spec: RunSpec) -> tuple[str, str] | None:
        """What is said of one run, and of several."""
        result = self.results.get(spec.run)
        if result is None:
            return "has not ended yet.", "have not ended yet."
        if result.status is RunStatus.FAILED:
            return f"failed: {result.error}", f"failed: {result.error}"
        if result.status is not RunStatus.STOPPED or _is_dropped(result):
            return None
        if "note" in result.facts:
            return f"was stopped: {result.facts['note']}", f"were stopped: {result.facts['note']}"
        return "was stopped and has no score.", "were stopped and have no score."


def _reason(view: _View, found: Decision) -> str:
    """The numbers behind the headline: the score, and how far it is from what it is held against."""
    if found.leader is None:
        return f"Which model is best cannot be said before that. {_not_counted(view)}".strip()
    metric, leader = view.study.metric, view.spec(found.leader)
    others = [s for s in view.scored(RunKind.BASE) if s.run not in (found.leader, found.alternative)]
    others += [view.spec(found.alternative)] if found.alternative else []
    held = [_compared(metric, view.held(leader.run, spec.run), view.name(spec)) for spec in others]
    start = "As far as they show, use" if found.outcome is Outcome.FEW_ROWS else ""
    score = f"{TITLES[metric]} {_value(metric, view.test(leader))} on {view.test(leader).n} test rows"
    named = f"{_named(view, leader)}: {score}"
    text = f"{start} {named}" if start else _capital(named)
    return f"{text}{', ' if held else ''}{_joined(held)}."


def _set_aside_sentence(view: _View, found: Decision) -> str:
    """Why the tuned model that dev put first is not the one to use, where the test rows speak against it."""
    tuned = [c for c in view.contenders() if c.kind.trains]
    if found.run is None or not tuned or found.run == tuned[0].run:
        return ""
    gap = view.held(found.run, tuned[0].run)
    if gap.low <= 0 or not view.spec(found.run).kind.trains:
        return ""
    return (
        f"{_capital(tuned[0].name)} was first on the dev rows, but is clearly worse on the test rows "
        f"({_gap(view.study.metric, gap)}), so it is set aside."
    )


def _held_sentences(view: _View, found: Decision, runner_up: RunSpec | None) -> list[str]:
    """What the run to use is held against, one sentence each: all but the trained configs, and the next of
    those."""
    leader = found.leader
    if leader is None:
        return []
    kinds = (RunKind.BASE, RunKind.FEW_SHOT, RunKind.BASELINE, RunKind.DEFAULT)
    told = [spec for spec in view.scored(*kinds) if spec.run != leader]
    extra = [view.spec(run) for run in (found.alternative, runner_up and runner_up.run) if run]
    told += [spec for spec in dict.fromkeys(extra) if spec not in told and spec.run != leader]
    return [_held_sentence(view, leader, spec) for spec in told]


def _held_sentence(view: _View, leader: str, spec: RunSpec) -> str:
    metric, difference = view.study.metric, view.held(leader, spec.run)
    reached = f"{_capital(view.name(spec))} reaches {_value(metric, view.test(spec))}"
    if difference.low > 0:
        return f"{reached}: worse by {_gap(metric, difference)}."
    if difference.high < 0:
        return f"{reached}: better by {_gap(metric, difference)}."
    return f"{reached}: the two cannot be told apart, {_gap(metric, difference)} between them."


def _one_answer_sentence(view: _View) -> str:
    """That the best tuned model hardly tells rows apart."""
    tuned = next((c for c in view.contenders() if c.kind.trains), None)
    if tuned is None or not tuned.constant:
        return ""
    told = classes.one_answer(view.predictions[tuned.run]) or ""
    return f"{_capital(tuned.name)}{told.removeprefix('It')}"


def _expected_sentence(view: _View, expected: Score | None) -> str:
    """What the whole procedure is worth, said so that nobody takes it for a corrected test score."""
    if expected is None:
        return ""
    score = _value(view.study.metric, expected, unit=False)
    in_folds = view.specs[0].folds is not None
    unseen = ", each answered by a training that did not see it," if in_folds else " that no run trained on"
    return (
        f"A second measurement, which may lie above or below the test score: when one half of {expected.n} "
        f"rows{unseen} picks a model and the other half scores it, that model scores {score} on average."
    )


def _seeds_sentence(view: _View) -> str:
    """What the repeated configs reach over their seeds, and whether the first seed's order holds on test."""
    repeated = [spec for spec in view.candidates() if len(view.seeds(spec)) > 1]
    if not repeated:
        return ""
    metric, lower = view.study.metric, lower_is_better(view.study.metric)
    tests = {s.run: [view.test(seed).value for seed in view.seeds(s)] for s in repeated}
    parts = [f"{s.name} {_over_seeds(metric, tests[s.run])}" for s in repeated]
    text = f"On the test rows, the mean over seeds (least to most) is {_joined(parts)}"
    if len(repeated) != repeats.TOP:
        return f"{text}."
    sign = -1.0 if lower else 1.0
    firsts = [sign * score.value for s in repeated if (score := view.results[s.run].dev) is not None]
    means = [sign * float(np.mean(tests[s.run])) for s in repeated]
    holds = (firsts[0] - firsts[1]) * (means[0] - means[1]) > 0
    return f"{text}: the order that the first seed had on dev {'holds' if holds else 'does not hold'}."


def _over_seeds(metric: str, values: Sequence[float]) -> str:
    spread = Score(float(np.mean(values)), min(values), max(values), len(values))
    return f"{_value(metric, spread, unit=False)} with {len(values)} seeds"


def _limits_sentence(view: _View, winner: RunSpec, ties: Sequence[str], least: float | None) -> str:
    trained = [view.name(s) for s in view.specs if s.run in ties and s.kind.trains]
    if not trained:
        return ""
    limit = ""
    if least is not None:
        limit = (
            f"; differences below about {100 * least:.0f} points are too small for {view.test(winner).n} rows"
        )
    return f"Not told apart from {view.name(winner)}: {_listed(trained)}{limit}."


def _not_counted(view: _View) -> str:
    """Names each run that takes no part in the verdict, and why."""
    failed = [s.name for s in view.specs if _status(view, s) is RunStatus.FAILED]
    waiting = [s.name for s in view.specs if s.run not in view.results]
    cut = [s for s in view.specs if _status(view, s) is RunStatus.STOPPED and not view.results[s.run].test]
    dropped = [s.name for s in cut if _is_dropped(view.results[s.run])]
    stopped = [s.name for s in cut if s.name not in dropped]
    groups = (
        ("failed", failed),
        ("not ended", waiting),
        ("stopped", stopped),
        ("not trained to the end, as others had a lower loss on dev", dropped),
    )
    parts = [f"{_listed(names)} ({why})" for why, names in groups if names]
    return f"Not counted: {', '.join(parts)}." if parts else ""


def _status(view: _View, spec: RunSpec) -> RunStatus | None:
    result = view.results.get(spec.run)
    return None if result is None else result.status


def _is_dropped(result: RunResult) -> bool:
    """Whether the training stands at a share of its schedule: a search preferred others."""
    return "paused" in result.facts


def _compared(metric: str, difference: Score, title: str) -> str:
    text = f"{_gap(metric, difference)} {_side(metric, difference)} {title}"
    if difference.low <= 0 <= difference.high:
        text += ", which is not a difference that can be shown"
    return text


def _side(metric: str, difference: Score) -> str:
    return "above" if (difference.value >= 0) != lower_is_better(metric) else "below"


def _gap(metric: str, difference: Score) -> str:
    """The size of a difference with its interval, turned so that the size is not negative."""
    shown = difference if difference.value >= 0 else _turned(difference)
    return _value(metric, shown or difference, unit=False)


def _turned(difference: Score | None) -> Score | None:
    """Of two runs the other way round."""
    if difference is None:
        return None
    return Score(-difference.value, -difference.high, -difference.low, difference.n)


def _value(metric: str, score: Score, unit: bool = True) -> str:
    loss = lower_is_better(metric)
    return points(score, loss, " points" if unit and not loss else "")


def _title(spec: RunSpec) -> str:
    title = baselines.TITLES[spec.name]
    return title if title[:1].isupper() else f"the {title}"


def _named(view: _View, spec: RunSpec) -> str:
    name = view.name(spec)
    return name if spec.config is None else f"{name} ({spec.config.label})"


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _joined(parts: Sequence[str]) -> str:
    return ", and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _by_row(table: pd.DataFrame, column: str) -> pd.Series[float]:
    part = table[table["split"] == "test"]
    return part.set_index("row")[column]
