"""The chosen model on new, unlabelled rows: upload, answers, download."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import streamlit as st

from engine import outputs, reading
from engine.verdict import Summary
from jobs import predictions
from jobs.views import StudyView
from pages import problems, words

FORMATS = {"CSV": ".csv", "JSONL": ".jsonl", "Parquet": ".parquet"}


def show(view: StudyView, found: Summary) -> None:
    """A file in, a file out."""
    st.subheader("Predict on new rows", anchor=False)
    scored = [run.spec for run in view.runs if run.result and run.result.test]
    names = outputs.unique_titles(sorted(scored, key=lambda spec: words.by_use(spec.run, found)))
    if not names:
        st.caption("No run has a score, so there is no model to use.")
        return
    left, right = st.columns([1, 2])
    run = left.selectbox(
        "Model", names, key="predict_run", format_func=lambda run: words.run_option(names[run], run, found)
    )
    upload = right.file_uploader("Rows without labels, columns as in the study's file", key="predict_file")
    if upload is not None and run is not None:
        with problems.shown():
            _answers(run, upload.name, upload.getvalue())


def _answers(run: str, name: str, content: bytes) -> None:
    table = _predict(run, reading.safe_name(name), content)
    st.dataframe(table.head(200), hide_index=True, height=260, key="predictions")
    with st.container(horizontal=True, vertical_alignment="center", key="downloads"):
        st.caption(f"{len(table):,} rows answered")
        for name, suffix in FORMATS.items():
            data = predictions.encode(table, suffix)
            st.download_button(
                f"Download {name}", data, f"predictions{suffix}", key=f"download{suffix}", on_click="ignore"
            )


@st.cache_data(max_entries=8, show_spinner="The model answers the rows")
def _predict(run: str, name: str, content: bytes) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return predictions.predict(run, path)
