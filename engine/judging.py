"""Dev selects, test reports: what a choice of configs is worth in each cell, as a share of the whole grid's.

The whole grid's is the config that dev selects from all that were run in the cell; test is noisy, so a share
may exceed 1. Of equal dev scores the config that stands first is selected, in a shortlist as in the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.coverage import Codes, Mask, Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """By cell: the place of each config by dev, and the shares by config and by place.

    `place` and the shares by place have one more column: none. NaN: cannot be judged, because no config was
    run there or the cell says nothing.
    """

    place: Codes
    shares: Matrix
    test: Matrix
    dev: Matrix

    @property
    def selected(self) -> Codes:
        """By cell: the config that dev selects from all."""
        best: Codes = self.place[:, :-1].argmin(axis=1)
        return best

    def of(self, picks: Codes) -> tuple[Matrix, Matrix]:
        """Shares on test and on dev after the first, second, ... of each cell's picks (-1: none)."""
        first = np.minimum.accumulate(np.take_along_axis(self.place, picks, axis=1), axis=1)
        return np.take_along_axis(self.test, first, axis=1), np.take_along_axis(self.dev, first, axis=1)

    def of_random(self, most: int) -> Matrix:
        """The mean share over all subsets of 1, 2, ... `most` of the configs that were run in the cell."""
        count = np.isfinite(self.test).sum(axis=1)
        shares = np.full((len(count), most), np.nan)
        for size in np.unique(count[count > 0]):
            cells = count == size
            shares[cells] = self.test[cells, :size] @ chances(int(size), most)
        return shares


def chances(size: int, most: int) -> Matrix:
    """By place and k: how likely it is that the best of a random k of `size` configs has this place."""
    places = np.arange(size)
    found = np.empty((size, most))
    for k in range(1, most + 1):
        drawn = min(k, size)
        passed = np.maximum(size - drawn - places, 0) / (size - places)
        before = np.concatenate(([1.0], np.cumprod(passed[:-1])))
        found[:, k - 1] = before * np.minimum(drawn / (size - places), 1.0)
    return found


def judge(gains: Matrix, dev: Matrix, reported: Matrix, ran: Mask) -> Judge:
    """Cells x configs: `gains` orders by dev (NaN: failed); `dev` and `reported` are normalized scores.

    `ran` marks the configs that a choice may hold, in the cells that are to be judged; a config whose
    reported score is NaN cannot be judged.
    """
    known = ran & np.isfinite(reported)
    key = np.where(np.isfinite(gains), -gains, np.finfo(np.float64).max)
    key[~known] = np.inf
    order = np.argsort(key, axis=1, kind="stable")
    configs = key.shape[1]
    place = np.full((len(key), configs + 1), configs, dtype=np.int64)
    np.put_along_axis(place, order, np.arange(configs)[None], axis=1)
    place[:, :-1][~known] = configs
    ordered = _by_place(reported, known, order)
    shares = _of_first(reported, ordered[:, :1])
    test = _of_first(ordered, ordered[:, :1])
    if dev is reported:
        return Judge(place, shares, test, test)
    dev = _by_place(dev, known, order)
    return Judge(place, shares, test, _of_first(dev, dev[:, :1]))


def _by_place(values: Matrix, known: Mask, order: Codes) -> Matrix:
    """In the order of dev, with a last column for none."""
    placed = np.full((len(values), values.shape[1] + 1), np.nan)
    placed[:, :-1] = np.take_along_axis(np.where(known, values, np.nan), order, axis=1)
    return placed


def _of_first(values: Matrix, first: Matrix) -> Matrix:
    """As a share of the selected config's; NaN where that one has nothing to share."""
    shares: Matrix = np.full(values.shape, np.nan)
    np.divide(values, first, out=shares, where=first > 0)
    return shares
