"""One row in full: its input, the right answer, what each run answered and where the answers differ."""

from __future__ import annotations

from html import escape

import streamlit as st

from engine import differences, outputs
from engine.differences import Change, Span
from engine.outputs import Outputs
from pages import words

MOST_CHARACTERS = 200_000
TAGS = {Change.SAME: "span", Change.REMOVED: "del", Change.ADDED: "ins"}


def show(joined: Outputs, run: str, number: int) -> None:
    """The whole row; differences for answers that are more than a label."""
    with st.container(border=True, key="outputs_row"):
        st.markdown(f"**Row {number:,}**, {joined.words[number]:,} words of input")
        for role in joined.inputs:
            st.caption(role)
            _text(joined.inputs.at[number, role])
        if joined.specs[run].task.has_labels:
            st.text(f"Right answer: {joined.golds[number][0]}")
        else:
            _compared(joined, run, number)
        found = outputs.answers(joined, run, number)
        st.dataframe(found, hide_index=True, height="content", key="outputs_answers")


def _compared(joined: Outputs, run: str, number: int) -> None:
    """Each answer against the right one, then the tuned against the base's."""
    golds, names = joined.golds[number], outputs.titles(joined, run)
    st.caption("right answer" if len(golds) == 1 else f"{len(golds)} right answers, one per line")
    _text("\n".join(golds))
    base = joined.base_of(run)
    sides = [side for side in (base, run) if side is not None]
    for place, side in zip(st.columns(len(sides)), sides, strict=True):
        with place:
            answer = joined.said.at[number, side]
            st.caption(words.plain(f"{names[side]}, against the right answer"))
            _difference(differences.closest(answer or "", golds), answer)
    if base is not None:
        st.caption("what tuning changed: from the base's answer to the run's")
        _difference(joined.said.at[number, base] or "", joined.said.at[number, run])
    st.caption("Struck out: only in the first; underlined: only in the second.")


def _difference(before: str, after: str | None) -> None:
    if after is None:
        st.caption("no answer")
        return
    found = differences.compare(before, after)
    body = "".join(map(_marked, found.spans))
    st.html(f'<pre class="prompt">{body or "the same: empty"}</pre>')
    if found.cut:
        st.caption(f"Only the first {differences.MOST_WORDS:,} words are compared.")


def _marked(span: Span) -> str:
    """The text in its tag, the space behind it outside."""
    text = span.text.rstrip()
    return f"<{TAGS[span.change]}>{escape(text)}</{TAGS[span.change]}>{escape(span.text[len(text) :])}"


def _text(text: str) -> None:
    """In a box that scrolls; a text beyond what a browser likes is cut, and says so."""
    st.html(f'<pre class="prompt">{escape(text[:MOST_CHARACTERS])}</pre>')
    if len(text) > MOST_CHARACTERS:
        rest = len(text) - MOST_CHARACTERS
        st.caption(f"{rest:,} more characters are in the downloads.")
