"""What runs cost: time and memory of two sides, and which runs no other is both better and cheaper than."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from engine.figures import COLOURS, NEUTRAL, ROW_HEIGHT, config_label, dress, escaped
from engine.figures_paired import PairInfo, capital, looks, side_name
from engine.findings import listed
from engine.grids import config_columns
from engine.paired import Comparison

OTHER = "other methods"


class CostPoint(NamedTuple):
    """What the chosen config of one side took in one cell."""

    cell: str
    side: str
    config: str
    minutes: float | None
    memory_gb: float | None
    score: float


class CostInfo(NamedTuple):
    """Time (and memory) of both sides' chosen configs."""

    title: str
    points: tuple[CostPoint, ...]
    pairs: PairInfo


def cost_info(found: Comparison, pairs: PairInfo) -> CostInfo:
    """What it costs, at equal epochs and batch, and as chosen."""
    points = tuple(
        CostPoint(p.cell, name, config, minutes, memory, score)
        for p in pairs.points
        for name, config, minutes, memory, score in (
            (pairs.names[0], p.first_config, p.first_minutes, p.first_memory_gb, p.first),
            (pairs.names[1], p.second_config, p.second_minutes, p.second_memory_gb, p.second),
        )
        if minutes is not None
    )
    ratio = found.ratios["seconds"]
    if not points or ratio is None:
        return CostInfo("Time was not measured on both sides at equal epochs and batch", points, pairs)
    verb = "take" if pairs.by == "train_size" else "takes"
    title = f"At equal epochs and batch {pairs.names[0]} {verb} {ratio:.2f} x the time of {pairs.names[1]}"
    memory = found.ratios["peak_memory_mb"]
    known = f", {memory:.2f} x the peak memory" if memory is not None else "; memory was not measured"
    return CostInfo(f"{title}{known} (medians)", points, pairs)


def cost_figure(info: CostInfo, method: str | None = None) -> go.Figure:
    """Minutes of the chosen config of each side, cell by cell."""
    info = escaped(info)
    figure = go.Figure()
    for number, name in enumerate(info.pairs.names):
        points = [point for point in info.points if point.side == name]
        if points:
            style = looks(info.pairs, number, method)
            figure.add_bar(
                name=capital(name), orientation="h",
                x=[point.minutes for point in points], y=[point.cell for point in points],
                marker={"color": _pale(style["color"]) if "open" in style["symbol"] else style["color"]},
                customdata=[[point.config, _memory(point.memory_gb)] for point in points],
                hovertemplate="%{y}: %{x:.2f} min%{customdata[1]}<br>%{customdata[0]}"
                "<extra>%{fullData.name}</extra>",
            )  # fmt: skip
    figure.update_xaxes(title="Training time of the chosen config (min)")
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    cells = len({point.cell for point in info.points})
    return dress(figure, info.title, 150 + ROW_HEIGHT * cells).update_layout(barmode="group", bargap=0.3)


def _pale(colour: str) -> str:
    """Half of the colour, so that a legend shows it too."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.5)"


def _memory(gigabytes: float | None) -> str:
    return "" if gigabytes is None else f", {gigabytes:.1f} GB"


class FrontPoint(NamedTuple):
    """One run: its score (points, or a loss), what it took, whether no other is better and smaller."""

    name: str
    method: str
    score: float
    memory_gb: float
    minutes: float | None
    on_front: bool


class FrontInfo(NamedTuple):
    """Score against peak memory of the runs of one model on one dataset."""

    title: str
    points: tuple[FrontPoint, ...]
    unit: str


def front_info(table: pd.DataFrame, lower_is_better: bool = False) -> FrontInfo:
    """The runs that finished, and those that nothing beats in both score and memory."""
    unit = "nats, less is better" if lower_is_better else "points"
    names = {"score", "peak_memory_mb"}
    runs = table.dropna(subset=list(names)) if names <= set(table) else table.iloc[:0]
    if runs.empty:
        return FrontInfo("Peak memory was not measured", (), unit)
    runs = runs.assign(gain=-runs["score"] if lower_is_better else runs["score"])
    runs = runs.sort_values(["peak_memory_mb", "gain"], ascending=[True, False])
    better = runs["gain"] > runs["gain"].cummax().shift(fill_value=-float("inf"))
    factor = 1.0 if lower_is_better else 100.0
    points = tuple(
        FrontPoint(
            _run_name(run), str(run["method"]), round(factor * run["score"], 3),
            round(run["peak_memory_mb"] / 1000, 2), _minutes(run.get("seconds")), bool(front),
        )
        for run, front in zip(runs.to_dict("records"), better, strict=True)
    )  # fmt: skip
    best = [point for point in points if point.on_front]
    methods = listed(dict.fromkeys(side_name("method", point.method) for point in best))
    title = f"{len(best)} of {len(points)} runs are beaten by none in both score and memory: {methods}"
    return FrontInfo(title, points, unit)


def _run_name(run: dict[Any, Any]) -> str:
    """What its source calls the run, else its config."""
    for column in ("experiment", "config"):
        if isinstance(run.get(column), str):
            return str(run[column])
    columns = config_columns(pd.DataFrame([run]))
    return config_label({name: run[name] for name in columns if not pd.isna(run[name])})


def _minutes(seconds: Any) -> float | None:
    return None if seconds is None or pd.isna(seconds) else round(float(seconds) / 60, 2)


def front_figure(info: FrontInfo) -> go.Figure:
    """A mark per run, outlined where nothing beats it; methods in their colours."""
    info = escaped(info)
    figure = go.Figure()
    groups: dict[str, list[FrontPoint]] = {}
    for point in info.points:
        name = side_name("method", point.method)
        groups.setdefault(name if name in COLOURS else OTHER, []).append(point)
    for name, points in groups.items():
        figure.add_scatter(
            name=capital(name), mode="markers",
            x=[point.memory_gb for point in points], y=[point.score for point in points],
            marker={
                "color": COLOURS.get(name, NEUTRAL), "size": [12 if p.on_front else 8 for p in points],
                "symbol": ["diamond" if p.on_front else "circle" for p in points],
            },
            customdata=[[p.name, "" if p.minutes is None else f", {p.minutes:.0f} min"] for p in points],
            hovertemplate="%{customdata[0]}<br>%{y} with %{x:.1f} GB%{customdata[1]}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Peak memory (GB)")
    figure.update_yaxes(title=f"Score ({info.unit})")
    return dress(figure, info.title, 420)
