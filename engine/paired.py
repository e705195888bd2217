"""Two methods, sizes or models side by side: the best config of each by dev, cell by cell, on the same rows.

Dev selects in each cell, test reports; the difference is of the same test rows, so its interval is smaller
than the scores' own. A cell that only one side was run in is no pair: it is named, never averaged over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine import intervals
from engine.coverage import Cell
from engine.grids import config_columns
from engine.records import Score

CELL_COLUMNS = ("dataset", "model", "method", "train_size", "machine")
COSTS = ("seconds", "peak_memory_mb")
EQUAL = ("num_train_epochs", "per_device_train_batch_size", "max_steps")
FEWEST_UNITS = 3  # below, resampling them says nothing
RESAMPLES = 2000


class Side(NamedTuple):
    """The config with the best dev score of one side in a cell; means over its seeds that finished."""

    config: dict[str, Any]
    dev: float
    value: float
    low: float | None
    high: float | None
    n: int | None
    seconds: float | None
    peak_memory_mb: float | None
    finished: int
    failed: int


class Pair(NamedTuple):
    """A cell that both sides were run in; a `difference` above 0 means that the first is better."""

    cell: Cell
    machine: str | None
    metric: str | None
    first: Side
    second: Side
    difference: float
    low: float | None
    high: float | None

    @property
    def outcome(self) -> int | None:
        """1: the first is better, -1: the second, 0: cannot be told apart; None: no rows to tell by."""
        if self.low is None or self.high is None:
            return None
        return 1 if self.low > 0 else -1 if self.high < 0 else 0


class Comparison(NamedTuple):
    """All pairs, and the cells that are none with the side that is missing or failed.

    `mean` is over datasets (models, where there is one), with an interval where there are enough of them.
    `ratios` are the first side's seconds and memory over the second's: the median over cells at equal epochs
    and batch, None where not measured. `split` says which rows the values are of.
    """

    by: str
    first: Any
    second: Any
    pairs: tuple[Pair, ...]
    unpaired: tuple[tuple[Cell, Any], ...]
    mean: float | None
    low: float | None
    high: float | None
    units: int
    ratios: dict[str, float | None]
    split: str
    lower_is_better: bool


def compare(
    table: pd.DataFrame, by: str, first: Any, second: Any, lower_is_better: bool = False
) -> Comparison:
    """The column `by` has the values `first` and `second`; other values take no part."""
    table = table[table[by].isin((first, second))]
    cells = [name for name in CELL_COLUMNS if name in table and name != by]
    split = "test" if "test_score" in table and table["test_score"].notna().any() else "dev"
    pairs, unpaired = [], []
    for _, part in table.groupby(cells, sort=True, dropna=False):
        rows = {side: part[part[by] == side] for side in (first, second)}
        found = {side: _best(own, split, lower_is_better) for side, own in rows.items()}
        cell, machine = _cell(part, by)
        lacking = [side for side, best in found.items() if best is None]
        unpaired += [(cell, side) for side in lacking]
        if not lacking:
            pairs.append(_pair(cell, machine, part, [found[first], found[second]], lower_is_better))
    units = _by_unit(pairs)
    mean, low, high = mean_over_units(list(units.values()))
    ratios = {name: _ratio(table, by, first, second, cells, name) for name in COSTS}
    return Comparison(
        by, first, second, tuple(pairs), tuple(unpaired), mean, low, high, len(units), ratios, split,
        lower_is_better,
    )  # fmt: skip


def _cell(part: pd.DataFrame, by: str) -> tuple[Cell, str | None]:
    values = {
        name: part[name].iloc[0] for name in ("model", "dataset", "train_size", "machine") if name in part
    }
    plain = {name: None if pd.isna(v) else v for name, v in values.items() if name != by}
    size = plain.get("train_size")
    cell = Cell(plain.get("model"), plain.get("dataset"), None if size is None else int(size))
    return cell, plain.get("machine")


class _Best(NamedTuple):
    side: Side
    rows: pd.DataFrame


def _best(rows: pd.DataFrame, split: str, lower_is_better: bool) -> _Best | None:
    """None where nothing was run or every run failed; of equal configs the cheaper."""
    if rows.empty:
        return None
    columns = config_columns(rows)
    numbers = {name: "mean" for name in ("score", *COSTS) if name in rows}
    keys = rows.groupby(columns, dropna=False, sort=True).ngroup() if columns else pd.Series(0, rows.index)
    means = rows.groupby(keys).agg(numbers)
    finished = means.dropna(subset=["score"])
    if finished.empty:
        return None
    order = [name for name in ("score", "seconds") if name in finished]
    chosen = finished.sort_values(order, ascending=[lower_is_better, True][: len(order)]).index[0]
    own = rows[(keys == chosen) & rows["score"].notna()]
    return _Best(_side(own, columns, split, len(finished), len(means) - len(finished)), own)


def _side(own: pd.DataFrame, columns: Sequence[str], split: str, finished: int, failed: int) -> Side:
    name = "test_score" if split == "test" else "score"
    config = {column: own[column].iloc[0] for column in columns}
    bounds = [_number(own, f"{name}_{part}") for part in ("low", "high", "n")]
    config = {column: value for column, value in config.items() if not pd.isna(value)}
    cost = [_number(own, name) for name in COSTS]
    return Side(
        config,
        float(own["score"].mean()), float(own[name].mean()), bounds[0], bounds[1],
        None if bounds[2] is None else int(bounds[2]), cost[0], cost[1], finished, failed,
    )  # fmt: skip


def _number(rows: pd.DataFrame, name: str) -> float | None:
    value = float(rows[name].mean()) if name in rows else float("nan")
    return None if np.isnan(value) else value


def _pair(
    cell: Cell, machine: str | None, part: pd.DataFrame, sides: Sequence[_Best | None], lower_is_better: bool
) -> Pair:
    first, second = (side for side in sides if side is not None)
    sign = -1.0 if lower_is_better else 1.0
    difference = sign * (first.side.value - second.side.value)
    found = _paired_rows(first.rows, second.rows)
    low, high = (None, None) if found is None else sorted((sign * found.low, sign * found.high))
    metric = str(part["metric"].iloc[0]) if "metric" in part else None
    return Pair(cell, machine, metric, first.side, second.side, difference, low, high)


def _paired_rows(first: pd.DataFrame, second: pd.DataFrame) -> Score | None:
    """The difference on the same test rows, seeds averaged; None where rows are missing or not the same."""
    if "test_rows" not in first:
        return None
    a, b = (_row_means(rows) for rows in (first, second))
    if a is None or b is None or len(a) != len(b):
        return None
    groups = list(first["test_groups"].dropna()) if "test_groups" in first else []
    names = [str(number) for number in groups[0]] if groups and len(groups[0]) == len(a) else None
    return intervals.mean_difference(a, b, names)


def _row_means(rows: pd.DataFrame) -> list[float] | None:
    found = [np.asarray(values, dtype=float) for values in rows["test_rows"].dropna()]
    if not found or len({len(values) for values in found}) > 1:
        return None
    return [float(value) for value in np.mean(found, axis=0)]


def _by_unit(pairs: Sequence[Pair]) -> dict[str, float]:
    """The mean difference of each dataset; of each model, where there is one dataset."""
    several = len({pair.cell.dataset for pair in pairs}) > 1
    names = [str(pair.cell.dataset if several else pair.cell.model) for pair in pairs]
    found = pd.Series([pair.difference for pair in pairs], dtype="float64").groupby(names).mean()
    return {str(name): float(value) for name, value in found.items()}


def mean_over_units(values: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """The mean with a percentile bootstrap over the units, such as datasets; no interval for a few."""
    if not values:
        return None, None, None
    data = np.asarray(values)
    if len(data) < FEWEST_UNITS:
        return float(data.mean()), None, None
    draws = np.random.default_rng(0).integers(0, len(data), (RESAMPLES, len(data)))
    low, high = np.quantile(data[draws].mean(axis=1), (0.025, 0.975))
    return float(data.mean()), float(low), float(high)


def _ratio(
    table: pd.DataFrame, by: str, first: Any, second: Any, cells: Sequence[str], cost: str
) -> float | None:
    """Cost of the first over the second at equal epochs and batch: median over cells and such settings."""
    if cost not in table:
        return None
    equal = [*cells, *(name for name in EQUAL if name in table)]
    wide = table.pivot_table(index=equal, columns=by, values=cost, aggfunc="mean", dropna=True, observed=True)
    if first not in wide or second not in wide:
        return None
    ratios = (wide[first] / wide[second]).replace([np.inf, -np.inf], np.nan).dropna()
    return None if ratios.empty else float(ratios.median())
