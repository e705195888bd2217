"""Figures inside a page that is sent away: drawn by Plotly's library, which the page holds once."""

from __future__ import annotations

import plotly.graph_objects as go
from plotly.io import to_html
from plotly.offline import get_plotlyjs

PRINT_WIDTH = 680  # pixels of the text on a printed A4 page
PRINTING = f"""
const sized = (size) => document.querySelectorAll(".js-plotly-plot").forEach(f => Plotly.relayout(f, size));
addEventListener("beforeprint", () => sized({{width: {PRINT_WIDTH}}}));
addEventListener("afterprint", () => sized({{width: null, autosize: true}}));
"""


def embed(figure: go.Figure) -> str:
    """The figure as HTML, on white; it needs `library` once before it. Texts in it are escaped by Plotly."""
    figure = go.Figure(figure).update_layout(template="plotly_white")
    return str(
        to_html(
            figure,
            full_html=False,
            include_plotlyjs=False,
            config={"displayModeBar": False, "responsive": True},
            default_height=figure.layout.height,
        )
    )


def library() -> str:
    """Plotly's own code, about 5 MB."""
    return str(get_plotlyjs())
