"""Which hyperparameters the differences between configs come from, and how two of them interact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.exploration import View, cell_noun
from engine.figures import NEUTRAL, ROW_HEIGHT, dress, escaped, method_colour, setting
from engine.figures_settings import in_words, title_of
from engine.findings import listed
from engine.importance import Importance
from engine.records import Method


class ImportancePoint(NamedTuple):
    """The share of the differences between configs, in percent, that a setting or a pair accounts for."""

    effect: str
    share: float
    low: float | None
    high: float | None
    units: int


class ImportanceInfo(NamedTuple):
    """Importance with its intervals; `by_unit` are the shares of each dataset (or model) by effect."""

    finding: str
    title: str
    points: tuple[ImportancePoint, ...]
    units: tuple[str, ...]
    by_unit: tuple[tuple[float, ...], ...]
    notes: tuple[str, ...]


def importance_info(view: View | None, found: Importance | None) -> ImportanceInfo:
    """Which settings the differences between configs come from, and how sure that is."""
    if view is None or found is None:
        title = "Importance: fewer than two configs, or no dataset, tell settings apart here"
        return ImportanceInfo(title, title, (), (), (), ())
    effects = (*found.effects, found.rest)
    points = tuple(
        ImportancePoint(
            _effect(effect.factors),
            round(100 * effect.share, 1),
            None if effect.low is None else round(100 * effect.low, 1),
            None if effect.high is None else round(100 * effect.high, 1),
            len(found.units),
        )
        for effect in effects
    )
    by_unit = tuple(tuple(round(100 * share, 1) for share in effect.by_unit) for effect in effects)
    noun = cell_noun([view.grid.cells[number] for number in view.counted])
    return ImportanceInfo(_first_two(found), _ends(found), points, found.units, by_unit, _notes(found, noun))


def importance_numbers(info: ImportanceInfo) -> pd.DataFrame:
    """The numbers behind bars and dots, a column for each dataset (or model)."""
    table = pd.DataFrame(info.points, columns=list(ImportancePoint._fields))
    return table.join(pd.DataFrame(info.by_unit, columns=list(info.units), index=table.index))


def _effect(names: Sequence[str]) -> str:
    return " x ".join(title_of(name) for name in names) if names else "the rest: higher interactions, noise"


def _named(names: Sequence[str]) -> str:
    """An effect inside a sentence."""
    return " x ".join(map(in_words, names))


def _first_two(found: Importance) -> str:
    """The largest effects; that one is larger only where the intervals say so."""
    first, *others = found.effects
    text = f"{100 * first.share:.0f} % of the differences between configs come from {_named(first.factors)}"
    if not others:
        return text
    second = others[0]
    text = f"{text}, {100 * second.share:.0f} % from {_named(second.factors)}"
    overlap = first.low is not None and second.high is not None and first.low <= second.high
    return f"{text}: their intervals overlap" if overlap else text


def _ends(found: Importance) -> str:
    """The largest interaction and the least main effect."""
    pairs = [effect for effect in found.effects if len(effect.factors) == 2]
    least = [effect for effect in found.effects if len(effect.factors) == 1][-1]
    last = f"{_named(least.factors)} alone accounts for {100 * least.share:.0f} %"
    if not pairs:
        return last[0].upper() + last[1:]
    return f"Largest interaction: {_named(pairs[0].factors)}, {100 * pairs[0].share:.0f} %; {last}"


def _notes(found: Importance, noun: str) -> tuple[str, ...]:
    units = len(found.units)
    notes = [f"Mean over {units} {noun}; a dot is one of them."]
    if found.effects[0].low is None:
        notes = [f"Only {units} {noun} count: too few for an interval. A dot is one of them."]
    if found.filled:
        notes.append(
            f"{found.filled:,} of {found.combinations:,} combinations were not run: a forest fills them."
        )
    if found.dropped:
        notes.append(f"Left out, because hardly run: {listed(found.dropped)}.")
    if found.noise is not None:
        notes.append(f"Up to {100 * found.noise:.0f} % of the differences may be the scores' sampling error.")
    return tuple(notes)


def importance_figure(info: ImportanceInfo, method: Method | str | None = None) -> go.Figure:
    """A bar per effect with its interval, a dot per dataset."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        names = [point.effect for point in info.points]
        figure.add_bar(
            x=[point.share for point in info.points], y=names, orientation="h",
            marker_color=method_colour(method), opacity=0.85,
            error_x=_errors(info.points),
            hovertext=[_sentence(point) for point in info.points], hoverinfo="text",
        )  # fmt: skip
        dots = [
            (x, y, u)
            for y, r in zip(names, info.by_unit, strict=True)
            for x, u in zip(r, info.units, strict=True)
        ]
        figure.add_scatter(
            x=[x for x, _, _ in dots], y=[y for _, y, _ in dots], mode="markers",
            marker={"color": NEUTRAL, "size": 8, "line": {"color": "#ffffff", "width": 1}},
            customdata=[u for _, _, u in dots],
            hovertemplate="%{customdata}: %{x:.0f} % from %{y}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(
        title="Share of the variance between configs within a dataset (%)", rangemode="tozero"
    )
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 150 + ROW_HEIGHT * len(info.points)).update_layout(showlegend=False)


def _errors(points: Sequence[ImportancePoint]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if point.high is None else point.high - point.share for point in points],
        "arrayminus": [0 if point.low is None else point.share - point.low for point in points],
        "color": NEUTRAL,
        "thickness": 2,
    }


def _sentence(point: ImportancePoint) -> str:
    interval = "" if point.low is None else f" ({point.low:.0f} to {point.high:.0f})"
    return f"{point.effect}: {point.share:.0f} %{interval} of the differences, mean of {point.units}"


class InteractionPoint(NamedTuple):
    """The mean share of the best, in percent, at one pair of values; over other settings and datasets."""

    first: str
    first_value: str
    second: str
    second_value: str
    mean_share: float


class InteractionInfo(NamedTuple):
    """The pair of settings with the largest interaction."""

    title: str
    points: tuple[InteractionPoint, ...]
    names: tuple[str, str] | None


def interaction_info(found: Importance | None) -> InteractionInfo:
    """How the best value of one setting depends on another."""
    pair = None if found is None else next((e for e in found.effects if len(e.factors) == 2), None)
    if found is None or pair is None:
        return InteractionInfo("Interaction: fewer than two hyperparameters vary here", (), None)
    axes = [next(n for n, f in enumerate(found.factors) if f.name == name) for name in pair.factors]
    table = found.surface.mean(axis=tuple(n for n in range(found.surface.ndim) if n not in axes))
    table = table if axes[0] < axes[1] else table.T
    first, second = (found.factors[axis] for axis in axes)
    rows, columns = ([_value(level) for level in factor.levels] for factor in (first, second))
    points = tuple(
        InteractionPoint(first.name, row, second.name, column, round(100 * float(table[r, c]), 2))
        for r, row in enumerate(rows)
        for c, column in enumerate(columns)
    )
    best = [rows[int(place)] for place in np.argmax(table, axis=0)]
    return InteractionInfo(
        _depends(first.name, best, second.name, columns), points, (first.name, second.name)
    )


def _value(level: Sequence[Any]) -> str:
    return " with ".join(setting(value) for value in level)


def _depends(first: str, best: Sequence[str], second: str, columns: Sequence[str]) -> str:
    if len(set(best)) == 1:
        return f"{title_of(first)} {best[0]} is best at every value of {in_words(second)}"
    told = [f"{value} at {column}" for value, column in zip(best, columns, strict=True)]
    return f"The best {in_words(first)} depends on {in_words(second)}: {listed(told)}"


def interaction_figure(info: InteractionInfo) -> go.Figure:
    """A square for each pair of values, with its mean written in."""
    info = escaped(info)
    figure = go.Figure()
    if info.names is not None:
        shares = [point.mean_share for point in info.points]
        figure.add_heatmap(
            x=[point.second_value for point in info.points],
            y=[point.first_value for point in info.points],
            z=shares, colorscale="Cividis", xgap=2, ygap=2,
            text=[f"{share:.0f}" for share in shares], texttemplate="%{text}",
            colorbar={"title": {"text": "% of best"}, "thickness": 12},
            hovertemplate="%{y} and %{x}: %{z:.1f} % of the best on average<extra></extra>",
        )  # fmt: skip
        figure.update_xaxes(title=title_of(info.names[1]), type="category", showgrid=False)
        figure.update_yaxes(title=title_of(info.names[0]), type="category", showgrid=False)
    return dress(figure, info.title, 340).update_layout(showlegend=False)
