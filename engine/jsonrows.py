"""Reads JSON documents and JSON Lines into records; what a document's layout is, jsonlayouts says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import sheets
from engine.annotations import read_export
from engine.cells import Grid, table_of_cells
from engine.errors import DatasetError
from engine.findings import Code, by_row, counted
from engine.jsonlayouts import Found, rows_in
from engine.records import Issue, Severity
from engine.sheets import Layout, Table, note, place_of, table_of, too_many_rows

MAX_NODES = 5_000_000
BETWEEN = re.compile(r"[\s,]*")


def read_json(text: str, path: Path, layout: Layout) -> Table | None:
    """A JSON array, JSON Lines, or one JSON object that holds the rows; None when it is no JSON at all."""
    if text.count("{") + text.count("[") > MAX_NODES:
        raise DatasetError(f"{path.name} holds too many nested values. Use one flat object per row.")
    first, _, rest = text.strip().partition("\n")
    if rest and first.startswith("{") and _is_json(first, path):
        return _read_json_lines(text, path, layout)
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise _too_deep(path) from error
    except ValueError as error:
        return _read_broken(text, path, layout, error)
    if not isinstance(document, (list, dict)):
        return None
    if isinstance(document, list) and (export := read_export(document, path)):
        return table_of("json", enumerate(export.rows, 1), path, export.issues)
    found = rows_in(document)
    if found.cells:
        return _of_cells(found, path, layout)
    name = "json" if rest or first.startswith("[") or found.issues else "jsonl"
    table = table_of(name, enumerate(found.rows, 1), path, found.issues)
    return replace(table, columns=found.columns) if found.columns and not table.columns else table


def _read_broken(text: str, path: Path, layout: Layout, error: ValueError) -> Table | None:
    """Lines of which the first is broken, or a refusal; None: a text that begins with a bracket."""
    lines = [line for line in text.split("\n") if line.strip()]
    objects = sum(line.lstrip()[0] in "{[" and _is_json(line, path) for line in lines[:1000])
    if len(lines) > 1 and objects * 2 >= len(lines[:1000]):
        return _read_json_lines(text, path, layout)
    if (rows := _one_after_another(text)) is not None:
        said = note(Code.JSON_LAYOUT, f"Read as JSON objects one after another: {counted(len(rows), 'row')}.")
        return table_of("json", enumerate(rows, 1), path, (said,))
    brackets = sum(line.lstrip()[0] in '{}[]"' for line in lines[:1000])
    is_json = re.match(r"\s*(\[\s*[\[{\"\]]|\{\s*\")", text) and brackets * 2 > len(lines[:1000])
    if not is_json:
        return None
    where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "a number"
    raise DatasetError(f"{path.name} is broken JSON at {where}. Correct it there.") from error


def _one_after_another(text: str) -> list[Any] | None:
    """Objects with nothing or a comma between them, over any number of lines; None where anything else is."""
    decoder, place = json.JSONDecoder(), 0
    rows: list[Any] = []
    while (found := BETWEEN.match(text, place)) and (place := found.end()) < len(text):
        if text[place] != "{" or len(rows) > sheets.MAX_ROWS:
            return None
        try:
            row, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return None
        rows.append(row)
    return rows if len(rows) > 1 else None


def _of_cells(found: Found, path: Path, layout: Layout) -> Table:
    grid = Grid(found.rows, range(1, len(found.rows) + 1), "row")
    return table_of_cells("json", grid, path, layout, "Give every row as many values.")


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


def _read_json_lines(text: str, path: Path, layout: Layout) -> Table:
    numbered: list[tuple[int, Any]] = []
    broken: list[int] = []
    lines = [n for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    where = dict(enumerate(lines, 1))
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
            f"the first is line {where[broken[0]]}. Correct the file."
        )
    issues = by_row(
        Severity.WARNING,
        Code.BAD_LINE,
        broken,
        lambda n: f"{place_of(n, where)} is not JSON and is set aside. Correct it.",
    )
    return _of_lines(numbered, path, layout, issues, len(broken), where)


def _of_lines(
    numbered: Sequence[tuple[int, Any]],
    path: Path,
    layout: Layout,
    issues: Sequence[Issue],
    broken: int,
    where: dict[int, int],
) -> Table:
    """The records of the lines, unpacked where a tool wrapped them."""
    rows = [row for _, row in numbered]
    export = read_export(rows, path)
    found = Found(export.rows, export.issues) if export else rows_in(rows)
    if found.cells:
        grid = Grid(found.rows, [where[number] for number, _ in numbered], "line")
        table = table_of_cells("jsonl", grid, path, layout, "Give every line as many values.")
        return replace(table, issues=(*issues, *table.issues), total=table.total + broken)
    unpacked = [(number, row) for (number, _), row in zip(numbered, found.rows, strict=True)]
    said = (*issues, *found.issues)
    return table_of("jsonl", unpacked, path, said, unread=broken, lines=where)
