"""Dev loss against the study's metric: which trainings no other beats in both, and what a search added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from engine import pareto
from engine.figures import MAX_POINTS, NEUTRAL, dress, escaped
from engine.figures_search import HEIGHT, SEARCHED, colours, source
from engine.metrics import TITLES
from engine.pareto import Costs
from engine.records import Method, RunSpec
from engine.search import Objective, Trial


class TradePoint(NamedTuple):
    """A training: dev loss in nats, the metric in points; `unbeaten`: on the Pareto front."""

    run: str
    source: str
    loss: float
    score: float
    unbeaten: bool
    hover: str


class TradeInfo(NamedTuple):
    """The trainings by rising loss."""

    title: str
    score_axis: str
    points: tuple[TradePoint, ...]


def tradeoff_info(
    trials: Sequence[Trial], specs: Mapping[str, RunSpec], search: str, metric: str
) -> TradeInfo:
    """Of the trainings that went to their end with both measured."""
    both = [(t, found) for t in trials if (found := pareto.costs(t, Objective.BOTH)) is not None][:MAX_POINTS]
    axis = f"Dev {TITLES[metric]} (points, more is better)"
    if not both:
        return TradeInfo("Loss and score: no run has both yet", axis, ())
    unbeaten = set(pareto.front([found for _, found in both]))
    points = [
        _point(trial, found, specs[trial.run], search, n in unbeaten) for n, (trial, found) in enumerate(both)
    ]
    points.sort(key=lambda point: (point.loss, -point.score))
    ours = [specs[trial.run].search == search for trial, _ in both]
    added = _added(unbeaten, ours)
    runs = f"{len(unbeaten)} of {len(both)} trainings {'is' if len(unbeaten) == 1 else 'are'} unbeaten"
    return TradeInfo(f"{runs} in dev loss and {TITLES[metric]}{added}", axis, tuple(points))


def _point(trial: Trial, found: Costs, spec: RunSpec, search: str, unbeaten: bool) -> TradePoint:
    loss, score = found[0], -100 * found[1]
    hover = f"{spec.name}: loss {loss:.3f} nats, {score:.1f} points<br>{trial.config.label}"
    return TradePoint(trial.run, source(spec, search), loss, score, unbeaten, hover)


def _added(unbeaten: set[int], ours: Sequence[bool]) -> str:
    """How many of the unbeaten trainings the search found, where there are others to compare with."""
    if all(ours) or not any(ours):
        return ""
    found = sum(ours[place] for place in unbeaten)
    return f", {found or 'none'} of them the search's"


def tradeoff_figure(info: TradeInfo, method: Method) -> go.Figure:
    """A dot per training, the unbeaten ones joined."""
    info = escaped(info)
    figure = go.Figure()
    front = [point for point in info.points if point.unbeaten]
    if front:
        figure.add_scatter(
            x=[point.loss for point in front], y=[point.score for point in front],
            mode="lines", line={"color": NEUTRAL, "width": 2, "shape": "hv"},
            name="unbeaten in both", hoverinfo="skip",
        )  # fmt: skip
    for name, colour in colours(method).items():
        points = [point for point in info.points if point.source == name]
        if points:
            figure.add_scatter(
                x=[point.loss for point in points], y=[point.score for point in points],
                name=name, mode="markers",
                marker={
                    "color": colour, "size": [13 if point.unbeaten else 8 for point in points],
                    "opacity": 1 if name == SEARCHED else 0.85,
                },
                text=[point.hover for point in points], hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="Dev loss (nats per token, less is better)")
    figure.update_yaxes(title=info.score_axis)
    return dress(figure, info.title, HEIGHT)
