"""The losses of one training: on the rows that it learns from, and on dev rows that it does not see."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from engine.diagnose import Diagnosis
from engine.figures import COLOURS, MAX_POINTS, NEUTRAL, dress, escape, meaning, run_title
from engine.records import RunSpec

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
    title = f"{escape(run_title(spec))}: {diagnosis.short}"
    return LossInfo(title, COLOURS[meaning(spec.kind, spec.method)], found.untuned, thinned, found.dev, kept)


def loss_figure(info: LossInfo) -> go.Figure:
    """Training loss thin, dev loss strong and from the untuned model on, the kept epoch ringed."""
    figure = go.Figure()
    dev = info.dev if info.untuned is None else ((0.0, info.untuned), *info.dev)
    _line(figure, "training loss, batch by batch", info.train, {"color": NEUTRAL, "width": 1})
    _line(figure, "dev loss", dev, {"color": info.colour, "width": 3}, markers=True)
    if info.untuned is not None:
        figure.add_hline(info.untuned, line={"color": COLOURS["untuned base"], "dash": "dash", "width": 1})
        figure.add_annotation(
            text="untuned base", x=1, xref="paper", xanchor="right", y=info.untuned, yanchor="bottom",
            showarrow=False, font={"color": COLOURS["untuned base"]},
        )  # fmt: skip
    ringed = [point for point in info.dev if point[0] == info.kept]
    if ringed:
        figure.add_scatter(
            x=[epoch for epoch, _ in ringed], y=[loss for _, loss in ringed], name="kept epoch",
            mode="markers",
            marker={"symbol": "circle-open", "size": 18, "color": info.colour, "line": {"width": 3}},
        )  # fmt: skip
    figure.update_xaxes(title="Epoch", rangemode="tozero")
    figure.update_yaxes(title="Loss (nats per token)", rangemode="tozero")
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
