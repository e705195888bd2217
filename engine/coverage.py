"""Coverage-based Search: ranks configs so that a few of them hold a top config for most datasets.

The idea and the 3 % tolerance are those of Halfon et al., "Stay Tuned", arXiv 2407.18990; the greedy form,
the treatment of failed and missing runs and the tie rules are ours. Relatives: the greedy portfolios of
Wistuba et al. 2015 (Syne Tune), TabRepo, and PoSH in auto-sklearn 2.0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine import floor
from engine.errors import ConfigError
from engine.space import WHOLE_NUMBERS

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.int64]
Item = TypeVar("Item")

TOLERANCE = 0.03
CELL_COLUMNS = ("model", "dataset", "train_size")
DIGITS = 9  # sums are compared to this many decimals: the order of adding must not decide


@dataclass(frozen=True, slots=True)
class Cell:
    """One (model, dataset, training size); None for what the table does not name."""

    model: str | None
    dataset: str | None
    train_size: int | float | str | None = None

    @property
    def rows(self) -> str:
        """The training size as people write it: 1,000; one that is no number stays as it is."""
        size = self.train_size
        return f"{size:,.0f}" if isinstance(size, int | float) else str(size)


class LeftOut(StrEnum):
    """Why a cell says nothing about which config is better."""

    ALL_FAILED = "every run failed"
    TIE = "all finished configs tie"
    FLOOR = "the best config is not shown to beat the untuned model and a constant answer"


@dataclass(frozen=True, slots=True)
class RankedConfig:
    """A config's place; `score` is S of CBS, `new` counts the cells that no config before it covers."""

    rank: int
    config: dict[str, Any]
    score: float
    covers: int
    new: int
    cumulative_coverage: float
    mean_normalized: float | None

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """All configs, best first; the matrices are (cells x entries), `normalized` is NaN where one did not run.

    `noisy_cells` counts the cells whose tolerance is smaller than the standard error of their best score;
    None where the table has no scores by row.
    """

    entries: tuple[RankedConfig, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[tuple[Cell, LeftOut], ...]
    missing: int
    normalized: Matrix
    covered: Mask
    noisy_cells: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every config was run in every cell."""
        return self.missing == 0


@dataclass(frozen=True, slots=True, eq=False)
class ScoreGrid:
    """Scores by cell and config, seeds averaged; NaN: failed where `ran`, else never run."""

    cells: tuple[Cell, ...]
    configs: tuple[dict[str, Any], ...]
    scores: Matrix
    ran: Mask
    evidence: floor.Evidence | None = None

    def of_model(self, model: str | None) -> ScoreGrid:
        """The cells of one model, and the configs that were run for it."""
        rows = np.array([cell.model == model for cell in self.cells])
        columns = self.ran[rows].any(axis=0)
        part = np.ix_(rows, columns)
        return ScoreGrid(
            cells=tuple(cell for cell in self.cells if cell.model == model),
            configs=tuple(c for c, kept in zip(self.configs, columns, strict=True) if kept),
            scores=self.scores[part],
            ran=self.ran[part],
            evidence=None if self.evidence is None else self.evidence.of(rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """A table's cells and configs; `pair` numbers the (cell, config) of each row of the table."""

    cells: tuple[Cell, ...]
    configs: tuple[dict[str, Any], ...]
    pair: Codes

    def ran(self) -> Mask:
        """By cell and config: whether the table has a row."""
        return self._count(self.pair) > 0

    def means(self, column: pd.Series) -> Matrix:
        """By cell and config: the mean of a column's finite values; NaN where there is none."""
        values = column.to_numpy("float64")
        known = np.isfinite(values)
        if not known.all():
            values, pair = values[known], self.pair[known]
        else:
            pair = self.pair
        shape = (len(self.cells), len(self.configs))
        total = np.bincount(pair, weights=values, minlength=shape[0] * shape[1]).reshape(shape)
        count = self._count(pair)
        means: Matrix = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
        return means

    def _count(self, pair: Codes) -> Codes:
        shape = (len(self.cells), len(self.configs))
        return np.bincount(pair, minlength=shape[0] * shape[1]).reshape(shape)


def rank_configs(
    table: pd.DataFrame,
    config_columns: Sequence[str],
    tolerance: float = TOLERANCE,
    lower_is_better: bool = False,
) -> Ranking:
    """Rank the configs of one method by CBS; the cells are its models, datasets and training sizes.

    A NaN score is a failed run. Where the table has scores by row (see engine.floor), cells that do not
    rise above the floor are left out.
    """
    return rank_grid(score_grid(table, config_columns, lower_is_better), tolerance, lower_is_better)


def score_grid(
    table: pd.DataFrame, config_columns: Sequence[str], lower_is_better: bool = False
) -> ScoreGrid:
    """The table as a matrix; cells in order, configs in the order of their JSON with sorted keys."""
    return coded_grid(table, code(table, config_columns), lower_is_better)


def code(table: pd.DataFrame, config_columns: Sequence[str]) -> Coding:
    """Which cell and config each row belongs to."""
    cell_codes, cells = _cells(table)
    config_codes, configs = _configs(table, config_columns)
    return Coding(cells, configs, cell_codes * len(configs) + config_codes)


def coded_grid(table: pd.DataFrame, coding: Coding, lower_is_better: bool = False) -> ScoreGrid:
    """The scores of a coded table."""
    scores = coding.means(table["score"])
    evidence = floor.evidence(table, coding.pair, scores, lower_is_better)
    return ScoreGrid(coding.cells, coding.configs, scores, coding.ran(), evidence)


def rank_grid(grid: ScoreGrid, tolerance: float = TOLERANCE, lower_is_better: bool = False) -> Ranking:
    """Greedy cover of the informative cells, then the rest by S."""
    reasons = uninformative(grid)
    kept = np.array([reason is None for reason in reasons], dtype=bool)
    normalized = normalize(grid.scores[kept], grid.ran[kept], lower_is_better)
    top = top_configs(grid.scores[kept], normalized, tolerance)
    order, new = _cover(normalized, top)
    evidence = grid.evidence
    return Ranking(
        entries=_entries(grid.configs, normalized, top, order, new),
        cells=tuple(cell for cell, reason in zip(grid.cells, reasons, strict=True) if reason is None),
        left_out=tuple((c, r) for c, r in zip(grid.cells, reasons, strict=True) if r is not None),
        missing=int(grid.ran.size - grid.ran.sum()),
        normalized=normalized[:, order],
        covered=top[:, order],
        noisy_cells=None if evidence is None else evidence.of(kept).noisy(tolerance),
    )


def normalize(scores: Matrix, ran: Mask, lower_is_better: bool = False) -> Matrix:
    """Each score as a share of its cell's best (a loss: best / score); failed 0, never run NaN.

    A cell whose best is not above 0 is scaled from its worst (0) to its best (1) instead.
    """
    least, most = _extremes(scores)
    best, worst = (least, most) if lower_is_better else (most, least)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = best / scores if lower_is_better else scores / best
        scaled = (best <= 0)[:, 0]
        shares[scaled] = (scores[scaled] - worst[scaled]) / (best[scaled] - worst[scaled])
    shares = np.round(shares, 12)
    shares[np.isnan(scores) & ran] = 0.0
    return shares


def _extremes(scores: Matrix) -> tuple[Matrix, Matrix]:
    """The least and the most of each row's finished scores, as columns; inf and -inf for none."""
    least = np.fmin.reduce(scores, axis=1, keepdims=True, initial=np.inf)
    most = np.fmax.reduce(scores, axis=1, keepdims=True, initial=-np.inf)
    return least, most


def top_configs(scores: Matrix, normalized: Matrix, tolerance: float) -> Mask:
    """By cell: the finished configs within the tolerance of its best."""
    if not 0 <= tolerance < 1:
        raise ConfigError(f"The tolerance must be at least 0 and below 1, but is {tolerance}.")
    top: Mask = np.isfinite(scores) & (normalized >= 1 - tolerance - 1e-12)
    return top


def uninformative(grid: ScoreGrid) -> list[LeftOut | None]:
    """By cell: why it says nothing about which config is better; None where it does."""
    least, most = (extreme[:, 0] for extreme in _extremes(grid.scores))
    reasons = np.full(len(grid.cells), None, dtype=object)
    if grid.evidence is not None:
        reasons[grid.evidence.below_floor] = LeftOut.FLOOR
    reasons[most - least <= 1e-12 * np.abs(most)] = LeftOut.TIE
    reasons[most < least] = LeftOut.ALL_FAILED
    return list(reasons)


def _cover(normalized: Matrix, top: Mask) -> tuple[Codes, Codes]:
    """The order of the configs, and the cells that are new with each."""
    weight = np.where(top, normalized, 0.0)
    gain = weight.sum(axis=0)
    by_score = by_score_and_mean(gain, _means(normalized))
    chosen, new = greedy_cover(weight, gain, by_score, np.ones(len(top), dtype=bool), len(by_score))
    rest = by_score[~np.isin(by_score, chosen)]
    order = np.concatenate((np.array(chosen, dtype=np.int64), rest))
    return order, np.array(new + [0] * len(rest), dtype=np.int64)


def by_score_and_mean(score: Matrix, mean: Matrix) -> Codes:
    """Configs by S, then by mean normalized score, then as they stand: in the order of their JSON."""
    return np.lexsort((-np.round(mean, DIGITS), -np.round(score, DIGITS)))


def greedy_cover(
    weight: Matrix, gain: Matrix, by_score: Codes, uncovered: Mask, most: int
) -> tuple[list[int], list[int]]:
    """Up to `most` configs that each add a cell, and how many cells are new with each.

    `weight` is s where the config is a top config, else 0; `gain` its sum over the uncovered cells;
    `by_score` holds the configs that may be chosen, in the order that decides between equals.
    """
    uncovered = uncovered.copy()
    chosen: list[int] = []
    new: list[int] = []
    while len(chosen) < most and len(by_score):
        worth = np.round(gain[by_score], DIGITS)
        best = int(by_score[np.argmax(worth)])  # of equals the first
        if not worth.max() > 0:
            break
        rows = np.flatnonzero(uncovered & (weight[:, best] > 0))
        chosen.append(best)
        new.append(len(rows))
        uncovered[rows] = False
        gain = gain - weight[rows].sum(axis=0)
    return chosen, new


def _means(normalized: Matrix) -> Matrix:
    """Each config's mean over the cells it ran in; -inf for one that ran in none of them."""
    count = (~np.isnan(normalized)).sum(axis=0)
    means: Matrix = np.full(len(count), -np.inf)
    np.divide(np.nansum(normalized, axis=0), count, out=means, where=count > 0)
    return means


def _entries(
    configs: Sequence[dict[str, Any]], normalized: Matrix, top: Mask, order: Codes, new: Codes
) -> tuple[RankedConfig, ...]:
    score = np.round(np.where(top, normalized, 0.0).sum(axis=0), 12)
    covers, mean = top.sum(axis=0), np.round(_means(normalized), 12)
    coverage = np.cumsum(new) / max(len(top), 1)
    return tuple(
        RankedConfig(
            rank=place + 1,
            config=configs[index],
            score=float(score[index]),
            covers=int(covers[index]),
            new=int(new[place]),
            cumulative_coverage=float(coverage[place]),
            mean_normalized=float(mean[index]) if np.isfinite(mean[index]) else None,
        )
        for place, index in enumerate(order)
    )


def _cells(table: pd.DataFrame) -> tuple[Codes, tuple[Cell, ...]]:
    columns = [name for name in CELL_COLUMNS if name in table]
    codes, unique = _codes(table, columns)
    found = [{name: _plain(name, value) for name, value in row.items()} for row in unique]
    cells = [Cell(row.get("model"), row.get("dataset"), row.get("train_size")) for row in found]
    return _sorted(codes, cells, [(str(c.model), str(c.dataset), _size_key(c.train_size)) for c in cells])


def _size_key(size: int | float | str | None) -> tuple[float, str]:
    return (float(size), "") if isinstance(size, int | float) else (-1.0, str(size or ""))


def _configs(table: pd.DataFrame, columns: Sequence[str]) -> tuple[Codes, tuple[dict[str, Any], ...]]:
    codes, unique = _codes(table, columns)
    plain = [{name: _plain(name, value) for name, value in row.items()} for row in unique]
    configs = [{name: value for name, value in row.items() if value is not None} for row in plain]
    return _sorted(codes, configs, [json.dumps(config, sort_keys=True) for config in configs])


def _codes(table: pd.DataFrame, columns: Sequence[str]) -> tuple[Codes, list[dict[str, Any]]]:
    """A number for each different combination of the columns, and the combinations."""
    codes, size = np.zeros(len(table), dtype=np.int64), 1
    for column in columns:
        part, values = pd.factorize(table[column])
        codes *= len(values) + 1
        codes += part
        codes += 1  # a blank has part -1
        size *= len(values) + 1
        if size > 2 * len(table) + 1000:
            codes, size = pd.factorize(codes)[0], len(table)
    codes, size = _dense(codes, size)
    row = np.empty(size, dtype=np.int64)
    row[codes] = np.arange(len(table))
    unique = table[list(columns)].iloc[row]
    return codes, [dict(zip(columns, row, strict=True)) for row in unique.itertuples(index=False, name=None)]


def _dense(codes: Codes, size: int) -> tuple[Codes, int]:
    """The same numbers without gaps, and how many there are; `size` is above each of them."""
    present = np.zeros(size, dtype=bool)
    present[codes] = True
    return (np.cumsum(present) - 1)[codes], int(present.sum())


def _sorted(codes: Codes, items: Sequence[Item], keys: Sequence[Any]) -> tuple[Codes, tuple[Item, ...]]:
    """The same coding with the items in the order of their keys."""
    order = sorted(range(len(items)), key=keys.__getitem__)
    place = np.empty(len(items), dtype=np.int64)
    place[order] = np.arange(len(items))
    return place[codes], tuple(items[index] for index in order)


def _plain(name: str, value: Any) -> Any:
    """A JSON value: None for a blank, whole numbers as int where the name asks for one."""
    if pd.isna(value):
        return None
    value = value.item() if isinstance(value, np.generic) else value
    whole = name in WHOLE_NUMBERS or name == "train_size"
    return int(value) if whole and isinstance(value, float) and value.is_integer() else value
