"""Outputs: what each run answered to each row, filtered; one row in full; whether long inputs are harder."""

from __future__ import annotations

import streamlit as st

from engine import crossval, figures_outputs, outputs
from engine import dataset as datasets
from engine.figures_outputs import LengthInfo
from engine.outputs import Filter, Outputs
from engine.verdict import Summary
from jobs import views
from jobs.views import StudyView
from pages import explore_chart, live, problems, study_output_table, words

SPLITS = ("test", "dev")
DEV = "The dev rows selected the winner: it looks better on them than on rows that nobody has seen."


def show(view: StudyView, found: Summary) -> None:
    """The table of one split, as the URL filters it."""
    scored = tuple((r.spec.run, r.result.attempt) for r in view.runs if r.result and r.result.test)
    if not scored:
        st.caption("No run has a score, so there are no outputs to read.")
        return
    with problems.shown(), st.container(key="outputs"):
        joined, run, wanted = _chosen(view.study.study, scored, found.winner)
        st.subheader(words.plain(outputs.finding(joined, run)), anchor=False)
        if joined.split == "dev":
            st.caption(DEV)
        study_output_table.show(joined, run, outputs.select(joined, run, wanted), wanted)
        info = _lengths(view.study.study, scored, joined.split, run)
        explore_chart.show(info, figures_outputs.length_figure, "length")


def _chosen(
    study: str, scored: tuple[tuple[str, int], ...], winner: str | None
) -> tuple[Outputs, str, Filter]:
    """Split, run and filter, from the URL."""
    with st.container(horizontal=True, key="outputs_choice", vertical_alignment="bottom"):
        split = st.segmented_control(
            "Rows", SPLITS, default=SPLITS[0], key="outputs_split", bind="query-params", required=True
        )
        joined = _joined(study, scored, split or SPLITS[0])
        first = winner if winner is not None and winner in joined.specs else scored[0][0]
        names = outputs.titles(joined, first)
        run = st.selectbox(
            "Run", sorted(names, key=lambda run: run != first), key="outputs_run", bind="query-params",
            format_func=lambda run: f"{names[run]} (winner)" if run == winner else names[run], width=260,
        )  # fmt: skip
        kinds = [str(kind) for kind in outputs.filters(joined, run)]
        wanted = st.segmented_control(
            "Show", kinds, default=kinds[0], key="outputs_filter", bind="query-params", required=True
        )
    return joined, run, Filter(wanted or kinds[0])


@st.cache_resource(max_entries=8, show_spinner="Reading the answers")
def _joined(study: str, scored: tuple[tuple[str, int], ...], split: str) -> Outputs:
    files = live.files()
    of = files.read_study(study)
    files.pull_dataset(of.dataset)
    folds = files.read_spec(of.runs[0]).folds
    rows = crossval.scored(datasets.load(of.dataset, files.datasets_root), folds).split(split)
    tables = {run: views.predictions(run, attempt) for run, attempt in scored}
    return outputs.join(rows, [files.read_spec(run) for run, _ in scored], tables, split)


@st.cache_data(max_entries=64, show_spinner=False)
def _lengths(study: str, scored: tuple[tuple[str, int], ...], split: str, run: str) -> LengthInfo:
    return figures_outputs.length_info(_joined(study, scored, split), run)
