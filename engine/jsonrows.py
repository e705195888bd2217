"""Reads JSON arrays, JSON Lines, SQuAD files and columns in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine import sheets
from engine.errors import DatasetError
from engine.findings import Code, by_row, counted
from engine.records import Issue, Severity
from engine.sheets import Record, Table, note, table_of, too_many_rows

MAX_NODES = 5_000_000
ROW_KEYS = ("data", "rows", "train", "examples", "items", "records", "samples", "instances")


def read_json(text: str, path: Path) -> Table | None:
    """A JSON array, JSON Lines, or one JSON object that holds the rows; None when it is no JSON at all."""
    if text.count("{") + text.count("[") > MAX_NODES:
        raise DatasetError(f"{path.name} holds too many nested values. Use one flat object per row.")
    first, _, rest = text.strip().partition("\n")
    if first.startswith("{") and rest and _is_json(first, path):
        return _read_json_lines(text, path)
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:
        if re.match(r"\s*(\[\s*[\[{\"\]]|\{\s*\")", text):
            where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
            raise DatasetError(f"{path.name} is broken JSON at {where}. Correct it there.") from error
        return None
    rows, issues = _rows_in(document)
    name = "json" if rest or first.startswith("[") or issues else "jsonl"
    return table_of(name, enumerate(rows, 1), path, issues)


def _is_json(line: str, path: Path) -> bool:
    try:
        json.loads(line)
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError:
        return False
    return True


def _too_deep(path: Path) -> DatasetError:
    return DatasetError(f"{path.name} is nested too deeply. Use one flat object per row.")


def _rows_in(document: Any) -> tuple[list[Any], list[Issue]]:
    """The rows of a JSON document: the list itself, one under a known key, SQuAD's, columns, or one row."""
    if isinstance(document, list):
        return document, []
    for name in (name for name in ROW_KEYS if document.get(name)):
        rows = document[name]
        if isinstance(rows, list) and isinstance(rows[0], dict):
            if "paragraphs" in rows[0]:
                return list(_squad_rows(rows)), [
                    note(Code.SQUAD_FORMAT, "Read as SQuAD: a row per question.")
                ]
            return rows, [
                note(Code.ROWS_UNDER_KEY, f"The rows are those under {name!r}; the rest is not used.")
            ]
    columns = list(document.values())
    if columns and all(_is_column(c) and len(c) == len(columns[0]) for c in columns):
        return [dict(zip(document, values, strict=True)) for values in zip(*columns, strict=True)], []
    return [document], []


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(cell, dict) for cell in value)


def _squad_rows(articles: Any) -> Iterator[Record]:
    for article in _objects(articles):
        for paragraph in _objects(article.get("paragraphs")):
            for question in _objects(paragraph.get("qas")):
                yield {
                    "context": paragraph.get("context"),
                    "question": question.get("question"),
                    "answers": question.get("answers"),
                }


def _objects(value: Any) -> list[Record]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []


def _read_json_lines(text: str, path: Path) -> Table:
    numbered: list[tuple[int, Any]] = []
    broken: list[int] = []
    for number, line in enumerate((line for line in text.split("\n") if line.strip()), 1):
        if number > sheets.MAX_ROWS:
            raise too_many_rows(path)
        try:
            numbered.append((number, json.loads(line)))
        except RecursionError as error:
            raise _too_deep(path) from error
        except ValueError:
            broken.append(number)
    if len(broken) > len(numbered):
        raise DatasetError(
            f"{path.name}: {counted(len(broken), 'line')} of {len(broken) + len(numbered):,} are not JSON, "
            f"the first is line {broken[0]}. Correct the file."
        )
    issues = by_row(
        Severity.WARNING,
        Code.BAD_LINE,
        broken,
        lambda n: f"Row {n} is not JSON and is set aside. Correct it.",
    )
    return table_of("jsonl", numbered, path, issues, unread=len(broken))
