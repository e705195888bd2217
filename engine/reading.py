"""Reads an uploaded file into records; format and encoding come from its content, not from its name."""

from __future__ import annotations

import ast
import csv
import io
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.checks import by_row, counted, listed
from engine.errors import DatasetError
from engine.records import Issue, Severity

MAX_BYTES = 50 * 1024 * 1024
MAX_ROWS = 200_000
MAX_COLUMNS = 1_000
MAX_CHARACTERS = 200_000_000
MAX_JSON_NODES = 5_000_000

NOT_TEXT = {
    b"\x1f\x8b": "a gzip archive. Unpack it first",
    b"BZh": "a bzip2 archive. Unpack it first",
    b"\xfd7zXZ": "an xz archive. Unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive. Unpack it first",
    b"PK\x03\x04": "a zip archive or an Excel workbook. Unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Office file. Save the sheet as CSV",
    b"%PDF": "a PDF. Bring the rows into a CSV or JSONL file",
    b"SQLite format 3": "an SQLite database. Export the table as CSV",
    b"ARROW1": "an Arrow file. Save it as Parquet",
    b"version https://git-lfs": "a Git LFS pointer, not the data. Run git lfs pull",
    b"<!DOCTYPE": "a web page. Download the raw file",
    b"<!doctype": "a web page. Download the raw file",
    b"<html": "a web page. Download the raw file",
    b"<?xml": "an XML file. Bring the rows into a CSV or JSONL file",
}
BYTE_ORDER_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
SUFFIXES = {
    "csv": {"csv", "txt"},
    "tsv": {"tsv", "tab", "txt"},
    "json": {"json"},
    "jsonl": {"jsonl", "ndjson", "json"},
    "parquet": {"parquet", "pq"},
}
OTHER_LATIN = {"Croatian", "Czech", "Hungarian", "Polish", "Romanian", "Slovak", "Slovene", "Turkish"}
DELIMITERS = ",;\t|"
NO_DELIMITER = "\x1f"
ROW_KEYS = ("data", "rows", "train", "examples", "items", "records", "samples", "instances")
MISSING_WORDS = {"nan", "NaN", "NAN", "null", "NULL", "<NA>", "#N/A"}
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
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


def safe_name(name: str) -> str:
    """The file name without folders, control characters and leading dots: safe to write and to show."""
    base = re.sub(r"[^\w .()+-]", "_", re.split(r"[\\/]", name)[-1]).strip(" .")
    stem, dot, suffix = base[-100:].rpartition(".")
    return f"{stem}{dot}{suffix}" if stem else suffix or "data"


def read(path: Path) -> Table:
    """The records of the file; raises DatasetError with one sentence when it cannot be used."""
    data = _bytes(path)
    packed = data.startswith(b"PAR1")
    table = _read_parquet(path) if packed else _read_text(*_decode(data, path), path)
    if not table.records:
        raise DatasetError(
            f"{path.name} has {'a header but no' if table.columns else 'no'} rows. Add labelled rows."
        )
    return _with_suffix_note(table, path)


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


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise DatasetError(f"There is no file {path.name}. Check the path.")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DatasetError(
            f"{path.name} has {size / 2**20:,.0f} MB; at most 50 MB can be used. Take fewer rows."
        )
    data = path.read_bytes()
    if not data.strip():
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    for magic, kind in NOT_TEXT.items():
        if data.startswith(magic):
            raise DatasetError(f"{path.name} is {kind}, then choose that file.")
    return data


def _decode(data: bytes, path: Path) -> tuple[str, str]:
    """The text and its encoding; refuses what is not text."""
    encoding = next((e for mark, e in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    encoding = encoding or _encoding(data)
    try:
        text = data.decode(encoding or "utf-8")
    except (UnicodeDecodeError, LookupError):
        text, encoding = data.decode("latin-1"), None
    if encoding is None or len(CONTROL.findall(text)) > len(text) / 500:
        raise DatasetError(
            f"{path.name} is not a text table. Use CSV, TSV, JSON, JSONL or Parquet, text saved as UTF-8."
        )
    if not text.strip():
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    return text, encoding.removesuffix("-sig")


def _encoding(data: bytes) -> str | None:
    if _decodes(data, "utf-8"):
        return "utf-8"
    if (zeros := data[:4000].count(0)) > len(data[:4000]) / 5:
        return ("utf-16-le" if data[1:4000:2].count(0) > zeros / 2 else "utf-16-be") if zeros else None
    return _single_byte_encoding(data)


def _single_byte_encoding(data: bytes) -> str | None:
    """By charset-normalizer, from the lines that are not ASCII. A few accents are too little for it (it takes
    'naïve' for Czech): text mostly in Latin letters is read as cp1252, Latin-1's letters and more, unless
    its language has others."""
    from charset_normalizer import from_bytes

    odd = b"\n".join(itertools.islice((line for line in data.split(b"\n") if not line.isascii()), 500))
    odd = odd[:100_000]
    best = from_bytes(odd, cp_exclusion=["utf_16", "utf_16_le", "utf_16_be", "utf_32"]).best()
    latin = sum(byte > 127 for byte in odd) < len(odd) / 4
    if latin and (best is None or best.language not in OTHER_LATIN) and _decodes(data, "cp1252"):
        return "cp1252"
    return best.encoding if best else None


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _read_text(text: str, encoding: str, path: Path) -> Table:
    start = text.lstrip()[:1]
    if start in ("[", "{"):
        table = _read_json(text, path)
        if table is not None:
            return _with_encoding(table, encoding)
    return _with_encoding(_read_csv(text, path), encoding)


def _read_json(text: str, path: Path) -> Table | None:
    """A JSON array, JSON Lines, or one JSON object that holds the rows; None when it is no JSON at all."""
    if text.count("{") + text.count("[") > MAX_JSON_NODES:
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
    return _table(name, enumerate(rows, 1), path, issues)


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
                return list(_squad_rows(rows)), [_note("squad_format", "Read as SQuAD: a row per question.")]
            return rows, [
                _note("rows_under_key", f"The rows are those under {name!r}; the rest is not used.")
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
        if number > MAX_ROWS:
            raise _too_many_rows(path)
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
        Severity.WARNING, "bad_line", broken, lambda n: f"Row {n} is not JSON and is set aside. Correct it."
    )
    return _table("jsonl", numbered, path, issues, unread=len(broken))


def _table(
    format_name: str, rows: Iterable[tuple[int, Any]], path: Path, issues: Sequence[Issue], unread: int = 0
) -> Table:
    """Checks rows from JSON: objects only, not too many, columns in order of first appearance."""
    numbers: list[int] = []
    records: list[Record] = []
    strange: list[int] = []
    columns: dict[str, None] = {}
    for number, row in rows:
        if len(records) + len(strange) >= MAX_ROWS:
            raise _too_many_rows(path)
        if not isinstance(row, dict):
            strange.append(number)
            continue
        numbers.append(number)
        records.append(row)
        columns.update(dict.fromkeys(row))
        if len(columns) > MAX_COLUMNS:
            raise DatasetError(f"{path.name} has more than {MAX_COLUMNS:,} columns. Keep those needed.")
    if strange and len(strange) >= len(records):
        raise DatasetError(f"{path.name}: row {strange[0]} is no object with named fields. Name the fields.")
    found = by_row(
        Severity.WARNING,
        "not_an_object",
        strange,
        lambda n: f"Row {n} is no object with named fields and is set aside.",
    )
    total = len(records) + len(strange) + unread
    return Table(format_name, None, tuple(columns), tuple(numbers), tuple(records), total, (*issues, *found))


def _too_many_rows(path: Path) -> DatasetError:
    return DatasetError(f"{path.name} has more than {MAX_ROWS:,} rows. Take a sample of them.")


def _note(code: str, message: str) -> Issue:
    return Issue(Severity.INFO, code, None, message)


def _read_csv(text: str, path: Path) -> Table:
    if stated := re.match(r"sep=([,;|\t])\r?\n", text):
        text = text[stated.end() :]
    delimiter = stated[1] if stated else _delimiter(text)
    rows, issues = _csv_rows(text, delimiter, path)
    if not rows:
        raise DatasetError(f"{path.name} is empty. Choose a file with labelled rows.")
    columns, rows, header_issues = _header(rows)
    if len(columns) > MAX_COLUMNS:
        raise DatasetError(f"{path.name} has more than {MAX_COLUMNS:,} columns. Keep those needed.")
    width = len(columns)
    wrong = [number for number, row in enumerate(rows, 1) if len(row) != width]
    if wrong and len(wrong) > len(rows) / 2:
        raise DatasetError(
            f"{path.name}: row {wrong[0]} has {counted(len(rows[wrong[0] - 1]), 'field')}, the header "
            f"{width}. Put quotation marks around texts that contain {delimiter!r}."
        )
    issues += by_row(
        Severity.WARNING,
        "wrong_field_count",
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
        rows = list(itertools.islice(_plain_rows(text, delimiter, strict=True), MAX_ROWS + 2))
        issues: list[Issue] = []
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise DatasetError(
                f"{path.name}: a quotation mark is opened and never closed. Close it, or double it in a text."
            ) from error
        rows = list(itertools.islice(_plain_rows(text, delimiter), MAX_ROWS + 2))
        message = "Some quotation marks inside quoted texts are not doubled; check the first rows."
        issues = [Issue(Severity.WARNING, "loose_quotes", None, message)]
    if len(rows) > MAX_ROWS + 1:
        raise _too_many_rows(path)
    return rows, issues


def _header(rows: list[list[str]]) -> tuple[list[str], list[list[str]], list[Issue]]:
    """Column names and the data rows; a first row that repeats its own columns' values is data."""
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if _is_data(first, rest):
        names = [f"column_{i}" for i in range(1, len(first) + 1)]
        return (
            names,
            rows,
            [_note("no_header", f"No header was found; the columns are called {listed(names)}.")],
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
        [_note("renamed_columns", f"Columns without a name of their own are called {changed}.")],
    )


def _is_data(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    columns = list(zip(*(row for row in rest if len(row) == len(first)), strict=True))
    return any(
        cell in values and len(set(values)) <= len(values) / 2
        for cell, values in zip(first, columns, strict=False)
        if cell
    )


def _read_parquet(path: Path) -> Table:
    """Row count and sizes are looked at before anything is unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > MAX_ROWS:
                raise _too_many_rows(path)
            if file.metadata.num_columns > MAX_COLUMNS:
                raise DatasetError(f"{path.name} has more than {MAX_COLUMNS:,} columns. Keep those needed.")
        records = _parquet_records(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{path.name} is a damaged Parquet file. Write it again.") from error
    return _table("parquet", enumerate(records, 1), path, ())


def _parquet_records(path: Path) -> list[Record]:
    """Text columns stay dictionaries until their real length is known: few bytes may stand for gigabytes."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema
        leaves = [schema.column(i) for i in range(len(schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
    with pq.ParquetFile(path, read_dictionary=texts) as file:
        table = file.read(use_threads=False)
    if sum(_characters(column) for column in table.columns) > MAX_CHARACTERS:
        raise DatasetError(f"{path.name} unpacks to more than 200 MB of text. Take fewer rows.")
    records: list[Record] = table.to_pylist()
    return records


def _characters(column: Any) -> int:
    """Bytes of text and of numbers that the column unpacks to."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for chunk in column.chunks:
        while pa.types.is_list(chunk.type) or pa.types.is_large_list(chunk.type):
            chunk = chunk.flatten()
        if pa.types.is_struct(chunk.type):
            total += sum(_characters(pa.chunked_array([part])) for part in chunk.flatten())
        elif pa.types.is_dictionary(chunk.type):
            lengths = pc.binary_length(chunk.dictionary)
            total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
        else:
            total += chunk.nbytes
    return total


def _with_encoding(table: Table, encoding: str) -> Table:
    notes: list[Issue] = []
    if not encoding.startswith("utf"):
        notes = [
            _note(
                "encoding", f"The text is read as {encoding}; check accents in the rows, or save it as UTF-8."
            )
        ]
    return _noted(table, notes, encoding)


def _with_suffix_note(table: Table, path: Path) -> Table:
    suffix = path.suffix.removeprefix(".").lower()
    if suffix in SUFFIXES[table.format]:
        return table
    named = f"named .{suffix}" if suffix else "without an extension"
    note = _note("format", f"The file is {named}, but its content is {table.format.upper()}: read as that.")
    return _noted(table, [note], table.encoding)


def _noted(table: Table, notes: Sequence[Issue], encoding: str | None) -> Table:
    return Table(
        table.format,
        encoding,
        table.columns,
        table.numbers,
        table.records,
        table.total,
        (*table.issues, *notes),
    )
