"""Reads CSV and its relatives, whatever delimiter and quoting they use."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine import sheets
from engine.errors import DatasetError
from engine.findings import Code, by_row, counted, listed
from engine.records import Issue, Severity
from engine.sheets import MAX_BYTES, Table, check_width, note, too_many_rows

DELIMITERS = ",;\t|"
NO_DELIMITER = "\x1f"


def read_csv(text: str, path: Path) -> Table:
    if stated := re.match(r"sep=([,;|\t])\r?\n", text):
        text = text[stated.end() :]
    delimiter = stated[1] if stated else _delimiter(text)
    rows, issues = _csv_rows(text, delimiter, path)
    if not rows:
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    columns, rows, header_issues = _header(rows)
    check_width(len(columns), path)
    width = len(columns)
    wrong = [number for number, row in enumerate(rows, 1) if len(row) != width]
    if wrong and len(wrong) > len(rows) / 2:
        raise DatasetError(
            f"{path.name}: row {wrong[0]} has {counted(len(rows[wrong[0] - 1]), 'field')}, the header "
            f"{width}. Put quotation marks around texts that contain {delimiter!r}."
        )
    issues += by_row(
        Severity.WARNING,
        Code.WRONG_FIELD_COUNT,
        wrong,
        lambda n: f"Row {n} has {counted(len(rows[n - 1]), 'field')} instead of {width} and is set aside.",
    )
    numbers = [number for number, row in enumerate(rows, 1) if len(row) == width]
    records = [dict(zip(columns, rows[n - 1], strict=True)) for n in numbers]
    name = "tsv" if delimiter == "\t" else "csv"
    found = (*issues, *header_issues)
    return Table(name, None, tuple(columns), tuple(numbers), tuple(records), len(rows), found)


def _delimiter(text: str) -> str:
    """The one that splits the header, and most consistently the first rows like it."""
    sample = text[:100_000]

    def consistency(delimiter: str) -> tuple[float, int]:
        rows = list(itertools.islice(_plain_rows(sample, delimiter), 200))[
            : -1 if len(text) > 100_000 else None
        ]
        width = len(rows[0]) if rows else 0
        return (sum(len(row) == width for row in rows) / len(rows), width) if width > 1 else (0.0, 0)

    best = max(DELIMITERS, key=consistency)
    return best if consistency(best)[1] > 1 else NO_DELIMITER


def _plain_rows(text: str, delimiter: str, strict: bool = False) -> Iterator[list[str]]:
    csv.field_size_limit(MAX_BYTES)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=strict)
    return (row for row in reader if any(cell.strip() for cell in row))


def _csv_rows(text: str, delimiter: str, path: Path) -> tuple[list[list[str]], list[Issue]]:
    """All rows; quotation marks that are not as the format wants them are read leniently, and said so."""
    try:
        rows = list(itertools.islice(_plain_rows(text, delimiter, strict=True), sheets.MAX_ROWS + 2))
        issues: list[Issue] = []
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DatasetError(
                f"{path.name}: a quotation mark is opened and never closed. Close it, or double it in a text."
            ) from error
        rows = list(itertools.islice(_plain_rows(text, delimiter), sheets.MAX_ROWS + 2))
        message = "Some quotation marks inside quoted texts are not doubled; check the first rows."
        issues = [Issue(Severity.WARNING, Code.LOOSE_QUOTES, None, message)]
    if len(rows) > sheets.MAX_ROWS + 1:
        raise too_many_rows(path)
    return rows, issues


def _header(rows: list[list[str]]) -> tuple[list[str], list[list[str]], list[Issue]]:
    """Column names and the data rows; a first row that repeats its own columns' values is data."""
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if _is_data(first, rest):
        names = [f"column_{i}" for i in range(1, len(first) + 1)]
        return (
            names,
            rows,
            [note(Code.NO_HEADER, f"No header was found; the columns are called {listed(names)}.")],
        )
    names = []
    for i, cell in enumerate(first, 1):
        name = cell or f"unnamed_{i}"
        names.append(name if name not in names else f"{name}_{i}")
    if names == first:
        return names, rest, []
    changed = listed(n for n, cell in zip(names, first, strict=True) if n != cell)
    return (
        names,
        rest,
        [note(Code.RENAMED_COLUMNS, f"Columns without a name of their own are called {changed}.")],
    )


def _is_data(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    columns = list(zip(*(row for row in rest if len(row) == len(first)), strict=True))
    return any(
        cell in values and len(set(values)) <= len(values) / 2
        for cell, values in zip(first, columns, strict=False)
        if cell
    )
