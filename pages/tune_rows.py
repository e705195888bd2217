"""Step 1 of Tune, what can be seen of the rows: checks, first rows, the exact prompt of any row, splits."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import streamlit as st

from engine import intervals, prompts
from engine.dataset import Dataset, Inspection
from engine.findings import counted, listed
from engine.prompts import Form
from engine.records import Issue, Role, Severity
from pages import words

LOOKS = {
    Severity.ERROR: (":material/error:", "red"),
    Severity.WARNING: (":material/warning:", "orange"),
    Severity.INFO: (":material/info:", "gray"),
}
NOUNS = {Severity.INFO: "note"}


def checks(issues: Sequence[Issue]) -> None:
    """Findings, the worst first; errors are open."""
    if not issues:
        st.caption(":material/check_circle: All checks passed.")
    for severity in Severity:
        found = [issue for issue in issues if issue.severity == severity]
        if found:
            icon, colour = LOOKS[severity]
            codes = listed(dict.fromkeys(issue.code.replace("_", " ") for issue in found))
            label = f":{colour}[{icon} {counted(len(found), NOUNS.get(severity, severity))}]: {codes}"
            with st.expander(label, expanded=severity == Severity.ERROR, key=f"checks_{severity}"):
                rows = [{"row": issue.row, "what": issue.message} for issue in found]
                st.dataframe(rows, hide_index=True, height=min(250, 38 + 35 * len(rows)))


def cut(issue: Issue | None) -> None:
    """Rows that are longer than the model reads."""
    if issue is not None:
        st.warning(words.plain(issue.message))


def first_rows(found: Inspection) -> None:
    """The first rows as the file has them."""
    st.dataframe(found.preview, hide_index=True, height=220, key="first_rows")


def look(data: Dataset, labels: Sequence[str], scope: str) -> str | None:
    """Rows, the exact prompt and the splits; answers the user's template, None: the default.

    `labels` are those of the file: the user may have replaced some of them (see label_words).
    """
    rows, prompt, splits = st.tabs(["First rows", "Exact prompt", "Splits"], key="look")
    with rows:
        table = [{**{str(role): text for role, text in row.inputs.items()}, "answer": row.targets[0]}
                 for row in data.rows[:50]]  # fmt: skip
        inputs = st.column_config.TextColumn(width="medium" if len(table[0]) > 2 else "large")
        widths: dict[str, Any] = {name: inputs for name in table[0] if name != "answer"}
        st.dataframe(table, hide_index=True, height=220, key="usable_rows", column_config=widths)
    with splits:
        _splits(data)
    with prompt:
        template = _prompt(data, scope)
        if labels:
            _label_editor(labels, scope)
        return template


def label_words(labels: Sequence[str], scope: str) -> dict[str, str]:
    """The words that the user wants the model to write instead of the file's labels."""
    edits = st.session_state.get(f"labels_{scope}", {}).get("edited_rows", {})
    found = {labels[row]: str(edit["word"]).strip() for row, edit in edits.items() if edit.get("word")}
    return {label: word for label, word in found.items() if word and word != label}


def _label_editor(labels: Sequence[str], scope: str) -> None:
    with st.expander("Label words", key="label_words"):
        st.caption("What the model learns to write for each label; words that say what they mean help it.")
        rows = [{"label": label, "word": label} for label in labels]
        st.data_editor(rows, key=f"labels_{scope}", hide_index=True, disabled=["label"], height="content")


def _prompt(data: Dataset, scope: str) -> str | None:
    default = prompts.default_template(data.task)
    template = None
    if Role.MESSAGES not in data.roles:
        template = st.text_area(
            "Template", default, key=f"template_{scope}", height=100, persist_state="session",
            help="The words around your text. The embedded models were pre-trained with the one shown first.",
        )  # fmt: skip
    number = st.number_input("Row", 1, len(data.rows), key="row_number", help="Counts the usable rows.")
    if template is not None:
        prompts.check_template(template, data.task)
    text = prompts.render(data.rows[number - 1], Form(data.task, template, data.labels))
    st.html(f'<pre class="prompt">{escape(text.prompt)}<mark>{escape(text.completion)}</mark></pre>')
    st.caption("The model reads all of it and learns to write the marked part: the loss covers only that.")
    return None if template == default else template


def _splits(data: Dataset) -> None:
    meanings = {"train": "to learn from", "dev": "selects the winner", "test": "reports its score"}
    for place, (name, meaning) in zip(st.columns(3), meanings.items(), strict=True):
        place.metric(name.capitalize(), f"{len(data.splits[name]):,} rows", help=meaning)
        place.caption(meaning)
    least = 100 * intervals.smallest_difference(len(data.splits["test"]))
    st.text(
        f"{len(data.splits['test']):,} test rows show a difference between two models of about {least:.0f} "
        "points or more; a smaller one looks like a tie."
    )
    for note in data.notes:
        st.caption(words.plain(note))
