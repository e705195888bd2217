"""How far a grid's datasets are from a user's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from engine.figures import NEUTRAL, ROW_HEIGHT, dress, escaped
from engine.findings import listed
from engine.similar import MEASURES, Likeness

SYMBOLS = {"input_words": "circle", "answer_words": "square", "labels": "diamond", "rows": "x"}
FAR = 2.0  # doublings: four times apart on average


class SimilarPoint(NamedTuple):
    """A grid dataset; a ratio of 2 means twice the user's."""

    dataset: str
    task: str
    same_task: bool
    doublings_apart: float
    input_words_ratio: float | None
    answer_words_ratio: float | None
    labels_ratio: float | None
    rows_ratio: float | None


class SimilarInfo(NamedTuple):
    """Datasets of the same task, the nearest first."""

    finding: str
    title: str
    points: tuple[SimilarPoint, ...]


def similar_info(name: str, found: Sequence[Likeness]) -> SimilarInfo:
    """Which dataset is nearest, and in what it differs."""
    near = [one for one in found if one.same_task]
    points = tuple(_point(one) for one in found)
    if not near:
        tasks = listed(sorted({str(one.facts.task) for one in found})) or "no known dataset"
        title = f"No dataset of this grid has the task of {name}; it has {tasks}"
        return SimilarInfo(title, title, ())
    first = near[0]
    like = "is most like" if first.doublings < FAR else "is nearest to, but unlike,"
    finding = f"{first.name} {like} {name}: the same task, {_told(first)}"
    others = [one.name for one in near[1:3]]
    title = f"Of {len(near)} datasets with the same task {first.name} is nearest"
    return SimilarInfo(finding, title + (f", then {listed(others)}" if others else ""), points)


def _point(one: Likeness) -> SimilarPoint:
    ratios = [round(one.ratios[m], 3) if m in one.ratios else None for m in MEASURES]
    return SimilarPoint(one.name, str(one.facts.task), one.same_task, round(one.doublings, 2), *ratios)


def _told(one: Likeness) -> str:
    return listed(f"{ratio:.1f} x the {MEASURES[measure]}" for measure, ratio in one.ratios.items())


def similar_figure(info: SimilarInfo) -> go.Figure:
    """A line per dataset of the same task, a mark per measure; 1 is the user's own."""
    info = escaped(info)
    figure = go.Figure()
    points = [point for point in info.points if point.same_task]
    for measure, symbol in SYMBOLS.items():
        shown = [p for p in points if getattr(p, f"{measure}_ratio") is not None]
        if shown:
            figure.add_scatter(
                name=MEASURES[measure].capitalize(), mode="markers",
                x=[getattr(p, f"{measure}_ratio") for p in shown], y=[p.dataset for p in shown],
                marker={"symbol": symbol, "color": NEUTRAL, "size": 11},
                hovertemplate=f"%{{y}}: %{{x:.2f}} x the {MEASURES[measure]} of yours<extra></extra>",
            )  # fmt: skip
    if points:
        figure.add_vline(x=1, line_width=1, line_color=NEUTRAL)
    ticks = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16]
    names = ["1/16", "1/8", "1/4", "1/2", "1", "2", "4", "8", "16"]
    figure.update_xaxes(title="Times yours (1: the same)", type="log", tickvals=ticks, ticktext=names)
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 160 + ROW_HEIGHT * len(points))
