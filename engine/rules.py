"""The rules that choose k configs from results on other datasets: CBS and what it is compared with.

The greedy portfolio by mean rank is that of Wistuba et al. 2015, as in Syne Tune's ZeroShotTransfer and
TabRepo; ranks are shares of the configs that ran in the cell, so that ragged tables can be used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from engine.coverage import DIGITS, Codes, Mask, Matrix, by_score_and_mean, greedy_cover

BATCH = 256


class Rule(StrEnum):
    """How k configs are chosen; the values are keys of `cli.py validate --json`."""

    CBS = "cbs"  # coverage within the tolerance: the product's rule
    CBS_APART = "cbs_not_distinguishable"  # coverage by what the dev rows can tell apart
    SCORE_ONLY = "score_only"  # by S alone, without asking what is covered already
    BEST_AVERAGE = "best_average"  # by the mean normalized score
    PORTFOLIO = "portfolio"  # greedy by mean rank: Wistuba et al. 2015, Syne Tune, TabRepo
    RANDOM = "random"  # the mean over all subsets of k, exact
    DEFAULT = "default"  # one fixed config


TITLES: Mapping[Rule, str] = {
    Rule.CBS: "CBS",
    Rule.CBS_APART: "CBS by rows",
    Rule.SCORE_ONLY: "score only",
    Rule.BEST_AVERAGE: "best average",
    Rule.PORTFOLIO: "mean rank",
    Rule.RANDOM: "random",
    Rule.DEFAULT: "default",
}


@dataclass(frozen=True, eq=False)
class Choices:
    """What the rules choose from: matrices are (cells x configs), `use` and `others` (folds x cells).

    A fold is what is left out; `others` marks the cells outside it, `use` those of them that say something.
    `gains` are the scores, of a loss with the sign changed. `apart` marks the top configs by what the dev
    rows can tell apart; None without dev rows.
    """

    gains: Matrix
    normalized: Matrix
    top: Mask
    apart: Mask | None
    ran: Mask
    use: Mask
    others: Mask

    def of(self, rule: Rule, most: int) -> Codes | None:
        """The first `most` configs for each fold, -1 where there are no more; None: no such order."""
        one = self._rule(rule)
        if one is None:
            return None
        orders = np.full((len(self.use), most), -1, dtype=np.int64)
        for fold in range(len(self.use)):
            order = one(fold, most)[:most]
            orders[fold, : len(order)] = order
        return orders

    def _rule(self, rule: Rule) -> Callable[[int, int], Codes] | None:
        match rule:
            case Rule.CBS:
                return self._covering(self.top)
            case Rule.CBS_APART if self.apart is not None:
                return self._covering(self.apart)
            case Rule.SCORE_ONLY:
                return self._by_score
            case Rule.BEST_AVERAGE:
                return self._by_mean
            case Rule.PORTFOLIO:
                return self._by_rank
        return None

    @cached_property
    def _eligible(self) -> Mask:
        """By fold: the configs that were run outside it."""
        eligible: Mask = _sums(self.others, self.ran) > 0
        return eligible

    @cached_property
    def _means(self) -> Matrix:
        count = _sums(self.use, ~np.isnan(self.normalized))
        total = _sums(self.use, np.nan_to_num(self.normalized))
        means: Matrix = np.full(total.shape, -np.inf)
        np.divide(total, count, out=means, where=count > 0)
        return means

    @cached_property
    def _scores(self) -> Matrix:
        return _sums(self.use, self._weight(self.top))

    @cached_property
    def _ranks(self) -> Matrix:
        """Configs x cells: a greedy step looks at a few configs in all cells; 1 for failed and not run."""
        finished = np.isfinite(self.gains)
        ranks = rankdata(np.where(finished, -self.gains, np.inf), axis=1)
        ranks /= np.maximum(self.ran.sum(axis=1, keepdims=True), 1)
        return np.ascontiguousarray(np.where(finished, ranks, 1.0).T)

    def _weight(self, top: Mask) -> Matrix:
        return np.where(top, self.normalized, 0.0)

    def _covering(self, top: Mask) -> Callable[[int, int], Codes]:
        weight = self._weight(top)
        scores = _sums(self.use, weight)

        def covering(fold: int, most: int) -> Codes:
            order = self._kept(fold, by_score_and_mean(scores[fold], self._means[fold]))
            chosen, _ = greedy_cover(weight, scores[fold], order, self.use[fold], most)
            return np.concatenate((np.array(chosen, dtype=np.int64), order[~np.isin(order, chosen)]))

        return covering

    def _by_score(self, fold: int, most: int) -> Codes:
        return self._kept(fold, by_score_and_mean(self._scores[fold], self._means[fold]))[:most]

    def _by_mean(self, fold: int, most: int) -> Codes:
        by_mean = np.lexsort((-np.round(self._scores[fold], DIGITS), -np.round(self._means[fold], DIGITS)))
        return self._kept(fold, by_mean)[:most]

    def _by_rank(self, fold: int, most: int) -> Codes:
        """Each adds most to the mean, over cells, of the best rank in the portfolio."""
        best = self.use[fold].astype(np.float64)  # the worst rank is 1; cells out of use gain nothing
        gains = np.round(best.sum() - self._rank_sums[fold], DIGITS)
        gains[~self._eligible[fold]] = -1.0
        chosen: list[int] = []
        while len(chosen) < min(most, int(self._eligible[fold].sum())):
            chosen.append(_steepest(self._ranks, best, gains, self._rank_sums[fold]))
            best = np.minimum(best, self._ranks[chosen[-1]])
            if len(chosen) == 1:
                gains = np.minimum(gains, self._most_after(chosen[0]))
            gains[chosen[-1]] = -1.0
        return np.array(chosen, dtype=np.int64)

    def _most_after(self, first: int) -> Matrix:
        """What each adds to this first one over all folds' cells together: at least what it does in one."""
        if first not in self._bounds:
            best = np.minimum(self.use.any(axis=0), self._ranks[first])
            parts = np.split(self._ranks, range(BATCH, len(self._ranks), BATCH))
            gains = [np.maximum(best - part, 0.0).sum(axis=1) for part in parts]
            self._bounds[first] = np.round(np.concatenate(gains), DIGITS) + 10.0**-DIGITS
        return self._bounds[first]

    @cached_property
    def _bounds(self) -> dict[int, Matrix]:
        return {}

    @cached_property
    def _rank_sums(self) -> Matrix:
        return _sums(self.use, self._ranks.T)

    def _kept(self, fold: int, order: Codes) -> Codes:
        kept: Codes = order[self._eligible[fold][order]]
        return kept


def _sums(use: Mask, values: NDArray[np.float64] | Mask) -> Matrix:
    """By fold: the sum over the cells in use."""
    sums: Matrix = use.astype(np.float64) @ values.astype(np.float64, copy=False)
    return sums


def _steepest(ranks: Matrix, best: Matrix, gains: Matrix, own: Matrix) -> int:
    """The config that lowers `best` most; of equals the one with the lowest ranks of its own, then the first.

    `gains` holds what each would have added at an earlier step, which can only shrink (the sum of minima is
    submodular): most configs need no second look. What is looked at is updated in place; -1: not to choose.
    """
    order = np.argsort(-gains, kind="stable")
    most = -1.0
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        part = part[gains[part] >= max(most, 0.0)]
        if not len(part):
            break
        gains[part] = np.round(np.maximum(best - ranks[part], 0.0).sum(axis=1), DIGITS)
        most = max(most, float(gains[part].max()))
    equal = np.flatnonzero(gains == most)
    return int(equal[np.lexsort((equal, np.round(own[equal], DIGITS)))[0]])
