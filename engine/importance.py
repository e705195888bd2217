"""Which hyperparameters matter: how much of the differences between configs each of them accounts for.

The functional analysis of variance of Hutter, Hoos and Leyton-Brown 2014 (fANOVA), computed exactly: our
grids are (nearly) full factorials, so no forest has to guess the surface. Combinations that were not run
are filled by a random forest of the same cell, and counted. Compared on grid v1 before choosing: optuna's
fANOVA spreads interactions over the main effects (LoRA learning rate 0.40 against 0.17 exactly, with an
interaction of 0.26 that it does not report) and changes with its seed; permutation importance has no scale.
Datasets are the unit: shares are averaged over them, intervals are bootstrapped over them.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.coverage import Cell
from engine.exploration import View, varying

RARE = 0.5  # a value run less than half as often as its hyperparameter's commonest is left out
MOST_POINTS = 100_000
RESAMPLES = 2000
FEWEST_UNITS = 3  # below, resampling them says nothing
TREES = 100
Z95 = 1.959964

Array = NDArray[np.float64]


class Factor(NamedTuple):
    """A hyperparameter, or several that always change together, and its values from low to high."""

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...]

    @property
    def name(self) -> str:
        """Its columns, read out."""
        return " with ".join(self.names)


class Effect(NamedTuple):
    """The share (0 to 1) of the variance within a cell; no interval below FEWEST_UNITS units."""

    factors: tuple[str, ...]
    share: float
    low: float | None
    high: float | None
    by_unit: tuple[float, ...]


class Importance(NamedTuple):
    """Main effects and pairs, the largest first, then what is left: higher interactions and noise.

    `surface` is the mean over units at each combination of `factors`; `filled` counts combinations (over
    all cells) that were not run; `noise` is how much of the variance the scores' own sampling error may be.
    """

    effects: tuple[Effect, ...]
    rest: Effect
    factors: tuple[Factor, ...]
    units: tuple[str, ...]
    surface: Array
    filled: int
    combinations: int
    dropped: tuple[str, ...]
    noise: float | None


def importance(view: View, seed: int = 0) -> Importance | None:
    """None where fewer than two configs, or no cell, can tell values apart."""
    found, dropped = _kept(view, factors(view))
    shape = tuple(len(factor.levels) for factor in found)
    if not found or not view.counted or int(np.prod(shape)) > MOST_POINTS:
        return None
    surfaces = [_surface(view, cell, found, shape) for cell in view.counted]
    filled = sum(int(np.isnan(surface).sum()) for surface in surfaces)
    whole = [_filled(surface, seed) for surface in surfaces]
    kept = [n for n, surface in enumerate(whole) if surface is not None and surface.var() > 0]
    if not kept:
        return None
    cells = [view.grid.cells[view.counted[n]] for n in kept]
    shares = [_decompose(np.asarray(whole[n]), found) for n in kept]
    units = _units(cells)
    surface = np.mean(list(_by_unit([np.asarray(whole[n]) for n in kept], units).values()), axis=0)
    by_unit = _by_unit([np.array(list(share.values())) for share in shares], units)
    effects = _effects(list(shares[0]), np.stack(list(by_unit.values())), seed)
    noise = _noise(view, [view.counted[n] for n in kept])
    total = int(np.prod(shape)) * len(surfaces)
    return Importance(
        effects[:-1], effects[-1], found, tuple(by_unit), surface, filled, total, dropped, noise
    )


def factors(view: View) -> tuple[Factor, ...]:
    """The hyperparameters that vary; those that determine each other are one factor."""
    table = pd.DataFrame([{n: c.get(n) for n in varying(view)} for c in view.grid.configs], dtype=object)
    groups: list[list[str]] = []
    for name in table.columns:
        home = next((group for group in groups if _tied(table, group[0], name)), None)
        if home is None:
            groups.append([name])
        else:
            home.append(name)
    return tuple(Factor(tuple(group), _levels(table[group])) for group in groups)


def _tied(table: pd.DataFrame, first: str, second: str) -> bool:
    pairs = {(str(a), str(b)) for a, b in zip(table[first], table[second], strict=True)}
    return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def _levels(columns: pd.DataFrame) -> tuple[tuple[Any, ...], ...]:
    unique = set(columns.itertuples(index=False, name=None))
    return tuple(sorted(unique, key=lambda level: [(isinstance(v, str), v is not None, v) for v in level]))


def _level(config: dict[str, Any], factor: Factor) -> tuple[Any, ...]:
    return tuple(config.get(name) for name in factor.names)


def _kept(view: View, found: tuple[Factor, ...]) -> tuple[tuple[Factor, ...], tuple[str, ...]]:
    """The factors without values that were hardly run, and what was dropped."""
    runs = view.grid.ran.sum(axis=0)
    kept, dropped = [], []
    for factor in found:
        count = dict.fromkeys(factor.levels, 0)
        for config, number in zip(view.grid.configs, runs, strict=True):
            count[_level(config, factor)] += int(number)
        rare = {level for level, number in count.items() if number < RARE * max(count.values())}
        dropped += [f"{factor.name} {' '.join(map(str, level))}" for level in factor.levels if level in rare]
        levels = tuple(level for level in factor.levels if level not in rare)
        if len(levels) > 1:
            kept.append(Factor(factor.names, levels))
    return tuple(kept), tuple(dropped)


def _surface(view: View, cell: int, found: tuple[Factor, ...], shape: tuple[int, ...]) -> Array:
    """The normalized score at each combination; NaN where none was run; several configs there: their mean."""
    total, count = np.zeros(shape), np.zeros(shape)
    for config, share in zip(view.grid.configs, view.shares[cell], strict=True):
        levels = [_level(config, factor) for factor in found]
        if share == share and all(
            level in factor.levels for level, factor in zip(levels, found, strict=True)
        ):
            place = tuple(f.levels.index(level) for level, f in zip(levels, found, strict=True))
            total[place] += share
            count[place] += 1
    surface: Array = np.full(shape, np.nan)
    np.divide(total, count, out=surface, where=count > 0)
    return surface


def _filled(surface: Array, seed: int) -> Array | None:
    """Gaps by a random forest over the places of the values; None for a cell with hardly a run."""
    gaps = np.isnan(surface)
    if not gaps.any():
        return surface
    if (~gaps).sum() < 4:
        return None
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, random_state=seed).fit(np.argwhere(~gaps), surface[~gaps])
    whole = surface.copy()
    whole[gaps] = forest.predict(np.argwhere(gaps))
    return whole


def _decompose(surface: Array, found: tuple[Factor, ...]) -> dict[tuple[str, ...], float]:
    """Shares of the surface's variance by main effect and pair; the rest under the empty name."""
    total = float(surface.var())
    axes = range(surface.ndim)
    main = {axis: float(_marginal(surface, (axis,)).var()) / total for axis in axes}
    shares: dict[tuple[str, ...], float] = {(found[axis].name,): main[axis] for axis in axes}
    for a, b in combinations(axes, 2):
        pair = float(_marginal(surface, (a, b)).var()) / total - main[a] - main[b]
        shares[found[a].name, found[b].name] = max(pair, 0.0)
    return {**shares, (): max(1.0 - sum(shares.values()), 0.0)}


def _marginal(surface: Array, axes: tuple[int, ...]) -> Array:
    others = tuple(axis for axis in range(surface.ndim) if axis not in axes)
    return np.asarray(surface.mean(axis=others))


def _units(cells: list[Cell]) -> list[str]:
    """What an interval resamples: datasets, or models where there is one dataset."""
    several = len({cell.dataset for cell in cells}) > 1
    return [str(cell.dataset if several else cell.model) for cell in cells]


def _by_unit(values: list[Array], units: list[str]) -> dict[str, Array]:
    """The mean over the cells of each unit, in the order of their names."""
    return {
        unit: np.mean([value for value, name in zip(values, units, strict=True) if name == unit], axis=0)
        for unit in sorted(set(units))
    }


def _effects(names: list[tuple[str, ...]], values: Array, seed: int) -> tuple[Effect, ...]:
    """Of shares (units x effects): the largest first, the rest last."""
    draws = np.random.default_rng(seed).integers(0, len(values), (RESAMPLES, len(values)))
    bounds = np.quantile(values[draws].mean(axis=1), (0.025, 0.975), axis=0)
    enough = len(values) >= FEWEST_UNITS
    found = [
        Effect(
            name,
            float(values[:, n].mean()),
            float(bounds[0, n]) if enough else None,
            float(bounds[1, n]) if enough else None,
            tuple(float(value) for value in values[:, n]),
        )
        for n, name in enumerate(names)
    ]
    return tuple(sorted(found, key=lambda effect: (not effect.factors, -effect.share, effect.factors)))


def _noise(view: View, cells: list[int]) -> float | None:
    """The scores' squared standard errors as a share of the variance between configs, at most 1.

    An upper bound: configs are scored on the same rows, so their errors go together.
    """
    if not {"score_low", "score_high"} <= set(view.table):
        return None
    width = (view.table["score_high"] - view.table["score_low"]) / (2 * Z95)
    errors = (width**2).groupby([view.table[n] for n in ("model", "dataset", "train_size")]).mean()
    found = []
    for number in cells:
        cell, scores = view.grid.cells[number], view.grid.scores[number]
        spread = float(np.nanvar(scores))
        if spread > 0:
            found.append(min(1.0, float(errors[cell.model, cell.dataset, cell.train_size]) / spread))
    return float(np.mean(found)) if found else None
