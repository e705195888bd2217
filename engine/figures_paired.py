"""Two methods, sizes or models side by side: scores of the best config of each, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.exploration import cell_names, cell_noun
from engine.figures import COLOURS, NEUTRAL, ROW_HEIGHT, config_label, dress, escaped, method_colour
from engine.findings import counted
from engine.metrics import TITLES
from engine.paired import Comparison, Pair, Side
from engine.records import Method

PLAIN_WORDS = ("full fine-tuning", "other methods")
METHOD_WORDS = {Method.LORA: "LoRA", Method.FULL: "full fine-tuning"}


def side_name(by: str, value: Any) -> str:
    """One side inside a sentence: 'LoRA', '1,000 rows', a model's name."""
    if by == "method":
        return METHOD_WORDS.get(value, str(value))
    return f"{value:,.0f} rows" if by == "train_size" else str(value)


def be(by: str) -> str:
    """The verb of a side: rows are many."""
    return "are" if by == "train_size" else "is"


class PairPoint(NamedTuple):
    """The best config by dev of each side in one cell; values in points (a loss in nats)."""

    cell: str
    metric: str
    first_config: str
    first: float
    first_low: float | None
    first_high: float | None
    second_config: str
    second: float
    second_low: float | None
    second_high: float | None
    difference: float
    difference_low: float | None
    difference_high: float | None
    rows: int | None
    first_minutes: float | None
    second_minutes: float | None
    first_memory_gb: float | None
    second_memory_gb: float | None
    first_configs: int
    second_configs: int


class PairInfo(NamedTuple):
    """A comparison by cell; `names` are the two sides, `notes` what a reader should know beside it."""

    finding: str
    title: str
    points: tuple[PairPoint, ...]
    by: str
    names: tuple[str, str]
    values: tuple[Any, Any]
    unit: str
    notes: tuple[str, ...]


def pair_info(found: Comparison) -> PairInfo:
    """Who is better where, by how much on average, and on what that rests."""
    names = (side_name(found.by, found.first), side_name(found.by, found.second))
    unit = "nats" if found.lower_is_better else "points"
    lines = _lines(found.pairs)
    points = tuple(_point(pair, line, found) for pair, line in zip(found.pairs, lines, strict=True))
    noun = cell_noun([pair.cell for pair in found.pairs])
    if not points:
        title = f"{capital(names[0])} and {names[1]} were never run on the same dataset here"
        return PairInfo(
            title, title, (), found.by, names, (found.first, found.second), unit, _notes(found, names)
        )
    return PairInfo(
        _finding(found, names, noun), _average(found, names, unit), points, found.by, names,
        (found.first, found.second), unit, _notes(found, names),
    )  # fmt: skip


def capital(name: str) -> str:
    """A side at the start of a sentence; names of models and methods stay as they are."""
    return name[0].upper() + name[1:] if name in PLAIN_WORDS else name


def _lines(pairs: Sequence[Pair]) -> list[str]:
    names = cell_names([pair.cell for pair in pairs])
    several = len({pair.machine for pair in pairs}) > 1
    return [
        f"{name}, {pair.machine}" if several and pair.machine else name
        for name, pair in zip(names, pairs, strict=True)
    ]


def _point(pair: Pair, line: str, found: Comparison) -> PairPoint:
    factor = 1.0 if found.lower_is_better else 100.0
    digits = 3 if found.lower_is_better else 1

    def value(number: float | None) -> float | None:
        return None if number is None else round(factor * number, digits)

    def side(one: Side) -> tuple[str, float, float | None, float | None]:
        return config_label(one.config), round(factor * one.value, digits), value(one.low), value(one.high)

    return PairPoint(
        line, TITLES.get(pair.metric or "", pair.metric or "score"), *side(pair.first), *side(pair.second),
        round(factor * pair.difference, digits), value(pair.low), value(pair.high), pair.first.n,
        _over(pair.first.seconds, 60), _over(pair.second.seconds, 60),
        _over(pair.first.peak_memory_mb, 1000), _over(pair.second.peak_memory_mb, 1000),
        pair.first.finished, pair.second.finished,
    )  # fmt: skip


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else round(value / unit, 3)


def _finding(found: Comparison, names: tuple[str, str], noun: str) -> str:
    """Wins, losses and ties; without rows only who is ahead."""
    outcomes = [pair.outcome for pair in found.pairs]
    total = len(outcomes)
    a, b = f"{capital(names[0])} {be(found.by)}", names[1]
    if all(outcome is None for outcome in outcomes):
        ahead = sum(pair.difference > 0 for pair in found.pairs)
        return f"{a} ahead of {b} on {ahead} of {total} {noun}; without scores by row nobody knows how surely"
    wins, losses, ties = (outcomes.count(value) for value in (1, -1, 0))
    if ties == total:
        return f"{capital(names[0])} and {b} cannot be told apart on any of {total} {noun}"
    unknown = f", unknown on {outcomes.count(None)}" if None in outcomes else ""
    return f"{a} better than {b} on {wins} of {total} {noun}, worse on {losses}, tied on {ties}{unknown}"


def _average(found: Comparison, names: tuple[str, str], unit: str) -> str:
    assert found.mean is not None
    factor, digits = (1.0, 3) if found.lower_is_better else (100.0, 1)
    mean = factor * found.mean
    better = f"{abs(mean):.{digits}f} {unit} {'better' if mean >= 0 else 'worse'}"
    first = capital(names[0]) if found.units == 1 else f"On average {names[0]}"
    text = f"{first} {be(found.by)} {better} than {names[1]} on {found.split}"
    if found.low is None or found.high is None:
        return (
            f"{text}; {counted(found.units, 'unit')} are too few for an interval" if found.units > 1 else text
        )
    low, high = factor * found.low, factor * found.high
    return f"{text} (95 % interval {low:+.{digits}f} to {high:+.{digits}f}, over {found.units})"


def _notes(found: Comparison, names: tuple[str, str]) -> tuple[str, ...]:
    notes = []
    if found.pairs:
        counts = [
            _range([side.finished for side in sides])
            for sides in zip(*((p.first, p.second) for p in found.pairs), strict=True)
        ]
        notes.append(
            f"Each side is its config with the best dev score, of {counts[0]} for {names[0]} and {counts[1]} "
            f"for {names[1]}: more configs make a luckier best."
        )
    failed = sum(pair.first.failed + pair.second.failed for pair in found.pairs)
    if failed:
        notes.append(f"{counted(failed, 'config')} failed and could not be chosen.")
    for value, name in zip((found.first, found.second), names, strict=True):
        cells = [cell for cell, side in found.unpaired if side == value]
        if cells:
            lines = list(dict.fromkeys(cell_names(cells)))
            shown = ", ".join(lines[:8]) + (f" and {len(lines) - 8} more" if len(lines) > 8 else "")
            notes.append(f"No pair, for want of {name}: {shown}.")
    return tuple(notes)


def _range(values: Sequence[int]) -> str:
    least, most = min(values), max(values)
    return str(most) if least == most else f"{least} to {most}"


def pair_figure(info: PairInfo, method: str | None = None) -> go.Figure:
    """Left both scores of each cell, right their difference; intervals of 95 %."""
    info = escaped(info)
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.03)
    if info.points:
        for number in (0, 1):
            figure.add_trace(_side_trace(info, number, looks(info, number, method)), row=1, col=1)
        figure.add_trace(_difference_trace(info), row=1, col=2)
        figure.add_vline(x=0, line_width=1, line_color=NEUTRAL, row=1, col=2)
    figure.update_xaxes(title=f"Score ({info.unit})", row=1, col=1)
    figure.update_xaxes(title=f"{capital(info.names[0])} better by ({info.unit})", row=1, col=2)
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 160 + ROW_HEIGHT * len(info.points))


def looks(info: PairInfo, number: int, method: str | None) -> dict[str, Any]:
    """Methods have their colours; two sizes or models have their method's, the first hollow."""
    if info.by == "method" and info.names[number] in COLOURS:
        return {"color": COLOURS[info.names[number]], "symbol": "circle"}
    return {"color": method_colour(method), "symbol": "circle" if number else "circle-open"}


def _side_trace(info: PairInfo, number: int, style: dict[str, Any]) -> go.Scatter:
    side = "second" if number else "first"
    values = [getattr(point, side) for point in info.points]
    bounds = [(getattr(p, f"{side}_low"), getattr(p, f"{side}_high")) for p in info.points]
    return go.Scatter(
        name=capital(info.names[number]),
        x=values,
        y=[point.cell for point in info.points],
        mode="markers",
        marker={**style, "size": 10, "line": {"width": 2, "color": style["color"]}},
        error_x=_bars(values, bounds),
        customdata=[
            [getattr(p, f"{side}_config"), p.metric, _interval(*b)]
            for p, b in zip(info.points, bounds, strict=True)
        ],
        hovertemplate="%{y}: %{customdata[1]} %{x}%{customdata[2]}<br>%{customdata[0]}"
        "<extra>%{fullData.name}</extra>",
    )


def _difference_trace(info: PairInfo) -> go.Scatter:
    values = [point.difference for point in info.points]
    bounds = [(point.difference_low, point.difference_high) for point in info.points]
    return go.Scatter(
        x=values,
        y=[point.cell for point in info.points],
        mode="markers",
        marker={"color": NEUTRAL, "size": 9, "symbol": "diamond"},
        error_x=_bars(values, bounds),
        customdata=[_interval(*pair) for pair in bounds],
        hovertemplate="%{y}: %{x:+}%{customdata} on the same rows<extra></extra>",
        showlegend=False,
    )


def _bars(values: Sequence[float], bounds: Sequence[tuple[float | None, float | None]]) -> dict[str, Any]:
    """Error bars; none where an interval is not known."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0 if high is None else high - v for v, (_, high) in zip(values, bounds, strict=True)],
        "arrayminus": [0 if low is None else v - low for v, (low, _) in zip(values, bounds, strict=True)],
        "thickness": 2,
        "width": 4,
    }


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low} to {high})"
