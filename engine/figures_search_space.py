"""What the settings of a search's configs did: how much each matters, and all of them as parallel lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import plotly.graph_objects as go

from engine.figures import MAX_POINTS, ROW_HEIGHT, dress, escaped, method_colour, setting
from engine.figures_settings import PALE, in_words, title_of
from engine.records import Method, RunSpec
from engine.run_importance import Share
from engine.search import Trial
from engine.searched import Measure
from engine.searchspace import ALPHA_MULTIPLE, Axis, Scale, value_of

TITLES = {
    ALPHA_MULTIPLE: "Alpha / r",
    "gradient_accumulation_steps": "Accumulation",
    "warmup_ratio": "Warm-up (share)",
    "warmup_steps": "Warm-up (steps)",
    "weight_decay": "Weight decay",
    "lora_dropout": "Dropout",
}


def axis_title(name: str) -> str:
    """An axis of a search space on a figure or in a table."""
    return TITLES.get(name) or title_of(name)


def axis_in_words(name: str) -> str:
    """The same inside a sentence."""
    return TITLES[name].lower() if name in TITLES else in_words(name)


class SharesInfo(NamedTuple):
    """How much of the differences each hyperparameter accounts for, in percent, the largest first."""

    title: str
    names: tuple[str, ...]
    shares: tuple[float, ...]


def shares_info(found: Sequence[Share], trainings: int) -> SharesInfo:
    """From engine.run_importance."""
    first = found[0]
    title = (
        f"{100 * first.share:.0f} % of the differences between {trainings} trainings come from "
        f"{axis_in_words(first.name)}"
    )
    names = tuple(axis_title(share.name) for share in found)
    return SharesInfo(title, names, tuple(round(100 * share.share, 1) for share in found))


def shares_figure(info: SharesInfo, method: Method) -> go.Figure:
    """A bar per hyperparameter."""
    info = escaped(info)
    figure = go.Figure()
    figure.add_bar(
        x=info.shares, y=info.names, orientation="h", marker_color=method_colour(method), opacity=0.85,
        text=[f"{share:.0f} %" for share in info.shares], textposition="outside", cliponaxis=False,
        hovertemplate="%{y}: %{x:.1f} % of the differences<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title="Share of the differences between trainings (%)", range=[0, 108])
    figure.update_yaxes(autorange="reversed", automargin=True, ticksuffix="  ")
    return dress(figure, info.title, 130 + ROW_HEIGHT * len(info.names)).update_layout(showlegend=False)


class LinesInfo(NamedTuple):
    """Measured trainings as lines through their settings; `axes` are those of `settings`, `values` on dev."""

    title: str
    axes: tuple[Axis, ...]
    settings: tuple[tuple[Any, ...], ...]
    values: tuple[float, ...]
    value_axis: str
    lower_is_better: bool


def lines_info(
    trials: Sequence[Trial], specs: Mapping[str, RunSpec], axes: Sequence[Axis], by: Measure
) -> LinesInfo:
    """The settings that vary, and where the best config stands."""
    measured = [(t, value) for t in trials if (value := by.value(t)) is not None][:MAX_POINTS]
    varied = tuple(a for a in axes if len({value_of(t.config, a.name) for t, _ in measured}) > 1)
    settings = tuple(tuple(value_of(t.config, axis.name) for axis in varied) for t, _ in measured)
    values = tuple(value for _, value in measured)
    axis = f"{by.name[0].upper()}{by.name[1:]} ({by.unit})"
    if not varied or not measured:
        return LinesInfo("No setting has more than one value here", (), (), (), axis, by.lower_is_better)
    best = (min if by.lower_is_better else max)(measured, key=lambda pair: pair[1])[0]
    title = f"The best of {len(measured)} on dev is {specs[best.run].name}: {best.config.label}"
    return LinesInfo(title, varied, settings, values, axis, by.lower_is_better)


def lines_figure(info: LinesInfo, method: Method) -> go.Figure:
    """A line per training, grey to coloured as it is better; the axes can be brushed."""
    info_title = escaped(info).title
    figure = go.Figure()
    if info.axes:
        dimensions = [
            _dimension(axis, [settings[number] for settings in info.settings])
            for number, axis in enumerate(info.axes)
        ]
        digits = ".3f" if info.lower_is_better else ".1f"
        dimensions.append({"label": info.value_axis, "values": info.values, "tickformat": digits})
        scale = [PALE, method_colour(method)]
        ends = scale[::-1] if info.lower_is_better else scale
        line = {"color": info.values, "colorscale": [[0, ends[0]], [1, ends[1]]], "showscale": False}
        figure.add_parcoords(dimensions=dimensions, line=line)
    figure = dress(figure, info_title, 380)
    return figure.update_layout(margin={"l": 60, "r": 60, "t": figure.layout.margin.t + 30, "b": 20})


def _dimension(axis: Axis, values: Sequence[Any]) -> dict[str, Any]:
    """Numbers at their place (on a log scale where they are walked so), others evenly spaced."""
    label = axis_title(axis.name)
    numeric = all(isinstance(value, int | float) for value in values)
    if axis.scale is Scale.LOG and numeric and min(values) > 0:
        places = [math.log10(value) for value in values]
        ticks = _rates(min(values), max(values))
        return {
            "label": label, "values": places, "tickvals": [math.log10(tick) for tick in ticks],
            "ticktext": [setting(tick) for tick in ticks],
        }  # fmt: skip
    if axis.scale is Scale.LINEAR and numeric:
        ticks = [min(values), (min(values) + max(values)) / 2, max(values)]
        text = [f"{tick:.3g}" for tick in ticks]
        return {"label": label, "values": list(values), "tickvals": ticks, "ticktext": text}
    levels = sorted(set(values), key=lambda v: (v is not None, isinstance(v, str), v))
    return {
        "label": label,
        "values": [levels.index(value) for value in values],
        "tickvals": list(range(len(levels))),
        "ticktext": [setting(level) for level in levels],
    }


def _rates(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade between the two, and the two themselves."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inner = [digit * 10.0**decade for decade in decades for digit in (1, 2, 5)]
    return [low, *(value for value in inner if low * 1.2 < value < high / 1.2), high]
