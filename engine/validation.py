"""Leave one dataset out: what k configs of a shortlist reach on a dataset that the ranking has not seen.

After Halfon et al., arXiv 2407.18990: rank on the other datasets, select among the first k on dev, report
test as a share of the config that dev selects from all. Datasets are the unit: cells of one are averaged,
intervals are bootstrapped over them. A config that was not run in a cell cannot be judged there, so a cell
counts at the k from which on one of the first k was run in it; one where all of them failed counts 0.
The recommended k compares shares on dev: no test score decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """How k configs are chosen; the values are keys of `cli.py validate --json`."""

    CBS = "cbs"  # coverage within the tolerance: the product's rule
    CBS_APART = "cbs_not_distinguishable"  # coverage by what the dev rows can tell apart
    SCORE_ONLY = "score_only"  # by S alone, without asking what is covered already
    BEST_AVERAGE = "best_average"  # by the mean normalized score
    PORTFOLIO = "portfolio"  # greedy by mean rank: Wistuba et al. 2015, Syne Tune, TabRepo
    RANDOM = "random"  # the mean over all subsets of k, exact
    DEFAULT = "default"  # one fixed config


@dataclass(frozen=True, slots=True)
class Curve:
    """A mean over datasets with its 95 % interval, for k = 1, 2, ...; None where no dataset can be judged."""

    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class LeaveOneOut:
    """What each rule reaches of the dev-selected best of the whole grid, by k.

    `rules` lacks a rule that the table cannot answer (no rows, no default). `of_oracle`: CBS as a share of
    the best possible config, corrected for picking the luckiest of many; `oracle`: that one as a share of
    the dev-selected best; None without test rows. `minutes`: of training the first k of CBS, None where
    seconds were not measured. `unit` is what was left out: "dataset", or "model" where there is one dataset.
    `datasets` counts these units in the table; `left_out` the cells that are not judged at some k.
    """

    k: tuple[int, ...]
    rules: Mapping[Rule, Curve]
    of_oracle: Curve | None
    oracle: float | None
    minutes: tuple[float | None, ...] | None
    recommended_k: int | None
    unit: str
    datasets: int
    cells: int
    left_out: int
    left_out_by_k: tuple[int, ...]
