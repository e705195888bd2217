"""The few configs worth training: from any table of results, or from our own grids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from engine import grids, models, published, tables
from engine.coverage import (
    TOLERANCE,
    Cell,
    LeftOut,
    RankedConfig,
    Ranking,
    rank_configs,
    rank_grid,
    score_grid,
)
from engine.errors import ConfigError
from engine.models import BaseModel, Provenance
from engine.records import Config, Method

__all__ = ["TOLERANCE", "LeftOut", "RankedConfig", "Ranking", "rank_configs", "rank_table", "recommend"]


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
    """Rank any table of results; raises TableError for one that cannot be ranked.

    Of a grid's own table the configs that were run as they are (defaults) play no part.
    """
    table = tables.read(source, config_columns)
    single: list[GroupRanking] = []
    overall: list[GroupRanking] = []
    searched = table.frame["origin"] == grids.SEARCHED if "origin" in table.frame else slice(None)
    for method, rows in table.frame[searched].groupby("method", sort=True):
        grid = score_grid(rows, table.config_columns, lower_is_better)
        for model in dict.fromkeys(cell.model for cell in grid.cells):
            ranking = rank_grid(grid.of_model(model), tolerance, lower_is_better)
            single.append(GroupRanking(model, str(method), ranking))
        overall.append(GroupRanking(None, str(method), rank_grid(grid, tolerance, lower_is_better)))
    single.sort(key=lambda group: (str(group.model), group.method))
    return RankedTable((*single, *overall), table.ignored)


@dataclass(frozen=True, slots=True, eq=False)
class Shortlist:
    """The first k configs for a model and method, and why one should believe them.

    `cells` counts the datasets (by training size) that the ranking rests on; `ranking` is the whole ranking
    behind it. They are 0 and None where nothing was measured. `origins` says where each entry comes from, if
    they do not all come from where the shortlist does.
    """

    entries: tuple[RankedConfig, ...]
    version: str | None
    provenance: Provenance
    excluded: tuple[str, ...]
    cells: int
    evidence: str
    ranking: Ranking | None = None
    origins: tuple[Provenance, ...] = ()

    def origin(self, rank: int) -> Provenance:
        """Where the entry of this rank comes from."""
        return self.origins[rank - 1] if self.origins else self.provenance

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the whole ranking; kept in study.json."""
        return {
            "entries": [{**e.to_dict(), "provenance": str(self.origin(e.rank))} for e in self.entries],
            "version": self.version,
            "provenance": str(self.provenance),
            "excluded": list(self.excluded),
            "cells": self.cells,
            "evidence": self.evidence,
        }


def recommend(model: BaseModel, method: Method, k: int, exclude: Collection[str] = ()) -> Shortlist:
    """The k configs to try first; `exclude` names grid datasets whose results must play no part."""
    if k < 0:
        raise ConfigError(f"k must be 0 or more, but is {k}.")
    version = grids.current()
    if grids.has_results(version, model.id, method):
        assert version is not None
        return _measured(version, model.id, method, k, exclude)
    if (found := _published(model, method, k)) is not None:
        return found
    sister = next((name for name in models.EMBEDDED if grids.has_results(version, name, method)), None)
    if model.embedded and sister is not None and version is not None:
        return _transferred(model, sister, _measured(version, sister, method, k, exclude))
    for other in () if model.embedded else models.relatives(model):
        if grids.has_results(version, other.id, method) or _published(other, method, k) is not None:
            return _transferred(model, other.id, recommend(other, method, k, exclude))
    none = f"No grid has measured {model.id} with {method} yet, so there is no shortlist."
    return Shortlist((), None, Provenance.NONE, (), 0, none)


def _transferred(model: BaseModel, other: str, found: Shortlist) -> Shortlist:
    """Another model's shortlist as a guess for this one."""
    guess = f"A guess: taken from {other}, not measured for {model.id}. {found.evidence}"
    origins = (Provenance.TRANSFERRED,) * len(found.origins)
    return replace(found, provenance=Provenance.TRANSFERRED, evidence=guess, origins=origins)


def _measured(version: str, model: str, method: Method, k: int, exclude: Collection[str]) -> Shortlist:
    results = grids.load(version)
    mine = results[(results["model"] == model) & (results["method"] == str(method))]
    excluded = tuple(sorted(set(exclude) & set(mine["dataset"])))
    kept = mine[~mine["dataset"].isin(excluded)]
    columns = grids.config_columns(kept)
    ranking = rank_configs(kept, columns)
    at_floor = not ranking.cells and not kept.empty
    if at_floor:
        ranking = rank_configs(kept.drop(columns=["dev_rows", "floor_rows"]), columns)
    entries = ranking.entries[:k]
    evidence = _evidence(version, ranking, entries, excluded, at_floor)
    if "run" in kept and kept["run"].duplicated().any():
        evidence += " Configs that differ in epochs alone share a training, so their scores go together."
    return Shortlist(entries, version, Provenance.MEASURED, excluded, len(ranking.cells), evidence, ranking)


def _evidence(
    version: str, ranking: Ranking, entries: Sequence[RankedConfig], excluded: Sequence[str], at_floor: bool
) -> str:
    """The claim, what it rests on, and what it does not rest on."""
    cells, configs = ranking.cells, len(ranking.entries)
    if not cells:
        return f"Grid {version} holds no other dataset that could rank these configs; the order is arbitrary."
    covered = sum(entry.new for entry in entries)
    several = len({cell.train_size for cell in cells}) > 1
    sizes = "" if several else f", with {cells[0].rows} training rows"
    first = f"{len(entries)} of {configs} configs" if entries else "None"
    noun = "cells" if several else "datasets"
    parts = [
        f"{first} cover {covered} of {len(cells)} {noun}: one of them is within 3 % of the best there.",
        f"Measured in grid {version} on {_names(cells, several)}{sizes}.",
    ]
    if at_floor:
        parts.append(
            "On none of them was the best config shown to beat the untuned model: take it as a guess."
        )
    floored = [cell for cell, reason in ranking.left_out if reason is LeftOut.FLOOR]
    if floored:
        parts.append(f"Left out, because {LeftOut.FLOOR}: {_names(floored, several)}.")
    if excluded:
        parts.append(f"Computed without {', '.join(excluded)}, which shares rows with this data.")
    if ranking.noisy_cells:
        parts.append(
            f"On {ranking.noisy_cells} of {len(cells)}, 3 % is less than the score's standard error."
        )
    return " ".join(parts)


def _names(cells: Sequence[Cell], several: bool) -> str:
    """The datasets, by training size where there are several."""
    by_size: dict[str, list[str]] = {}
    for cell in sorted(cells, key=lambda cell: float(cell.train_size or 0)):
        rows = f"{cell.rows} training rows of " if several else ""
        by_size.setdefault(rows, []).append(str(cell.dataset))
    return "; ".join(rows + ", ".join(names) for rows, names in by_size.items())


def _published(model: BaseModel, method: Method, k: int) -> Shortlist | None:
    """What others found for this model; None: nothing that we know of."""
    if (config := published.PAPER.get((model.id, method))) is not None:
        return _of_paper(config, k)
    if (ranking := published.loss_ranking(model, method)) is not None:
        return _of_losses(ranking, k)
    return None


def _of_paper(config: Config, k: int) -> Shortlist:
    """The paper's one config, then its neighbours."""
    configs = [config, *published.neighbours(config)][:k]
    entries = tuple(
        RankedConfig(rank, one.to_dict(), 0.0, 0, 0, 0.0, None) for rank, one in enumerate(configs, start=1)
    )
    evidence = (
        "The first config is published for this model by Halfon et al., arXiv 2407.18990, on 13 datasets, at "
        "second hand; the schedule is not stated (linear, TRL's default, is assumed). "
    )
    if k > 1:
        evidence += f"The others are transferred, a guess: {published.NEIGHBOUR_RULE}. "
    origins = (Provenance.PUBLISHED, *(Provenance.TRANSFERRED,) * (len(entries) - 1))[: len(entries)]
    return Shortlist(
        entries, None, Provenance.PUBLISHED, (), 0, f"{evidence}Not measured here.", origins=origins
    )


def _of_losses(ranking: Ranking, k: int) -> Shortlist:
    """The configs of a published table in the order of the model's own loss."""
    entries = ranking.entries[:k]
    near = sum(entry.covers for entry in ranking.entries)
    evidence = (
        f"Ranked by this model's own test loss in the published table {published.LOSSES} (Thinking Machines "
        f"Lab): one dataset, a loss, not a task score. {near} of its {len(ranking.entries)} configs that did "
        f"not diverge are within {100 * published.LOSS_TOLERANCE:.0f} % of the least loss. Learning rate and "
        "rank are published. Its 780 steps of 128 rows fit no small dataset: epochs, batch and schedule are "
        "TRL's defaults, alpha is 32 as in the same laboratory's LoRA Without Regret, and a smaller batch "
        "may want a lower learning rate. Not measured here."
    )
    return Shortlist(
        entries, published.LOSSES, Provenance.PUBLISHED, (), len(ranking.cells), evidence, ranking
    )
