"""Every config in every cell, as a share of the cell's best; what was left out, failed or never run shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from engine.coverage import Cell
from engine.exploration import View, cell_names, cell_noun, varying
from engine.figures import MAX_POINTS, config_label, dress, escaped
from engine.findings import counted

MOST_COLUMNS = 40
GREYS = [[0, "rgba(138,138,138,0.12)"], [1, "rgba(138,138,138,0.45)"]]  # behind the counted on any ground
TOP, RAN, FAILED, NOT_RUN = "top config", "not a top config", "failed", "not run"


class HeatPoint(NamedTuple):
    """One config in one cell; `share` is in percent of the cell's best, None where it was not run."""

    rank: int
    config: str
    model: str | None
    dataset: str | None
    train_size: int | float | str | None
    share: float | None
    state: str
    left_out: str


class HeatInfo(NamedTuple):
    """Every config in every cell: `points` go cell by cell, config by config; `cells` names the lines."""

    title: str
    points: tuple[HeatPoint, ...]
    cells: tuple[str, ...]
    configs: int


def heat_info(view: View | None, most: int = MOST_COLUMNS) -> HeatInfo:
    """The first configs by rank against all cells; those that the ranking leaves out come last."""
    if view is None:
        return HeatInfo("No result fits", (), (), 0)
    out = [number for number in range(len(view.grid.cells)) if number not in set(view.counted)]
    places = [*view.counted, *out]
    order = view.order[: min(most, max(1, MAX_POINTS // len(places)))]
    names = cell_names(view.grid.cells)
    settings = varying(view)
    points = tuple(
        _point(view, place, rank, order, settings) for place in places for rank in range(len(order))
    )
    lines = tuple(names[place] + (" (left out)" if place in set(out) else "") for place in places)
    return HeatInfo(_heat_finding(view, points), points, lines, len(order))


def _point(view: View, place: int, rank: int, order: Sequence[int], settings: Sequence[str]) -> HeatPoint:
    cell, column = view.grid.cells[place], order[rank]
    share, ran = view.shares[place, column], view.grid.ran[place, column]
    left_out = view.left_out.get(cell)
    failed = ran and view.grid.scores[place, column] != view.grid.scores[place, column]
    top = left_out is None and share >= 1 - view.tolerance - 1e-12
    return HeatPoint(
        rank + 1,
        config_label(view.ranking.entries[rank].config, settings),
        cell.model,
        cell.dataset,
        cell.train_size,
        round(100 * float(share), 2) if ran and share == share else None,
        NOT_RUN if not ran else FAILED if failed else TOP if top else RAN,
        "" if left_out is None else str(left_out),
    )


def _heat_finding(view: View, points: Sequence[HeatPoint]) -> str:
    noun, cells = cell_noun(view.grid.cells), len(view.ranking.cells)
    shown = f"the first {points[-1].rank} of " if points[-1].rank < len(view.grid.configs) else ""
    gaps = f"; {counted(view.missing, 'pair')} not run" if view.missing else ""
    if not cells:
        return f"All {len(view.grid.cells)} {noun} are left out: none shows which config is better{gaps}"
    mean = view.ranking.covered.sum(axis=1).mean()
    some = f" ({shown}{len(view.grid.configs)} shown)" if shown else ""
    return (
        f"A {noun.removesuffix('s')} has {mean:.1f} top configs of {len(view.grid.configs)} on average"
        f"{some}; {len(view.left_out)} of {len(view.grid.cells)} {noun} left out{gaps}"
    )


def heat_figure(info: HeatInfo) -> go.Figure:
    """Configs by rank from left to right, a line for each cell, left-out ones in grey; points take clicks."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        out = [info.points[line * info.configs].left_out != "" for line in range(len(info.cells))]
        least = min((p.share for p in info.points if p.share is not None and p.state != FAILED), default=0.0)
        for grey in (False, True):
            if any(flag == grey for flag in out):
                figure.add_trace(_heat_trace(info, [flag == grey for flag in out], grey, least))
        figure.add_trace(_marks(info))
    figure.update_xaxes(
        title="Config, by rank", showgrid=False, zeroline=False,
        tick0=1, dtick=1 if info.configs <= 20 else 3, range=[0.5, info.configs + 0.5],
    )  # fmt: skip
    figure.update_yaxes(
        autorange="reversed", automargin=True, ticksuffix="  ", showgrid=False, zeroline=False,
        categoryorder="array", categoryarray=info.cells,
    )  # fmt: skip
    height = 150 + max(120, 26 * len(info.cells))
    return dress(figure, info.title, height).update_layout(showlegend=False, plot_bgcolor="rgba(0,0,0,0)")


def _lines(info: HeatInfo) -> list[Sequence[HeatPoint]]:
    width = info.configs
    return [info.points[line * width : (line + 1) * width] for line in range(len(info.cells))]


def _heat_trace(info: HeatInfo, shown: Sequence[bool], grey: bool, least: float) -> go.Heatmap:
    lines = zip(_lines(info), shown, strict=True)
    z = [[point.share if on else None for point in line] for line, on in lines]
    bar: dict[str, Any] = {"title": {"text": "% of best"}, "thickness": 12}
    return go.Heatmap(
        x=list(range(1, info.configs + 1)),
        y=list(info.cells),
        z=z,
        zmin=min(least, 99),
        zmax=100,
        colorscale=GREYS if grey else "Cividis",
        showscale=not grey,
        colorbar=bar,
        hoverinfo="skip",
        xgap=1,
        ygap=2,
    )


def _marks(info: HeatInfo) -> go.Scatter:
    """A dot on each top config, a cross on each failed one; invisible marks elsewhere take the clicks."""
    symbols = {TOP: "circle", FAILED: "x", RAN: "square", NOT_RUN: "square"}
    hollow = "rgba(0,0,0,0)"
    fill = {TOP: "#ffffff", FAILED: "#D55E00", RAN: hollow, NOT_RUN: hollow}
    edge = {TOP: "#1f2030", FAILED: "#D55E00", RAN: hollow, NOT_RUN: hollow}
    states = [point.state for point in info.points]
    return go.Scatter(
        x=[point.rank for point in info.points],
        y=[name for name in info.cells for _ in range(info.configs)],
        mode="markers",
        marker={
            "symbol": [symbols[state] for state in states],
            "color": [fill[state] for state in states],
            "size": [7 if state in (TOP, FAILED) else 14 for state in states],
            "line": {"color": [edge[state] for state in states], "width": 1},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=[[identity(point), point.config, _words(point)] for point in info.points],
        hovertemplate="%{y}<br>rank %{x}: %{customdata[1]}<br>%{customdata[2]}<extra></extra>",
    )


def _words(point: HeatPoint) -> str:
    if point.share is None:
        return "not run here"
    told = "failed" if point.state == FAILED else f"{point.share:.1f} % of the best dev score"
    if point.state == TOP:
        told += ": a top config"
    return f"{told}<br>left out: {point.left_out}" if point.left_out else told


def identity(point: HeatPoint) -> str:
    """Which config in which cell: what a click answers, also after the filters have changed."""
    return "|".join(map(str, (point.config, point.model, point.dataset, point.train_size)))


def cell_of(point: HeatPoint) -> Cell:
    """The cell that a point of the heat map stands for."""
    return Cell(point.model, point.dataset, point.train_size)
