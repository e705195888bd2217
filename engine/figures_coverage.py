"""How many cells the first k configs cover together, and which cells say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from engine.exploration import View, cell_names, cell_noun, varying
from engine.figures import config_label, dress, escaped, method_colour
from engine.findings import counted, listed

MOST_RANKS = 8


class CoveragePoint(NamedTuple):
    """What the first `k` configs cover together, in percent of the cells that count."""

    k: int
    config: str
    covered: float
    new_cells: int
    cells_alone: int
    of_cells: int


def left_out_notes(view: View) -> tuple[str, ...]:
    """Which cells the ranking does not count, and why."""
    names = dict(zip(view.grid.cells, cell_names(view.grid.cells), strict=True))
    reasons = dict.fromkeys(view.left_out.values())
    cells = {
        reason: [names[cell] for cell, why in view.left_out.items() if why == reason] for reason in reasons
    }
    return tuple(f"Left out, because {reason}: {listed(found)}." for reason, found in cells.items())


class CoverageInfo(NamedTuple):
    """Cumulative coverage; `finding` heads the section, `noun` is what a cell is called."""

    finding: str
    title: str
    points: tuple[CoveragePoint, ...]
    noun: str


def coverage_info(view: View | None, most: int = MOST_RANKS) -> CoverageInfo:
    """How many cells the first k configs cover, and what it says in one sentence."""
    if view is None:
        return CoverageInfo("No result fits", "No result fits", (), "datasets")
    cells, noun = view.ranking.cells, cell_noun(view.grid.cells)
    if not cells:
        counts = counted(len(view.grid.cells), noun.removesuffix("s"))
        none = f"None of {counts} shows which config is better"
        return CoverageInfo(none, none, (), noun)
    points = tuple(
        CoveragePoint(
            entry.rank,
            config_label(entry.config, varying(view)),
            100 * entry.cumulative_coverage,
            entry.new,
            entry.covers,
            len(cells),
        )
        for entry in view.ranking.entries[:most]
    )
    return CoverageInfo(_finding(points, view.tolerance, noun), _steps(points, noun), points, noun)


def _finding(points: Sequence[CoveragePoint], tolerance: float, noun: str) -> str:
    best = max(point.covered for point in points)
    enough = next(point.k for point in points if point.covered == best)
    cells = points[0].of_cells
    what = f"within {100 * tolerance:g} % of the best on {round(best / 100 * cells)} of {cells} {noun}"
    return f"1 config is {what}" if enough == 1 else f"{enough} configs are enough to be {what}"


def _steps(points: Sequence[CoveragePoint], noun: str) -> str:
    """How coverage grows, in the figure's own words."""
    first, best = points[0].covered, max(point.covered for point in points)
    if first == best:
        return f"The first config covers {first:.0f} % of the {noun}, and no further one adds any"
    enough = next(point.k for point in points if point.covered == best)
    return f"The first config covers {first:.0f} % of the {noun}, the first {enough} together {best:.0f} %"


def coverage_figure(info: CoverageInfo, method: str | None = None) -> go.Figure:
    """One bar per k, the share of cells that the first k configs cover."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        figure.add_bar(
            x=[str(point.k) for point in info.points],
            y=[point.covered for point in info.points],
            marker_color=method_colour(method),
            text=[f"{point.covered:.0f} %" for point in info.points],
            textangle=0,
            insidetextanchor="middle",
            customdata=[[p.config, p.new_cells, p.cells_alone, p.of_cells] for p in info.points],
            hovertemplate="the first %{x}: %{y:.0f} % covered<br>the last of them, %{customdata[0]},<br>adds "
            f"%{{customdata[1]}} {info.noun}; alone it covers %{{customdata[2]}} of %{{customdata[3]}}"
            "<extra></extra>",
        )
    figure.update_xaxes(title="k: configs that are trained", type="category")
    figure.update_yaxes(title=f"{info.noun.capitalize()} covered (%)", range=[0, 105])
    return dress(figure, info.title, height=330).update_layout(showlegend=False)
