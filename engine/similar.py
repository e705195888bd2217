"""Which datasets of a grid are most like a user's: same task, then length, labels and training rows.

Facts of the shipped grids' datasets are in grids/datasets.json (figures only, no text). Nearness is ours and
simple on purpose: the mean number of doublings between two datasets over what is known of both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from engine import words
from engine.kept import Dataset
from engine.records import Row, Task

FILE = Path(__file__).resolve().parents[1] / "grids" / "datasets.json"
MEASURES = {
    "input_words": "words of input",
    "answer_words": "words of answer",
    "labels": "labels",
    "rows": "training rows",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a dataset is like; words (characters in scripts without spaces) are medians over rows, `labels` is
    None unless it is classification."""

    task: Task
    rows: int
    labels: int | None
    input_words: float
    answer_words: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "task": str(self.task)}


def facts(data: Dataset, rows: int | None = None) -> Facts:
    """Of the training split; `rows` replaces its size where fewer are trained on."""
    train = data.split("train")
    labels = len(data.labels) if data.task.has_labels else None
    return Facts(
        data.task, len(train) if rows is None else rows, labels,
        float(median(map(_input_words, train))), float(median(words.count(row.targets[0]) for row in train)),
    )  # fmt: skip


def _input_words(row: Row) -> int:
    return sum(map(words.count, row.inputs.values()))


@cache
def shipped() -> Mapping[str, Facts]:
    """By the names of the grids' datasets; a dataset of somebody's own grid is not among them."""
    values = json.loads(FILE.read_text(encoding="utf-8"))
    return {name: Facts(**{**found, "task": Task(found["task"])}) for name, found in values.items()}


class Likeness(NamedTuple):
    """A grid dataset beside the user's; `ratios` are its measures over the user's, `doublings` their mean."""

    name: str
    facts: Facts
    same_task: bool
    ratios: dict[str, float]
    doublings: float


def nearest(mine: Facts, others: Mapping[str, Facts], sizes: Mapping[str, Sequence[int]]) -> list[Likeness]:
    """The nearest first, all of the same task before any other; `sizes`: rows that the grid trained on."""
    found = [
        _likeness(name, mine, _nearest_size(mine, known, sizes.get(name, ())))
        for name, known in others.items()
    ]
    return sorted(found, key=lambda one: (not one.same_task, one.doublings, one.name))


def _nearest_size(mine: Facts, other: Facts, sizes: Sequence[int]) -> Facts:
    rows = min(sizes, key=lambda size: abs(np.log2(size / mine.rows)), default=other.rows)
    return Facts(other.task, int(rows), other.labels, other.input_words, other.answer_words)


def _likeness(name: str, mine: Facts, other: Facts) -> Likeness:
    pairs = {measure: (getattr(other, measure), getattr(mine, measure)) for measure in MEASURES}
    ratios = {measure: float(a) / float(b) for measure, (a, b) in pairs.items() if a and b}
    doublings = float(np.mean([abs(np.log2(ratio)) for ratio in ratios.values()]))
    return Likeness(name, other, mine.task is other.task, ratios, doublings)
