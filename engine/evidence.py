"""What a grid says about choices that a user must make: how many configs, LoRA or full fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine.coverage import rank_configs
from engine.findings import listed
from engine.metrics import TITLES
from engine.records import Method, Task

CELL = ["dataset", "train_size"]


def expected_shares(results: pd.DataFrame, columns: Sequence[str], most: int) -> tuple[float, ...]:
    """What k = 1, 2, ... `most` configs reach of the whole grid, on a dataset that the ranking has not seen.

    Leave one dataset out, after Halfon et al., arXiv 2407.18990: rank on the others, select among the
    first k on dev, compare on test with the config that dev selects from all. Test is noisy: a share may
    exceed 1. Empty when there are fewer than two datasets.
    """
    table = results.assign(
        config=[_config(row, columns) for row in results[list(columns)].to_dict("records")]
    )
    names = sorted(table["dataset"].unique())
    if len(names) < 2:
        return ()
    shares = [_shares(table, name, columns, most) for name in names]
    found = [row for rows in shares for row in rows]
    return tuple(float(value) for value in np.mean(found, axis=0)) if found else ()


def _config(values: dict[str, Any], columns: Sequence[str]) -> str:
    """The same text for equal configs, whatever their number types."""
    present = {name: values[name] for name in columns if not pd.isna(values[name])}
    return repr(sorted((n, v if isinstance(v, str) else float(v)) for n, v in present.items()))


def _shares(table: pd.DataFrame, left_out: str, columns: Sequence[str], most: int) -> list[list[float]]:
    """One list of shares by k for each training size of the dataset that the ranking leaves out."""
    others, own = table[table["dataset"] != left_out], table[table["dataset"] == left_out]
    order = [
        _config({**dict.fromkeys(columns), **e.config}, columns)
        for e in rank_configs(others, columns).entries
    ]
    found = []
    for _, cell in own.groupby("train_size"):
        scores = cell.groupby("config")[["score", "test_score"]].mean()
        best = _selected(scores)
        if best > 0:
            found.append([_selected(scores[scores.index.isin(order[:k])]) / best for k in range(1, most + 1)])
    return found


def _selected(scores: pd.DataFrame) -> float:
    """The test score of the config with the best dev score; 0 when none finished."""
    finished = scores.dropna(subset=["score"])
    return 0.0 if finished.empty else float(finished.loc[finished["score"].idxmax(), "test_score"])


class MethodEvidence(NamedTuple):
    """The best config by dev of each method, its test score averaged over a task's datasets."""

    task: Task
    metric: str
    datasets: tuple[str, ...]
    scores: dict[Method, float]

    @property
    def sentence(self) -> str:
        """One line for the choice of a method."""
        points = {method: f"{100 * score:.1f}" for method, score in self.scores.items()}
        lora, full = points[Method.LORA], points[Method.FULL]
        return (
            f"Best of the grid on {listed(self.datasets)} ({TITLES.get(self.metric, self.metric)}): "
            f"LoRA {lora}, full fine-tuning {full} points on test."
        )


def methods(results: pd.DataFrame, model: str, task: Task) -> MethodEvidence | None:
    """LoRA against full fine-tuning on the datasets of one task; None: not both were measured."""
    own = results[(results["model"] == model) & (results["task"] == str(task))].dropna(subset=["score"])
    both = own.groupby("dataset").filter(lambda part: part["method"].nunique() == len(Method))
    if both.empty:
        return None
    chosen = both.loc[both.groupby([*CELL, "method"])["score"].idxmax()]
    means = chosen.groupby("method")["test_score"].mean()
    names = tuple(sorted(both["dataset"].unique()))
    return MethodEvidence(
        task, str(both["metric"].iloc[0]), names, {Method(k): float(v) for k, v in means.items()}
    )
