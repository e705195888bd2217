"""One dataset: every config's dev and test score there, with the floor and the configs first elsewhere."""

from __future__ import annotations

from typing import Any, NamedTuple

import plotly.graph_objects as go

from engine.exploration import View, cell_noun, varying
from engine.figures import COLOURS, UNSEEN, config_label, dress, escaped, method_colour, metric_name
from engine.findings import counted
from engine.onedataset import FIRST, OneDataset


class DatasetPoint(NamedTuple):
    """A config on the dataset, scores in points (a loss in nats)."""

    place: int
    config: str
    dev: float
    dev_low: float | None
    dev_high: float | None
    test: float | None
    test_low: float | None
    test_high: float | None
    top: bool
    rank_elsewhere: int | None
    minutes: float | None


class DatasetInfo(NamedTuple):
    """All configs that finished, best dev score first.

    `floor` is the better of `base`, the untuned model, and a constant answer.
    """

    finding: str
    title: str
    points: tuple[DatasetPoint, ...]
    axis: str
    floor: float | None
    base: float | None
    notes: tuple[str, ...]


def dataset_info(view: View, found: OneDataset) -> DatasetInfo:
    """What is best there, and whether the other datasets would have led to it."""
    factor, digits = (1.0, 4) if view.lower_is_better else (100.0, 1)

    def value(number: float | None) -> float | None:
        return None if number is None else round(factor * number, digits)

    points = tuple(
        DatasetPoint(
            place, config_label(one.config, varying(view)), round(factor * one.dev, digits),
            value(one.dev_low), value(one.dev_high), value(one.test), value(one.test_low),
            value(one.test_high), one.top, one.first_elsewhere,
            None if one.seconds is None else round(one.seconds / 60, 2),
        )
        for place, one in enumerate(found.configs, 1)
        if one.dev is not None
    )  # fmt: skip
    noun = "models" if cell_noun(view.grid.cells) == "models" else "datasets"
    name = str(found.cell.dataset if noun == "datasets" else found.cell.model)
    metric = metric_name(found.metric or "score")
    unit = "nats, less is better" if view.lower_is_better else "points"
    return DatasetInfo(
        _finding(found, points, name, noun), _best(found, points, name, metric), points, f"{metric} ({unit})",
        value(found.floor), value(found.base), _notes(found),
    )  # fmt: skip


def _finding(found: OneDataset, points: tuple[DatasetPoint, ...], name: str, noun: str) -> str:
    if not points:
        return f"Every run on {name} failed"
    if found.reached is None:
        return f"On {name} {sum(point.top for point in points)} of {len(points)} configs are top configs"
    run = sum(one.first_elsewhere is not None for one in found.configs)
    gap = "" if run == found.others else f" ({run} of them run here)"
    return (
        f"On {name} the first {found.others} configs of the other {noun}{gap} reach "
        f"{100 * found.reached:.0f} % of the best"
    )


def _best(found: OneDataset, points: tuple[DatasetPoint, ...], name: str, metric: str) -> str:
    if not points:
        return f"Every run on {name} failed"
    best, top = points[0], sum(point.top for point in points)
    tested = "" if best.test is None else f", {best.test:g} on test"
    rest = f"{counted(top, 'top config')} of {len(points)}"
    if found.left_out is not None:
        rest = f"left out of rankings, because {found.left_out}"
    return f"{metric} {best.dev:g} on dev{tested} with {best.config}; {rest}"


def _notes(found: OneDataset) -> tuple[str, ...]:
    failed = sum(one.dev is None for one in found.configs)
    notes = []
    if failed:
        notes.append(f"{counted(failed, 'config')} failed here.")
    if found.not_run:
        notes.append(f"{counted(found.not_run, 'config')} of this grid not run here.")
    if not found.others:
        notes.append("There is no other dataset to rank the configs by, so none is marked.")
    return tuple(notes)


def dataset_figure(info: DatasetInfo, method: str | None = None) -> go.Figure:
    """Dev scores with intervals from best to worst, test scores beside them, the floor as a line."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        filled = {"color": method_colour(method), "size": 8}
        figure.add_trace(_scores(info.points, "dev", "Dev: selects", filled))
        if any(point.test is not None for point in info.points):
            hollow = {**filled, "symbol": "circle-open"}
            figure.add_trace(_scores(info.points, "test", "Test: reports", hollow))
        figure.add_trace(_marked(info.points))
    constant = None if info.floor == info.base else info.floor
    for value, name, shade in (
        (info.base, "untuned base", COLOURS["untuned base"]),
        (constant, "constant answer", COLOURS["no model"]),
    ):
        if value is not None and info.points:
            figure.add_scatter(
                x=[1, len(info.points)], y=[value, value], mode="lines", name=name,
                line={"color": shade, "dash": "dot", "width": 2},
                hovertemplate=f"{name}: {value:g} on dev<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="Configs, best dev score first", range=[0.2, len(info.points) + 0.8])
    figure.update_yaxes(title=info.axis)
    return dress(figure, info.title, 460, legend_below=True)


def _scores(points: tuple[DatasetPoint, ...], split: str, name: str, marker: dict[str, Any]) -> go.Scatter:
    shown = [point for point in points if getattr(point, split) is not None]
    values = [getattr(point, split) for point in shown]
    lows = [getattr(point, f"{split}_low") for point in shown]
    highs = [getattr(point, f"{split}_high") for point in shown]
    shift = 0.2 if split == "test" else 0.0
    return go.Scatter(
        name=name,
        x=[point.place + shift for point in shown],
        y=values,
        mode="markers",
        marker=marker,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0 if high is None else high - v for v, high in zip(values, highs, strict=True)],
            "arrayminus": [0 if low is None else v - low for v, low in zip(values, lows, strict=True)],
            "thickness": 1,
            "width": 2,
        },
        customdata=[
            [point.config, _interval(low, high)] for point, low, high in zip(shown, lows, highs, strict=True)
        ],
        hovertemplate=f"%{{customdata[0]}}<br>{split} %{{y}}%{{customdata[1]}}<extra></extra>",
    )


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low} to {high})"


def _marked(points: tuple[DatasetPoint, ...]) -> go.Scatter:
    """Rings around the configs that the other datasets rank first."""
    shown = [point for point in points if point.rank_elsewhere is not None]
    return go.Scatter(
        name=f"first {FIRST} elsewhere",
        x=[point.place for point in shown],
        y=[point.dev for point in shown],
        mode="markers+text",
        marker={"color": "rgba(0,0,0,0)", "size": 17, "line": {"color": UNSEEN, "width": 3}},
        text=[str(point.rank_elsewhere) for point in shown],
        textposition="middle left",
        hoverinfo="skip",
        showlegend=bool(shown),
    )
