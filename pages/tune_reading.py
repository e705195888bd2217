"""Step 1 of Tune: how a file was read, and what a person may say of it where that is wrong or asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from engine.dataset import Inspection
from engine.findings import Code
from engine.labels import PERHAPS_LABELS
from engine.layouts import DELIMITERS, QUOTINGS
from engine.records import Severity
from engine.sheets import AS_FOUND, Layout, Quoting

FOUND = "As found"
HEADERS = {True: "The first row names the columns", False: "The first row is data"}
NO_ANSWER = "no answer"
DELIMITED = ("csv", "tsv")


def choose(found: Inspection | None) -> Layout:
    """What the person says of how the file is read; `found`: read without that, None: it could not be."""
    asked = found is None or _is_asked(found)
    with st.expander("How the file is read", expanded=asked, key="reading"):
        layout = _encoding(found) if found is not None and found.encodings else AS_FOUND
        if found is None or found.format in DELIMITED:
            layout = _delimited(layout, AS_FOUND if found is None else found.layout)
        if found is not None:
            layout = _sheet(found, layout)
            layout = _answers(found, layout)
        if found is not None and found.format not in (*DELIMITED, "xlsx") and layout == AS_FOUND:
            st.caption("The format leaves nothing to choose.")
    return layout


def _is_asked(found: Inspection) -> bool:
    uncertain = any(i.code == Code.ENCODING and i.severity is Severity.ERROR for i in found.issues)
    codes = {issue.code for issue in found.issues}
    return uncertain or len(found.sheets) > 1 or bool(codes & {Code.UNANSWERABLE, Code.WORD_FOR_NOTHING})


def _select(label: str, options: dict[Any, str], key: str, found: Any = None) -> Any:
    """One of the options, or None: as found, with what that is."""
    as_found = f"{FOUND}: {options[found].lower()}" if found in options else FOUND
    titles = {None: as_found, **options}
    return st.selectbox(
        label, list(titles), key=f"read_{key}", format_func=titles.__getitem__, persist_state="session"
    )  # fmt: skip


def _encoding(found: Inspection) -> Layout:
    options: dict[Any, str] = {name: f"{name}: {words}" for name, words in found.encodings}
    return Layout(encoding=_select("Encoding, with words as it reads them", options, "encoding"))


def _delimited(layout: Layout, found: Layout) -> Layout:
    left, middle, right = st.columns(3, gap="small")
    with left:
        delimiter = _select("Columns are split at", _capital(DELIMITERS), "delimiter", found.delimiter)
    with middle:
        quoting = _select("Quoting", _capital(QUOTINGS), "quoting", found.quoting)
    with right:
        header = _select("Header", HEADERS, "header", found.header)
    chosen = None if quoting is None else Quoting(quoting)
    return replace(layout, delimiter=delimiter, quoting=chosen, header=header)


def _capital(options: dict[Any, str]) -> dict[Any, str]:
    return {value: title[:1].upper() + title[1:] for value, title in options.items()}


def _sheet(found: Inspection, layout: Layout) -> Layout:
    if found.format != "xlsx":
        return layout
    sheet = None
    if len(found.sheets) > 1:
        sheet = _select("Sheet", {name: name for name in found.sheets}, "sheet")
    return replace(layout, sheet=sheet, header=_select("Header", HEADERS, "header", found.layout.header))


def _answers(found: Inspection, layout: Layout) -> Layout:
    """What the cells of the answers mean, where the file leaves it open."""
    codes = {issue.code for issue in found.issues}
    if Code.LISTS_IN_CELLS in codes:
        lists = st.toggle("Cells written as lists hold several texts", True, key="read_lists")
        layout = replace(layout, lists=None if lists else False)
    if Code.WORD_FOR_NOTHING in codes:
        words = st.multiselect("Words that mean: no label", sorted(PERHAPS_LABELS), key="read_missing")
        layout = replace(layout, missing=tuple(words) or None)
    if Code.UNANSWERABLE in codes and st.toggle(
        f"Learn '{NO_ANSWER}' for questions without an answer", key="read_no_answer"
    ):
        layout = replace(layout, no_answer=NO_ANSWER)
    return layout
