"""Whether long inputs are answered worse: the score of a run by the length of what it read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from engine import evaluate
from engine.figures import COLOURS, SYMBOLS, dress, escaped, meaning, metric_name
from engine.metrics import lower_is_better, points
from engine.outputs import Outputs, titles
from engine.records import Score

MOST_PARTS = 4
LEAST_ROWS = 10  # in a part; fewer say nothing


class LengthPoint(NamedTuple):
    """The score of one run on the inputs of about one length: points (a loss in nats) with its interval."""

    words: str
    run: str
    meaning: str
    value: float
    low: float
    high: float
    rows: int


class LengthInfo(NamedTuple):
    """Scores by length, the shortest inputs first."""

    title: str
    axis: str
    points: tuple[LengthPoint, ...]


def length_info(outputs: Outputs, run: str) -> LengthInfo:
    """A run, and the base where it is tuned, on inputs of growing length."""
    unit = "nats, less is better" if lower_is_better(outputs.metric) else "points"
    axis = f"{metric_name(outputs.metric)} ({unit})"
    parts = _parts(outputs.words)
    if len(parts) < 2:
        reason = f"{len(outputs.words)} {outputs.split} rows of about one length, or too few"
        return LengthInfo(f"No effect of the input's length can be looked for: {reason}", axis, ())
    names = titles(outputs, run)
    sides = [side for side in (outputs.base_of(run), run) if side is not None]
    found = {side: [_score(outputs, side, part) for part in parts] for side in sides}
    factor = 1.0 if lower_is_better(outputs.metric) else 100.0
    points = tuple(
        LengthPoint(
            _words(part), names[side], meaning(outputs.specs[side].kind, outputs.specs[side].method),
            factor * score.value, factor * score.low, factor * score.high, score.n,
        )
        for side, scores in found.items()
        for part, score in zip(parts, scores, strict=True) if score is not None
    )  # fmt: skip
    return LengthInfo(_finding(names[run], found[run], factor), axis, points)


def _parts(words: pd.Series[int]) -> list[pd.Series[int]]:
    """Up to four parts of about as many rows, by length; inputs of one length stay together."""
    count = min(MOST_PARTS, len(words) // LEAST_ROWS)
    if count < 2:
        return []
    codes = pd.qcut(words, count, labels=False, duplicates="drop")
    return [part for _, part in words.groupby(codes)]


def _score(outputs: Outputs, run: str, part: pd.Series[int]) -> Score | None:
    table = outputs.tables[run]
    return evaluate.score(table[table["row"].isin(part.index)], outputs.metric, outputs.split)


def _words(part: pd.Series[int]) -> str:
    least, most = int(part.min()), int(part.max())
    return f"{least:,} words" if least == most else f"{least:,} to {most:,} words"


def _finding(title: str, scores: Sequence[Score | None], factor: float) -> str:
    shortest, longest = scores[0], scores[-1]
    if shortest is None or longest is None:
        return f"The effect of the input's length on {title} was not measured"
    gap = difference(longest, shortest)
    loss = factor == 1
    unit = " nats" if loss else " points"
    if gap.low <= 0 <= gap.high:
        return (
            f"No effect of the input's length on {title} can be shown: longest minus shortest inputs "
            f"{points(gap, loss, unit)}"
        )
    side = "higher" if gap.value > 0 else "lower"
    low, high = sorted((abs(gap.low), abs(gap.high)))
    size = points(Score(abs(gap.value), low, high, gap.n), loss, unit)
    return f"{title} scores {size} {side} on the longest inputs than on the shortest"


def difference(a: Score, b: Score) -> Score:
    """a - b of different rows, its interval from both intervals (Zou and Donner 2008, "MOVER")."""
    low = math.hypot(a.value - a.low, b.high - b.value)
    high = math.hypot(a.high - a.value, b.value - b.low)
    value = a.value - b.value
    return Score(value, value - low, value + high, a.n + b.n)


def length_figure(info: LengthInfo) -> go.Figure:
    """A marker with its interval for each run and length, those of one length side by side."""
    info = escaped(info)
    figure = go.Figure([_trace(points) for points in _by_run(info.points)])
    order = list(dict.fromkeys(point.words for point in info.points))
    figure.update_xaxes(title="Length of the input", type="category", categoryarray=order)
    figure.update_yaxes(title=info.axis)
    return dress(figure, info.title, height=360).update_layout(scattermode="group", scattergap=0.75)


def _by_run(points: Sequence[LengthPoint]) -> Iterator[list[LengthPoint]]:
    for run in dict.fromkeys(point.run for point in points):
        yield [point for point in points if point.run == run]


def _trace(points: Sequence[LengthPoint]) -> go.Scatter:
    name = points[0].meaning
    return go.Scatter(
        name=points[0].run,
        x=[point.words for point in points],
        y=[point.value for point in points],
        mode="markers",
        marker={"color": COLOURS[name], "size": 10, "symbol": SYMBOLS.get(name, "x")},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [point.high - point.value for point in points],
            "arrayminus": [point.value - point.low for point in points],
        },
        customdata=[[point.low, point.high, point.rows] for point in points],
        hovertemplate="%{x}: %{y:.1f} (%{customdata[0]:.1f} to %{customdata[1]:.1f}), "
        "%{customdata[2]} rows<extra>%{fullData.name}</extra>",
    )
