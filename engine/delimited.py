"""Reads CSV and its relatives, whatever delimiter and quoting they use."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine import sheets
from engine.cells import Grid, table_of_cells
from engine.dialects import NO_DELIMITER, Parse, best_parse, swallowed_line
from engine.errors import DatasetError
from engine.findings import Code
from engine.records import Issue, Severity
from engine.sheets import Layout, Quoting, Table, note, too_many_rows


def read_csv(text: str, path: Path, layout: Layout) -> Table:
    """The records of a delimited text; DatasetError with the line where its rows do not fit together."""
    if stated := re.match(r"sep=([,;|\t])\r?\n", text):
        text = text[stated.end() :]
        layout = replace(layout, delimiter=layout.delimiter or stated[1])
    found = best_parse(text, layout, path.suffix.removeprefix(".").lower())
    shift = 1 if stated else 0
    if not found.rows and found.fault is None:
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    issues = _quoting_issues(found, text, path, shift)
    if len(found.rows) > sheets.MAX_ROWS + 1:
        raise too_many_rows(path)
    grid = Grid(found.rows, [line + shift for line in found.lines], "line")
    used = replace(layout, delimiter=found.delimiter, quoting=found.quoting)
    sign = {"\t": "a tab", NO_DELIMITER: "a line break"}.get(found.delimiter, repr(found.delimiter))
    fix = f"Put quotation marks around texts that contain {sign}, or choose another delimiter or quoting."
    table = table_of_cells("tsv" if found.delimiter == "\t" else "csv", grid, path, used, fix)
    return replace(table, issues=(*issues, *table.issues))


def _quoting_issues(found: Parse, text: str, path: Path, shift: int) -> list[Issue]:
    """What is odd about quotation marks; refuses to take lines together that are rows themselves."""
    if found.quoting is Quoting.NONE and any(cell.startswith('"') for cell in found.cells):
        said = "Quotation marks are read as part of the texts: not all that open are closed in their cell."
        return [note(Code.UNQUOTED, said)]
    if found.fault is None:
        return []
    line = found.fault if found.unclosed else swallowed_line(found, text)
    if line is not None:
        raise DatasetError(
            f"{path.name}: a quotation mark is opened in line {line + shift} and never closed, so the lines "
            "after it would run together. Close it, double it in a text, or choose to read without quoting."
        )
    message = (
        f"Some quotation marks inside quoted texts are not doubled, first in line {found.fault + shift}; "
    )
    return [Issue(Severity.WARNING, Code.LOOSE_QUOTES, None, message + "check the first rows.")]
