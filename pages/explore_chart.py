"""How every figure of Explore stands on the page: the chart, and its numbers to take away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from engine.findings import counted
from jobs import predictions
from pages import words

PICTURE = "PNG: the camera at the figure's upper right."


class Info(Protocol):
    """What a figure shows: a finding, and one named tuple for each mark."""

    @property
    def title(self) -> str: ...
    @property
    def points(self) -> Sequence[Any]: ...


def show(
    info: Info,
    draw: Callable[[Any], go.Figure],
    key: str,
    *,
    select: bool = False,
    numbers: pd.DataFrame | None = None,
) -> Any:
    """Draw a figure with its downloads; `select`: answers what was clicked. `numbers`: else the points."""
    options: dict[str, Any] = {"on_select": "rerun", "selection_mode": "points"} if select else {}
    with st.container(key=f"figure_{key}", gap="xsmall"):
        event = st.plotly_chart(draw(info), key=key, alt=info.title, config=_config(key), **options)
        if info.points:
            downloads(pd.DataFrame(info.points) if numbers is None else numbers, key)
    return event


def heading(finding: str) -> None:
    """What the section found, before its figures."""
    st.header(words.plain(finding), anchor=False)


def notes(sentences: Sequence[str]) -> None:
    """What a reader should know beside a figure, as one paragraph."""
    if sentences:
        st.caption(words.plain(" ".join(sentences)))


def _config(name: str) -> dict[str, Any]:
    """A bar that shows on hover, with the one button that people need."""
    return {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": f"shortlist-{name}", "scale": 2},
    }


def downloads(numbers: pd.DataFrame, key: str, note: str = PICTURE) -> None:
    """The numbers behind a figure or table, encoded when somebody asks for them."""
    with st.container(horizontal=True, key=f"downloads_{key}", vertical_alignment="center", gap="small"):
        for name, suffix in (("CSV", ".csv"), ("Parquet", ".parquet")):
            st.download_button(
                name,
                partial(predictions.encode, numbers, suffix),
                file_name=f"shortlist-{key}{suffix}", key=f"{key}{suffix}", on_click="ignore",
                type="tertiary", icon=":material/download:",
            )  # fmt: skip
        st.caption(f"{counted(len(numbers), 'row')} of numbers. {note}")
