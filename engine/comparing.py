"""Any runs side by side: how their settings differ, and by how much their scores on shared test rows do."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import pandas as pd

from engine import evaluate, few_shot, figures, metrics
from engine.dataset import Dataset, input_hash
from engine.duplicates import normalized
from engine.findings import counted
from engine.metrics import TITLES, lower_is_better
from engine.records import Config, Event, RunKind, RunResult, RunSpec, Score, Study

MOST = 8  # runs on one page: what a reader tells apart


@dataclass(frozen=True, slots=True)
class Side:
    """One of the runs that are compared; `rows` is what tells its test rows from those of another dataset.

    `predictions` is None for a run without a score, `rows` empty when its dataset was deleted.
    """

    study: Study
    spec: RunSpec
    result: RunResult | None = None
    predictions: pd.DataFrame | None = None
    events: tuple[Event, ...] = ()
    rows: Mapping[int, str] | None = None


class Setting(NamedTuple):
    """One setting of every run, as people write it."""

    name: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


class Pairing(NamedTuple):
    """How much better the first run is than the second on the rows that both were tested on.

    `difference` is above 0 where the first is better, also for a loss; None: they cannot be paired, and
    `sentence` says why. `low` to `high` is its 95 % interval.
    """

    difference: Score | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        found = None if self.difference is None else self.difference.to_dict()
        return {"difference": found, "sentence": self.sentence}


def names(sides: Sequence[Side]) -> tuple[str, ...]:
    """What each run is called here: with its study where there are several, with its id where that is not
    enough."""
    several = len({side.study.study for side in sides}) > 1
    plain = [
        f"{figures.run_title(side.spec)} ({side.study.name})" if several else figures.run_title(side.spec)
        for side in sides
    ]
    same = Counter(plain)
    return tuple(
        f"{name}, {side.spec.run}" if same[name] > 1 else name
        for name, side in zip(plain, sides, strict=True)
    )


def settings(sides: Sequence[Side]) -> tuple[Setting, ...]:
    """Every setting of the runs, in the order in which a person would tell them."""
    tables = [_settings(side) for side in sides]
    order = dict.fromkeys(name for table in tables for name in table)
    return tuple(Setting(name, tuple(table.get(name, "") for table in tables)) for name in order)


def test_keys(dataset: Dataset) -> dict[int, str]:
    """What a test row says, by its number in the file: rows of two datasets with one key are the same row.

    A key covers the input and the right answers; where several test rows have the same, the first counts.
    """
    keys: dict[str, int] = {}
    for row in dataset.split("test"):
        answers = "\n".join(map(normalized, row.targets))
        keys.setdefault(f"{input_hash(row)}-{hashlib.sha256(answers.encode()).hexdigest()[:16]}", row.number)
    return {number: key for key, number in keys.items()}


def pairing(first: Side, second: Side, titles: tuple[str, str]) -> Pairing:
    """The paired difference on shared test rows, and the sentence that says it. `titles`: of the two runs."""
    metric = first.spec.metric
    if metric != second.spec.metric:
        scores = f"{TITLES[metric]}, the other by {TITLES[second.spec.metric]}"
        return Pairing(None, f"Not compared: one is scored by {scores}.")
    if first.predictions is None or second.predictions is None:
        lacking = titles[0] if first.predictions is None else titles[1]
        return Pairing(None, f"Not compared: {lacking} has no test score.")
    theirs = _same_numbers(first, second)
    if theirs is None:
        return Pairing(None, "Not compared row by row: the two were tested on different rows.")
    found = evaluate.paired_difference(first.predictions, theirs, metric, "test")
    if found is None:
        return Pairing(None, f"Not compared row by row: {TITLES[metric]} was not measured on the same rows.")
    return Pairing(found, _sentence(found, metric, titles))


def score_rows(
    sides: Sequence[Side], titles: Sequence[str], pairs: Sequence[Pairing]
) -> list[dict[str, str]]:
    """The table of scores: a line for each run, `pairs` of the first one with each of the others."""
    gaps = ["", *(points(pair.difference, sides[0].spec.metric) for pair in pairs)]
    return [
        {
            "run": title,
            "test (reports)": points(side.result.test if side.result else None, side.spec.metric),
            "A is better by": gap,
            "rows": str(side.result.test.n) if side.result and side.result.test else "",
            "dev (selects)": points(side.result.dev if side.result else None, side.spec.metric),
            "metric": TITLES[side.spec.metric],
            "dataset": side.study.dataset_name,
            "model": side.spec.model,
        }
        for side, title, gap in zip(sides, titles, gaps, strict=True)
    ]


def points(score: Score | None, metric: str) -> str:
    """A score or difference with its interval, in points (a loss in nats); '' where there is none."""
    if score is None:
        return ""
    return metrics.points(score, lower_is_better(metric))


def _settings(side: Side) -> dict[str, str]:
    spec, config = side.spec, side.spec.config
    found: dict[str, Any] = {
        "study": side.study.name,
        "dataset": f"{side.study.dataset_name} ({spec.dataset})",
        "model": spec.model,
        "method": str(spec.method) if spec.kind.trains else "not trained",
        **({f.name: getattr(config, f.name) for f in fields(Config)} if config else {}),
        "train_size": spec.train_size or "all",
        "max_length": spec.max_length or "default",
        "template": spec.template or "default",
        "examples": few_shot.told(side.result.facts) if side.result else "",
        "metric": TITLES[spec.metric],
        "seed": spec.seed,
        "early_stopping_patience": spec.early_stopping_patience,
        "early_stopping_threshold": spec.early_stopping_threshold,
        "time_cap_seconds": spec.time_cap_seconds,
    }
    if spec.kind is RunKind.BASELINE:
        found = {name: found[name] for name in ("study", "dataset", "method", "train_size", "metric", "seed")}
    return {name: figures.setting(value) for name, value in found.items()}


def _same_numbers(first: Side, second: Side) -> pd.DataFrame | None:
    """The second run's predictions under the first one's row numbers; None where they share no test row."""
    assert second.predictions is not None
    if first.spec.dataset == second.spec.dataset:
        return second.predictions
    ours = {key: number for number, key in (first.rows or {}).items()}
    numbers = {number: ours[key] for number, key in (second.rows or {}).items() if key in ours}
    test = second.predictions[second.predictions["split"] == "test"]
    shared = test[test["row"].isin(list(numbers))]
    return None if shared.empty else shared.assign(row=shared["row"].map(numbers))


def _sentence(found: Score, metric: str, titles: tuple[str, str]) -> str:
    rows = f"on the same {counted(found.n, 'test row')}"
    unit = "nats" if lower_is_better(metric) else "points"
    if found.low <= 0 <= found.high:
        gap = points(found, metric)
        return f"{titles[0]} and {titles[1]} cannot be told apart {rows}: {gap} {unit} between them."
    better, worse = titles if found.value > 0 else titles[::-1]
    size = found if found.value > 0 else Score(-found.value, -found.high, -found.low, found.n)
    return f"{better} is better than {worse} by {points(size, metric)} {unit} {rows}."
