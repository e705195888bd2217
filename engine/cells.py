"""From rows of cells (CSV, a workbook's sheet, JSON lists) to records: the header, and lists in cells."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import DatasetError
from engine.findings import Code, by_row, counted, listed
from engine.records import Issue, Severity
from engine.sheets import Layout, Record, Table, check_width, is_conversation, note, parsed, text_of

NAMES = frozenset(
    re.findall(
        r"\w+",
        """text sentence review message comment tweet utterance ticket email post content body query input
        title document article dialogue dialog source transcript report passage notes story summary highlights
        tldr label labels class category sentiment intent topic emotion tag rating stars score target output
        context paragraph question answer answers prompt instruction completion response messages
        conversations id idx index""",
    )
)
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?")
YEAR = re.compile(r"(19|20)\d\d")

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells, and where in the file each row is: `place` is 'line' or 'row', `lines` its numbers."""

    rows: Sequence[Row]
    lines: Sequence[int]
    place: str


def is_known_header(row: Row) -> bool:
    """Whether cells are names that columns usually have."""
    names = [_folded(cell) for cell in row]
    return len(set(names)) == len(names) and sum(name in NAMES for name in names) * 2 >= len(names)


def table_of_cells(name: str, grid: Grid, path: Path, layout: Layout, fix: str) -> Table:
    """The records under their header. `fix`: what to do where most rows do not fit the header."""
    rows = _with_row_names(_trimmed(grid.rows))
    header = layout.header if layout.header is not None else not _is_data(rows)
    names, issues = _names(rows[0], header)
    check_width(len(names), path)
    body = list(zip(rows, grid.lines, strict=True))[1 if header else 0 :]
    if header:
        body, repeats = _without_repeats(rows[0], body, grid.place, path)
        issues += repeats
    _check_fit(body, names, grid.place, path, fix)
    wrong = {n: line for n, (row, line) in enumerate(body, 1) if len(row) != len(names)}
    issues += by_row(
        Severity.WARNING,
        Code.WRONG_FIELD_COUNT,
        list(wrong),
        lambda n: (
            f"Row {n} ({grid.place} {wrong[n]}) has {counted(len(body[n - 1][0]), 'field')} instead of "
            f"{len(names)} and is set aside."
        ),
    )
    numbers = [n for n in range(1, len(body) + 1) if n not in wrong]
    records: list[Record] = [dict(zip(names, body[n - 1][0], strict=True)) for n in numbers]
    records, listed_issues = _with_lists(names, records, layout.lists)
    found = (*issues, *listed_issues)
    used = replace(layout, header=header)
    return Table(name, None, tuple(names), tuple(numbers), tuple(records), len(body), found, used)


def _trimmed(rows: Sequence[Row]) -> list[Row]:
    """Rows without empty cells at the end beyond the width of the first."""
    width = len(rows[0])
    return [
        row[:width] if len(row) > width and not any(_text(cell) for cell in row[width:]) else row
        for row in rows
    ]


def _with_row_names(rows: list[Row]) -> list[Row]:
    """Under a header that is one shorter than every row, as R writes it, the first column has no name."""
    width = len(rows[0])
    if len(rows) > 2 and all(len(row) == width + 1 for row in rows[1:]):
        return [["", *rows[0]], *rows[1:]]
    return rows


def _names(first: Row, header: bool) -> tuple[list[str], list[Issue]]:
    """The columns' names, each its own."""
    if not header:
        names = [f"column_{i}" for i in range(1, len(first) + 1)]
        return names, [note(Code.NO_HEADER, f"No header was found; the columns are called {listed(names)}.")]
    cells = [_text(cell) for cell in first]
    names = []
    for i, cell in enumerate(cells, 1):
        name = cell or f"unnamed_{i}"
        names.append(name if name not in names else f"{name}_{i}")
    changed = [name for name, cell in zip(names, cells, strict=True) if name != cell]
    if not changed:
        return names, []
    text = f"Columns without a name of their own are called {listed(changed)}."
    return names, [note(Code.RENAMED_COLUMNS, text)]


def _without_repeats(
    first: Row, body: list[tuple[Row, int]], place: str, path: Path
) -> tuple[list[tuple[Row, int]], list[Issue]]:
    """The rows without those that repeat the header, as files joined by hand have them."""
    header = [_folded(cell) for cell in first]
    folded = [[_folded(cell) for cell in row] for row, _ in body]
    ordered, known = sorted(header), is_known_header(first)
    for names, (_, line) in zip(folded, body, strict=True):
        if known and names != header and sorted(names) == ordered:
            raise DatasetError(
                f"{path.name}: {place} {line} is the header in another order, so files with columns in "
                "different order were joined. Join them by the names of their columns."
            )
    repeats = [line for names, (_, line) in zip(folded, body, strict=True) if names == header]
    if not repeats:
        return body, []
    kept = [pair for names, pair in zip(folded, body, strict=True) if names != header]
    where = f"{place}{'s' if len(repeats) > 1 else ''} {listed(repeats)}"
    text = f"The header comes again ({where}): {counted(len(repeats), 'repeat')} left out, no row of data."
    return kept, [Issue(Severity.INFO, Code.REPEATED_HEADER, None, text)]


def _check_fit(
    body: Sequence[tuple[Row, int]], names: Sequence[str], place: str, path: Path, fix: str
) -> None:
    wrong = [(row, line) for row, line in body if len(row) != len(names)]
    if wrong and len(wrong) > len(body) / 2:
        row, line = wrong[0]
        raise DatasetError(
            f"{path.name}: {place} {line} has {counted(len(row), 'field')}, the header {len(names)}. {fix}"
        )


def _is_data(rows: Sequence[Row]) -> bool:
    """Whether the first row is one like the others: a cell repeats in its column, or is a number in one of
    numbers. Copies of the first row do not count: a header may come again."""
    first = [_text(cell) for cell in rows[0]]
    folded = [_folded(cell) for cell in first]
    if all(name in NAMES for name in folded):
        return False
    rest = [row for row in rows[1:] if len(row) == len(first) and [_folded(c) for c in row] != folded]
    columns = [[_text(cell) for cell in column] for column in zip(*rest, strict=True)]
    return any(
        _repeats(cell, column) or _counts(cell, column) for cell, column in zip(first, columns, strict=False)
    )


def _repeats(cell: str, column: Sequence[str]) -> bool:
    return bool(cell) and cell in column and len(set(column)) <= len(column) / 2


def _counts(cell: str, column: Sequence[str]) -> bool:
    numbers = sum(bool(NUMBER.fullmatch(value)) for value in column)
    is_number = NUMBER.fullmatch(cell) and not YEAR.fullmatch(cell)
    return bool(is_number) and len(column) >= 4 and numbers > 0.9 * len(column)


def _with_lists(
    names: Sequence[str], records: list[Record], wish: bool | None
) -> tuple[list[Record], list[Issue]]:
    """Records whose cells are lists where a whole column is written so."""
    found: dict[str, list[Any]] = {}
    issues = []
    for name in names:
        values = [record[name] for record in records]
        read = _read_column(values, is_conversation)
        if read is None and wish is not False:
            read = _read_column(values, _is_list_of_texts if wish is None else _is_list)
            if read is not None:
                text = (
                    f"Column {name!r} is written as lists: their items are read one by one, as accepted "
                    "answers, paragraphs or labels. If a list is one text, say that lists are texts."
                )
                issues.append(note(Code.LISTS_IN_CELLS, text))
        if read is not None:
            found[name] = read
    if not found:
        return records, []
    return [
        {**record, **{name: found[name][i] for name in found}} for i, record in enumerate(records)
    ], issues


def _read_column(values: Sequence[Any], fits: Callable[[Any], bool]) -> list[Any] | None:
    """The column's lists; None unless every filled cell is one that fits."""
    read: list[Any] = []
    for value in values:
        if not isinstance(value, str) or not value.strip():
            read.append(value)
            continue
        item = parsed(value)
        if isinstance(item, str) or not fits(item):
            return None
        read.append(item)
    return read if any(isinstance(item, (list, dict)) for item in read) else None


def _is_list_of_texts(value: Any) -> bool:
    """A list of texts, or SQuAD's {text, answer_start}."""
    if isinstance(value, dict):
        return {"text", "answer_start"} <= set(value)
    return all(isinstance(part, str) or (isinstance(part, dict) and "text" in part) for part in value)


def _is_list(value: Any) -> bool:
    return True


def _text(cell: Any) -> str:
    return text_of(cell, frozenset()) or ""


def _folded(cell: Any) -> str:
    """A cell as names are compared: without case, outer spaces and a byte order mark from joined files."""
    return re.sub(r"\W+", "_", _text(cell).lstrip("\ufeff").strip().casefold()).strip("_")
