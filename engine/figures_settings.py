"""What each hyperparameter does: how configs score by its values, and all settings as parallel lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.exploration import View, varying
from engine.figures import MAX_POINTS, config_label, dress, escaped, method_colour, setting
from engine.findings import listed
from engine.records import Method

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


def in_words(name: str) -> str:
    """A hyperparameter inside a sentence."""
    return title_of(name).removesuffix(" (rows)").lower()


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
        f"The median config moves most with {in_words(widest)}: {spread[widest][best]:.0f} % of the best at "
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
    info = escaped(info)
    names = list(dict.fromkeys(point.hyperparameter for point in info.points))
    if not names:
        return dress(go.Figure(), info.title, 200)
    columns = min(COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, horizontal_spacing=0.03)
    for number, name in enumerate(names):
        place: dict[str, Any] = {"row": number // columns + 1, "col": number % columns + 1}
        points = [point for point in info.points if point.hyperparameter == name]
        figure.add_trace(_box(points, method_colour(method)), **place)
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


def parallel_numbers(info: ParallelInfo) -> pd.DataFrame:
    """The numbers behind the lines, a column for each setting."""
    table = pd.DataFrame(info.points, columns=list(ParallelPoint._fields))
    settings = pd.DataFrame(table.pop("settings").tolist(), columns=list(info.names), index=table.index)
    return table.join(settings)


def _common(best: Sequence[ParallelPoint], names: Sequence[str], configs: int) -> str:
    """The settings that most of the best configs have."""
    counts = [Counter(point.settings[n] for point in best).most_common(1)[0] for n in range(len(names))]
    most = max(count for _, count in counts)
    first = f"Of the {len(best)} best of {configs} configs on average"
    if 2 * most <= len(best):
        return f"{first} no half share a setting"
    shared = [
        f"{in_words(name)} {setting(value)}"
        for name, (value, count) in zip(names, counts, strict=True)
        if count == most
    ]
    return f"{first} {'all' if most == len(best) else most} have {listed(shared)}"


def parallel_figure(info: ParallelInfo, method: Method | str | None = None) -> go.Figure:
    """A line per config, grey to coloured by its mean share; the axes can be brushed."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        dimensions = [_axis(info, number) for number in range(len(info.names))]
        shares = [point.mean_share for point in info.points]
        dimensions.append({"label": "Mean share (%)", "values": shares})
        line = {"color": shares, "colorscale": [[0, PALE], [1, method_colour(method)]], "showscale": False}
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
