"""How well a model does on each class, what it takes for what, and which classes have too few rows to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine import evaluate, intervals, labelsets
from engine.metrics import METRICS, ROW_METRICS, TITLES, points
from engine.records import Score, Task

TOO_WIDE = 0.20  # half the width of a recall's interval
FEWEST = 20  # rows of a class: at a recall of 50 % they give that width; at 0 % seven would look like enough
ONE_ANSWER = 0.9  # share of rows with the same answer from which a model hardly tells classes apart
MOST_SHOWN = 20  # classes of a confusion table that is read at a glance
OTHER = "other classes"
INVALID = "no class"


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class: its rows (`n`), how many of them were found (recall), how many of the `said` are right.
    A row with several labels is a row of each.

    None: there is no row, or no answer, to take a share of.
    """

    label: str
    n: int
    said: int
    recall: Score | None
    precision: Score | None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of recall and precision; None without a row."""
        if self.recall is None:
            return None
        return 2 * self.recall.value * self.n / (self.n + self.said)

    @property
    def is_enough(self) -> bool:
        """Whether there are FEWEST rows and the recall is known to within TOO_WIDE."""
        if self.recall is None or self.n < FEWEST:
            return False
        return (self.recall.high - self.recall.low) / 2 <= TOO_WIDE


@dataclass(frozen=True, slots=True)
class Classes:
    """All classes, the most frequent first; `invalid` answers name no class (of several labels: one that is
    none) and count as wrong. `measures`: the scores over rows and classes, by metric; `sets`: rows have
    several labels."""

    scores: tuple[ClassScore, ...]
    split: str
    n: int
    invalid: int
    measures: Mapping[str, Score]
    sets: bool = False


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by right class (`golds`) and answer (`said`), `counts`: golds x said.

    The first `shown` of both are classes, of `classes` in all; then OTHER, if there are more, and INVALID.
    """

    golds: tuple[str, ...]
    said: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    shown: int
    classes: int


def classes(table: pd.DataFrame, labels: Sequence[str] = (), split: str = "test") -> Classes | None:
    """From a run's predictions; `labels` adds classes without a row of the split. None for an empty split."""
    part = table[table["split"] == split]
    if part.empty:
        return None
    sets = evaluate.of_sets(table)
    task = Task.MULTILABEL if sets else Task.CLASSIFICATION
    metrics = [*ROW_METRICS[task][-1:], *(m for m in METRICS[task] if m not in ROW_METRICS[task])]
    measures = {m: score for m in metrics if (score := evaluate.score(table, m, split)) is not None}
    golds, said = _sets(part, labels) if sets else _single(part)
    groups = evaluate.groups(part)
    names = _names(golds, said, labels)
    scores = (_class_score(name, golds, said, groups) for name in names)
    invalid = int((~part["valid"].astype(bool)).sum())
    return Classes(tuple(scores), split, len(part), invalid, measures, sets)


def finding(found: Classes) -> str:
    """The scores in one sentence: accuracy and the exact set count each row, micro-F1 each label of each row,
    macro-F1 each class the same."""
    over = {"macro_f1": "over the classes alike", "micro_f1": "over all labels"}
    parts = [
        f"{TITLES[metric]} {points(score, loss=False)} {over.get(metric, 'over the rows')}"
        for metric, score in found.measures.items()
    ]
    none = "name what is no label" if found.sets else "name no class"
    invalid = f"; {found.invalid} answers {none}" if found.invalid else ""
    text = f"{', '.join(parts)}, on {found.n} {found.split} rows"
    return f"{text[0].upper()}{text[1:]}{invalid}"


def one_answer(table: pd.DataFrame, split: str = "test") -> str | None:
    """That a run gives nearly every row the same answer, though the rows differ; None: it does not."""
    part = table[table["split"] == split]
    said, golds = np.array(evaluate.said(part), dtype=object), np.array(evaluate.golds(part), dtype=object)
    if not len(said):
        return None
    answer = pd.Series(said).value_counts().index[0]
    given = said == answer
    if given.mean() < ONE_ANSWER or (golds == answer).mean() >= ONE_ANSWER:
        return None
    right = int((given & (golds == answer)).sum())
    return f"It answers '{answer}' to {given.sum()} of {len(part)} {split} rows, {right} of them rightly."


def warning(found: Classes) -> str | None:
    """Which classes have too few rows to say anything about; None: all have enough."""
    few = [score for score in found.scores if not score.is_enough]
    if not few:
        return None
    named = ", ".join(f"{score.label} ({score.n})" for score in few[:MOST_SHOWN])
    more = f" and {len(few) - MOST_SHOWN} more" if len(few) > MOST_SHOWN else ""
    return (
        f"Too few {found.split} rows to say anything about {len(few)} of {len(found.scores)} "
        f"classes: {named}{more}. They have fewer than {FEWEST} rows, or a recall that is uncertain by more "
        f"than {100 * TOO_WIDE:.0f} points either way."
    )


def confusion(table: pd.DataFrame, split: str = "test", most: int = MOST_SHOWN) -> Confusion:
    """What was answered for what; of many classes those with the most wrong answers, the frequent first."""
    golds, said = _answers(table[table["split"] == split])
    names = _names([{gold} for gold in golds], [set() if name is None else {name} for name in said], ())
    shown = _most_wrong(names, golds, said, most)
    other = [OTHER] if len(shown) < len(names) else []
    lines, columns = [*shown, *other], [*shown, *other, *([INVALID] if None in said else [])]
    counts = np.zeros((len(lines), len(columns)), dtype=np.int64)
    place = {name: number for number, name in enumerate(shown)}
    for right, answer in zip(golds, said, strict=True):
        column = len(columns) - 1 if answer is None else place.get(answer, len(shown))
        counts[place.get(right, len(shown)), column] += 1
    return Confusion(tuple(lines), tuple(columns), counts, len(shown), len(names))


def table(found: Classes) -> pd.DataFrame:
    """A line for each class, shares from 0 to 1, for a download."""
    lines = []
    for score in found.scores:
        line = {"class": score.label, "rows": score.n, "answers": score.said}
        for name, value in (("recall", score.recall), ("precision", score.precision)):
            line |= {
                name: value and value.value, f"{name}_low": value and value.low,
                f"{name}_high": value and value.high,
            }  # fmt: skip
        lines.append({**line, "f1": score.f1, "enough_rows": score.is_enough})
    return pd.DataFrame(lines)


def _answers(part: pd.DataFrame) -> tuple[list[str], list[str | None]]:
    """Right classes and answers; None for an answer that names no class."""
    said = zip(evaluate.said(part), part["valid"], strict=True)
    return evaluate.golds(part), [answer if valid else None for answer, valid in said]


def _single(part: pd.DataFrame) -> tuple[list[Set[str]], list[Set[str]]]:
    golds, said = _answers(part)
    return [{gold} for gold in golds], [set() if answer is None else {answer} for answer in said]


def _sets(part: pd.DataFrame, labels: Sequence[str]) -> tuple[list[Set[str]], list[Set[str]]]:
    """Right labels and those answered; of what is no label nothing counts here."""
    golds: list[Set[str]] = [labelsets.parts(gold) for gold in evaluate.golds(part)]
    known = frozenset(labels).union(*golds)
    return golds, [labelsets.parts(answer) & known for answer in evaluate.said(part)]


def _names(golds: Sequence[Set[str]], said: Sequence[Set[str]], labels: Sequence[str]) -> list[str]:
    rows = Counter(name for found in golds for name in found)
    names = {*labels, *rows, *(name for found in said for name in found)}
    return sorted(names, key=lambda name: (-rows[name], name))


def _class_score(
    name: str, golds: Sequence[Set[str]], said: Sequence[Set[str]], groups: Sequence[str] | None
) -> ClassScore:
    of_class = [place for place, gold in enumerate(golds) if name in gold]
    answered = [place for place, answer in enumerate(said) if name in answer]
    right = [float(name in gold and name in answer) for gold, answer in zip(golds, said, strict=True)]
    recall, precision = (_share(places, right, groups) for places in (of_class, answered))
    return ClassScore(name, len(of_class), len(answered), recall, precision)


def _share(places: Sequence[int], right: Sequence[float], groups: Sequence[str] | None) -> Score | None:
    if not places:
        return None
    units = None if groups is None else [groups[place] for place in places]
    return intervals.mean_score([right[place] for place in places], units)


def _most_wrong(
    names: Sequence[str], golds: Sequence[str], said: Sequence[str | None], most: int
) -> list[str]:
    if len(names) <= most:
        return list(names)
    wrong = dict.fromkeys(names, 0)
    for right, answer in zip(golds, said, strict=True):
        if right != answer:
            wrong[right] += 1
            if answer is not None:
                wrong[answer] += 1
    chosen = set(sorted(names, key=lambda name: -wrong[name])[:most])
    return [name for name in names if name in chosen]
