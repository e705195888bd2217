"""What a study and a grid look like: a plot is `*_info(records)`, all the arithmetic, and `*_figure(info)`.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers; each means one thing on every page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from engine import baselines
from engine.coverage import Ranking
from engine.errors import ConfigError
from engine.metrics import TITLES, lower_is_better
from engine.records import Config, Event, Method, RunKind, RunResult, RunSpec, Score

COLOURS = {
    "LoRA": "#0072B2",
    "full fine-tuning": "#D55E00",
    "untuned base": "#009E73",
    "default config": "#CC79A7",
    "no model": "#8A8A8A",
}
UNSEEN = "#56B4E9"
SYMBOLS = {
    "LoRA": "circle",
    "full fine-tuning": "circle",
    "untuned base": "diamond",
    "default config": "square",
}
MAX_POINTS = 20_000
MAX_TRACES = 100
ROW_HEIGHT = 34


def meaning(kind: RunKind, method: Method) -> str:
    """What a run is on every plot: the key of its colour and the word of its legend."""
    fixed = {
        RunKind.BASE: "untuned base",
        RunKind.BASELINE: "no model",
        RunKind.DEFAULT: "default config",
    }
    return fixed.get(kind, "LoRA" if method == Method.LORA else "full fine-tuning")


def metric_name(metric: str) -> str:
    """A metric at the start of a sentence."""
    title = TITLES.get(metric, metric)
    return title[0].upper() + title[1:]


def run_title(spec: RunSpec) -> str:
    """A run in a table or legend: 'shortlist 1', 'untuned base', 'TF-IDF + logistic regression'."""
    return "untuned base" if spec.kind == RunKind.BASE else baselines.TITLES.get(spec.name, spec.name)


class ScorePoint(NamedTuple):
    """One run on the score plot, in points (a loss in nats)."""

    run: str
    label: str
    meaning: str
    value: float
    low: float
    high: float
    tied: bool
    hover: str


class ScoreInfo(NamedTuple):
    """The score plot, best run first."""

    title: str
    axis: str
    points: tuple[ScorePoint, ...]
    winner: str | None


def score_info(
    runs: Sequence[tuple[RunSpec, RunResult | None]],
    metric: str,
    winner: str | None = None,
    tied: Collection[str] = (),
    split: str = "test",
) -> ScoreInfo:
    """Every scored run with its interval; `tied`: runs that cannot be told apart from the winner."""
    scored = [(spec, score) for spec, result in runs if (score := _score(result, metric, split)) is not None]
    points = [_score_point(spec, score, metric, spec.run in tied) for spec, score in scored]
    points.sort(key=lambda point: point.value, reverse=not lower_is_better(metric))
    name = metric_name(metric)
    rows = max((score.n for _, score in scored), default=0)
    title = (
        f"{name} on {rows} {split} rows, with 95 % intervals" if points else f"{name}: no run is scored yet"
    )
    unit = "nats, less is better" if lower_is_better(metric) else "points"
    return ScoreInfo(title, f"{name} ({unit})", tuple(points), winner)


def _score(result: RunResult | None, metric: str, split: str) -> Score | None:
    return None if result is None else result.metrics.get(metric, {}).get(split)


def _score_point(spec: RunSpec, score: Score, metric: str, tied: bool) -> ScorePoint:
    factor = 1.0 if lower_is_better(metric) else 100.0
    value, low, high = (factor * number for number in (score.value, score.low, score.high))
    digits = 3 if lower_is_better(metric) else 1
    hover = f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f}), {score.n} rows"
    if spec.config is not None:
        hover = f"{hover}<br>{spec.config.label}"
    return ScorePoint(
        spec.run, _escape(run_title(spec)), meaning(spec.kind, spec.method), value, low, high, tied, hover
    )


def _escape(text: str) -> str:
    """Text from people and files, safe in Plotly, which reads a subset of HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def score_figure(info: ScoreInfo) -> go.Figure:
    """A row per run: a marker in the colour of its kind, a bar for the interval; the winner's as a band."""
    figure = go.Figure()
    for name in COLOURS:
        points = [point for point in info.points if point.meaning == name]
        if points:
            figure.add_trace(_score_trace(name, points))
    best = next((point for point in info.points if point.run == info.winner), None)
    if best is not None:
        figure.add_vrect(
            x0=best.low, x1=best.high, line_width=0, fillcolor=COLOURS[best.meaning], opacity=0.1
        )
    order = [_row_label(point, info.winner) for point in info.points]
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], automargin=True, ticksuffix="  ")
    figure.update_xaxes(title=info.axis)
    for trace in figure.data:
        trace.y = [_row_label(point, info.winner) for point in info.points if point.meaning == trace.name]
    return _dress(figure, info.title, height=150 + ROW_HEIGHT * len(info.points))


def _row_label(point: ScorePoint, winner: str | None) -> str:
    if point.run == winner:
        return f"<b>{point.label}</b>"
    return f"{point.label} (tie)" if point.tied else point.label


def _score_trace(name: str, points: Sequence[ScorePoint]) -> go.Scatter:
    return go.Scatter(
        name=name,
        x=[point.value for point in points],
        mode="markers",
        marker={"color": COLOURS[name], "size": 11, "symbol": SYMBOLS.get(name, "x")},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [point.high - point.value for point in points],
            "arrayminus": [point.value - point.low for point in points],
            "thickness": 2,
            "width": 5,
        },
        text=[point.hover for point in points],
        hovertemplate="%{y}<br>%{text}<extra></extra>",
    )


class Curve(NamedTuple):
    """The training loss of one run by epoch."""

    label: str
    meaning: str
    epochs: tuple[float, ...]
    losses: tuple[float, ...]


class CurveInfo(NamedTuple):
    """The training curves of a study."""

    title: str
    curves: tuple[Curve, ...]


def curve_info(runs: Sequence[tuple[RunSpec, Sequence[Event]]]) -> CurveInfo:
    """The training loss of each run from its progress events, thinned to what a browser draws at once."""
    budget = MAX_POINTS // max(1, min(MAX_TRACES, len(runs)))
    curves = [_curve(spec, events, budget) for spec, events in runs[:MAX_TRACES]]
    drawn = tuple(curve for curve in curves if curve.losses)
    return CurveInfo("Training loss by epoch" if drawn else "Training loss: no step reported yet", drawn)


def _curve(spec: RunSpec, events: Sequence[Event], budget: int) -> Curve:
    attempt = max((event.attempt for event in events), default=0)
    steps = [
        (float(event.data["epoch"]), float(event.data["loss"]))
        for event in events
        if event.kind == "progress" and event.attempt == attempt and event.data.get("loss") is not None
    ]
    thinned = steps[:: max(1, -(-len(steps) // budget))]
    epochs, losses = tuple(e for e, _ in thinned), tuple(loss for _, loss in thinned)
    return Curve(_escape(run_title(spec)), meaning(spec.kind, spec.method), epochs, losses)


def curve_figure(info: CurveInfo) -> go.Figure:
    """One line per run; lines of one meaning differ by their dashes."""
    figure = go.Figure()
    dashes = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
    seen: dict[str, int] = {}
    for curve in info.curves:
        number = seen[curve.meaning] = seen.get(curve.meaning, -1) + 1
        line = {"color": COLOURS[curve.meaning], "dash": dashes[number % len(dashes)], "width": 2}
        figure.add_scatter(
            x=curve.epochs,
            y=curve.losses,
            name=curve.label,
            mode="lines+markers" if len(curve.losses) < 3 else "lines",
            line=line,
            hovertemplate="epoch %{x:.2f}<br>loss %{y:.3f}",
        )
    figure.update_xaxes(title="Epoch", rangemode="tozero")
    figure.update_yaxes(title="Loss on the answer (nats per token)")
    return _dress(figure, info.title, height=340)


class CoverageInfo(NamedTuple):
    """How many cells the first k configs cover together."""

    finding: str
    title: str
    ranks: tuple[int, ...]
    shares: tuple[float, ...]
    hovers: tuple[str, ...]
    unseen: tuple[float, ...] = ()


def coverage_info(ranking: Ranking | None, unseen: Sequence[float] = (), most: int = 8) -> CoverageInfo:
    """Cumulative coverage by k, and what it says in one sentence; `unseen`: evidence.expected_shares."""
    entries = () if ranking is None else ranking.entries[:most]
    if ranking is None or not entries or not ranking.cells:
        title = "Coverage: nothing is measured yet"
        return CoverageInfo(title, title, (), (), ())
    shares = tuple(100 * entry.cumulative_coverage for entry in entries)
    hovers = tuple(f"{config_label(e.config)}<br>{e.new} more, {e.covers} alone" for e in entries)
    enough = next(k for k, share in enumerate(shares, 1) if share == max(shares))
    covered = round(max(shares) / 100 * len(ranking.cells))
    what = f"{covered} of {len(ranking.cells)} {_cell_noun(ranking)}"
    finding = f"{enough} configs are enough to be within 3 % of the best on {what}"
    if enough == 1:
        finding = f"1 config is within 3 % of the best on {what}"
    reached = tuple(100 * share for share in unseen[: len(entries)])
    title = f"Share of {_cell_noun(ranking)} covered, by k"
    return CoverageInfo(finding, title, tuple(entry.rank for entry in entries), shares, hovers, reached)


def _cell_noun(ranking: Ranking) -> str:
    """A cell is a dataset as long as there is one model and one size."""
    return "datasets" if len({(cell.model, cell.train_size) for cell in ranking.cells}) == 1 else "cells"


def coverage_figure(info: CoverageInfo, method: Method = Method.LORA) -> go.Figure:
    """One bar per k, the share of cells that the first k configs cover."""
    figure = go.Figure()
    if info.ranks:
        figure.add_bar(
            x=[str(rank) for rank in info.ranks],
            y=info.shares,
            marker_color=COLOURS[meaning(RunKind.SHORTLIST, method)],
            text=[f"{share:.0f}" for share in info.shares],
            textangle=0,
            insidetextanchor="middle",
            customdata=info.hovers,
            hovertemplate="k = %{x}: %{y:.0f} %<br>adds %{customdata}<extra></extra>",
            name="covered",
        )
    if info.unseen:
        figure.add_scatter(
            x=[str(rank) for rank in info.ranks],
            y=info.unseen,
            mode="lines+markers",
            line={"color": UNSEEN, "width": 2},
            name="reached of the best on unseen data",
            hovertemplate="k = %{x}: %{y:.0f} % of the best test score<extra></extra>",
        )
    figure.update_xaxes(title="k: configs that are trained", type="category")
    figure.update_yaxes(title="Share (%)", range=[0, 112])
    return _dress(figure, info.title, height=340)


class HeatInfo(NamedTuple):
    """Every config in every cell, as a share of the cell's best."""

    title: str
    ranks: tuple[str, ...]
    cells: tuple[str, ...]
    shares: tuple[tuple[float | None, ...], ...]
    top: tuple[tuple[bool, ...], ...]
    labels: tuple[str, ...]


def heat_info(ranking: Ranking | None, most: int = 40) -> HeatInfo:
    """The first configs by rank against the cells; None: not run there."""
    if ranking is None or not ranking.cells:
        return HeatInfo("Scores by config and dataset: no grid is published yet", (), (), (), (), ())
    entries = ranking.entries[:most]
    shares = tuple(
        tuple(None if value != value else round(100 * float(value), 1) for value in row[:most])
        for row in ranking.normalized
    )
    top = tuple(tuple(bool(value) for value in row[:most]) for row in ranking.covered)
    return HeatInfo(
        "Share of the best config's dev score (%), by config and dataset; a dot marks a top config",
        tuple(str(entry.rank) for entry in entries),
        tuple(_cell_name(ranking, number) for number in range(len(ranking.cells))),
        shares,
        top,
        tuple(config_label(entry.config) for entry in entries),
    )


def _cell_name(ranking: Ranking, number: int) -> str:
    """Only as much of (model, dataset, size) as tells the cells apart."""
    cell = ranking.cells[number]
    sizes = {other.train_size for other in ranking.cells}
    models = {other.model for other in ranking.cells}
    parts = [cell.model if len(models) > 1 else None, cell.dataset]
    if len(sizes) > 1 and cell.train_size is not None:
        size = cell.train_size
        parts.append(f"{size:g} rows" if isinstance(size, float) else f"{size} rows")
    return _escape(", ".join(part for part in parts if part))


def heat_figure(info: HeatInfo) -> go.Figure:
    """Configs by rank from left to right, one line per cell."""
    figure = go.Figure()
    if info.cells:
        figure.add_heatmap(
            x=info.ranks,
            y=info.cells,
            z=info.shares,
            text=[["●" if top else "" for top in row] for row in info.top],
            texttemplate="%{text}",
            customdata=[info.labels] * len(info.cells),
            hovertemplate="%{y}<br>rank %{x}: %{customdata}<br>%{z:.1f} % of the best<extra></extra>",
            colorscale="Cividis",
            zmax=100,
            zmin=max(0, min((v for row in info.shares for v in row if v is not None), default=0)),
            colorbar={"title": "%", "thickness": 12},
            hoverongaps=False,
        )
    figure.update_xaxes(title="Config, by rank", type="category")
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return _dress(figure, info.title, height=160 + 26 * len(info.cells)).update_layout(showlegend=False)


def config_label(config: Mapping[str, Any]) -> str:
    """A config of any table in few words; ours as everywhere else."""
    try:
        return Config.from_dict({name: _whole(value) for name, value in config.items()}).label
    except ConfigError:
        return _escape(", ".join(f"{name} {value}" for name, value in config.items()))


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _dress(figure: go.Figure, title: str, height: int) -> go.Figure:
    return figure.update_layout(
        title={"text": title, "font": {"size": 15}, "x": 0, "xanchor": "left"},
        height=height,
        margin={"l": 10, "r": 10, "t": 70, "b": 10},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        showlegend=True,
    )
