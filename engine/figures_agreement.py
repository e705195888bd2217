"""Whether the same configs are good on both sides of a comparison."""

from __future__ import annotations

from typing import Any, NamedTuple

import plotly.graph_objects as go

from engine.agreement import Agreement
from engine.figures import NEUTRAL, config_label, dress, escaped, method_colour
from engine.figures_paired import side_name
from engine.findings import counted


class AgreementPoint(NamedTuple):
    """A config's mean share of the best on each side, in percent, over the same cells."""

    config: str
    first: float
    second: float
    cells: int


class AgreementInfo(NamedTuple):
    """Whether the same configs are good on both sides."""

    title: str
    points: tuple[AgreementPoint, ...]
    names: tuple[str, str]


def agreement_info(found: Agreement, by: str, first: Any, second: Any) -> AgreementInfo:
    """Rank correlation by dataset, and its range."""
    names = (side_name(by, first), side_name(by, second))
    points = tuple(
        AgreementPoint(config_label(config), round(x, 2), round(y, 2), cells)
        for config, x, y, cells in found.points
    )
    values = list(found.by_unit.values())
    if not points or not values:
        return AgreementInfo(
            f"No config was run with {names[0]} and {names[1]} on the same dataset", points, names
        )
    mean = sum(values) / len(values)
    alike = "alike" if mean >= 0.7 else "only partly alike" if mean >= 0.3 else "differently"
    spread = f" ({min(values):.2f} to {max(values):.2f})" if len(values) > 1 else ""
    title = (
        f"Configs rank {alike} with {names[0]} and {names[1]}: rank correlation {mean:.2f}{spread} "
        f"over {counted(len(values), 'dataset')}"
    )
    return AgreementInfo(title, points, names)


def agreement_figure(info: AgreementInfo, method: str | None = None) -> go.Figure:
    """A point per config; on the line both sides agree."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        figure.add_scatter(
            x=[point.first for point in info.points], y=[point.second for point in info.points],
            mode="markers", marker={"color": method_colour(method), "size": 8, "opacity": 0.7},
            customdata=[[p.config, p.cells] for p in info.points],
            hovertemplate="%{customdata[0]}<br>%{x:.0f} % and %{y:.0f} % of the best, "
            "mean of %{customdata[1]} cells<extra></extra>",
        )  # fmt: skip
        least = min(min(p.first, p.second) for p in info.points)
        figure.add_shape(
            type="line", x0=least, y0=least, x1=100, y1=100, line={"color": NEUTRAL, "dash": "dot"}
        )
    figure.update_xaxes(title=f"Mean share of the best with {info.names[0]} (%)")
    figure.update_yaxes(title=f"... with {info.names[1]} (%)")
    return dress(figure, info.title, 420).update_layout(showlegend=False)
