"""Scores answers: one table of predictions per run, which scores and differences follow from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from engine import intervals, labelsets
from engine.metrics import METRICS, ROW_METRICS, as_answer, lower_is_better, row_values
from engine.records import Row, Score, Task

__all__ = ["METRICS", "lower_is_better", "paired_difference", "prediction_table", "row_scores", "score"]

COLUMNS = ("split", "row", "group", "prediction", "gold", "valid")


def prediction_table(
    task: Task,
    labels: Sequence[str],
    rows: Mapping[str, Sequence[Row]],
    answers: Mapping[str, Sequence[str]],
    losses: Mapping[str, Sequence[float]] | None = None,
) -> pd.DataFrame:
    """The columns of predictions.parquet: what was answered to each row of each split, and how good it is.

    An answer outside the label set is kept as it was written, with valid False, and counts as wrong.
    """
    found = []
    for split, members in rows.items():
        lost = (losses or {}).get(split) or [float("nan")] * len(members)
        for row, answer, loss in zip(members, answers[split], lost, strict=True):
            found.append({"split": split, **_judge(task, labels, row, answer), "loss": loss})
    return pd.DataFrame(found, columns=[*COLUMNS, *ROW_METRICS[task], "loss"])


def score(table: pd.DataFrame, metric: str, split: str) -> Score | None:
    """The score of a split with its interval; None where the metric was not measured on it."""
    part = table[table["split"] == split]
    if part.empty:
        return None
    if metric in intervals.OF_SUMS:
        return intervals.f1_score(label_counts(part), intervals.OF_SUMS[metric], groups(part))
    values = part[metric].to_numpy(dtype=float)
    return None if np.isnan(values).any() else intervals.mean_score(values.tolist(), groups(part))


def scores(table: pd.DataFrame, task: Task) -> dict[str, dict[str, Score]]:
    """Every metric of the task on every split of the table."""
    found: dict[str, dict[str, Score]] = {}
    for metric in (*METRICS[task], *(() if "loss" in METRICS[task] else ("loss",))):
        for split in table["split"].unique():
            value = score(table, metric, split)
            if value is not None:
                found.setdefault(metric, {})[split] = value
    return found


def row_scores(table: pd.DataFrame, metric: str, split: str) -> list[float]:
    """The per-row values behind a score; for F1 over classes, which has none, how right each row is."""
    column = ("row_f1" if of_sets(table) else "accuracy") if metric in intervals.OF_SUMS else metric
    return [round(float(v), 4) for v in table.loc[table["split"] == split, column]]


def interval(values: Sequence[float], groups: Sequence[str] | None = None) -> Score:
    """The mean of per-row values with its 95 % interval."""
    return intervals.mean_score(values, groups)


def paired_difference(a: pd.DataFrame, b: pd.DataFrame, metric: str, split: str) -> Score | None:
    """How much better a is than b, above 0 also for losses, paired row by row; None without shared rows."""
    both = _paired(a, b, split)
    if both.empty:
        return None
    units = groups(both)
    if metric in intervals.OF_SUMS:
        other = both.rename(columns={"prediction_b": "prediction", "prediction": "prediction_a"})
        return intervals.f1_difference(
            label_counts(both), label_counts(other), intervals.OF_SUMS[metric], units
        )
    ours, theirs = both[metric].to_numpy(dtype=float), both[f"{metric}_b"].to_numpy(dtype=float)
    if np.isnan(ours).any() or np.isnan(theirs).any():
        return None
    if lower_is_better(metric):
        ours, theirs = theirs, ours
    return intervals.mean_difference(ours.tolist(), theirs.tolist(), units)


def _paired(a: pd.DataFrame, b: pd.DataFrame, split: str) -> pd.DataFrame:
    left, right = (t[t["split"] == split] for t in (a, b))
    return left.merge(right.drop(columns=["split", "group", "gold"]), on="row", suffixes=("", "_b"))


def _judge(task: Task, labels: Sequence[str], row: Row, answer: str) -> dict[str, Any]:
    said, valid = as_answer(task, answer, labels)
    return {
        "row": row.number,
        "group": row.group,
        "prediction": said,
        "gold": json.dumps(row.targets, ensure_ascii=False),
        "valid": valid,
        **row_values(task, said, row.targets),
    }


def said(part: pd.DataFrame) -> list[str]:
    """The answers of a part of a prediction table."""
    return [str(p) for p in part["prediction"]]


def golds(part: pd.DataFrame) -> list[str]:
    """The right answers; of several the first."""
    return [str(json.loads(g)[0]) for g in part["gold"]]


def label_counts(part: pd.DataFrame) -> intervals.Array:
    """Per row and label of the right answers: hit, said, right; side by side."""
    if not of_sets(part):
        return intervals.label_counts(said(part), golds(part))
    answers, right = (list(map(labelsets.parts, texts)) for texts in (said(part), golds(part)))
    return intervals.set_counts(answers, right)


def of_sets(table: pd.DataFrame) -> bool:
    """Whether the rows have several labels each."""
    return "exact_set" in table


def groups(part: pd.DataFrame) -> list[str] | None:
    """The documents that the rows are of; a row of none stands alone. None where no row is of one."""
    if part["group"].isna().all():
        return None
    return [f"row {n}" if pd.isna(g) else str(g) for n, g in zip(part["row"], part["group"], strict=True)]
