"""k-fold: every row outside the test is answered by a training that did not see it, so more rows select.

A study of 200 rows has 50 to select on; in folds it has 150. Test rows stay out of all of it: dev selects,
test reports. The model to take home is the one of the usual split; the folds only judge its config.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from engine import splits
from engine.dataset import Dataset
from engine.errors import ConfigError
from engine.records import Row

USUAL = 5
MOST = 10
WORTH_IT_BELOW = 300  # rows; above, the usual split has enough to select on


class Fold(NamedTuple):
    """The rows to train on, and a dataset whose dev rows are those to answer; it has no test rows."""

    train_rows: tuple[Row, ...]
    dataset: Dataset


def check(folds: int | None, dataset: Dataset) -> None:
    """Raises ConfigError for a number of folds that cannot be made of the rows outside the test."""
    if folds is None:
        return
    most = min(MOST, len(set(_groups(dataset))) // 2)
    if most < 2:
        raise ConfigError("There are too few rows outside the test for folds. Leave them out.")
    if not 2 <= folds <= most:
        raise ConfigError(f"folds must be 2 to {most} with these rows, but is {folds}.")


def parts(dataset: Dataset, folds: int, train_rows: int, seed: int) -> Iterator[Fold]:
    """The folds, by label in proportion and never tearing a group apart; each trains on `train_rows` or,
    where the other folds have fewer, on all of theirs."""
    pool = _pool(dataset)
    rows = [dataset.rows[index] for index in pool]
    wanted = {str(number): len(pool) // folds for number in range(folds)}
    dealt = splits.assign(wanted, splits.strata(rows, dataset.task), _groups(dataset), seed)
    for chosen in dealt.values():
        held_out = tuple(pool[place] for place in chosen)
        others = tuple(sorted(set(pool) - set(held_out)))
        part = replace(dataset, splits={"train": others, "dev": held_out, "test": ()})
        yield Fold(part.train_subset(min(train_rows, len(others)), seed), part)


def scored(dataset: Dataset, folds: int | None) -> Dataset:
    """The dataset whose dev rows are all that the folds answer; without folds, as it is."""
    if folds is None:
        return dataset
    return replace(dataset, splits={**dataset.splits, "dev": _pool(dataset)})


def joined(table: pd.DataFrame, answered: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The predictions of a run with the folds' answers in place of those to its dev rows."""
    dev = pd.concat(answered, ignore_index=True).sort_values("row", kind="stable")
    return pd.concat([dev, table[table["split"] == "test"]], ignore_index=True)


def _groups(dataset: Dataset) -> list[str]:
    return [dataset.rows[index].group or f"row {index}" for index in _pool(dataset)]


def _pool(dataset: Dataset) -> tuple[int, ...]:
    return tuple(sorted((*dataset.splits["train"], *dataset.splits["dev"])))
