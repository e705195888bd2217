"""The chosen model on new, unlabelled rows: upload, answers, download."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from engine import outputs, reading
from engine.given_back import FORMATS, GivenBack
from engine.verdict import Summary
from jobs import predictions
from jobs.views import StudyView
from pages import problems, words


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
    found = _predict(run, reading.safe_name(name), content)
    st.dataframe(found.frame().head(200).astype(str), hide_index=True, height=260, key="predictions")
    st.caption(words.plain(" ".join((found.told, *found.notes))))
    with st.container(horizontal=True, vertical_alignment="center", key="downloads"):
        for suffix in dict.fromkeys((found.suffix, *FORMATS)):
            own = suffix == found.suffix
            st.download_button(
                "Download your file with answers" if own else suffix[1:].upper(),
                found.encode(suffix), f"{Path(name).stem}-answered{suffix}", key=f"download{suffix}",
                on_click="ignore", type="primary" if own else "tertiary",
            )  # fmt: skip


@st.cache_data(max_entries=8, show_spinner="The model answers the rows")
def _predict(run: str, name: str, content: bytes) -> GivenBack:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        return predictions.predict(run, path)
