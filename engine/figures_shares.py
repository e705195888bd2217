"""What k configs reach of the best on a dataset that the ranking has not seen, beside other rules."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from engine.figures import COLOURS, NEUTRAL, RIVAL, UNSEEN, dress, escaped
from engine.findings import counted
from engine.rules import TITLES, Rule
from engine.validation import LeaveOneOut

SHOWN_K = 4
LINES = {
    Rule.CBS: (UNSEEN, "solid"),
    Rule.CBS_APART: (UNSEEN, "dot"),
    Rule.SCORE_ONLY: (RIVAL, "dash"),
    Rule.BEST_AVERAGE: (RIVAL, "solid"),
    Rule.PORTFOLIO: (RIVAL, "dot"),
    Rule.RANDOM: (COLOURS["no model"], "solid"),
    Rule.DEFAULT: (COLOURS["default config"], "solid"),
}
SHIFT = 0.05
UPPER_AXIS = 30  # pixels of its title


class SharePoint(NamedTuple):
    """What a rule's first k reach, in percent of the config that dev selects from all, with its interval."""

    rule: str
    k: int
    share: float
    low: float | None
    high: float | None
    units_judged: int
    cbs_minutes: float | None


class ShareInfo(NamedTuple):
    """All rules by k; `oracle` is the corrected best possible, in percent of the dev-selected best."""

    title: str
    points: tuple[SharePoint, ...]
    oracle: float | None
    notes: tuple[str, ...]


def share_info(found: LeaveOneOut | None) -> ShareInfo:
    """CBS against the best of its rivals at the k that Tune starts with; empty for a single dataset."""
    if found is None or found.datasets < 2:
        return ShareInfo("One dataset only: none is left to rank by when it is left out", (), None, ())
    points = tuple(point for rule in Rule if rule in found.rules for point in _points(found, rule))
    if not any(point.rule == TITLES[Rule.CBS] for point in points):
        return ShareInfo(f"No {found.unit} can be judged when it is left out", (), None, ())
    oracle = None if found.oracle is None else round(100 * found.oracle, 1)
    return ShareInfo(_finding(points, found.unit), points, oracle, _notes(found))


def _points(found: LeaveOneOut, rule: Rule) -> list[SharePoint]:
    curve = found.rules[rule]
    rows = zip(found.k, curve.mean, curve.low, curve.high, curve.judged, strict=True)
    return [
        SharePoint(
            TITLES[rule], k, round(100 * mean, 2), _percent(low), _percent(high), judged,
            None if found.minutes is None else _rounded(found.minutes[k - 1]),
        )
        for k, mean, low, high, judged in rows
        if mean is not None
    ]  # fmt: skip


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _finding(points: tuple[SharePoint, ...], unit: str) -> str:
    cbs = [point for point in points if point.rule == TITLES[Rule.CBS]]
    shown = next((point for point in cbs if point.k == SHOWN_K), cbs[-1])
    interval = "" if shown.low is None or shown.high is None else f" ({shown.low:.1f} to {shown.high:.1f})"
    text = f"On a {unit} not seen, CBS with k = {shown.k} reaches {shown.share:.1f} %{interval} of the best"
    own = (TITLES[Rule.CBS], TITLES[Rule.CBS_APART], TITLES[Rule.RANDOM], TITLES[Rule.DEFAULT])
    others = [point for point in points if point.k == shown.k and point.rule not in own]
    random = [point for point in points if point.k == shown.k and point.rule == TITLES[Rule.RANDOM]]
    best = sorted(others, key=lambda p: (-round(p.share, 1), p.rule != TITLES[Rule.BEST_AVERAGE]))[:1]
    return ", ".join([text, *(f"{point.rule} {point.share:.1f} %" for point in (*best, *random))])


def _notes(found: LeaveOneOut) -> tuple[str, ...]:
    """What the curves rest on."""
    judged = found.rules[Rule.CBS].judged
    notes = [
        "Share of the test score (dev, where there is no test) that dev selects from the whole grid; mean "
        f"over {found.unit}s, 95 % intervals over them. Test is noisy: a share may exceed 100 %."
    ]
    if min(judged) < found.datasets:
        span = str(min(judged)) if min(judged) == max(judged) else f"{min(judged)} (k = 1) to {max(judged)}"
        notes.append(
            f"{span} of {counted(found.datasets, found.unit)} judged; the others say nothing or lack the "
            "configs."
        )
    if found.recommended_k is not None:
        notes.append(
            f"Recommended k: {found.recommended_k}, the smallest that k + 1 is not shown to beat on dev."
        )
    return tuple(notes)


def share_figure(info: ShareInfo) -> go.Figure:
    """A line per rule with its intervals; the upper axis says what the first k of CBS cost."""
    info = escaped(info)
    figure = go.Figure()
    rules = [rule for rule in Rule if any(point.rule == TITLES[rule] for point in info.points)]
    for number, rule in enumerate(rules):
        points = [point for point in info.points if point.rule == TITLES[rule]]
        figure.add_trace(_line(rule, points, SHIFT * (number - (len(rules) - 1) / 2)))
    if info.points:
        figure.add_hline(y=100, line_width=1, line_dash="dot", line_color=NEUTRAL)
        if info.oracle is not None:
            figure.add_trace(_oracle(info.oracle, max(point.k for point in info.points)))
        _minutes(figure, [point for point in info.points if point.rule == TITLES[Rule.CBS]])
    figure.update_layout(xaxis={"title": "k: configs that are trained", "dtick": 1})
    figure.update_yaxes(title="Share of the dev-selected best (%)")
    figure = dress(figure, info.title, 500 + UPPER_AXIS, legend_below=True)
    return figure.update_layout(margin={"t": figure.layout.margin.t + UPPER_AXIS})


def _oracle(share: float, most: int) -> go.Scatter:
    return go.Scatter(
        name="best possible, corrected for luck",
        x=[1 - 4 * SHIFT, most + 4 * SHIFT],
        y=[share, share],
        mode="lines",
        line={"color": NEUTRAL, "dash": "longdash", "width": 1},
        hovertemplate=f"best possible config: {share:.1f} % of the dev-selected best<extra></extra>",
    )


def _line(rule: Rule, points: list[SharePoint], shift: float) -> go.Scatter:
    colour, dash = LINES[rule]
    return go.Scatter(
        name=TITLES[rule],
        x=[point.k + shift for point in points],
        y=[point.share for point in points],
        mode="lines+markers",
        line={"color": colour, "dash": dash, "width": 4 if rule is Rule.CBS else 2},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [0 if p.high is None else p.high - p.share for p in points],
            "arrayminus": [0 if p.low is None else p.share - p.low for p in points],
            "thickness": 2 if rule is Rule.CBS else 1,
            "width": 3,
        },
        customdata=[[p.k, _interval(p), p.units_judged] for p in points],
        hovertemplate="k = %{customdata[0]}: %{y:.1f} %%{customdata[1]} of the best, over "
        "%{customdata[2]}<extra>%{fullData.name}</extra>",
        visible="legendonly" if rule is Rule.CBS_APART else True,
    )


def _interval(point: SharePoint) -> str:
    return "" if point.low is None or point.high is None else f" ({point.low:.1f} to {point.high:.1f})"


def _duration(minutes: float) -> str:
    return (
        f"{60 * minutes:.0f} s"
        if minutes < 1.5
        else f"{minutes:.1f} min"
        if minutes < 90
        else f"{minutes / 60:.0f} h"
    )


def _minutes(figure: go.Figure, points: list[SharePoint]) -> None:
    """A second axis on top; plotly draws it only for a trace of its own."""
    if any(point.cbs_minutes is None for point in points):
        return
    figure.add_scatter(
        x=[point.k for point in points], y=[point.share for point in points], xaxis="x2", mode="none",
        showlegend=False, hoverinfo="skip",
    )  # fmt: skip
    figure.update_layout(
        xaxis2={
            "overlaying": "x", "matches": "x", "side": "top",
            "title": "Training time of the first k of CBS", "showgrid": False,
            "tickvals": [point.k for point in points],
            "ticktext": [_duration(point.cbs_minutes or 0.0) for point in points],
        }
    )  # fmt: skip
