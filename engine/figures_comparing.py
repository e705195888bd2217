"""Runs of any studies side by side: their scores and their training curves, named by letters."""

from __future__ import annotations

import string
from collections.abc import Sequence

import plotly.graph_objects as go

from engine import figures
from engine.comparing import Side, names
from engine.figures import CurveInfo, ScoreInfo


def letters(sides: Sequence[Side]) -> tuple[str, ...]:
    """A, B, C, ...: what a run is called in narrow places."""
    return tuple(string.ascii_uppercase[: len(sides)])


def titles(sides: Sequence[Side]) -> tuple[str, ...]:
    """'A: shortlist 1', ...: what a run is called in legends."""
    return tuple(f"{letter}: {name}" for letter, name in zip(letters(sides), names(sides), strict=True))


def score_info(sides: Sequence[Side]) -> ScoreInfo:
    """The scored runs in the order chosen; empty where their metrics differ, as their scores then do not
    stand on one axis."""
    metrics = {side.spec.metric for side in sides}
    if len(metrics) > 1:
        return ScoreInfo("The runs have different metrics", "Score", (), None)
    metric = metrics.pop()
    info = figures.score_info([(side.spec, side.result) for side in sides], metric)
    named = dict(zip((side.spec.run for side in sides), titles(sides), strict=True))
    order = list(named)
    points = [point._replace(label=figures.escape(named[point.run])) for point in info.points]
    points.sort(key=lambda point: order.index(point.run))
    name = figures.metric_name(metric)
    one_dataset = len({side.spec.dataset for side in sides}) == 1
    where = f"the same {_rows(sides):,} test rows" if one_dataset else "each run's own test rows"
    title = f"{name} on {where}, with 95 % intervals" if points else f"{name}: no run is scored yet"
    return ScoreInfo(title, info.axis, tuple(points), None)


def _rows(sides: Sequence[Side]) -> int:
    return max((s.result.test.n for s in sides if s.result is not None and s.result.test), default=0)


def curve_info(sides: Sequence[Side]) -> CurveInfo:
    """The training losses, and which run ends lowest."""
    drawn = [
        (title, figures.curve_info([(side.spec, side.events)]).curves)
        for side, title in zip(sides, titles(sides), strict=True)
    ]
    curves = tuple(curve._replace(label=figures.escape(title)) for title, found in drawn for curve in found)
    if not curves:
        return CurveInfo("Training loss: none of these runs was trained", ())
    lowest = min(curves, key=lambda curve: curve.losses[-1])
    title = "Training loss by epoch"
    if len(curves) > 1:
        title = f"{title}: {lowest.label[0]} ends lowest, at {lowest.losses[-1]:.3g} nats per token"
    return CurveInfo(title, curves)


def curve_figure(info: CurveInfo) -> go.Figure:
    """The curves of a study's page, each with its letter at its end: lines of one colour are told apart."""
    figure = figures.curve_figure(info)
    for curve in info.curves:
        figure.add_annotation(
            x=curve.epochs[-1], y=curve.losses[-1], text=curve.label[0], showarrow=False, xshift=10,
            font={"color": figures.COLOURS[curve.meaning]},
        )  # fmt: skip
    return figures.dress(figure, info.title, height=380, legend_below=True)
