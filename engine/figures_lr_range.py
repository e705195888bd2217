"""What a learning-rate range test looks like: the loss on the way up, and where the suggestions lie on it."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from engine.figures import NEUTRAL, RIVAL, dress, escaped, method_colour
from engine.lr_range import BACK, LAG, LrRange
from engine.records import short_rate


class LrRangeInfo(NamedTuple):
    """The curves of a ramp; `best`: the least and the largest learning rate that a grid found best."""

    title: str
    method: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None
    corrected: float | None
    centre: float | None
    best: tuple[float, float] | None


def lr_range_info(found: LrRange, best: tuple[float, float] | None = None) -> LrRangeInfo:
    """`best`: of this model and method in a grid, where there is one."""
    return LrRangeInfo(
        _title(found, best),
        found.method,
        found.learning_rates,
        found.losses,
        found.smoothed,
        found.suggestion,
        found.corrected,
        found.centre,
        best,
    )


def _title(found: LrRange, best: tuple[float, float] | None) -> str:
    if found.centre is None or found.corrected is None or found.least is None:
        return f"The loss of {found.model} does not fall on this ramp: no learning rate is suggested"
    told = (
        f"The loss falls most steeply near {_short(BACK * found.corrected)}: a tenth of it, "
        f"{_short(found.centre)}, is suggested"
    )
    if found.centre != found.corrected:
        told = (
            f"The loss is least near {_short(found.least)}: half of it, {_short(found.centre)}, "
            "is suggested for a model so small"
        )
    if best is None:
        return told
    low, high = best
    if low <= found.centre <= high:
        return f"{told}, among the best rates of the grid"
    below = found.centre < low
    factor = low / found.centre if below else found.centre / high
    return f"{told}, {factor:.2g} times {'below' if below else 'above'} the best of the grid"


def _short(rate: float) -> str:
    """Two digits: a ramp's steps are a tenth apart."""
    return short_rate(float(f"{rate:.1e}"))


def lr_range_figure(info: LrRangeInfo) -> go.Figure:
    """Faint points for the steps, a line for the smoothed loss, the suggestions, the grid's best as band."""
    info = escaped(info)
    figure = go.Figure()
    colour = method_colour(info.method)
    hover = "learning rate %{x:.2e}<br>loss %{y:.3f}<extra>%{fullData.name}</extra>"
    figure.add_scatter(
        x=info.rates, y=info.losses, name="loss of each step", mode="markers",
        marker={"color": colour, "size": 5}, opacity=0.35, hovertemplate=hover,
    )  # fmt: skip
    figure.add_scatter(
        x=info.rates, y=info.smoothed, name=f"smoothed ({LAG} steps late)", mode="lines",
        line={"color": colour, "width": 2}, hovertemplate=hover,
    )  # fmt: skip
    if info.losses:
        top = max(max(info.losses), max(info.smoothed))
        steep = "a tenth of the steepest fall"
        _mark(figure, info.suggestion, f"{steep}, as smoothed", NEUTRAL, "dot", top)
        if info.centre == info.corrected:
            _mark(figure, info.corrected, f"{steep}, lag corrected", RIVAL, "solid", top)
        else:
            _mark(figure, info.corrected, f"{steep}, lag corrected", NEUTRAL, "dash", top)
            _mark(figure, info.centre, "half the rate of the least loss", RIVAL, "solid", top)
    if info.best is not None:
        low, high = info.best
        edge = 10**0.05  # one learning rate alone is a band that can be seen
        figure.add_vrect(x0=low / edge, x1=high * edge, line_width=0, fillcolor=NEUTRAL, opacity=0.2)
        figure.add_scatter(
            x=[None], y=[None], name="best in the grid", mode="markers",
            marker={"color": NEUTRAL, "opacity": 0.3, "size": 14, "symbol": "square"},
        )  # fmt: skip
    figure.update_xaxes(title="Learning rate (log)", type="log", exponentformat="power", dtick=1)
    figure.update_yaxes(title="Loss on the answer (nats per token)", rangemode="tozero")
    return dress(figure, info.title, 430, legend_below=True)


def _mark(figure: go.Figure, rate: float | None, name: str, colour: str, dash: str, top: float) -> None:
    if rate is None:
        return
    figure.add_scatter(
        x=[rate, rate], y=[0, top], name=f"{name}: {_short(rate)}", mode="lines",
        line={"color": colour, "width": 2, "dash": dash}, hoverinfo="name",
    )  # fmt: skip
