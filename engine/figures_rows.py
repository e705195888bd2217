"""The score of one config against the number of rows that it was trained on."""

from __future__ import annotations

import plotly.graph_objects as go

from engine.figures import COLOURS, dress, metric_name
from engine.metrics import lower_is_better
from engine.more_rows import RowCurve

HEIGHT = 280


def rows_figure(curve: RowCurve) -> go.Figure:
    """Test scores with their 95 % intervals; a doubling is the same width everywhere."""
    loss = lower_is_better(curve.metric)
    factor, unit = (1, "nats") if loss else (100, "points")
    rows = [point.rows for point in curve.points]
    scores = [point.score for point in curve.points]
    figure = go.Figure(
        go.Scatter(
            x=rows,
            y=[factor * score.value for score in scores],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [factor * (score.high - score.value) for score in scores],
                "arrayminus": [factor * (score.value - score.low) for score in scores],
                "thickness": 1.5,
            },
            mode="lines+markers",
            marker={"size": 9, "color": COLOURS["LoRA"]},
            line={"color": COLOURS["LoRA"]},
            hovertemplate="%{x:,} rows: %{y:.3f}<extra></extra>" if loss
            else "%{x:,} rows: %{y:.1f}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="training rows", type="log", tickvals=rows, ticktext=[f"{n:,}" for n in rows])
    figure.update_yaxes(title=f"{metric_name(curve.metric)} on the test rows ({unit})")
    title = f"{metric_name(curve.metric)} by training rows"
    return dress(figure, title, HEIGHT).update_layout(showlegend=False)
