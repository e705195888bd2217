"""The user's own dataset in Explore: one that was kept, or a file that is only read."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from engine import dataset
from engine.dataset import Dataset
from pages import live, tune_file

KEPT, FILE = "A kept dataset", "A file"


def choose() -> Dataset | None:
    """None: nothing chosen yet."""
    infos = {info.id: info for info in dataset.list_saved(live.datasets_root())}
    with st.container(horizontal=True, key="mine", vertical_alignment="bottom"):
        origin = st.segmented_control(
            "Yours", (KEPT, FILE), default=KEPT if infos else FILE, key="explore_origin", required=True
        )
        if origin == KEPT:
            chosen = st.selectbox(
                "Kept dataset", infos, key="explore_mine", bind="query-params", width=320,
                placeholder="None is kept yet: those of launched studies are",
                format_func=lambda key: f"{infos[key].name} ({key[:4]})",
            )  # fmt: skip
            return None if chosen is None else _kept(chosen)
        upload = st.file_uploader("Labelled rows", tune_file.SUFFIXES, key="explore_file")
    return None if upload is None else _built(tune_file.keep(upload.name, upload.getvalue()))


@st.cache_resource(max_entries=8, show_spinner="Reading the dataset")
def _kept(dataset_id: str) -> Dataset:
    return dataset.load(dataset_id, live.datasets_root())


@st.cache_resource(max_entries=8, show_spinner="Reading the file")
def _built(path: Path) -> Dataset:
    return dataset.build(path)
