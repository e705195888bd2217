"""A results table coded once, from which every fold of leave-one-out takes its part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine import judging, rowvalues
from engine.coverage import (
    Codes,
    Coding,
    LeftOut,
    Mask,
    Matrix,
    ScoreGrid,
    code,
    coded_grid,
    normalize,
    top_configs,
    uninformative,
)
from engine.folds import Folds
from engine.grids import SEARCHED
from engine.judging import Judge
from engine.rules import Choices


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """The results of one method; `grid` holds those that may be chosen, `reasons` says why a cell is mute."""

    table: pd.DataFrame
    coding: Coding
    searched: pd.DataFrame
    own: Coding
    grid: ScoreGrid
    folds: Folds
    reasons: NDArray[np.object_]
    lower_is_better: bool

    @classmethod
    def of(cls, table: pd.DataFrame, config_columns: Sequence[str], lower_is_better: bool) -> Results:
        """Rows of another `origin` than the searched space are kept apart: they may only be the default."""
        coding = code(table, config_columns)
        searched, own = table, coding
        if "origin" in table:
            mine = (table["origin"] == SEARCHED).to_numpy()
            searched, own = table[mine], replace(coding, pair=coding.pair[mine])
        grid = coded_grid(searched, own, lower_is_better)
        reasons = np.array(uninformative(grid), dtype=object)
        folds = Folds.of(coding.cells, table)
        return cls(table, coding, searched, own, grid, folds, reasons, lower_is_better)

    @property
    def judged(self) -> Mask:
        """The cells where it matters what is chosen, if there is anything to learn from outside them."""
        failed = (self.grid.ran & ~np.isfinite(self.grid.scores)).any(axis=1)
        matters: Mask = self._informative | ((self.reasons == LeftOut.TIE) & failed)
        return matters & (len(self.folds.others) > 1)

    @property
    def _informative(self) -> Mask:
        informative: Mask = self.reasons == None  # noqa: E711
        return informative

    def choices(self, tolerance: float, *, apart: bool) -> Choices:
        """What the rules choose from; where all other cells are at the floor, those must do."""
        grid = self.grid
        normalized = normalize(grid.scores, grid.ran, self.lower_is_better)
        informative = self.folds.others & self._informative
        floored = self.folds.others & (self.reasons == LeftOut.FLOOR)
        return Choices(
            gains=self._gains,
            normalized=normalized,
            top=top_configs(grid.scores, normalized, tolerance),
            apart=self._apart() if apart else None,
            ran=grid.ran,
            use=np.where(informative.any(axis=1, keepdims=True), informative, floored),
            others=self.folds.others,
        )

    def judge(self) -> Judge:
        """Test scores are reported where the table has them, dev scores otherwise."""
        whole = self.searched is self.table
        everything = self.grid.scores if whole else self.coding.means(self.table["score"])
        ran = self.grid.ran if whole else self.coding.ran()
        dev = reported = normalize(everything, ran, self.lower_is_better)
        if "test_score" in self.table:
            test = self.coding.means(self.table["test_score"])
            reported = normalize(test, ran, self.lower_is_better)
            reported[np.isfinite(everything) & ~np.isfinite(test)] = np.nan
        return judging.judge(self._gains, dev, reported, self.grid.ran & self.judged[:, None])

    def oracle(self, judge: Judge) -> Matrix | None:
        """By cell: the corrected best possible as a share of the dev-selected best; None: no test rows."""
        cells = rowvalues.by_cell(self.searched, self.own, "test_rows", "test_groups")
        if cells is None:
            return None
        shares = np.full(len(cells), np.nan)
        selected = judge.selected
        for cell in np.flatnonzero(self.judged):
            if (rows := cells[cell]) is None:
                continue
            chosen = rows.values[rows.configs == selected[cell]].mean(axis=1)
            best = rowvalues.oracle(rows, self.lower_is_better)
            above, below = (chosen, best) if self.lower_is_better else (best, chosen)
            if len(chosen) and below > 0 and above > 0:
                shares[cell] = np.squeeze(above / below)
        return shares

    def minutes(self, picks: Codes) -> Matrix | None:
        """By cell: of training the first 1, 2, ... picks; one that was not run there costs their mean."""
        if "seconds" not in self.searched:
            return None
        seconds = self.own.means(pd.to_numeric(self.searched["seconds"], errors="coerce"))
        padded = np.hstack((seconds, np.full((len(seconds), 1), np.nan)))
        found = np.take_along_axis(padded, picks, axis=1)
        known = np.isfinite(found).cumsum(axis=1)
        spent = np.where(np.isfinite(found), found, 0.0).cumsum(axis=1)
        wanted = (picks >= 0).cumsum(axis=1)
        minutes: Matrix = np.full(spent.shape, np.nan)
        np.divide(spent * wanted / 60, known, out=minutes, where=known > 0)
        return minutes

    @property
    def _gains(self) -> Matrix:
        return -self.grid.scores if self.lower_is_better else self.grid.scores

    def _apart(self) -> Mask | None:
        """None unless every cell that says something has dev rows."""
        cells = rowvalues.by_cell(self.searched, self.own, "dev_rows", "row_groups")
        if cells is None or any(cells[cell] is None for cell in np.flatnonzero(self._informative)):
            return None
        return rowvalues.indistinguishable(cells, self.grid.scores, self.lower_is_better)
