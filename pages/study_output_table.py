"""The answers of all runs to the rows that a filter keeps: pages of a table, a row in full, downloads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from engine import outputs
from engine.findings import counted
from engine.outputs import Filter, Outputs
from jobs import predictions
from pages import study_output_row

PAGE = 12
CUT = 300  # characters of a text in the table
FORMATS = {"CSV": ".csv", "Parquet": ".parquet"}


def show(joined: Outputs, run: str, numbers: Sequence[int], wanted: Filter) -> None:
    """The filtered rows page by page, the selected one in full."""
    if not numbers:
        st.caption(f"The filter leaves no {joined.split} row: {wanted}.")
        return
    place = st.container(key="outputs_table")
    with st.container(horizontal=True, vertical_alignment="center", key="outputs_take"):
        pages = -(-len(numbers) // PAGE)
        page = st.pagination(pages, key="outputs_page", bind="query-params") if pages > 1 else 1
        _downloads(joined, run, numbers)
    with place:
        chosen = _table(joined, run, numbers[PAGE * (page - 1) : PAGE * page])
    if chosen is None:
        st.caption("Select a row to read all of it, and where the answers differ.")
    else:
        study_output_row.show(joined, run, chosen)


def _table(joined: Outputs, run: str, numbers: Sequence[int]) -> int | None:
    """One page; answers the number of the selected row. The key names the rows: others, no selection."""
    event = st.dataframe(
        outputs.page(joined, run, numbers, CUT), hide_index=True, height="content",
        on_select="rerun", selection_mode="single-row",
        key=f"outputs_{joined.split}_{run}_{numbers[0]}_{numbers[-1]}_{len(numbers)}",
        column_config=_widths(joined, run),
    )  # fmt: skip
    rows = event["selection"]["rows"]
    return numbers[rows[0]] if rows and rows[0] < len(numbers) else None


def _widths(joined: Outputs, run: str) -> dict[str, Any]:
    """Labels leave room for the input; texts share it."""
    if joined.specs[run].task.has_labels:
        return {role: st.column_config.TextColumn(width="large") for role in joined.inputs}
    texts = (*joined.inputs, "right answer", *outputs.titles(joined, run).values())
    return {name: st.column_config.TextColumn(width="medium") for name in texts}


def _downloads(joined: Outputs, run: str, numbers: Sequence[int]) -> None:
    """The filtered rows with the whole texts of all runs, encoded when somebody asks for them."""
    for name, suffix in FORMATS.items():
        st.download_button(
            name, partial(_encoded, joined, run, numbers, suffix), f"outputs-{joined.split}{suffix}",
            key=f"outputs{suffix}", on_click="ignore", type="tertiary", icon=":material/download:",
        )  # fmt: skip
    st.caption(f"{counted(len(numbers), 'row')}, whole texts, all runs")


def _encoded(joined: Outputs, run: str, numbers: Sequence[int], suffix: str) -> bytes:
    return predictions.encode(outputs.flat(joined, run, numbers), suffix)
