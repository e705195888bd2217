"""What of which grid version Explore looks at: filters as widgets, kept in the URL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from engine import exploration, grids
from engine.exploration import Filters
from engine.records import Method, Task
from pages import explore_data, words
from pages.explore_data import Chosen

ALL = "all"


def choose(compared: Collection[str]) -> Chosen | None:
    """The filters as widgets; those that the section compares are off. None: no version is published."""
    published = {grid.version: grid for grid in grids.versions()}
    if not published:
        return None
    with st.container(horizontal=True, key="choice", vertical_alignment="bottom"):
        current = grids.current()
        names = sorted(published, key=lambda name: (name != current, name))
        version = st.selectbox(
            "Grid", names, key="explore_version", bind="query-params", width=170,
            help="The published version whose results are shown. The first is the one that Tune uses.",
        )  # fmt: skip
        grid = published[version]
        digest = exploration.digest(grid.folder / grids.RESULTS)
        filters = _filters(explore_data.results(version, digest), compared)
    return Chosen(grid, digest, filters)


def _filters(table: pd.DataFrame, compared: Collection[str]) -> Filters:
    models = list(table["model"].value_counts().index)
    several = table["dataset"].nunique() > 1
    model = _one("Model", "model", models, compared, str, first=several)
    methods = sorted(
        _values(table, "method"), key=lambda name: (name not in set(Method), name != Method.LORA)
    )
    method = _one("Method", "method", methods, compared, method_title, first=True)
    size = _one("Rows", "train_size", _values(table, "train_size"), compared, lambda size: f"{size:g}")
    task = _one("Task", "task", _values(table, "task"), compared, lambda name: words.task(Task(name)))
    datasets = _values(Filters(task=task).apply(table), "dataset")
    chosen = st.multiselect(
        "Datasets", datasets, key="explore_datasets", bind="query-params", placeholder="all", width=220
    )
    return Filters(model, method, size, task, tuple(sorted(chosen)))


def _one(
    label: str, name: str, values: Sequence[Any], compared: Collection[str], title: Any, first: bool = False
) -> Any:
    """One value, or None for all; `first`: the first is chosen unless a person chooses another.

    What the widget shows is what the URL holds.
    """
    options = {ALL: ALL, **{str(value): value for value in values}}
    picked = st.selectbox(
        label, list(options), index=1 if first and values else 0, key=f"explore_{name}", bind="query-params",
        disabled=name in compared or len(values) < 2, width=190 if name == "model" else 150,
        help="This section compares all of them." if name in compared else None,
        format_func=lambda option: ALL if option == ALL else title(options[option]),
    )  # fmt: skip
    return None if picked == ALL or name in compared else options[picked]


def _values(table: pd.DataFrame, name: str) -> list[Any]:
    return sorted(table[name].dropna().unique().tolist()) if name in table else []


def method_title(name: str) -> str:
    """A method in a reader's words; those of others as they are called."""
    return words.method(Method(name)) if name in set(Method) else name
