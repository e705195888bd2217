"""The few configs worth training: from any table of results, or from our own grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine import tables
from engine.coverage import TOLERANCE, LeftOut, RankedConfig, Ranking, rank_configs, rank_grid, score_grid

__all__ = ["TOLERANCE", "LeftOut", "RankedConfig", "Ranking", "rank_configs", "rank_table"]


@dataclass(frozen=True, slots=True, eq=False)
class GroupRanking:
    """The ranking of one method for one model; model None: over the cells of all models."""

    model: str | None
    method: str
    ranking: Ranking

    def to_dict(self, top: int | None = None) -> dict[str, Any]:
        """As `cli.py rank --json` prints it."""
        return {
            "model": self.model,
            "method": self.method,
            "ranking": [entry.to_dict() for entry in self.ranking.entries[:top]],
            "cells": len(self.ranking.cells),
            "complete": self.ranking.complete,
            "missing": self.ranking.missing,
        }

    @property
    def note(self) -> str:
        """Cells left out and why, and gaps, in one sentence; empty when there is nothing to say."""
        ranking, parts = self.ranking, []
        for reason in LeftOut:
            cells = [str(cell.dataset) for cell, why in ranking.left_out if why is reason]
            if cells:
                parts.append(f"left out {', '.join(cells)} ({reason})")
        if not ranking.complete:
            parts.append(f"{ranking.missing} pairs of config and cell were not run")
        if ranking.noisy_cells:
            parts.append(
                f"in {ranking.noisy_cells} cells the tolerance is below the best score's standard error"
            )
        return f"{self.model or 'all models'}, {self.method}: {'; '.join(parts)}." if parts else ""


@dataclass(frozen=True, slots=True, eq=False)
class RankedTable:
    """Every ranking that a results table allows, and the columns that played no part."""

    rankings: tuple[GroupRanking, ...]
    ignored_columns: tuple[str, ...]

    def to_json(self, top: int | None = None) -> list[dict[str, Any]]:
        """One entry per (model, method), then one per method with model None."""
        return [ranking.to_dict(top) for ranking in self.rankings]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know beside the ranking."""
        notes = [f"Ignored columns: {', '.join(self.ignored_columns)}."] if self.ignored_columns else []
        return (*notes, *(group.note for group in self.rankings if group.note))


def rank_table(
    source: Path | pd.DataFrame,
    tolerance: float = TOLERANCE,
    lower_is_better: bool = False,
    config_columns: Sequence[str] | None = None,
) -> RankedTable:
    """Rank any table of results; raises TableError for one that cannot be ranked."""
    table = tables.read(source, config_columns)
    single: list[GroupRanking] = []
    overall: list[GroupRanking] = []
    for method, rows in table.frame.groupby("method", sort=True):
        grid = score_grid(rows, table.config_columns, lower_is_better)
        for model in dict.fromkeys(cell.model for cell in grid.cells):
            ranking = rank_grid(grid.of_model(model), tolerance, lower_is_better)
            single.append(GroupRanking(model, str(method), ranking))
        overall.append(GroupRanking(None, str(method), rank_grid(grid, tolerance, lower_is_better)))
    single.sort(key=lambda group: (str(group.model), group.method))
    return RankedTable((*single, *overall), table.ignored)
