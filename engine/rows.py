"""Turns records into rows: texts by role, gold answers; a record that gives none is set aside and counted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any

from engine import label_columns, labelsets, options
from engine.findings import Code, by_row, counted
from engine.headings import columns_of, joined
from engine.labels import words_for_nothing
from engine.records import Issue, Role, Row, Severity, Task
from engine.sheets import MISSING_WORDS, Layout, Record, Table, parsed, text_of

SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool_calls": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
    "observations": "tool",
    "tool_response": "tool",
    "tool_result": "tool",
    "ipython": "tool",
}
ANSWER_KEYS = ("text", "answer", "value", "choices")
UNANSWERABLE = (
    "has an empty list of answers (as questions without an answer in SQuAD 2; a text such as 'no answer' "
    "can be learned for them)"
)


class _SetAside(Exception):
    """Why a record gives no row: a code, and what follows 'Row 7 ' in the sentence."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def rows_of(
    table: Table, task: Task, roles: Mapping[Role, str], needs_target: bool = True
) -> tuple[list[Row], list[Issue]]:
    """The usable rows of a table, and why the others are none.

    The table's layout says which words mean "no label", and what a question without answers is answered.
    """
    missing, issues = words_for_nothing(table, task, roles)
    columns = {role: columns_of(expression, table.columns) for role, expression in roles.items()}
    target = columns.get(Role.TARGET, ())
    several = task is Task.MULTILABEL and len(target) == 1
    sign = label_columns.sign_of(table.values(target[0])) if several else None
    rows: list[Row] = []
    aside: dict[Code, dict[int, str]] = defaultdict(dict)

    def issues_of(code: Code, reasons: Mapping[int, str]) -> list[Issue]:
        return by_row(
            Severity.WARNING, code, list(reasons), lambda n: f"Row {n} {reasons[n]} and is set aside."
        )

    for number, record in zip(table.numbers, table.records, strict=True):
        try:
            rows.append(_row(number, record, task, columns, needs_target, missing, table.layout, sign))
        except _SetAside as error:
            aside[error.code][number] = error.reason
    unusable = (issue for code, reasons in aside.items() for issue in issues_of(code, reasons))
    return rows, [*issues, *unusable, *_empty_parts(table, columns)]


def _empty_parts(table: Table, columns: Mapping[Role, tuple[str, ...]]) -> list[Issue]:
    """Columns of a joined text that some rows lack: these rows go without."""
    issues = []
    for column in (name for names in columns.values() if len(names) > 1 for name in names):
        empty = sum(text_of(value) is None for value in table.values(column))
        if empty:
            rows = counted(len(table.records), "row")
            text = f"Column {column!r} is empty in {empty:,} of {rows}: their input goes without it."
            issues.append(Issue(Severity.INFO, Code.EMPTY_PART, None, text))
    return issues


def _row(
    number: int,
    record: Record,
    task: Task,
    columns: Mapping[Role, tuple[str, ...]],
    needs_target: bool,
    missing: Set[str],
    layout: Layout,
    sign: str | None,
) -> Row:
    if Role.MESSAGES in columns:
        return _conversation_row(number, record.get(columns[Role.MESSAGES][0]), needs_target)
    inputs: dict[Role, str] = {
        role: _input(record, role, names, layout.options)
        for role, names in columns.items()
        if role is not Role.TARGET
    }
    value = _answered(record, columns.get(Role.TARGET, ()))
    targets = _targets(value, task, missing, sign)
    if not targets and task is Task.QA and _is_unanswerable(value):
        targets = (layout.no_answer,) if layout.no_answer else ()
        if needs_target and not targets:
            raise _SetAside(Code.UNANSWERABLE, UNANSWERABLE)
    if needs_target and not targets:
        raise _SetAside(Code.MISSING_TARGET, _no_target(value))
    return Row(number, inputs, targets, headings=_headings(columns))


def _headings(columns: Mapping[Role, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(name for names in columns.values() if len(names) > 1 for name in names)


def _is_unanswerable(value: Any) -> bool:
    """A list of answers without any: [] or SQuAD's {text: [], answer_start: []}."""
    return value == [] or (isinstance(value, Mapping) and value.get("text") == [])


def _no_target(value: Any) -> str:
    word = value.strip() if isinstance(value, str) else ""
    return f"has no target ({word!r} is read as missing)" if word else "has no target"


def _input(record: Record, role: Role, columns: Sequence[str], first_mark: str | None) -> str:
    """The text of a role; of several columns each under its name, those that are empty left out."""
    texts = ((column, _text(record.get(column), column, first_mark)) for column in columns)
    parts = [(column, text) for column, text in texts if text is not None]
    if not parts:
        raise _SetAside(Code(f"empty_{role}"), f"has no {role}")
    return joined(parts) if len(columns) > 1 else parts[0][1]


def _text(value: Any, column: str, first_mark: str | None) -> str | None:
    """Texts in a list (paragraphs, turns) are put on lines of their own; options are marked."""
    if options.is_list(column) and (lines := options.marked(value, first_mark)) is not None:
        return lines
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return text_of("\n".join(value))
    return text_of(value)


def _answered(record: Record, columns: Sequence[str]) -> Any:
    """The answer's value; of several columns of ones and noughts the names of those that say yes."""
    if len(columns) > 1:
        return label_columns.marked(record, columns)
    return record.get(columns[0]) if columns else None


def _label_set(value: Any, missing: Set[str], sign: str | None) -> tuple[str, ...]:
    """All labels of a row; a list without any is an answer too."""
    found = label_columns.parsed_list(value)
    if isinstance(found, list):
        labels = tuple(text for item in found if (text := text_of(item, missing)) is not None)
        return labels or (labelsets.NONE,)
    return () if text_of(value, missing) is None else label_columns.parts_of(value, sign)


def _targets(value: Any, task: Task, missing: Set[str], sign: str | None) -> tuple[str, ...]:
    if task is Task.MULTILABEL:
        return _label_set(value, missing, sign)
    if task is Task.CLASSIFICATION:
        answers = answers_of(value) if isinstance(value, (list, dict)) else _single(value, missing)
        if len(answers) > 1:
            raise _SetAside(Code.SEVERAL_LABELS, f"has {len(answers)} labels instead of one")
        return answers
    if task is Task.QA:
        return answers_of(value)
    text = text_of(_joined(value), keep_indent=True)
    return () if text is None else (text,)


def _joined(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "\n".join(value)
    return value


def _single(value: Any, missing: Set[str] = MISSING_WORDS) -> tuple[str, ...]:
    text = text_of(value, missing)
    return () if text is None else (text,)


def answers_of(value: Any) -> tuple[str, ...]:
    """Gold answers in order, each once: a text, a list, dicts such as SQuAD's {text, answer_start}; another
    object is one answer, as JSON."""
    if isinstance(value, Mapping):
        key = next((key for key in ANSWER_KEYS if key in value), None)
        return _single(value) if key is None and value else answers_of(value.get(key))
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(answer for part in value for answer in answers_of(part)))
    return _single(value)


def _conversation_row(number: int, value: Any, needs_target: bool) -> Row:
    turns = _turns(value)
    answer: tuple[str, ...] = ()
    if turns and turns[-1]["role"] == "assistant":
        answer = (text_of(_said(_last(value)), keep_indent=True) or turns[-1]["content"],)
        turns.pop()
    elif needs_target:
        raise _SetAside(Code.MISSING_TARGET, "does not end with a turn of the assistant")
    if not any(turn["role"] == "user" for turn in turns):
        raise _SetAside(Code.EMPTY_MESSAGES, "has no turn of the user before the answer")
    return Row(number, {Role.MESSAGES: json.dumps(turns, ensure_ascii=False)}, answer)


def _turns(value: Any) -> list[dict[str, str]]:
    """Turns as {role, content}, whether written so or as ShareGPT's {from, value}."""
    found = parsed(value)
    if not isinstance(found, list) or not found:
        raise _SetAside(Code.EMPTY_MESSAGES, "has no conversation")
    turns = []
    for turn in found:
        speaker = turn.get("role", turn.get("from")) if isinstance(turn, Mapping) else None
        content = text_of(_said(turn)) if isinstance(turn, Mapping) else None
        role = SPEAKERS.get(str(speaker).strip().lower())
        if role is None:
            raise _SetAside(Code.UNKNOWN_ROLE, f"has a turn by {speaker!r}, neither user nor assistant")
        if content is None and role == "tool":
            content = ""
        if content is None:
            raise _SetAside(Code.EMPTY_MESSAGES, "has an empty turn")
        turns.append({"role": role, "content": content})
    return turns


def _last(value: Any) -> Mapping[str, Any]:
    turn: Mapping[str, Any] = parsed(value)[-1]
    return turn


def _said(turn: Mapping[str, Any]) -> Any:
    """What a turn says: its text, those of its parts that are text, and the tools that it calls, as JSON."""
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        content = "\n".join(part for part in parts if isinstance(part, str))
    calls = turn.get("tool_calls") or turn.get("function_call")
    if not calls:
        return content
    called = calls if isinstance(calls, list) else [calls]
    functions = [call.get("function", call) if isinstance(call, Mapping) else call for call in called]
    return "\n".join(
        [*([str(content)] if content else []), *(json.dumps(f, ensure_ascii=False) for f in functions)]
    )
