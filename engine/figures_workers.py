"""When each worker trained what: a row per worker, a bar per attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from engine.figures import MAX_POINTS, ROW_HEIGHT, dress, escaped
from engine.figures_search import colours, source
from engine.records import Method, RunSpec
from engine.worker_times import Span, busy


class WorkerBar(NamedTuple):
    """An attempt at a run; minutes since the first one began."""

    worker: str
    name: str
    source: str
    start: float
    minutes: float
    hover: str


class WorkersInfo(NamedTuple):
    """All attempts, by worker."""

    title: str
    bars: tuple[WorkerBar, ...]


def workers_info(spans: Sequence[Span], specs: Mapping[str, RunSpec], search: str) -> WorkersInfo:
    """How busy the workers were while these attempts went on."""
    share = busy(spans)
    if share is None:
        return WorkersInfo("Workers: no run has begun yet", ())
    begun = min(span.started for span in spans)
    bars = tuple(_bar(span, specs[span.run], search, begun) for span in spans[:MAX_POINTS])
    workers = len({bar.worker for bar in bars})
    minutes = max(bar.start + bar.minutes for bar in bars)
    who = "One worker was" if workers == 1 else f"{workers} workers were"
    return WorkersInfo(f"{who} busy {100 * share:.0f} % of {minutes:.1f} min", bars)


def _bar(span: Span, spec: RunSpec, search: str, begun: float) -> WorkerBar:
    start, minutes = (span.started - begun) / 60, (span.ended - span.started) / 60
    attempt = f", attempt {span.attempt}" if span.attempt > 1 else ""
    hover = f"{spec.name}{attempt}: from {start:.1f} min on, for {60 * minutes:.0f} s"
    return WorkerBar(f"worker {span.worker}", spec.name, source(spec, search), start, minutes, hover)


def workers_figure(info: WorkersInfo, method: Method) -> go.Figure:
    """Bars in the colour of what chose the config."""
    info = escaped(info)
    figure = go.Figure()
    for name, colour in colours(method).items():
        bars = [bar for bar in info.bars if bar.source == name]
        if bars:
            figure.add_bar(
                x=[bar.minutes for bar in bars], y=[bar.worker for bar in bars], orientation="h",
                base=[bar.start for bar in bars], name=name,
                marker={"color": colour, "line": {"color": "#ffffff", "width": 1}},
                text=[bar.name for bar in bars], textposition="inside", insidetextanchor="middle",
                customdata=[bar.hover for bar in bars], hovertemplate="%{customdata}<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="Time since the first of these runs began (min)", rangemode="tozero")
    figure.update_yaxes(automargin=True, ticksuffix="  ", categoryorder="category descending")
    figure.update_layout(barmode="overlay", uniformtext={"mode": "hide", "minsize": 9})
    rows = len({bar.worker for bar in info.bars})
    return dress(figure, info.title, 150 + ROW_HEIGHT * rows)
