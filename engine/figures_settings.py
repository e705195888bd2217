"""What each hyperparameter does: distribution by value, parallel coordinates, importance, interaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.exploration import View, cell_noun, varying
from engine.figures import COLOURS, MAX_POINTS, NEUTRAL, ROW_HEIGHT, config_label, dress, meaning, setting
from engine.findings import listed
from engine.importance import Importance
from engine.records import Method, RunKind

AXES = {
    "learning_rate": "Learning rate",
    "num_train_epochs": "Epochs",
    "per_device_train_batch_size": "Batch (rows)",
    "lora_r": "Rank r",
    "lora_alpha": "Alpha",
    "lr_scheduler_type": "Schedule",
}
BEST_CONFIGS = 5
PALE = "#a9a9b5"  # seen on white and on black
COLUMNS = 4
SHARE = "Share of the best dev score (%)"


def title_of(name: str) -> str:
    """A hyperparameter on an axis."""
    first, *others = (AXES.get(part, part) for part in name.split(" with "))
    return " with ".join((first, *(other.lower() for other in others)))


def _short(name: str) -> str:
    """A hyperparameter inside a sentence."""
    return title_of(name).removesuffix(" (rows)").lower()


def colour(method: Method | str | None) -> str:
    """The colour of a method; of all together that of LoRA."""
    return COLOURS[meaning(RunKind.SHORTLIST, Method.FULL if method == "full" else Method.LORA)]


class SlicePoint(NamedTuple):
    """How configs with one value score, in percent of the cell's best, over the cells that count."""

    hyperparameter: str
    value: str
    runs: int
    failed: int
    lowest_twentieth: float
    quarter: float
    median: float
    three_quarters: float
    highest_twentieth: float


class SliceInfo(NamedTuple):
    """Distributions by value; `edges` names hyperparameters whose best value is the least or most tried."""

    title: str
    points: tuple[SlicePoint, ...]
    edges: tuple[str, ...]


def slice_info(view: View | None) -> SliceInfo:
    """The normalized score by each value of each hyperparameter that varies."""
    names = () if view is None or not view.counted else varying(view)
    if view is None or not names:
        return SliceInfo("No hyperparameter has more than one value here", (), ())
    points = [point for name in names for point in _slices(view, name)]
    spread = {name: _medians(points, name) for name in names}
    widest = max(names, key=lambda name: max(spread[name].values()) - min(spread[name].values()))
    best, worst = (pick(spread[widest], key=spread[widest].__getitem__) for pick in (max, min))
    title = (
        f"The median config moves most with {_short(widest)}: {spread[widest][best]:.0f} % of the best at "
        f"{best}, {spread[widest][worst]:.0f} % at {worst}"
    )
    edges = tuple(title_of(name) for name in names if _on_edge(spread[name]) and _ordered(view, name))
    return SliceInfo(title, tuple(points), edges)


def _slices(view: View, name: str) -> Iterable[SlicePoint]:
    values = [config.get(name) for config in view.grid.configs]
    for value in sorted(set(values), key=lambda v: (v is not None, isinstance(v, str), v)):
        columns = [number for number, other in enumerate(values) if other == value]
        part = np.ix_(view.counted, columns)
        ran = view.grid.ran[part]
        shares = 100 * view.shares[part][ran]
        if len(shares):
            bounds = np.quantile(shares, (0.05, 0.25, 0.5, 0.75, 0.95))
            failed = int((np.isnan(view.grid.scores[part]) & ran).sum())
            yield SlicePoint(name, setting(value), len(shares), failed, *(round(float(v), 2) for v in bounds))


def _medians(points: Sequence[SlicePoint], name: str) -> dict[str, float]:
    return {point.value: point.median for point in points if point.hyperparameter == name}


def _on_edge(medians: dict[str, float]) -> bool:
    values = list(medians)
    return len(values) > 2 and max(values, key=medians.__getitem__) in (values[0], values[-1])


def _ordered(view: View, name: str) -> bool:
    """Whether the values are numbers, so that there is something beyond the last."""
    return not any(isinstance(config.get(name), str) for config in view.grid.configs)


def slice_figure(info: SliceInfo, method: Method | str | None = None) -> go.Figure:
    """A panel for each hyperparameter, a box for each value."""
    names = list(dict.fromkeys(point.hyperparameter for point in info.points))
    if not names:
        return dress(go.Figure(), info.title, 200)
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.03)
    for number, name in enumerate(names):
        place: dict[str, Any] = {"row": number // columns + 1, "col": number % columns + 1}
        points = [point for point in info.points if point.hyperparameter == name]
        figure.add_trace(_box(points, colour(method)), **place)
        figure.update_xaxes(title=title_of(name), type="category", **place)
    figure.update_yaxes(title=SHARE, col=1)
    return dress(figure, info.title, 120 + 260 * rows).update_layout(showlegend=False)


def _box(points: Sequence[SlicePoint], fill: str) -> go.Box:
    return go.Box(
        x=[point.value for point in points],
        q1=[point.quarter for point in points],
        median=[point.median for point in points],
        q3=[point.three_quarters for point in points],
        lowerfence=[point.lowest_twentieth for point in points],
        upperfence=[point.highest_twentieth for point in points],
        marker_color=fill,
        hovertext=[
            f"{point.value}: median {point.median:.0f} %, half of {point.runs} between {point.quarter:.0f} "
            f"and {point.three_quarters:.0f} %; {point.failed} failed"
            for point in points
        ],
        hoverinfo="text",
    )


class ParallelPoint(NamedTuple):
    """A config, its mean share over the cells that count and in which it was run, in percent."""

    config: str
    mean_share: float
    cells_run: int
    settings: tuple[Any, ...]


class ParallelInfo(NamedTuple):
    """Every config as a line through its settings; `names` are those of `settings`."""

    title: str
    points: tuple[ParallelPoint, ...]
    names: tuple[str, ...]


def parallel_info(view: View | None) -> ParallelInfo:
    """The settings of all configs, and what the best of them share."""
    names = () if view is None or not view.counted else varying(view)
    if view is None or not names:
        return ParallelInfo("No hyperparameter has more than one value here", (), ())
    shares, ran = view.shares[view.counted], view.grid.ran[view.counted]
    points = [
        ParallelPoint(
            config_label(config, names),
            round(100 * float(np.nanmean(shares[ran[:, n], n])), 2),
            int(ran[:, n].sum()),
            tuple(config.get(name) for name in names),
        )
        for n, config in enumerate(view.grid.configs)
        if ran[:, n].any()
    ]
    points.sort(key=lambda point: -point.mean_share)
    best = points[:BEST_CONFIGS]
    return ParallelInfo(_common(best, names, len(points)), tuple(points[:MAX_POINTS]), names)


def _common(best: Sequence[ParallelPoint], names: Sequence[str], configs: int) -> str:
    """The settings that most of the best configs have."""
    counts = [Counter(point.settings[n] for point in best).most_common(1)[0] for n in range(len(names))]
    most = max(count for _, count in counts)
    first = f"Of the {len(best)} best of {configs} configs on average"
    if 2 * most <= len(best):
        return f"{first} no half share a setting"
    shared = [
        f"{_short(name)} {setting(value)}"
        for name, (value, count) in zip(names, counts, strict=True)
        if count == most
    ]
    return f"{first} {'all' if most == len(best) else most} have {listed(shared)}"


def parallel_figure(info: ParallelInfo, method: Method | str | None = None) -> go.Figure:
    """A line per config, grey to coloured by its mean share; the axes can be brushed."""
    figure = go.Figure()
    if info.points:
        dimensions = [_axis(info, number) for number in range(len(info.names))]
        shares = [point.mean_share for point in info.points]
        dimensions.append({"label": "Mean share (%)", "values": shares})
        line = {"color": shares, "colorscale": [[0, PALE], [1, colour(method)]], "showscale": False}
        figure.add_parcoords(dimensions=dimensions, line=line)
    figure = dress(figure, info.title, 380)
    return figure.update_layout(margin={"l": 60, "r": 50, "t": figure.layout.margin.t + 30, "b": 20})


def _axis(info: ParallelInfo, number: int) -> dict[str, Any]:
    """The values in order, evenly spaced: learning rates differ by factors."""
    values = [point.settings[number] for point in info.points]
    levels = sorted(set(values), key=lambda v: (v is not None, isinstance(v, str), v))
    return {
        "label": title_of(info.names[number]),
        "values": [levels.index(value) for value in values],
        "tickvals": list(range(len(levels))),
        "ticktext": [setting(level) for level in levels],
    }


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


def _effect(names: Sequence[str]) -> str:
    return " x ".join(title_of(name) for name in names) if names else "the rest: higher interactions, noise"


def _named(names: Sequence[str]) -> str:
    """An effect inside a sentence."""
    return " x ".join(map(_short, names))


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
    figure = go.Figure()
    if info.points:
        names = [point.effect for point in info.points]
        figure.add_bar(
            x=[point.share for point in info.points], y=names, orientation="h",
            marker_color=colour(method), opacity=0.85,
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
            marker={"color": NEUTRAL, "size": 6, "opacity": 0.8}, customdata=[u for _, _, u in dots],
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
        return f"{title_of(first)} {best[0]} is best at every value of {_short(second)}"
    told = [f"{value} at {column}" for value, column in zip(best, columns, strict=True)]
    return f"The best {_short(first)} depends on {_short(second)}: {listed(told)}"


def interaction_figure(info: InteractionInfo) -> go.Figure:
    """A square for each pair of values, with its mean written in."""
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
