"""The study as one page to send to somebody: what is in it, and the files."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

import streamlit as st

from engine import report
from engine.report import Facts, Section
from engine.verdict import Summary
from jobs import reports
from jobs.views import StudyView
from pages import words

FORMATS = {"HTML": (".html", "text/html"), "Markdown": (".md", "text/markdown")}
SHOWN = 220


def show(view: StudyView, found: Summary) -> None:
    """A preview and the downloads; a file is made when somebody asks for it."""
    study = view.study.study
    st.subheader("Report to send", anchor=False)
    st.caption(
        "One page for somebody who was not here. The HTML holds its figures and needs no network; it prints "
        "well. The Markdown says the same without figures."
    )
    facts = reports.facts(study, _link(study))
    with st.container(horizontal=True, key="report_downloads"):
        for name, (suffix, mime) in FORMATS.items():
            st.download_button(
                f"Download {name}", partial(_encoded, facts, suffix), f"shortlist-{study}{suffix}", mime,
                key=f"report{suffix}", on_click="ignore", icon=":material/download:",
                type="primary" if suffix == ".html" else "secondary",
            )  # fmt: skip
    with st.container(border=True, key="report_preview"):
        for number, section in enumerate(report.sections(facts), 1):
            title, text = st.columns([1, 4], gap="small")
            title.markdown(f"**{number} {section.title}**")
            text.markdown(words.plain(_gist(section)))
    for problem in dict.fromkeys(
        p for r in facts.results.values() for p in r.facts.get("tracking_problems", ())
    ):
        st.caption(words.plain(problem))


def _encoded(facts: Facts, suffix: str) -> bytes:
    return reports.FORMATS[suffix](facts).encode()


def _gist(section: Section) -> str:
    """The start of what a section says, and what else is in it."""
    said = " ".join((*section.sentences, *section.points)) or ", ".join(value for _, value in section.facts)
    short = said if len(said) <= SHOWN else f"{said[:SHOWN].rsplit(' ', 1)[0]} …"
    parts = [f"a table of {len(section.table.rows)} rows"] if section.table else []
    if section.figures:
        parts.append("figures of scores and training curves")
    return f"{short} With {' and '.join(parts)}." if parts else short


def _link(study: str) -> str | None:
    """This page's own address, as the reader's browser has it."""
    parts = urlsplit(st.context.url or "")
    return f"{parts.scheme}://{parts.netloc}/studies?study={study}" if parts.netloc else None
