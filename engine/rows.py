"""Turns records into rows: texts by role, gold answers; a record that gives none is set aside and counted."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from engine.findings import Code, by_row
from engine.records import Issue, Role, Row, Severity, Task
from engine.roles import columns_of
from engine.sheets import Record, Table, parsed, text_of

SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}


class _SetAside(Exception):
    """Why a record gives no row: a code, and what follows 'Row 7 ' in the sentence."""

    def __init__(self, code: Code, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def rows_of(
    table: Table, task: Task, roles: Mapping[Role, str], needs_target: bool = True
) -> tuple[list[Row], list[Issue]]:
    """The usable rows of a table, and why the others are none."""
    columns = {role: columns_of(expression, table.columns) for role, expression in roles.items()}
    rows: list[Row] = []
    aside: dict[Code, dict[int, str]] = defaultdict(dict)

    def issues_of(code: Code, reasons: Mapping[int, str]) -> list[Issue]:
        return by_row(
            Severity.WARNING, code, list(reasons), lambda n: f"Row {n} {reasons[n]} and is set aside."
        )

    for number, record in zip(table.numbers, table.records, strict=True):
        try:
            rows.append(_row(number, record, task, columns, needs_target))
        except _SetAside as error:
            aside[error.code][number] = error.reason
    return rows, [issue for code, reasons in aside.items() for issue in issues_of(code, reasons)]


def _row(
    number: int, record: Record, task: Task, columns: Mapping[Role, tuple[str, ...]], needs_target: bool
) -> Row:
    if Role.MESSAGES in columns:
        return _conversation_row(number, record.get(columns[Role.MESSAGES][0]), needs_target)
    inputs: dict[Role, str] = {
        role: _input(record, role, names) for role, names in columns.items() if role is not Role.TARGET
    }
    targets: tuple[str, ...] = ()
    if Role.TARGET in columns:
        targets = _targets(record.get(columns[Role.TARGET][0]), task)
    if needs_target and not targets:
        raise _SetAside(Code.MISSING_TARGET, "has no target")
    return Row(number, inputs, targets)


def _input(record: Record, role: Role, columns: Iterable[str]) -> str:
    parts = [text for column in columns if (text := _text(record.get(column))) is not None]
    if not parts:
        raise _SetAside(Code(f"empty_{role}"), f"has no {role}")
    return "\n".join(parts)


def _text(value: Any) -> str | None:
    """Texts in a list (paragraphs, turns) are put on lines of their own."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return text_of("\n".join(value))
    return text_of(value)


def _targets(value: Any, task: Task) -> tuple[str, ...]:
    if task is Task.CLASSIFICATION:
        answers = answers_of(value) if isinstance(value, (list, dict)) else _single(value)
        if len(answers) > 1:
            raise _SetAside(Code.SEVERAL_LABELS, f"has {len(answers)} labels instead of one")
        return answers
    return answers_of(parsed(value)) if task is Task.QA else _single(_joined(value))


def _joined(value: Any) -> Any:
    return _text(value) if isinstance(value, list) else value


def _single(value: Any) -> tuple[str, ...]:
    text = text_of(value)
    return () if text is None else (text,)


def answers_of(value: Any) -> tuple[str, ...]:
    """Gold answers in order, each once: a text, a list, or dicts such as SQuAD's {text, answer_start}."""
    if isinstance(value, Mapping):
        return answers_of(next((value[key] for key in ("text", "answer", "value") if key in value), None))
    if isinstance(value, (list, tuple)):
        return tuple(dict.fromkeys(answer for part in value for answer in answers_of(part)))
    return _single(value)


def _conversation_row(number: int, value: Any, needs_target: bool) -> Row:
    turns = _turns(value)
    answer: tuple[str, ...] = ()
    if turns and turns[-1]["role"] == "assistant":
        answer = (turns.pop()["content"],)
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
        content = _content(turn.get("content", turn.get("value"))) if isinstance(turn, Mapping) else None
        role = SPEAKERS.get(str(speaker).strip().lower())
        if role is None:
            raise _SetAside(Code.UNKNOWN_ROLE, f"has a turn by {speaker!r}, neither user nor assistant")
        if content is None:
            raise _SetAside(Code.EMPTY_MESSAGES, "has an empty turn")
        turns.append({"role": role, "content": content})
    return turns


def _content(value: Any) -> str | None:
    """What a turn says; of a list of parts those that are text."""
    if isinstance(value, list):
        return text_of("\n".join(answers_of([part for part in value if isinstance(part, Mapping)])))
    return text_of(value)
