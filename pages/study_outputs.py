"""Outputs: what each run answered to each row, filtered; one row in full; whether long inputs are harder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from engine import dataset as datasets
from engine import figures_outputs, outputs
from engine.findings import counted
from engine.outputs import Filter, Outputs
from engine.verdict import Summary
from jobs import predictions, views
from jobs.views import StudyView
from pages import explore_chart, live, problems, study_output_row, words

PAGE = 12
CUT = 300  # characters of a text in the table
SPLITS = ("test", "dev")
DEV = "The dev rows selected the winner: it looks better on them than on rows that nobody has seen."
FORMATS = {"CSV": ".csv", "Parquet": ".parquet"}


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
        _rows(joined, run, outputs.select(joined, run, wanted), wanted)
        info = figures_outputs.length_info(joined, run)
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
    rows = datasets.load(of.dataset, files.datasets_root).split(split)
    tables = {run: views.predictions(run, attempt) for run, attempt in scored}
    return outputs.join(rows, [files.read_spec(run) for run, _ in scored], tables, split)


def _rows(joined: Outputs, run: str, numbers: Sequence[int], wanted: Filter) -> None:
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
        column_config={role: st.column_config.TextColumn(width="large") for role in joined.inputs},
    )  # fmt: skip
    rows = event["selection"]["rows"]
    return numbers[rows[0]] if rows and rows[0] < len(numbers) else None


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
