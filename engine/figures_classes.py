"""What a study's models do class by class: recall with intervals, and what is taken for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from engine.classes import Classes, ClassScore, Confusion
from engine.figures import COLOURS, NEUTRAL, dress, escaped
from engine.findings import counted

MOST_LINES = 30
LONGEST_NAME = 32
MOST_NUMBERS = 12  # classes; beyond, numbers in the cells are too small to read
FAINTEST, STRONGEST = 0.08, 0.75  # cover of a cell without a row and of a full one: ink is read on both


class ClassPoint(NamedTuple):
    """The recall of one class in points; `base`: of the untuned base, None where it is not beside it."""

    label: str
    rows: int
    answers: int
    recall: float
    low: float
    high: float
    enough: bool
    base: float | None


class RecallInfo(NamedTuple):
    """The recall plot, the most frequent class first; of many classes those with the lowest recall."""

    title: str
    meaning: str
    points: tuple[ClassPoint, ...]


def recall_info(found: Classes, meaning: str, base: Classes | None = None) -> RecallInfo:
    """`meaning`: what the run is, as in figures.meaning."""
    beside = {} if base is None else {s.label: s.recall.value for s in base.scores if s.recall}
    points = [_point(s, beside.get(s.label)) for s in found.scores if s.recall is not None]
    shown = sorted(points, key=lambda point: point.recall)[:MOST_LINES]
    chosen = tuple(point for point in points if point in shown)
    return RecallInfo(_recall_title(found, points, len(chosen)), meaning, chosen)


def _point(score: ClassScore, base: float | None) -> ClassPoint:
    assert score.recall is not None
    value, low, high = (100 * part for part in (score.recall.value, score.recall.low, score.recall.high))
    share = None if base is None else 100 * base
    return ClassPoint(score.label, score.n, score.said, value, low, high, score.is_enough, share)


def _recall_title(found: Classes, points: list[ClassPoint], shown: int) -> str:
    known = [point for point in points if point.enough]
    few = len(found.scores) - len(known)
    some = f"; the {shown} lowest of {len(points)} shown" if shown < len(points) else ""
    if not known:
        return f"No class has enough {found.split} rows to say how well it is found{some}"
    worst, best = (pick(known, key=lambda point: point.recall) for pick in (min, max))
    left = f"; {few} of {len(found.scores)} have too few rows to say" if few else ""
    if worst is best:
        return f"Found of '{worst.label}': {worst.recall:.0f} %{left}{some}"
    return (
        f"Found of the classes with enough rows: from {worst.recall:.0f} % of '{worst.label}' "
        f"to {best.recall:.0f} % of '{best.label}'{left}{some}"
    )


def recall_figure(info: RecallInfo) -> go.Figure:
    """A line for each class: recall with its interval, hollow where the rows are too few; the base beside."""
    info = escaped(info)
    figure = go.Figure()
    lines = list(enumerate(info.points))
    for enough in (True, False):
        if shown := [(line, point) for line, point in lines if point.enough == enough]:
            figure.add_trace(_recall_trace(shown, info.meaning, enough))
    if shown := [(line, point) for line, point in lines if point.base is not None]:
        figure.add_trace(_base_trace(shown))
    figure.update_yaxes(
        tickvals=[line for line, _ in lines], ticktext=[_name(point) for point in info.points],
        range=[len(lines) - 0.5, -0.5], automargin=True, ticksuffix="  ", zeroline=False,
        title="Class (rows)",
    )  # fmt: skip
    figure.update_xaxes(title="Recall: share of the class's rows that were found (%)", range=[-2, 102])
    return dress(figure, info.title, height=150 + 24 * len(info.points))


def _name(point: ClassPoint) -> str:
    return f"{_cut(point.label)} ({point.rows})"


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 3]}..."


def _recall_trace(shown: Sequence[tuple[int, ClassPoint]], meaning: str, enough: bool) -> go.Scatter:
    points = [point for _, point in shown]
    return go.Scatter(
        name=meaning if enough else f"{meaning}, too few rows to say",
        x=[point.recall for point in points],
        y=[line for line, _ in shown],
        mode="markers",
        marker={
            "color": COLOURS[meaning] if enough else NEUTRAL,
            "size": 10,
            "symbol": "circle" if enough else "circle-open",
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [point.high - point.recall for point in points],
            "arrayminus": [point.recall - point.low for point in points],
            "thickness": 1.5,
            "width": 4,
        },
        text=[f"{p.recall:.1f} % ({p.low:.1f} to {p.high:.1f}), {counted(p.rows, 'row')}" for p in points],
        customdata=[f"{point.label}<br>answered {counted(point.answers, 'time')}" for point in points],
        hovertemplate="%{customdata}<br>%{text}<extra></extra>",
    )


def _base_trace(shown: Sequence[tuple[int, ClassPoint]]) -> go.Scatter:
    name = "untuned base"
    return go.Scatter(
        name=name,
        x=[point.base for _, point in shown],
        y=[line for line, _ in shown],
        mode="markers",
        marker={"color": COLOURS[name], "size": 9, "symbol": "diamond-open", "line": {"width": 2}},
        customdata=[point.label for _, point in shown],
        hovertemplate="%{customdata}<br>%{x:.1f} % found by the untuned base<extra></extra>",
    )


class ConfusionPoint(NamedTuple):
    """How many rows of a class got an answer, and what share of the class's rows that is, in percent."""

    gold: str
    said: str
    rows: int
    share: float | None


class ConfusionInfo(NamedTuple):
    """The confusion table, line by line."""

    title: str
    colour: str
    golds: tuple[str, ...]
    said: tuple[str, ...]
    points: tuple[ConfusionPoint, ...]


def confusion_info(found: Confusion, meaning: str) -> ConfusionInfo:
    """`meaning`: what the run is, as in figures.meaning."""
    totals = found.counts.sum(axis=1)
    points = tuple(
        ConfusionPoint(gold, said, int(count), 100 * int(count) / int(total) if total else None)
        for gold, line, total in zip(found.golds, found.counts, totals, strict=True)
        for said, count in zip(found.said, line, strict=True)
    )
    title = _confusion_title(found)
    if found.shown < found.classes:
        title += f"; the {found.shown} of {found.classes} classes with most mistakes"
    return ConfusionInfo(title, COLOURS[meaning], found.golds, found.said, points)


def _confusion_title(found: Confusion) -> str:
    wrong = found.counts[: found.shown, : found.shown].copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "No row was taken for another class"
    gold, said = np.unravel_index(wrong.argmax(), wrong.shape)
    rows = counted(int(wrong.max()), "row")
    return f"The most frequent mistake: '{found.said[said]}' for '{found.golds[gold]}' ({rows})"


def confusion_figure(info: ConfusionInfo) -> go.Figure:
    """Right classes down, answers across, shaded by the share of the class's rows; counts where they fit."""
    info = escaped(info)
    width = len(info.said)
    lines = [info.points[start : start + width] for start in range(0, len(info.points), width)]
    figure = go.Figure(
        go.Heatmap(
            x=list(range(width)),
            y=list(range(len(info.golds))),
            z=[[point.share for point in line] for line in lines],
            zmin=0,
            zmax=100,
            customdata=[
                [f"{p.said}<br>for {p.gold}: {counted(p.rows, 'row')}" for p in line] for line in lines
            ],
            hovertemplate="%{customdata}, %{z:.0f} % of the class<extra></extra>",
            colorscale=[[0, _veil(NEUTRAL, FAINTEST)], [1, _veil(info.colour, STRONGEST)]],
            xgap=1,
            ygap=1,
            colorbar={"title": "% of class", "thickness": 12},
        )
    )
    if width <= MOST_NUMBERS:
        figure.add_trace(_counts(lines))
    for update, names in ((figure.update_xaxes, info.said), (figure.update_yaxes, info.golds)):
        update(
            tickvals=list(range(len(names))), ticktext=[_cut(name) for name in names],
            showgrid=False, zeroline=False, automargin=True,
        )  # fmt: skip
    figure.update_xaxes(title="Answer", tickangle=-40)
    figure.update_yaxes(title="Right class", autorange="reversed", ticksuffix="  ")
    return dress(figure, info.title, height=260 + 26 * len(info.golds)).update_layout(showlegend=False)


def _counts(lines: Sequence[Sequence[ConfusionPoint]]) -> go.Scatter:
    """The numbers in the cells, in the page's own ink: a heat map's would not know whether it is dark."""
    shown = [(x, y, str(p.rows)) for y, line in enumerate(lines) for x, p in enumerate(line) if p.rows]
    xs, ys, texts = zip(*shown, strict=True) if shown else ((), (), ())
    return go.Scatter(x=xs, y=ys, text=texts, mode="text", hoverinfo="skip")


def _veil(colour: str, share: float) -> str:
    """The colour with so much cover that the page shows through, light or dark."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share})"
