"""What a study looks like: a plot is `*_info(records)`, all the arithmetic, and `*_figure(info)`.

What a grid looks like is in the modules figures_*; they share the colours and the frame of this one.

Colours are Okabe and Ito's (2008), told apart by colour-blind readers; each means one thing on every page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, cast

import plotly.graph_objects as go

from engine import baselines
from engine.errors import ConfigError
from engine.metrics import TITLES, lower_is_better
from engine.records import Config, Event, Method, RunKind, RunResult, RunSpec, Score

Shown = TypeVar("Shown", bound=tuple[Any, ...])

COLOURS = {
    "LoRA": "#1F83C6",  # theirs a little lighter, so that it is seen on black too
    "full fine-tuning": "#D55E00",
    "untuned base": "#009E73",
    "few-shot": "#009E73",  # the same model; the symbol tells the two apart
    "default config": "#CC79A7",
    "no model": "#8A8A8A",
}
UNSEEN = "#56B4E9"  # CBS on data that it has not seen
NEUTRAL = "#8A8A8A"  # lines and marks without a meaning of their own
RIVAL = "#E69F00"  # any other way to choose configs
SYMBOLS = {
    "LoRA": "circle",
    "full fine-tuning": "circle",
    "untuned base": "diamond",
    "few-shot": "star",
    "default config": "square",
}
MAX_POINTS = 20_000
MAX_TRACES = 100
ROW_HEIGHT = 34
TITLE_WIDTH = 108  # characters of a title that fit a window of 800
TITLE_LINE = 20
BELOW = {"y": -0.18, "yanchor": "top"}


def meaning(kind: RunKind, method: Method) -> str:
    """What a run is on every plot: the key of its colour and the word of its legend."""
    fixed = {
        RunKind.BASE: "untuned base",
        RunKind.FEW_SHOT: "few-shot",
        RunKind.BASELINE: "no model",
        RunKind.DEFAULT: "default config",
    }
    return fixed.get(kind, "LoRA" if method == Method.LORA else "full fine-tuning")


def metric_name(metric: str) -> str:
    """A metric at the start of a sentence."""
    title = TITLES.get(metric, metric.replace("_", " "))
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
        spec.run, escape(run_title(spec)), meaning(spec.kind, spec.method), value, low, high, tied, hover
    )


def escape(text: str) -> str:
    """Text from people and files, safe in Plotly, which reads a subset of HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escaped(info: Shown) -> Shown:
    """The same info with every text in it escaped: what a figure is drawn from."""
    return cast(Shown, _escaped(info))


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, tuple):
        parts = [_escaped(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def method_colour(method: str | None) -> str:
    """The colour of LoRA or full fine-tuning; of several methods together, and of others, none of theirs."""
    known = {str(Method.LORA): COLOURS["LoRA"], str(Method.FULL): COLOURS["full fine-tuning"]}
    return known.get(str(method), NEUTRAL)


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
    return dress(figure, info.title, height=150 + ROW_HEIGHT * len(info.points))


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
    return Curve(escape(run_title(spec)), meaning(spec.kind, spec.method), epochs, losses)


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
    return dress(figure, info.title, height=340)


SHORT_NAMES = {
    "learning_rate": "lr",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch",
    "lora_r": "r",
    "lora_alpha": "alpha",
}


def config_label(config: Mapping[str, Any], varying: Collection[str] | None = None) -> str:
    """A config of any table in few words; ours as everywhere else, of others' only what is `varying`."""
    try:
        return Config.from_dict({name: _whole(value) for name, value in config.items()}).label
    except ConfigError:
        names = [name for name in SHORT_NAMES if name in config] + sorted(set(config) - set(SHORT_NAMES))
        shown = [name for name in names if not varying or name in varying]
        return ", ".join(f"{SHORT_NAMES.get(name, name)} {setting(config[name])}" for name in shown)


def setting(value: Any) -> str:
    """A hyperparameter's value as people write it: '3e-4', '16', 'cosine', 'none' for one that is not set."""
    if value is None or value != value:
        return "none"
    if isinstance(value, float) and 0 < abs(value) < 0.1:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def dress(figure: go.Figure, title: str, height: int, *, legend_below: bool = False) -> go.Figure:
    """The frame that all plots share; `height` is without the title's further lines.

    A legend of many entries goes below: in a narrow window it takes several lines.
    """
    lines = textwrap.wrap(title, TITLE_WIDTH)
    further = TITLE_LINE * (len(lines) - 1)
    place = {"x": 0, "xanchor": "left", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 12}}
    return figure.update_layout(
        title={"text": "<br>".join(lines), "font": {"size": 15}, **place},
        height=height + further,
        margin={"l": 10, "r": 10, "t": 70 + further, "b": 10},
        legend={"orientation": "h", "x": 0, **(BELOW if legend_below else {"y": 1, "yanchor": "bottom"})},
        showlegend=True,
    )
