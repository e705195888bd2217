"""Any runs side by side, across studies: which is better and by how much, curves, settings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from engine import comparing, figures, figures_comparing
from engine.comparing import Pairing, Side
from jobs import collector, comparisons
from pages import explore_chart, live, words

OFFERED = 500  # the newest scored runs to choose from
WIDTHS = {"run": 210, "test (reports)": 150, "A is better by": 150, "dev (selects)": 150, "rows": 60}
CHART = {"displayModeBar": False}


def link(label: str, runs: Sequence[str]) -> None:
    """Goes to the page of these runs; beyond the most that are compared it says so instead."""
    if len(runs) > comparing.MOST:
        st.caption(f"At most {comparing.MOST} runs are compared at once; {len(runs)} are chosen.")
        return
    st.page_link(
        "studies.py", label=label, query_params={"compare": ",".join(runs)}, icon=":material/compare_arrows:"
    )


def show(text: str) -> None:
    """The page of the runs that the URL names, and the way to others."""
    st.page_link("studies.py", label="All studies", icon=":material/arrow_back:")
    st.title("Compare runs", anchor=False)
    runs = comparisons.run_ids(text)
    _choice(runs, text)
    if not runs:
        st.text("Choose the runs to compare, or tick studies in the list.")
        return
    sides = comparisons.gather(runs)
    titles = figures_comparing.titles(sides)
    pairs = [
        comparing.pairing(sides[0], side, (titles[0], title))
        for side, title in zip(sides[1:], titles[1:], strict=True)
    ]
    _finding(pairs)
    _scores(sides, titles, pairs)
    curves = figures_comparing.curve_info(sides)
    if curves.curves:
        st.plotly_chart(figures_comparing.curve_figure(curves), key="compare_curves", config=CHART)
    _settings(sides, titles)


def _choice(runs: Sequence[str], text: str) -> None:
    """The runs of this page, to add to and take from; the URL follows."""
    known = collector.store().scored_runs(OFFERED)
    names = {run: f"{figures.run_title(spec)} ({study})" for run, (spec, study) in known.items()}
    for run in runs:
        names.setdefault(run, figures.run_title(live.files().read_spec(run)))
    key = f"compare_{text}"
    st.multiselect(
        "Runs, the first is compared with the others", names, default=list(runs), key=key,
        format_func=lambda run: f"{names[run]}, {run[-2:]}", max_selections=comparing.MOST,
        on_change=_follow, args=(key,), placeholder="Choose runs of any studies",
    )  # fmt: skip


def _follow(key: str) -> None:
    st.query_params["compare"] = ",".join(st.session_state[key])


def _finding(pairs: Sequence[Pairing]) -> None:
    if len(pairs) == 1:
        st.subheader(words.plain(pairs[0].sentence), anchor=False)
    else:
        st.markdown("\n".join(f"- {words.plain(pair.sentence)}" for pair in pairs))


def _scores(sides: Sequence[Side], titles: Sequence[str], pairs: Sequence[Pairing]) -> None:
    info = figures_comparing.score_info(sides)
    if info.points:
        st.plotly_chart(figures.score_figure(info), key="compare_scores", config=CHART)
    table = pd.DataFrame(comparing.score_rows(sides, titles, pairs))
    columns = {name: st.column_config.TextColumn(width=width) for name, width in WIDTHS.items()}
    st.dataframe(table, hide_index=True, column_config=columns, height="content", key="compare_table")
    explore_chart.downloads(table, "compared-scores", "")


def _settings(sides: Sequence[Side], titles: Sequence[str]) -> None:
    """What differs; on demand everything."""
    found = comparing.settings(sides)
    differing = [setting for setting in found if setting.differs]
    several = len(sides) > 1
    head = f"{len(differing)} of {len(found)} settings differ" if several else "Settings"
    st.subheader(head, anchor=False)
    every = not several or st.toggle("Show all settings", key="compare_all")
    shown = found if every else differing
    rows = [{"setting": s.name, **dict(zip(titles, s.values, strict=True))} for s in shown]
    if rows:
        st.dataframe(rows, hide_index=True, height="content", key="compare_settings")
