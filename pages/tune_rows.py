"""Step 1 of Tune, what can be seen of the rows: checks, first rows, the exact prompt of any row, splits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from engine import headings, intervals, models, prompts
from engine.dataset import Dataset, Inspection
from engine.errors import ConfigError
from engine.findings import counted, listed
from engine.models import BaseModel
from engine.prompts import Form
from engine.records import Issue, Role, Row, Severity
from pages import tune_cost, tune_model, words

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


def unread(issues: Sequence[Issue]) -> None:
    """Rows that the model refuses or cannot read to their end."""
    if issues:
        st.warning("  \n".join(words.plain(issue.message) for issue in issues))


def first_rows(found: Inspection) -> None:
    """The first rows as the file has them."""
    st.dataframe(found.preview, hide_index=True, height=220, key="first_rows")


def look(data: Dataset, labels: Sequence[str], scope: str) -> str | None:
    """Rows, the exact prompt and the splits; answers the user's template, None: the default.

    `labels` are those of the file: the user may have replaced some of them (see label_words).
    """
    rows, prompt, splits = st.tabs(["First rows", "Exact prompt", "Splits"], key="look")
    with rows:
        answer = data.roles.get(Role.TARGET, "answer")
        table = [{**_cells(data, row), answer: row.targets[0]} for row in data.rows[:50]]
        inputs = st.column_config.TextColumn(width="medium" if len(table[0]) > 2 else "large")
        widths: dict[str, Any] = {name: inputs for name in table[0] if name != answer}
        st.dataframe(table, hide_index=True, height=220, key="usable_rows", column_config=widths)
    with splits:
        _splits(data)
    with prompt:
        template = _prompt(data, scope)
        if labels:
            _label_editor(labels, scope)
        return template


def _cells(data: Dataset, row: Row) -> dict[str, str]:
    """What a row holds, by the file's own columns."""
    return {
        column or data.roles[role]: text
        for role in row.inputs
        for column, text in headings.parted(row.inputs[role], row.headings).items()
    }


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
    model = tune_model.current()
    default = prompts.template_for(data, model.instructed)
    template = None
    if Role.MESSAGES not in data.roles:
        names = {f"{{{role}}}": f"{{{data.roles[role]}}}" for role in data.rows[0].inputs}
        shown = st.text_area(
            "Template", _replaced(default, names), key=f"template_{model.instructed}_{scope}", height=140,
            persist_state="session", help=_placeholders(data),
        )  # fmt: skip
        template = _checked(shown, data, names)
    number = st.number_input("Row", 1, len(data.rows), key="row_number", help="Counts the usable rows.")
    _show(data, data.rows[number - 1], model, template)
    if template is not None and not prompts.lists_labels(Form(data.task, template, data.labels)):
        _labels_left_out(data, template)
    return None if template == default else template


def _checked(shown: str, data: Dataset, names: Mapping[str, str]) -> str:
    """The template by roles of what the user wrote by columns; ConfigError in the user's words."""
    template = _replaced(shown, {column: role for role, column in names.items()})
    try:
        prompts.check_template(template, data.task)
    except ConfigError as error:
        raise ConfigError(_replaced(str(error), names)) from error
    return template


def _replaced(text: str, names: Mapping[str, str]) -> str:
    """All at once, since a column may have the name of another role."""
    found = re.compile("|".join(map(re.escape, names)))
    return found.sub(lambda match: names[match[0]], text)


def _placeholders(data: Dataset) -> str:
    labels = " {labels} stands for the list of labels." if data.labels else ""
    return f"The words around your text, which takes the place of the braces.{labels}"


def _show(data: Dataset, row: Row, model: BaseModel, template: str | None) -> None:
    """The exact text of a row, what is learned of it marked; as a chat once the model is here."""
    here = models.is_here(model)
    text = tune_cost.reader(data, model, template) if here else None
    form = Form(data.task, template, data.labels)
    read = prompts.render(row, form) if text is None else text.write(row)
    parts, end = [], 0
    for start, stop in read.turns:
        parts += [escape(read.prompt[end:start]), f"<mark>{escape(read.prompt[start:stop])}</mark>"]
        end = stop
    parts += [escape(read.prompt[end:]), f"<mark>{escape(read.completion)}</mark>"]
    st.html(f'<pre class="prompt">{"".join(parts)}</pre>')
    size = "" if text is None else f"{text.shown(row)['tokens']:,} tokens. "
    more = "" if here else f" The chat format of {model.shown} is added once it is on this machine."
    st.caption(words.plain(f"{size}The model reads all of it and learns to write the marked part.{more}"))


def _labels_left_out(data: Dataset, template: str) -> None:
    if f"{{{prompts.LABELS}}}" in template:
        st.caption(f"The list of {len(data.labels)} labels is left out: it would be most of a short prompt.")


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
