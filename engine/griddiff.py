"""What changes for a user when another grid version is published: before and after, by model and method."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from engine import evidence, grids
from engine.coverage import Ranking, rank_configs
from engine.records import Method

SHOWN = 8  # configs, and the largest k


class RankChange(NamedTuple):
    """A config and its place before and after; None: not ranked there."""

    config: dict[str, Any]
    before: int | None
    after: int | None


class Side(NamedTuple):
    """One version's recommendation: coverage and leave-one-out share by k = 1, 2, ...; how it was found."""

    version: str
    cells: int
    configs: int
    coverage: tuple[float, ...]
    shares: tuple[float, ...]


class MethodDiff(NamedTuple):
    """Before and after for one model and method; None where a version did not train it."""

    model: str
    method: Method
    before: Side | None
    after: Side | None
    ranks: tuple[RankChange, ...]


def diff(old: str | None, new: str, results: pd.DataFrame | None = None) -> list[MethodDiff]:
    """By (model, method) of either version; `old` None: nothing was published before.

    `results`: those of a `new` that is not published yet.
    """
    before = {} if old is None else _rankings(old, grids.load(old))
    after = _rankings(new, grids.load(new) if results is None else results)
    return [
        MethodDiff(
            model,
            Method(method),
            _side(before.get(key)),
            _side(after.get(key)),
            _ranks(before.get(key), after.get(key)),
        )
        for key in dict.fromkeys((*after, *before))
        for model, method in (key,)
    ]


class _Ranked(NamedTuple):
    version: str
    results: pd.DataFrame
    columns: list[str]
    ranking: Ranking


def _rankings(version: str, results: pd.DataFrame) -> dict[tuple[str, str], _Ranked]:
    columns = grids.config_columns(results)
    return {
        (str(model), str(method)): _Ranked(version, part, columns, rank_configs(part, columns))
        for (model, method), part in results.groupby(["model", "method"])
    }


def _side(found: _Ranked | None) -> Side | None:
    if found is None:
        return None
    entries = found.ranking.entries[:SHOWN]
    shares = evidence.expected_shares(found.results, found.columns, min(SHOWN, len(entries)))
    coverage = tuple(entry.cumulative_coverage for entry in entries)
    return Side(found.version, len(found.ranking.cells), len(found.ranking.entries), coverage, shares)


def _ranks(before: _Ranked | None, after: _Ranked | None) -> tuple[RankChange, ...]:
    """The first configs of either version, in the new order."""
    places = [_places(before), _places(after)]
    top = [key for ranked in reversed(places) for key, (rank, _) in ranked.items() if rank <= SHOWN]
    return tuple(
        RankChange(
            next(p[key][1] for p in places if key in p), *(p[key][0] if key in p else None for p in places)
        )
        for key in dict.fromkeys(top)
    )


def _places(found: _Ranked | None) -> Mapping[str, tuple[int, dict[str, Any]]]:
    entries = () if found is None else found.ranking.entries
    return {json.dumps(e.config, sort_keys=True, default=float): (e.rank, e.config) for e in entries}
