"""Reads a sheet of an Excel workbook, looking at the unpacked size before anything is unpacked."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

from engine import sheets
from engine.cells import Grid, table_of_cells
from engine.errors import DatasetError
from engine.findings import Code, counted, listed
from engine.records import Issue, Severity
from engine.sheets import Layout, Table, check_width, note, too_many_rows

MAX_UNPACKED = 400_000_000
FIX = "Fill the header's row."
OTHER = {
    "xl/workbook.bin": "an Excel workbook in binary form. Save it as .xlsx",
    "word/document.xml": "a Word document. Bring the rows into a sheet or a CSV file",
    "content.xml": "an OpenDocument file. Save the sheet as .xlsx or CSV",
}


def read_workbook(path: Path, layout: Layout) -> Table:
    """The rows of the chosen sheet, else of the first one that is visible and has rows.

    Raises DatasetError when the file is no workbook, unpacks to too much, or lacks the chosen sheet.
    """
    _check_archive(path)
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = load_workbook(path, read_only=True, data_only=True)
            try:
                return _read_book(book, path, layout)
            finally:
                book.close()
    except (InvalidFileException, KeyError, ValueError, TypeError, OSError, SyntaxError) as error:
        raise DatasetError(f"{path.name} is a damaged Excel workbook. Save it again.") from error


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {info.filename for info in archive.infolist()}
            size = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise DatasetError(
            f"{path.name} is a damaged zip archive or Excel workbook. Save it again."
        ) from error
    if "xl/workbook.xml" not in names:
        kind = next((OTHER[name] for name in OTHER if name in names), "a zip archive. Unpack it first")
        raise DatasetError(f"{path.name} is {kind}, then choose that file.")
    if size > MAX_UNPACKED:
        raise DatasetError(f"{path.name} unpacks to {size / 1e6:,.0f} MB. Take fewer rows.")


def _read_book(book: Any, path: Path, layout: Layout) -> Table:
    names = tuple(sheet.title for sheet in book.worksheets)
    if layout.sheet is not None and layout.sheet not in names:
        raise DatasetError(f"{path.name} has no sheet {layout.sheet!r}; its sheets are {listed(names)}.")
    visible = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    wanted = [book[layout.sheet]] if layout.sheet else visible or book.worksheets
    for sheet in wanted:
        numbered = _rows(sheet, path)
        if numbered or sheet is wanted[-1]:
            return _table(numbered, sheet, names, path, layout)
    raise DatasetError(f"{path.name} has no sheet with rows. Add labelled rows.")


def _rows(sheet: Any, path: Path) -> list[tuple[int, list[Any]]]:
    """The rows that hold something, by their numbers in the sheet, without columns that never do."""
    found: list[tuple[int, list[Any]]] = []
    sheet.reset_dimensions()
    for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
        row = [_value(cell) for cell in cells]
        while row and row[-1] is None:
            row.pop()
        if row:
            check_width(len(row), path)
            found.append((number, row))
        if len(found) > sheets.MAX_ROWS + 1:
            raise too_many_rows(path)
    width = max((len(row) for _, row in found), default=0)
    filled = [i for i in range(width) if any(len(row) > i and row[i] is not None for _, row in found)]
    return [(number, [row[i] if i < len(row) else None for i in filled]) for number, row in found]


def _value(cell: Any) -> Any:
    """A cell's value; a date as text, an empty text and Excel's error for "not available" as nothing."""
    if isinstance(cell, datetime):
        return (cell.date() if cell.time() == time() else cell).isoformat()
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    return None if isinstance(cell, str) and not cell.strip() else cell


def _table(
    numbered: Iterable[tuple[int, list[Any]]], sheet: Any, names: tuple[str, ...], path: Path, layout: Layout
) -> Table:
    numbered = list(numbered)
    if not numbered:
        raise DatasetError(f"{path.name}: the sheet {sheet.title!r} is empty. Choose one with labelled rows.")
    grid = Grid([row for _, row in numbered], [number for number, _ in numbered], "row")
    used = replace(layout, sheet=sheet.title)
    table = table_of_cells("xlsx", grid, path, used, FIX)
    return replace(table, sheets=names, issues=(*_said(sheet.title, names, path, numbered), *table.issues))


def _said(
    title: str, names: tuple[str, ...], path: Path, numbered: list[tuple[int, list[Any]]]
) -> list[Issue]:
    issues = []
    if len(names) > 1:
        others = listed(repr(name) for name in names if name != title)
        text = f"The sheet {title!r} is read; {others} {'are' if len(names) > 2 else 'is'} not used."
        issues.append(note(Code.SHEETS, text))
    if formulas := _empty_formulas(path, title, len(numbered)):
        text = (
            f"{counted(formulas, 'cell')} of the sheet {title!r} hold formulas without a computed value and "
            "are read as empty. Open the workbook in a spreadsheet, save it, and choose it again."
        )
        issues.append(Issue(Severity.WARNING, Code.SHEETS, None, text))
    return issues


def _empty_formulas(path: Path, title: str, rows: int) -> int:
    """Formulas whose value the program that wrote the workbook did not compute, in its first rows."""
    from openpyxl import load_workbook

    count = 0
    books = [load_workbook(path, read_only=True, data_only=values) for values in (False, True)]
    pairs = zip(*(book[title].iter_rows(values_only=True, max_row=rows + 1) for book in books), strict=False)
    for written, computed in pairs:
        for formula, value in zip(written, computed, strict=False):
            count += isinstance(formula, str) and formula.startswith("=") and value is None
    for book in books:
        book.close()
    return count
