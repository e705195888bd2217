"""Leave one dataset out: what k configs of a shortlist reach on a dataset that the ranking has not seen.

After Halfon et al., arXiv 2407.18990: rank on the other datasets, select among the first k on dev, report
test as a share of the config that dev selects from all. Datasets are the unit: cells of one are averaged,
intervals are bootstrapped over them. A config that was not run in a cell cannot be judged there, so a cell
counts at the k from which on one of the first k was run in it; one where all of them failed counts 0.
Cells that say nothing (see engine.coverage) are not judged, unless a choice could have failed there. The
recommended k compares shares on dev: no test score decides anything.

The product's rule is CBS within 3 % of the best, not "not distinguishable from the best": it is the published
definition, ranks every table by one rule, with or without scores by row, and its net does not widen where
dev rows are few and a cell knows least.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine import tables
from engine.coverage import TOLERANCE, Codes, Matrix
from engine.curves import Curve, by_unit, curve
from engine.errors import ConfigError, TableError
from engine.heldout import Results
from engine.rules import Rule
from engine.space import normalize_names

__all__ = ["MOST", "Curve", "LeaveOneOut", "Rule", "Validated", "leave_one_out", "validate"]

MOST = 8


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """What each rule reaches of the dev-selected best of the whole grid, by k.

    `rules` lacks a rule that the table cannot answer (no dev rows, no default). `ahead`: CBS's share minus
    that of each other rule, paired by dataset. `of_oracle`: CBS as a share of the best possible config,
    corrected for picking the luckiest of many; `oracle`: that one as a share of the dev-selected best; None
    without test rows. `minutes`: of training the first k of CBS in the middle cell (a training that shared
    its machine can take ten times as long), None where seconds were not measured. `unit` is what was left
    out: "dataset", or "model" where there is one dataset. `datasets` counts these units in the table;
    `left_out` the cells that are not judged at some k.
    """

    k: tuple[int, ...]
    rules: Mapping[Rule, Curve]
    ahead: Mapping[Rule, Curve]
    of_oracle: Curve | None
    oracle: float | None
    minutes: tuple[float | None, ...] | None
    recommended_k: int | None
    unit: str
    datasets: int
    cells: int
    left_out: int
    left_out_by_k: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it; a rule that the table cannot answer is None."""
        curves = {str(rule): self.rules[rule].to_dict() if rule in self.rules else None for rule in Rule}
        return {
            "k": list(self.k),
            **curves,
            "cbs_of_oracle": None if self.of_oracle is None else self.of_oracle.to_dict(),
            "upper": {"dev_selected": 1.0, "oracle": self.oracle},
            "minutes": None if self.minutes is None else list(self.minutes),
            "unit": self.unit,
            "datasets": self.datasets,
            "cells": self.cells,
            "left_out": self.left_out,
            "left_out_by_k": list(self.left_out_by_k),
            "judged": {str(rule): list(found.judged) for rule, found in self.rules.items()},
            "recommended_k": self.recommended_k,
        }


@dataclass(frozen=True, slots=True)
class Validated:
    """One method for one model; model None: over the cells of all models."""

    model: str | None
    method: str
    result: LeaveOneOut

    def to_dict(self) -> dict[str, Any]:
        """As `cli.py validate --json` prints it."""
        return {"model": self.model, "method": self.method, **self.result.to_dict()}


def validate(
    source: Path | pd.DataFrame,
    *,
    most: int = MOST,
    tolerance: float = TOLERANCE,
    lower_is_better: bool = False,
    default: Mapping[str, Any] | None = None,
) -> list[Validated]:
    """Every (model, method) of a results table, then each method over all models; raises TableError."""
    table = tables.read(source)
    single: list[Validated] = []
    overall: list[Validated] = []
    for method, rows in table.frame.groupby("method", sort=True):
        groups = [*rows.groupby("model", sort=True), (None, rows)]
        for model, part in groups:
            found = leave_one_out(
                part, table.config_columns, most=most, tolerance=tolerance,
                lower_is_better=lower_is_better, default=default,
            )  # fmt: skip
            (overall if model is None else single).append(Validated(model, str(method), found))
    single.sort(key=lambda entry: (str(entry.model), entry.method))
    return [*single, *overall]


def leave_one_out(
    table: pd.DataFrame,
    config_columns: Sequence[str],
    *,
    most: int = MOST,
    tolerance: float = TOLERANCE,
    lower_is_better: bool = False,
    default: Mapping[str, Any] | None = None,
    rules: Collection[Rule] = tuple(Rule),
) -> LeaveOneOut:
    """The results of one method, as engine.coverage ranks them; `test_score` is reported if there is one.

    Optional columns: `source_group` (datasets of one group are left out together), `origin` (rows that are
    not of the searched space can be the default, and nothing else), `seconds`, and scores by row.
    """
    if most < 1:
        raise ConfigError(f"k must be at least 1, but is {most}.")
    if table.empty:
        raise TableError("There are no results to validate. Give a table with a row for each result.")
    results = Results.of(table, config_columns, lower_is_better)
    choices, judge = results.choices(tolerance, apart=Rule.CBS_APART in rules), results.judge()
    folds = results.folds
    orders = {rule: order for rule in {Rule.CBS, *rules} if (order := choices.of(rule, most)) is not None}
    picks = orders[Rule.CBS][folds.of_cells]
    test, dev = judge.of(picks)
    shares = {rule: judge.of(order[folds.of_cells])[0] for rule, order in orders.items()}
    if Rule.RANDOM in rules:
        shares[Rule.RANDOM] = judge.of_random(most)
    if Rule.DEFAULT in rules and (index := _index(results.coding.configs, default)) is not None:
        shares[Rule.DEFAULT] = np.repeat(judge.shares[:, [index]], most, axis=1)

    def mean(values: Matrix) -> Curve:
        return curve(by_unit(values, folds.units), folds.sources)

    oracle, minutes, known = results.oracle(judge), results.minutes(picks), np.isfinite(test)
    return LeaveOneOut(
        k=tuple(range(1, most + 1)),
        rules={rule: mean(values) for rule, values in shares.items()},
        ahead={rule: mean(shares[Rule.CBS] - shares[rule]) for rule in shares if rule is not Rule.CBS},
        of_oracle=None if oracle is None else mean(test / oracle[:, None]),
        oracle=None if oracle is None else mean(oracle[:, None]).mean[0],
        minutes=None if minutes is None else _middle(minutes),
        recommended_k=_recommended(by_unit(dev, folds.units), folds.sources),
        unit=folds.unit,
        datasets=len(folds.sources),
        cells=len(known),
        left_out=int((~known.all(axis=1)).sum()),
        left_out_by_k=tuple(int(count) for count in (~known).sum(axis=0)),
    )


def _recommended(dev: Matrix, sources: Codes) -> int | None:
    """The smallest k that k + 1 is not shown to beat, by the paired bootstrap over datasets, on dev.

    The last k if each next one is better; None where nothing was judged.
    """
    if not np.isfinite(dev).any():
        return None
    gains = curve(np.diff(dev, axis=1), sources)
    shown = [low is not None and low > 0 for low in gains.low]
    return shown.index(False) + 1 if False in shown else dev.shape[1]


def _middle(minutes: Matrix) -> tuple[float | None, ...]:
    known = [column[np.isfinite(column)] for column in minutes.T]
    return tuple(float(np.median(column)) if len(column) else None for column in known)


def _index(configs: Sequence[Mapping[str, Any]], default: Mapping[str, Any] | None) -> int | None:
    """Which config has all these values; None: it was not run. Raises ConfigError if several have."""
    if default is None:
        return None
    wanted = {name: value for name, value in normalize_names(default).items() if value is not None}
    found = [
        index
        for index, config in enumerate(configs)
        if all(name in config and _equal(config[name], value) for name, value in wanted.items())
    ]
    if len(found) > 1:
        raise ConfigError(f"The default fits {len(found)} configs of the table. Name more of its values.")
    return found[0] if found else None


def _equal(one: Any, other: Any) -> bool:
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return math.isclose(one, other, rel_tol=1e-9) if numbers else str(one) == str(other)
