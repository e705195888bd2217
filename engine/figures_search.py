"""How far a search came: the best on dev so far, by number of runs or by minutes of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import plotly.graph_objects as go

from engine.figures import COLOURS, MAX_POINTS, NEUTRAL, RIVAL, dress, escaped, meaning, method_colour
from engine.records import Method, RunKind, RunSpec
from engine.searched import Measure, Step

SEARCHED = "this search"
OTHERS = "runs before it"
HEIGHT = 340


class Against(StrEnum):
    """What the best is drawn against."""

    RUNS = "runs"
    MINUTES = "minutes"


AXES = {
    Against.RUNS: "Trainings of the study (number)",
    Against.MINUTES: "Training time, one run after another (min)",
}


def source(spec: RunSpec, search: str) -> str:
    """Where a run comes from: the key of its colour and the word of its legend."""
    if spec.search == search and spec.kind is RunKind.SEARCH:
        return SEARCHED
    if spec.kind is RunKind.SHORTLIST:
        return "shortlist"
    return meaning(spec.kind, spec.method) if spec.kind is RunKind.DEFAULT else OTHERS


def colours(method: Method) -> dict[str, str]:
    """By source; a search is another way to choose configs than the shortlist."""
    return {
        "shortlist": method_colour(method),
        "default config": COLOURS["default config"],
        OTHERS: NEUTRAL,
        SEARCHED: RIVAL,
    }


class BestPoint(NamedTuple):
    """A training with its value on dev, in points (a loss in nats), and the best so far."""

    run: str
    source: str
    place: float
    value: float
    best: float
    hover: str


class BestInfo(NamedTuple):
    """`shortlist_ends`: the place of the shortlist's last run; `size`: how many it has."""

    title: str
    axis: str
    value_axis: str
    points: tuple[BestPoint, ...]
    shortlist_ends: float | None
    size: int


def best_info(
    steps: Sequence[Step], specs: Mapping[str, RunSpec], search: str, by: Measure, against: Against
) -> BestInfo:
    """The measured steps of engine.searched.history."""
    points = tuple(
        _point(step, specs[step.run], search, by, against) for step in steps if step.value is not None
    )[:MAX_POINTS]
    listed = [step for step in steps if specs[step.run].kind is RunKind.SHORTLIST]
    ends = _place(listed[-1], against) if listed else None
    direction = "less" if by.lower_is_better else "more"
    axis = f"{by.name[0].upper()}{by.name[1:]} ({by.unit}, {direction} is better)"
    return BestInfo(_title(points, by), AXES[against], axis, points, ends, len(listed))


def _place(step: Step, against: Against) -> float:
    return step.minutes if against is Against.MINUTES else step.number


def _point(step: Step, spec: RunSpec, search: str, by: Measure, against: Against) -> BestPoint:
    assert step.value is not None and step.best is not None
    config = "" if spec.config is None else f"<br>{spec.config.label}"
    hover = (
        f"{spec.name}: {by.text(step.value)} on dev{config}<br>best so far {by.text(step.best)}, after "
        f"{step.number} runs and {step.minutes:.1f} min of training"
    )
    return BestPoint(step.run, source(spec, search), _place(step, against), step.value, step.best, hover)


def _title(points: Sequence[BestPoint], by: Measure) -> str:
    """What the search added to what was there."""
    if not points:
        return f"Best {by.name} so far: no run is measured yet"
    ours = [point for point in points if point.source == SEARCHED]
    before = [point for point in points if point.source != SEARCHED]
    best = points[-1].best
    if not before or not ours:
        return f"The best {by.name} of {len(points)} runs is {by.text(best)}"
    reached = before[-1].best
    runs = f"{len(ours)} run{'' if len(ours) == 1 else 's'} of the search"
    if best == reached:
        return f"{runs} found nothing better on dev than {by.text(reached)}, reached before it"
    return f"{runs} took the best {by.name} from {by.text(reached)} to {by.text(best)}"


def best_figure(info: BestInfo, method: Method) -> go.Figure:
    """A dot per run, a staircase through the best so far, a line where the shortlist ends."""
    info = escaped(info)
    figure = go.Figure()
    if info.points:
        figure.add_scatter(
            x=[point.place for point in info.points],
            y=[point.best for point in info.points],
            mode="lines", line={"color": NEUTRAL, "width": 2, "shape": "hv"},
            name="best so far", hoverinfo="skip",
        )  # fmt: skip
    for name, colour in colours(method).items():
        points = [point for point in info.points if point.source == name]
        if points:
            figure.add_scatter(
                x=[point.place for point in points],
                y=[point.value for point in points],
                name=name, mode="markers", marker={"color": colour, "size": 10},
                text=[point.hover for point in points], hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
    if info.shortlist_ends is not None:
        figure.add_vline(
            x=info.shortlist_ends, line={"color": NEUTRAL, "dash": "dot"}, showlegend=True,
            name=f"end of the shortlist's {info.size}",
        )  # fmt: skip
    figure.update_xaxes(title=info.axis, rangemode="tozero")
    figure.update_yaxes(title=info.value_axis)
    return dress(figure, info.title, HEIGHT)
