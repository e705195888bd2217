"""What a judge found of two runs: the sentence, the counts and shares, the verdict on each row."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from engine import judge
from engine.findings import counted
from engine.judge import Found
from engine.records import Score
from jobs import predictions
from pages import words


def show(found: Found, table: pd.DataFrame, names: tuple[str, str], *, over: bool) -> None:
    """The finding once it is `over`, the numbers, every row."""
    if over:
        st.markdown(f"**{words.plain(judge.sentence(found, *names))}**")
    with st.container(horizontal=True, key="judge_numbers"):
        decided = counted(found.wins + found.losses, "decided row")
        wins = f"Win rate of {words.plain(names[0])}, {decided}"
        st.metric(wins, _share(found.preferred), border=True, width="content")
        st.metric("Ties", f"{found.ties:,}", border=True, width="content")
        st.metric("Both orders agree", _share(found.agreement), border=True, width="content")
        failed = f", {found.failed} failed" if found.failed else ""
        st.metric(f"Judged{failed}", f"{found.judged} of {found.rows}", border=True, width="content")
    st.caption(words.plain(_notes(found)))
    if (caution := judge.caution(found)) is not None and over:
        st.warning(words.plain(caution))
    st.dataframe(table, hide_index=True, column_config=_widths(table), key="judge_table", height=320)
    _downloads(table)


def counts(found: Found) -> str:
    """How far the judging is: '31 judged of 50, 2 failed'."""
    failed = f", {found.failed} failed" if found.failed else ""
    return f"{found.judged} judged of {found.rows}{failed}"


def _widths(table: pd.DataFrame) -> dict[str, Any]:
    """The verdicts whole, the texts cut: a double click shows a cell's whole text."""
    names = list(table.columns)
    widths = dict.fromkeys(names[1:4], 175) | {names[4]: 190} | dict.fromkeys(names[5:], 320)
    return {name: st.column_config.TextColumn(width=width) for name, width in widths.items()}


def _share(score: Score | None) -> str:
    if score is None:
        return "none yet"
    return f"{100 * score.value:.0f} % ({100 * score.low:.0f} to {100 * score.high:.0f})"


def _notes(found: Found) -> str:
    text = "Shares with 95 % intervals. A row counts only where both orders name the same answer."
    if found.same:
        text += f" Ties hold {found.same} equal answers, which were sent to nobody."
    return text


def _downloads(table: pd.DataFrame) -> None:
    with st.container(horizontal=True, key="judge_downloads"):
        for name, suffix in (("CSV", ".csv"), ("Parquet", ".parquet")):
            st.download_button(
                f"Download {name}", partial(predictions.encode, table, suffix), f"judge{suffix}",
                key=f"judge{suffix}", on_click="ignore",
            )  # fmt: skip
