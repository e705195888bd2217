"""What a file holds before its columns have roles: records, their numbers, their cells as clean text."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import DatasetError
from engine.findings import Code, by_row
from engine.records import Issue, Severity

MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 1_000

MISSING_WORDS = {"nan", "NaN", "NAN", "null", "NULL", "<NA>", "#N/A"}
SURROGATE = re.compile(r"[\ud800-\udfff]")

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """The records of a file. `numbers` are their 1-based numbers among the data rows of the file: a header
    and blank lines do not count, rows that could not be read do. `total` counts those too."""

    format: str
    encoding: str | None
    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    records: tuple[Record, ...]
    total: int
    issues: tuple[Issue, ...] = ()

    def values(self, column: str) -> Iterator[Any]:
        """A column's raw values, None where a record lacks it."""
        return (record.get(column) for record in self.records)


def text_of(value: Any) -> str | None:
    """A cell as clean text; None when it is missing (None, NaN, empty, only spaces)."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    text = value if isinstance(value, str) else str(value)
    text = SURROGATE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.replace("\x00", "").strip()
    return None if not text or text in MISSING_WORDS else text


def parsed(value: Any) -> Any:
    """A list or dict that a CSV cell holds as JSON or Python text; any other value as it is."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{") or len(value) > 1_000_000:
        return value
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return found if isinstance(found, (list, dict)) else value
    return value


def table_of(
    format_name: str, rows: Iterable[tuple[int, Any]], path: Path, issues: Sequence[Issue], unread: int = 0
) -> Table:
    """Checks rows from JSON: objects only, not too many, columns in order of first appearance."""
    numbers: list[int] = []
    records: list[Record] = []
    strange: list[int] = []
    columns: dict[str, None] = {}
    for number, row in rows:
        if len(records) + len(strange) >= MAX_ROWS:
            raise too_many_rows(path)
        if not isinstance(row, dict):
            strange.append(number)
            continue
        numbers.append(number)
        records.append(row)
        columns.update(dict.fromkeys(row))
        check_width(len(columns), path)
    if strange and len(strange) >= len(records):
        raise DatasetError(f"{path.name}: row {strange[0]} is no object with named fields. Name the fields.")
    found = by_row(
        Severity.WARNING,
        Code.NOT_AN_OBJECT,
        strange,
        lambda n: f"Row {n} is no object with named fields and is set aside.",
    )
    total = len(records) + len(strange) + unread
    return Table(format_name, None, tuple(columns), tuple(numbers), tuple(records), total, (*issues, *found))


def check_width(columns: int, path: Path) -> None:
    """Refuses a file with more columns than anybody has."""
    if columns > MAX_COLUMNS:
        raise DatasetError(f"{path.name} has more than {MAX_COLUMNS:,} columns. Keep those needed.")


def too_many_rows(path: Path) -> DatasetError:
    return DatasetError(f"{path.name} has more than {MAX_ROWS:,} rows. Take a sample of them.")


def note(code: Code, message: str) -> Issue:
    return Issue(Severity.INFO, code, None, message)
