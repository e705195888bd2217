"""What a grid says about choices that a user must make: how many configs, LoRA or full fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from engine.findings import listed
from engine.metrics import TITLES, lower_is_better, number
from engine.records import Method, Task
from engine.validation import Rule, leave_one_out

CELL = ["dataset", "train_size"]


def expected_shares(results: pd.DataFrame, columns: Sequence[str], most: int) -> tuple[float, ...]:
    """What k = 1, 2, ... `most` configs reach of the whole grid, on a dataset that the ranking has not seen.

    The means of engine.validation for CBS; test is noisy: a share may exceed 1. Empty when no dataset can
    be judged by the others at some k.
    """
    found = leave_one_out(results, columns, most=most, rules=(Rule.CBS,)).rules[Rule.CBS].mean
    shares = tuple(share for share in found if share is not None)
    return shares if len(shares) == most else ()


class MethodEvidence(NamedTuple):
    """The best config by dev of each method, its test score averaged over a task's datasets."""

    task: Task
    metric: str
    datasets: tuple[str, ...]
    scores: dict[Method, float]

    @property
    def sentence(self) -> str:
        """One line for the choice of a method."""
        loss = lower_is_better(self.metric)
        lora, full = (number(self.scores[method], loss) for method in (Method.LORA, Method.FULL))
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
