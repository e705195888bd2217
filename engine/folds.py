"""What is left out together: a dataset with all its cells, and datasets that come from one source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.coverage import Cell, Codes, Mask


@dataclass(frozen=True, slots=True, eq=False)
class Folds:
    """`unit`: "dataset", or "model" where there is one dataset. `units`: that of each cell; `sources`: the
    fold of each unit.
    """

    unit: str
    units: Codes
    sources: Codes

    @property
    def of_cells(self) -> Codes:
        """The fold that each cell is left out with."""
        cells: Codes = self.sources[self.units]
        return cells

    @property
    def others(self) -> Mask:
        """Folds x cells: the cells that stay when the fold is left out."""
        others: Mask = self.of_cells != np.arange(self.sources.max() + 1)[:, None]
        return others

    @classmethod
    def of(cls, cells: Sequence[Cell], table: pd.DataFrame) -> Folds:
        """Datasets whose `source_group` is the same (if the table has one) are one fold."""
        datasets, names = pd.factorize(np.array([str(cell.dataset) for cell in cells], dtype=object))
        models, found = pd.factorize(np.array([str(cell.model) for cell in cells], dtype=object))
        if len(names) < 2 and len(found) > 1:
            return cls("model", models, np.arange(len(found)))
        if "source_group" not in table:
            return cls("dataset", datasets, np.arange(len(names)))
        pairs = table[["dataset", "source_group"]].drop_duplicates().dropna()
        group = dict(zip(pairs["dataset"].astype(str), pairs["source_group"].astype(str), strict=True))
        keys = [f"group {group[name]}" if group.get(name) else f"dataset {name}" for name in names]
        return cls("dataset", datasets, pd.factorize(np.array(keys, dtype=object))[0])
