"""Says which model of a study to use, by how much it is better, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine import baselines, classes, few_shot, headline, intervals, repeats
from engine.evaluate import paired_difference
from engine.metrics import TITLES, lower_is_better
from engine.records import RunKind, RunResult, RunSpec, RunStatus, Score, Study, Task

CALLED = {RunKind.BASE: "the untuned base", RunKind.FEW_SHOT: "few-shot", RunKind.DEFAULT: "the default"}
FEW_ROWS = 50  # test rows; a dataset below 200 rows has fewer (design.md: "too few to conclude")


@dataclass(frozen=True, slots=True)
class Summary:
    """What a study found; every difference is the winner's test score minus another run's, above 0: better.

    `ties` are the runs whose difference with the winner may be 0. `smallest_difference` is the least true
    difference that this test split would show in 4 of 5 studies, in the metric's own unit. `headline` is the
    score to expect of the winner, free of the luck of having been picked among `candidates` configs;
    `runner_up` is the second by dev. `use` is the run that answers for the study: the winner, or the baseline
    that no tuned model beat on the test rows, where it is above the winner on dev too.
    """

    winner: str | None
    verdict: str
    differences: Mapping[str, Score]
    ties: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    smallest_difference: float | None = None
    headline: Score | None = None
    candidates: int = 0
    runner_up: str | None = None
    use: str | None = None


def summarize(
    study: Study,
    specs: Sequence[RunSpec],
    results: Mapping[str, RunResult],
    predictions: Mapping[str, pd.DataFrame],
) -> Summary:
    """The verdict on a study. Dev selects, test reports: no test score takes part in choosing the winner."""
    view = _View(study, tuple(specs), results, predictions, repeats.families(specs))
    warnings = tuple(w for spec in specs if (w := view.warning(spec)) is not None)
    winner = view.winner()
    if winner is None:
        return Summary(None, _no_winner(view), {}, warnings=warnings)
    differences = view.differences(winner)
    ties = tuple(run for run, found in differences.items() if found.low <= 0 <= found.high)
    least = view.smallest_difference(winner)
    rivals = [spec for spec in view.candidates() if spec is not winner]
    runner_up = view.best(rivals)
    expected = view.headline()
    parts = (
        _few_rows(view, winner),
        _main_sentence(view, winner, differences),
        _worth_sentence(view, winner, differences),
        _one_answer_sentence(view, winner),
        _headline_sentence(view, expected, len(rivals) + 1),
        _runner_up_sentence(view, winner, runner_up, differences),
        _seeds_sentence(view),
        _baseline_sentence(view, winner, differences),
        _limits_sentence(view, winner, ties, least),
        _not_counted(view),
    )
    return Summary(
        winner.run, " ".join(p for p in parts if p), differences, ties, warnings, least,
        expected, len(rivals) + 1, runner_up.run if runner_up else None,
        view.ordered([winner, *_baselines_above(view, differences)])[0].run,
    )  # fmt: skip


def ranked(study: Study, specs: Sequence[RunSpec], results: Mapping[str, RunResult]) -> list[str]:
    """The trained configs with a score, best on dev first; one with several seeds counts once."""
    view = _View(study, tuple(specs), results, {}, repeats.families(specs))
    return [spec.run for spec in view.ordered(view.candidates()) if spec.kind.trains]


@dataclass(frozen=True, slots=True)
class _View:
    study: Study
    specs: tuple[RunSpec, ...]
    results: Mapping[str, RunResult]
    predictions: Mapping[str, pd.DataFrame]
    families: Mapping[str, tuple[RunSpec, ...]]

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
        ours = self.predictions.get(winner.run)
        if ours is None:
            return {}
        found = {
            spec.run: paired_difference(ours, self.predictions[spec.run], self.study.metric, "test")
            for spec in self.scored(*RunKind)
            if spec.run != winner.run and spec.run in self.predictions
        }
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
        column = "accuracy" if self.study.metric == "macro_f1" else self.study.metric
        ours, theirs = (_by_row(self.predictions[s.run], column) for s in (winner, rival))
        spread = float(np.std((ours - theirs).dropna()))
        return intervals.smallest_difference(n, spread) if spread else intervals.smallest_difference(n)

    def warning(self, spec: RunSpec) -> str | None:
        result = self.results.get(spec.run)
        if result is None:
            return f"{spec.name} has not ended yet."
        if result.status is RunStatus.FAILED:
            return f"{spec.name} failed: {result.error}"
        if result.status is RunStatus.STOPPED and not _is_dropped(result):
            kept = result.facts.get("note", "it has no score.")
            return f"{spec.name} was stopped: {kept}"
        return None


def _no_winner(view: _View) -> str:
    waiting = [s for s in view.specs if s.run not in view.results]
    if waiting:
        return f"No model has a score yet: {len(waiting)} of {len(view.specs)} runs have not ended."
    return "No model has a score, so none can be recommended. " + _not_counted(view)


def _few_rows(view: _View, winner: RunSpec) -> str:
    n = view.test(winner).n
    return f"Too few rows to conclude: the test split has only {n}." if n < FEW_ROWS else ""


def _main_sentence(view: _View, winner: RunSpec, differences: Mapping[str, Score]) -> str:
    metric = view.study.metric
    better = [_title(s) for s in _baselines_above(view, differences)]
    start = f"No tuned model beat {_listed(better)}. " if better else ""
    comparisons = [
        _compared(metric, differences[spec.run], title)
        for kind, title in CALLED.items()
        for spec in view.scored(kind)
        if spec.run in differences
    ]
    score = f"{TITLES[metric]} {_value(metric, view.test(winner))} on {view.test(winner).n} test rows"
    if winner.kind is RunKind.BASE:
        rivals = "Neither a config nor few-shot" if view.scored(RunKind.FEW_SHOT) else "No config"
        return f"{start}{rivals} beat the untuned base on dev, so use it as it is: {score}."
    use = f"{'Of the models, use' if better else 'Use'} {_named(winner)}"
    if winner.kind is RunKind.FEW_SHOT:
        use = f"No config beat few-shot on dev, so use the untuned base with {_examples(view)}"
    return f"{start}{use}: {score}{', ' if comparisons else ''}{_joined(comparisons)}."


def _worth_sentence(view: _View, winner: RunSpec, differences: Mapping[str, Score]) -> str:
    """Whether tuning is shown to be better than the model as it is, where it was asked with examples too."""
    untuned = [s for s in view.scored(RunKind.BASE, RunKind.FEW_SHOT) if s.run in differences]
    examples = next((spec for spec in untuned if spec.kind is RunKind.FEW_SHOT), None)
    if examples is None or not winner.kind.trains:
        return ""
    rival = view.best([spec for spec in untuned if differences[spec.run].low <= 0]) or examples
    asked = _examples(view) if rival is examples else "the untuned base"
    reached = f"{asked} reaches" if rival is not examples else f"{asked} reach"
    reached = f"{reached} {_value(view.study.metric, view.test(rival))}"
    if differences[rival.run].low > 0:
        return "" if _baselines_above(view, differences) else f"Tuning is worth it: {reached}."
    if differences[rival.run].high < 0:
        return f"Tuning is not worth it: {reached}, which is better."
    return f"Tuning is not shown to be worth it: {reached}, which cannot be told apart."


def _examples(view: _View) -> str:
    """'8 examples in its prompt'."""
    return few_shot.told(view.results[view.scored(RunKind.FEW_SHOT)[0].run].facts) or "examples in its prompt"


def _one_answer_sentence(view: _View, winner: RunSpec) -> str:
    table = view.predictions.get(winner.run)
    if view.study.task is not Task.CLASSIFICATION or table is None:
        return ""
    return classes.one_answer(table) or ""


def _headline_sentence(view: _View, expected: Score | None, candidates: int) -> str:
    if expected is None:
        return ""
    score = _value(view.study.metric, expected, unit=False)
    in_folds = view.specs[0].folds is not None
    unseen = ", each answered by a training that did not see it" if in_folds else " that no run trained on"
    return f"Counting for having picked the best of {candidates}: {score}, from {expected.n} rows{unseen}."


def _runner_up_sentence(
    view: _View, winner: RunSpec, second: RunSpec | None, differences: Mapping[str, Score]
) -> str:
    """Base, few-shot and default are told of in the main sentence already."""
    if second is None or second.run not in differences or second.kind in CALLED:
        return ""
    compared = _compared(view.study.metric, differences[second.run], f"{second.name}, the runner-up by dev")
    return f"On the test rows {_called(winner)} is {compared}."


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


def _baselines_above(view: _View, differences: Mapping[str, Score]) -> list[RunSpec]:
    return [s for s in view.scored(RunKind.BASELINE) if s.run in differences and differences[s.run].high < 0]


def _unbeaten(spec: RunSpec, differences: Mapping[str, Score]) -> bool:
    return spec.run in differences and differences[spec.run].low <= 0


def _baseline_sentence(view: _View, winner: RunSpec, differences: Mapping[str, Score]) -> str:
    """About the best baseline by dev, and about each that the winner is not shown to be better than."""
    best = view.best(view.scored(RunKind.BASELINE))
    told = [s for s in view.scored(RunKind.BASELINE) if s is best or _unbeaten(s, differences)]
    sentences = []
    for spec in told:
        title = _title(spec)
        reached = f"{title[0].upper()}{title[1:]} reaches {_value(view.study.metric, view.test(spec))}"
        difference = differences.get(spec.run)
        if difference is None:
            sentences.append(f"{reached}.")
        elif difference.high < 0:
            sentences.append(f"{reached}: it is better, {_gap(view.study.metric, difference)}.")
        elif difference.low > 0:
            sentences.append(f"{reached}: it is worse, {_gap(view.study.metric, difference)}.")
        else:
            sentences.append(
                f"{reached}: the two cannot be told apart, {_gap(view.study.metric, difference)}."
            )
    return " ".join(sentences)


def _limits_sentence(view: _View, winner: RunSpec, ties: Sequence[str], least: float | None) -> str:
    trained = [s.name for s in view.specs if s.run in ties and s.kind.trains]
    if not trained:
        return ""
    limit = ""
    if least is not None:
        limit = (
            f"; differences below about {100 * least:.0f} points are too small for {view.test(winner).n} rows"
        )
    return f"Not told apart from {_called(winner)}: {_listed(trained)}{limit}."


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
    if difference.value >= 0:
        return _value(metric, difference, unit=False)
    turned = Score(-difference.value, -difference.high, -difference.low, difference.n)
    return _value(metric, turned, unit=False)


def _value(metric: str, score: Score, unit: bool = True) -> str:
    if metric == "loss":
        return f"{score.value:.2f} ({score.low:.2f} to {score.high:.2f})"
    low, high = 100 * score.low, 100 * score.high
    points = " points" if unit else ""
    return f"{100 * score.value:.1f}{points} ({low:.1f} to {high:.1f})".replace("-0.0", "0.0")


def _title(spec: RunSpec) -> str:
    title = baselines.TITLES[spec.name]
    return title if title[:1].isupper() else f"the {title}"


def _named(spec: RunSpec) -> str:
    return spec.name if spec.config is None else f"{spec.name} ({spec.config.label})"


def _called(spec: RunSpec) -> str:
    return CALLED.get(spec.kind, spec.name)


def _joined(parts: Sequence[str]) -> str:
    return ", and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _by_row(table: pd.DataFrame, column: str) -> pd.Series[float]:
    part = table[table["split"] == "test"]
    return part.set_index("row")[column]
