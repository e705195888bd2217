"""What a file holds before its columns have roles: its layout, records, their cells as clean text."""

from __future__ import annotations

import ast
import io
import itertools
import json
import math
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.errors import DatasetError
from engine.findings import Code, by_row
from engine.records import Issue, Severity

MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 1_000

MISSING_WORDS = frozenset({"nan", "NaN", "NAN", "null", "NULL", "<NA>", "#N/A"})
NUMPY_ARRAY = re.compile(r"array\((\[.*?\])(?:,\s*dtype=[^)]+)?\)", re.DOTALL)
ADJACENT_TEXTS = re.compile(r"""['"]\s+['"]""")
TURN_KEYS = ({"role", "content"}, {"from", "value"}, {"role", "tool_calls"})
SURROGATE = re.compile(r"[\ud800-\udfff]")

Record = Mapping[str, Any]


class Quoting(StrEnum):
    """How a delimited file protects delimiters and quotation marks that belong to a text."""

    DOUBLED = "doubled"  # "a ""quoted"" word"
    BACKSLASH = "backslash"  # "a \"quoted\" word"
    NONE = "none"  # quotation marks are signs like others
    ESCAPED = "escaped"  # so too, and a backslash stands before a delimiter that belongs to a text


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is to be read: what a person chose, or what was found; None where nothing was.

    `encoding` is Python's name of it. `lists`: cells that are written as lists hold several accepted answers.
    `missing`: the words that mean "no label". `no_answer` is what is learned for a question whose list of
    answers is empty; None: such rows are set aside. `options`: what a list of options is counted from, "A",
    "0" or "1"; None: "A".
    """

    encoding: str | None = None
    delimiter: str | None = None
    quoting: Quoting | None = None
    header: bool | None = None
    sheet: str | None = None
    lists: bool | None = None
    missing: tuple[str, ...] | None = None
    no_answer: str | None = None
    options: str | None = None


AS_FOUND = Layout()


@dataclass(frozen=True, slots=True)
class Table:
    """The records of a file. `numbers` are their 1-based numbers among the data rows of the file: a header
    and blank lines do not count, rows that could not be read do. `total` counts those too.

    `layout` is how the file was read; `sheets` are those of a workbook; `encodings` those that the bytes
    allow, the likeliest first, each with a few words as it reads them.
    """

    format: str
    encoding: str | None
    columns: tuple[str, ...]
    numbers: tuple[int, ...]
    records: tuple[Record, ...]
    total: int
    issues: tuple[Issue, ...] = ()
    layout: Layout = AS_FOUND
    sheets: tuple[str, ...] = ()
    encodings: tuple[tuple[str, str], ...] = ()

    def values(self, column: str) -> Iterator[Any]:
        """A column's raw values, None where a record lacks it."""
        return (record.get(column) for record in self.records)


def text_of(value: Any, missing: Set[str] = MISSING_WORDS, keep_indent: bool = False) -> str | None:
    """A cell as clean text; None when it is missing (None, NaN, empty, only spaces, a word in `missing`).

    With `keep_indent` the first line keeps its indent, as code needs it; one space alone goes: it is how
    some formats set an answer off from its prompt.
    """
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
    text = text.replace("\x00", "").rstrip()
    bare = text.lstrip()
    if not bare or bare in missing:
        return None
    indent = text[: len(text) - len(bare)].rpartition("\n")[2]
    return indent + bare if keep_indent and indent != " " else bare


def parsed(value: Any) -> Any:
    """A list or dict that a cell holds as JSON or Python text, NumPy's too; any other value as it is."""
    if not isinstance(value, str) or value.strip()[:1] not in ("[", "{") or len(value) > 1_000_000:
        return value
    for parse in (json.loads, _python_literal):
        try:
            found = parse(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
            continue
        return found if isinstance(found, (list, dict)) else value
    return value


def _python_literal(text: str) -> Any:
    """What repr wrote, also of NumPy arrays: ['one' 'two'] would else be read as one text, 'onetwo'."""
    text = NUMPY_ARRAY.sub(r"\1", text)
    if not ADJACENT_TEXTS.search(text):
        return ast.literal_eval(text)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.string.strip()]
    texts = [token for token in tokens if token.type == tokenize.STRING]
    if not any(one.type == two.type == tokenize.STRING for one, two in itertools.pairwise(tokens)):
        return ast.literal_eval(text)
    if len(texts) != len(tokens) - 2:
        raise ValueError("texts that stand side by side in something else than a list")
    return [ast.literal_eval(token.string) for token in texts]


def is_conversation(value: Any) -> bool:
    """Whether a value is a list of turns: {role, content}, {from, value}, or one that calls tools."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(turn, dict) and any(keys <= set(turn) for keys in TURN_KEYS) for turn in value)


def table_of(
    format_name: str,
    rows: Iterable[tuple[int, Any]],
    path: Path,
    issues: Sequence[Issue],
    unread: int = 0,
    lines: Mapping[int, int] | None = None,
) -> Table:
    """Checks rows from JSON: objects only, not too many, columns in order of first appearance.

    `lines`: the line of the file that each row stands on, where a row has a line of its own.
    """
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
        where = place_of(strange[0], lines).lower()
        raise DatasetError(f"{path.name}: {where} is no object with named fields. Name the fields.")
    found = by_row(
        Severity.WARNING,
        Code.NOT_AN_OBJECT,
        strange,
        lambda n: f"{place_of(n, lines)} is no object with named fields and is set aside.",
    )
    total = len(records) + len(strange) + unread
    return Table(format_name, None, tuple(columns), tuple(numbers), tuple(records), total, (*issues, *found))


def place_of(number: int, lines: Mapping[int, int] | None) -> str:
    """'Row 7', and its line where that is another number."""
    line = (lines or {}).get(number, number)
    return f"Row {number}" if line == number and lines is None else f"Row {number} (line {line})"


def check_width(columns: int, path: Path) -> None:
    """Refuses a file with more columns than anybody has."""
    if columns > MAX_COLUMNS:
        raise DatasetError(f"{path.name} has more than {MAX_COLUMNS:,} columns. Keep those needed.")


def too_many_rows(path: Path) -> DatasetError:
    return DatasetError(f"{path.name} has more than {MAX_ROWS:,} rows. Take a sample of them.")


def note(code: Code, message: str) -> Issue:
    return Issue(Severity.INFO, code, None, message)
