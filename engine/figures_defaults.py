"""What configs that are run as they are reach: our default, the library's and those of other tools."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from engine import peers
from engine.asis import AsItIs, as_they_are
from engine.exploration import View
from engine.figures import COLOURS, RIVAL, ROW_HEIGHT, config_label, dress, escaped
from engine.findings import counted

OURS = "default"
TITLES = {OURS: "the default here", "library": "TRL and PEFT as they are"}


class DefaultPoint(NamedTuple):
    """A default's share of the best of the grid on test, in percent, with its interval over datasets."""

    origin: str
    title: str
    config: str
    share: float
    low: float | None
    high: float | None
    datasets: int
    cells: int
    failed: int


class DefaultsInfo(NamedTuple):
    """The defaults that were run, the best first."""

    title: str
    points: tuple[DefaultPoint, ...]
    notes: tuple[str, ...]


def defaults_info(view: View | None, results: pd.DataFrame) -> DefaultsInfo:
    """What each reaches, on how many datasets, and why that proves little."""
    found = () if view is None else as_they_are(view, results)
    if not found:
        return DefaultsInfo("No default was run where the grid can judge it", (), ())
    points = tuple(_point(one) for one in found)
    best, worst = points[0], points[-1]
    title = f"Run as it is, {best.title} reaches {best.share:.0f} % of the best"
    if len(points) > 1:
        title += f", {worst.title} {worst.share:.0f} %"
    failed = sum(point.failed for point in points)
    notes = ["Share of the test score that dev selects from the whole grid, mean over datasets."]
    notes += [f"{counted(failed, 'run')} failed and count as 0."] if failed else []
    return DefaultsInfo(title, points, (*notes, peers.CAVEAT))


def _point(one: AsItIs) -> DefaultPoint:
    def percent(value: float | None) -> float | None:
        return None if value is None else round(100 * value, 1)

    return DefaultPoint(
        one.origin, TITLES.get(one.origin, one.origin), config_label(one.config), round(100 * one.share, 1),
        percent(one.low), percent(one.high), len(one.by_unit), one.cells, one.failed,
    )  # fmt: skip


def defaults_figure(info: DefaultsInfo) -> go.Figure:
    """A bar for each default, with its interval."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        figure.add_bar(
            x=[point.share for point in info.points], y=[point.title for point in info.points],
            orientation="h",
            marker_color=[COLOURS["default config"] if p.origin == OURS else RIVAL for p in info.points],
            error_x={
                "type": "data", "symmetric": False, "thickness": 2,
                "array": [0 if p.high is None else p.high - p.share for p in info.points],
                "arrayminus": [0 if p.low is None else p.share - p.low for p in info.points],
            },
            customdata=[[p.config, p.datasets, p.failed] for p in info.points],
            hovertemplate="%{y}: %{x:.1f} % of the best, mean of %{customdata[1]} datasets, "
            "%{customdata[2]} failed<br>%{customdata[0]}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Share of the dev-selected best on test (%)", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 140 + ROW_HEIGHT * len(info.points)).update_layout(showlegend=False)
