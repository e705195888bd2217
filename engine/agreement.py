"""Whether the same configs are good with two sizes, or for two models: by rank, dataset by dataset."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine.grids import config_columns
from engine.paired import CELL_COLUMNS


class Agreement(NamedTuple):
    """Whether the same configs are good on both sides; shares in percent of the cell's best.

    `points` are (config, mean share on the first side, on the second, cells); only configs and cells of
    both. `by_unit` holds Spearman's rank correlation in each dataset.
    """

    points: tuple[tuple[dict[str, Any], float, float, int], ...]
    by_unit: dict[str, float]


def agreement(
    table: pd.DataFrame, by: str, first: Any, second: Any, lower_is_better: bool = False
) -> Agreement:
    """Configs that ran on both sides in the same cells, compared by their dev scores."""
    columns = [name for name in config_columns(table) if table[name].notna().any()]
    cells = [name for name in CELL_COLUMNS if name in table and name != by]
    wide = table[table[by].isin((first, second))].pivot_table(
        index=[*cells, *columns], columns=by, values="score", aggfunc="mean", observed=True
    )
    if first not in wide or second not in wide:
        return Agreement((), {})
    both = wide[[first, second]].dropna()
    best = both.groupby(level=cells).transform("min" if lower_is_better else "max")
    shares = 100 * (best / both if lower_is_better else both / best).where(best > 0)
    means = shares.dropna().groupby(level=columns).agg(["mean", "size"])
    sides = zip(means[first, "mean"], means[second, "mean"], means[first, "size"], strict=True)
    names = (key if isinstance(key, tuple) else (key,) for key in means.index)
    points = tuple(
        (dict(zip(columns, name, strict=True)), float(x), float(y), int(count))
        for name, (x, y, count) in zip(names, sides, strict=True)
    )
    return Agreement(points, _correlations(both))


def _correlations(both: pd.DataFrame) -> dict[str, float]:
    ranks = {
        str(name): part.rank().corr().iloc[0, 1]
        for name, part in both.groupby(level="dataset")
        if len(part) > 2
    }
    return {name: float(value) for name, value in ranks.items() if not np.isnan(value)}
