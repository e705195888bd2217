"""The losses of one training: on the rows that it learns from, and on dev rows that it does not see."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from engine.diagnose import Diagnosis
from engine.figures import COLOURS, MAX_POINTS, NEUTRAL, dress, escape, meaning, run_title
from engine.records import RunSpec

TICKS = [step * 10.0**power for power in range(-4, 3) for step in (1, 2, 5)]
Points = tuple[tuple[float, float], ...]


class LossInfo(NamedTuple):
    """Both curves of a run by epoch, in nats per token; `kept`: the epoch whose weights the run has."""

    title: str
    colour: str
    untuned: float | None
    train: Points
    dev: Points
    kept: int | None


def loss_info(spec: RunSpec, diagnosis: Diagnosis, kept: int | None) -> LossInfo:
    """What the curves of a diagnosed run show."""
    found = diagnosis.losses
    thinned = found.train[:: -(-len(found.train) // MAX_POINTS) or 1]
    title = f"{run_title(spec)}: {diagnosis.short}"
    if found.dev:
        title += f"; dev loss was lowest after epoch {found.best[0]:g}"
    return LossInfo(
        escape(title), COLOURS[meaning(spec.kind, spec.method)], found.untuned, thinned, found.dev, kept
    )


def loss_figure(info: LossInfo) -> go.Figure:
    """Training loss thin, dev loss strong and from the untuned model on, the kept epoch ringed."""
    figure = go.Figure()
    dev = info.dev if info.untuned is None else ((0.0, info.untuned), *info.dev)
    _line(figure, "training loss, batch by batch", info.train, {"color": NEUTRAL, "width": 1})
    if info.untuned is not None and info.dev:
        level = ((0.0, info.untuned), (info.dev[-1][0], info.untuned))
        _line(figure, "untuned base", level, {"color": COLOURS["untuned base"], "dash": "dash", "width": 2})
    _line(figure, "dev loss", dev, {"color": info.colour, "width": 3}, markers=True)
    ringed = [point for point in info.dev if point[0] == info.kept]
    if ringed:
        figure.add_scatter(
            x=[epoch for epoch, _ in ringed], y=[loss for _, loss in ringed], name="kept epoch",
            mode="markers",
            marker={"symbol": "circle-open", "size": 18, "color": info.colour, "line": {"width": 3}},
        )  # fmt: skip
    figure.update_xaxes(title="Epoch", rangemode="tozero")
    figure.update_yaxes(title="Loss (nats per token, log scale)", type="log", tickvals=TICKS, tickformat="~g")
    return dress(figure, info.title, height=340)


def _line(
    figure: go.Figure, name: str, points: Points, line: dict[str, object], markers: bool = False
) -> None:
    figure.add_scatter(
        x=[epoch for epoch, _ in points],
        y=[loss for _, loss in points],
        name=name,
        mode="lines+markers" if markers else "lines",
        line=line,
        hovertemplate="epoch %{x:.2f}<br>%{y:.3f}",
    )
