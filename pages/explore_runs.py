"""The runs behind one mark of a figure: config, dev and test score with intervals, seconds, error."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from engine import exploration, figures_heat, grids
from engine.exploration import View
from engine.figures import config_label, escaped
from engine.figures_heat import HeatInfo
from engine.records import Score
from pages import explore_chart, words


def of_click(view: View, info: HeatInfo, event: Any) -> None:
    """The runs of the cell that was clicked; before that, how to get there."""
    if not info.points:
        return
    picked = {row["customdata"][0] for row in event.selection.points if "customdata" in row}
    point = next((point for point in info.points if figures_heat.identity(escaped(point)) in picked), None)
    if point is None:
        st.caption("Click a square to open its runs.")
        return
    config = view.ranking.entries[point.rank - 1].config
    cell = figures_heat.cell_of(point)
    runs = exploration.runs_of(view, config, cell)
    names = dict(zip(view.grid.cells, exploration.cell_names(view.grid.cells), strict=True))
    with st.container(border=True, key="clicked"):
        st.markdown(f"**{words.plain(f'Rank {point.rank} on {names[cell]}: {point.config}')}**")
        if runs.empty:
            st.caption("This config was not run here.")
        else:
            table(runs, view.lower_is_better, "runs")


def table(runs: pd.DataFrame, loss: bool, key: str) -> None:
    """One line for each run; what was not measured is blank."""
    columns = grids.config_columns(runs)
    several = len(runs[columns].drop_duplicates()) > 1
    rows = [
        {"Config": _config(run, columns) if several else None, **_line(run, loss)}
        for run in runs.to_dict("records")
    ]
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")
    st.dataframe(frame, hide_index=True, key=key, height="content" if len(frame) <= 12 else 420)
    explore_chart.downloads(frame, key, "")


def _config(run: dict[Any, Any], columns: list[str]) -> str:
    return config_label({name: run[name] for name in columns if not pd.isna(run[name])})


def _line(run: dict[Any, Any], loss: bool) -> dict[str, Any]:
    seconds = run.get("seconds")
    return {
        "Run": run.get("run"),
        "Seed": run.get("seed"),
        "Dev score": _score(run, "score", loss),
        "Test score": _score(run, "test_score", loss),
        "Dev loss": None if pd.isna(run.get("dev_loss")) else round(run["dev_loss"], 3),
        "Time": None if seconds is None or pd.isna(seconds) else words.duration(seconds),
        "Error": _error(run),
    }


def _error(run: dict[Any, Any]) -> str | None:
    """The cause of a failure where it is known."""
    if not pd.isna(run["score"]):
        return None
    error = run.get("error")
    return str(error) if isinstance(error, str) and error else "no score"


def _score(run: dict[Any, Any], name: str, loss: bool) -> str | None:
    """In points with the interval; without one where none was measured."""
    value = run.get(name)
    if value is None or pd.isna(value):
        return None
    if pd.isna(run.get(f"{name}_low", float("nan"))):
        return words.number(value, loss)
    score = Score(value, run[f"{name}_low"], run[f"{name}_high"], int(run[f"{name}_n"]))
    return f"{words.points(score, loss)}, n = {score.n}"
