"""Learning curves of a grid: dev loss by epoch, and whether the loss picks the config that scores best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from engine.coverage import Matrix, score_grid
from engine.exploration import View, cell_names, cell_noun, varying
from engine.figures import MAX_TRACES, ROW_HEIGHT, config_label, dress, escaped, method_colour, setting
from engine.figures_settings import title_of
from engine.findings import listed

EPOCHS = "num_train_epochs"
CELL = ["model", "dataset", "train_size"]
DATASET = "dataset"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


class CurvePoint(NamedTuple):
    """Dev loss of the trainings of one group after an epoch, as a ratio to the least of their cell."""

    group: str
    epoch: int
    trainings: int
    quarter: float
    median: float
    three_quarters: float


class CurvesInfo(NamedTuple):
    """Median and middle half by epoch; `left_out` trainings lack a finite loss at some epoch."""

    title: str
    points: tuple[CurvePoint, ...]
    by: str
    left_out: int


def groupings(view: View) -> list[str]:
    """What one can draw a line for."""
    several = view.table[DATASET].nunique() > 1
    return [name for name in varying(view) if name != EPOCHS] + ([DATASET] if several else [])


def curves_info(view: View | None, by: str) -> CurvesInfo:
    """Only trainings that were scored at every epoch of the grid: a line never changes what it is of."""
    names = {"run", "dev_loss", EPOCHS}
    if (
        view is None
        or not names <= set(view.table)
        or by not in view.table
        or view.table["dev_loss"].isna().all()
    ):
        return CurvesInfo("Dev loss by epoch was not measured here", (), by, 0)
    table = view.table[[*CELL, "run", EPOCHS, "dev_loss", *([by] if by != DATASET else [])]]
    losses = table.assign(ratio=table["dev_loss"] / table.groupby(CELL)["dev_loss"].transform("min"))
    wide = losses.pivot_table(index="run", columns=EPOCHS, values="ratio", aggfunc="mean")
    wide = wide.reindex(losses["run"].unique())
    whole = wide[np.isfinite(wide).all(axis=1)]
    if whole.empty or whole.shape[1] < 2:
        return CurvesInfo("No training was scored after more than one epoch here", (), by, len(wide))
    groups = losses.drop_duplicates("run").set_index("run")[by].loc[whole.index]
    points = [point for value, part in whole.groupby(groups) for point in _points(value, part)]
    points = points[: MAX_TRACES // 2 * whole.shape[1]]
    return CurvesInfo(_lowest(points, by), tuple(points), by, len(wide) - len(whole))


def _points(value: object, part: pd.DataFrame) -> list[CurvePoint]:
    bounds = part.quantile([0.25, 0.5, 0.75])
    return [
        CurvePoint(setting(value), int(epoch), len(part), *(round(float(v), 4) for v in bounds[epoch]))
        for epoch in part.columns
    ]


def _lowest(points: Sequence[CurvePoint], by: str) -> str:
    """After which epoch each group's median is least."""
    least: dict[int, list[str]] = {}
    for group in dict.fromkeys(point.group for point in points):
        own = [point for point in points if point.group == group]
        least.setdefault(min(own, key=lambda point: point.median).epoch, []).append(group)
    noun = "" if by == DATASET else f"{title_of(by).lower()} "
    if len(least) == 1:
        return f"Dev loss is lowest after epoch {next(iter(least))} for every {noun or 'dataset'}".strip()
    told = [f"{epoch} ({noun}{listed(groups, 4)})" for epoch, groups in sorted(least.items())]
    return f"Dev loss is lowest after epoch {listed(told)}"


def curves_figure(info: CurvesInfo, method: str | None = None) -> go.Figure:
    """A line for each group through its medians, a band for its middle half."""
    info = escaped(info)
    figure = go.Figure()
    shade = method_colour(method)
    for number, group in enumerate(dict.fromkeys(point.group for point in info.points)):
        points = [point for point in info.points if point.group == group]
        epochs = [point.epoch for point in points]
        figure.add_scatter(
            x=epochs + epochs[::-1],
            y=[p.three_quarters for p in points] + [p.quarter for p in reversed(points)],
            fill="toself", fillcolor=shade, opacity=0.1, line={"width": 0}, mode="lines",
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=epochs, y=[point.median for point in points], name=group, mode="lines+markers",
            line={"color": shade, "dash": DASHES[number % len(DASHES)], "width": 2},
            customdata=[[p.quarter, p.three_quarters, p.trainings] for p in points],
            hovertemplate="epoch %{x}: median %{y:.3f} x the least, half of %{customdata[2]} trainings "
            "between %{customdata[0]:.3f} and %{customdata[1]:.3f}<extra>%{fullData.name}</extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Epoch", dtick=1)
    figure.update_yaxes(title="Dev loss / least of its dataset (log)", type="log")
    return dress(figure, info.title, 430, legend_below=True)


class ProxyPoint(NamedTuple):
    """The config with the least dev loss in a cell, and what it reaches of the best dev score there, in %."""

    cell: str
    config: str
    dev_loss: float
    share: float
    top: bool


class ProxyInfo(NamedTuple):
    """Whether dev loss picks what dev score would."""

    finding: str
    title: str
    points: tuple[ProxyPoint, ...]


def proxy_info(view: View | None) -> ProxyInfo:
    """Over the cells that count and have losses; Tribes et al., arXiv 2312.00949, call it imperfect."""
    if view is None or "dev_loss" not in view.table:
        return ProxyInfo("Dev loss was not measured here", "Dev loss was not measured here", ())
    names = cell_names(view.grid.cells)
    columns = [name for name in (*CELL, *view.columns) if name in view.table]
    table = view.table[columns].assign(score=view.table["dev_loss"])
    losses = score_grid(table, view.columns, lower_is_better=True).scores
    found = (_proxy(view, number, losses[number], names[number]) for number in view.counted)
    points = [point for point in found if point is not None]
    if not points:
        none = "No dataset that counts has dev losses here"
        return ProxyInfo(none, none, ())
    tops = sum(point.top for point in points)
    mean = sum(point.share for point in points) / len(points)
    noun = cell_noun(view.grid.cells)
    finding = (
        f"The config with the least dev loss is a top config on {tops} of {len(points)} {noun} and reaches "
        f"{mean:.0f} % of the best dev score on average"
    )
    worst = min(points, key=lambda point: point.share)
    title = f"On {worst.cell} the choice by dev loss reaches least: {worst.share:.0f} % of the best dev score"
    return ProxyInfo(finding, title, tuple(points))


def _proxy(view: View, number: int, losses: Matrix, name: str) -> ProxyPoint | None:
    if np.isnan(losses).all():
        return None
    best = int(np.nanargmin(losses))
    share = float(view.shares[number, best])
    label = config_label(view.grid.configs[best], varying(view))
    top = share >= 1 - view.tolerance - 1e-12
    return ProxyPoint(name, label, round(float(losses[best]), 4), round(100 * share, 1), top)


def proxy_figure(info: ProxyInfo, method: str | None = None) -> go.Figure:
    """A bar for each cell: what the choice by loss reaches."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        figure.add_bar(
            x=[point.share for point in info.points], y=[point.cell for point in info.points],
            orientation="h", marker_color=method_colour(method),
            text=[f"{point.share:.0f} %" + (" top" if point.top else "") for point in info.points],
            insidetextanchor="end", textangle=0,
            customdata=[[point.config, point.dev_loss] for point in info.points],
            hovertemplate="%{y}: least dev loss %{customdata[1]}<br>%{customdata[0]}<br>"
            "reaches %{x:.1f} % of the best dev score<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Share of the best dev score (%)", range=[0, 105])
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 150 + ROW_HEIGHT * len(info.points)).update_layout(showlegend=False)
