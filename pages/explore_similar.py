"""Explore, like mine: which of the grid's datasets are most like a user's, and what was best on them."""

from __future__ import annotations

import streamlit as st

from engine import figures_similar, grids, onedataset, similar
from engine.dataset import Dataset
from engine.exploration import View
from engine.figures import config_label
from engine.similar import Likeness
from pages import explore_chart, explore_mine, words
from pages.explore_data import Chosen

NEAREST = 3


def show(chosen: Chosen) -> None:
    """The user's dataset, its nearest, and their best configs."""
    mine = explore_mine.choose()
    if mine is None:
        explore_chart.heading("Which datasets of the grid are like yours?")
        st.caption("Choose a dataset: nothing of it is stored with the grid.")
        return
    view = chosen.view("train_size")
    names = [] if view is None else sorted({str(cell.dataset) for cell in view.grid.cells})
    known = {name: found for name, found in similar.shipped().items() if name in names}
    facts = similar.facts(mine)
    found = similar.nearest(facts, known, {} if view is None else _sizes(view))
    info = figures_similar.similar_info(mine.name, found)
    explore_chart.heading(info.finding)
    _told(mine, facts, chosen.version, [name for name in names if name not in known])
    if view is not None and info.points:
        explore_chart.show(info, figures_similar.similar_figure, "similar")
        _best(view, [one for one in found if one.same_task][:NEAREST])


def _sizes(view: View) -> dict[str, list[int]]:
    sizes: dict[str, list[int]] = {}
    for cell in view.grid.cells:
        if isinstance(cell.train_size, int):
            sizes.setdefault(str(cell.dataset), []).append(cell.train_size)
    return sizes


def _told(mine: Dataset, facts: similar.Facts, version: str, unknown: list[str]) -> None:
    labels = "" if facts.labels is None else f", {facts.labels} labels"
    st.caption(
        words.plain(
            f"Yours: {words.task(facts.task).lower()}{labels}, {facts.rows:,} training rows, "
            f"{facts.input_words:g} words of input and {facts.answer_words:g} of answer (medians)."
        )
    )
    shared = grids.datasets_sharing_rows(mine.input_hashes(), version)
    if shared:
        st.caption(words.plain(f"Rows of yours are in {', '.join(shared)} of this grid."))
    if unknown:
        st.caption(words.plain(f"Not described, so not compared: {', '.join(unknown)}."))


def _best(view: View, near: list[Likeness]) -> None:
    """The best config by dev on each of the nearest, and its test score."""
    st.subheader("Best there", anchor=False)
    rows = []
    for one in near:
        for cell in (cell for cell in view.grid.cells if cell.dataset == one.name):
            best = onedataset.one_dataset(view, cell).configs[0]
            rows.append(
                {
                    "Dataset": one.name,
                    "Model": cell.model,
                    "Rows": cell.train_size,
                    "Best config by dev": config_label(best.config),
                    "Dev": None if best.dev is None else round(100 * best.dev, 1),
                    "Test": None if best.test is None else round(100 * best.test, 1),
                    "Counts in the ranking": "no" if cell in view.left_out else "yes",
                }
            )
    st.dataframe(rows, hide_index=True, key="best_there", height="content")
    st.caption("Best of one dataset is partly luck: the shortlist rests on all of them.")
