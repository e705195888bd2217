"""Reads an uploaded file into records; the format comes from its content, not from its name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine.delimited import read_csv
from engine.encodings import decode
from engine.errors import DatasetError
from engine.fasttext import read_fasttext
from engine.findings import Code
from engine.jsonrows import read_json
from engine.parquet import read_parquet
from engine.sheets import AS_FOUND, MAX_BYTES, Layout, Table, note
from engine.workbooks import read_workbook

PAGE = "a web page. Download the raw file"
NOT_TEXT = {
    b"\x1f\x8b": "a gzip archive. Unpack it first",
    b"BZh91AY&SY": "a bzip2 archive. Unpack it first",
    b"\xfd7zXZ": "an xz archive. Unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive. Unpack it first",
    b"\xd0\xcf\x11\xe0": "an old or protected Office file. Save the sheet as .xlsx or CSV",
    b"%PDF-": "a PDF. Bring the rows into a CSV or JSONL file",
    b"SQLite format 3\x00": "an SQLite database. Export the table as CSV",
    b"ARROW1": "an Arrow file. Save it as Parquet",
    b"version https://git-lfs": "a Git LFS pointer, not the data. Run git lfs pull",
}
MARKUP = {"<!doctype": PAGE, "<html": PAGE, "<?xml": "an XML file. Bring the rows into a CSV or JSONL file"}
LEAST_LINES = 4
SUFFIXES = {
    "csv": {"csv", "txt"},
    "tsv": {"tsv", "tab", "txt"},
    "json": {"json"},
    "jsonl": {"jsonl", "ndjson", "json"},
    "parquet": {"parquet", "pq"},
    "xlsx": {"xlsx", "xlsm"},
    "fasttext": {"txt", "train", "valid", "test", "ft", "fasttext"},
}


def safe_name(name: str) -> str:
    """The file name without folders, control characters and leading dots: safe to write and to show."""
    base = re.sub(r"[^\w .()+-]", "_", re.split(r"[\\/]", name)[-1]).strip(" .")
    stem, dot, suffix = base[-100:].rpartition(".")
    return f"{stem}{dot}{suffix}" if stem else suffix or "data"


def read(path: Path, layout: Layout = AS_FOUND) -> Table:
    """The records of the file; raises DatasetError with one sentence when it cannot be used.

    `layout` is what a person chose of how to read it; the table's has the rest filled in.
    """
    data = _bytes(path)
    if data.startswith(b"PK\x03\x04"):
        table = read_workbook(path, layout)
    elif data.startswith(b"PAR1"):
        table = replace(read_parquet(path), layout=layout)
    else:
        table = _read_text(data, path, layout)
    if not table.records:
        raise DatasetError(
            f"{path.name} has {'a header but no' if table.columns else 'no'} rows. Add labelled rows."
        )
    return _with_suffix_note(table, path)


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


def _read_text(data: bytes, path: Path, layout: Layout) -> Table:
    found = decode(data, path, layout.encoding)
    text = found.text
    _refuse_markup(text, path)
    table = read_json(text, path, layout) if text.lstrip()[0] in "[{" else None
    if table is None and layout.delimiter is None:
        table = read_fasttext(text, path)
    table = table or read_csv(text, path, layout)
    used = replace(table.layout if table.layout.delimiter else layout, encoding=found.encoding)
    issues = (*table.issues, *found.issues)
    return replace(table, encoding=found.encoding, issues=issues, layout=used, encodings=found.encodings)


def _refuse_markup(text: str, path: Path) -> None:
    """A page is refused; a table whose first text is a page is none: its lines are all split alike."""
    opening = text.lstrip()[:20].lower()
    kind = next((kind for sign, kind in MARKUP.items() if opening.startswith(sign)), None)
    if kind is None:
        return
    lines = [line for line in text.splitlines()[:1000] if line.strip()]
    alike = any(len({line.count(sign) for line in lines}) == 1 and sign in lines[0] for sign in "\t;|")
    quoted = sum(line.startswith(("<", '"<')) and "," in line for line in lines) == len(lines)
    if len(lines) < LEAST_LINES or not (alike or quoted):
        raise DatasetError(f"{path.name} is {kind}, then choose that file.")


def _with_suffix_note(table: Table, path: Path) -> Table:
    suffix = path.suffix.removeprefix(".").lower()
    if suffix in SUFFIXES[table.format]:
        return table
    named = f"named .{suffix}" if suffix else "without an extension"
    said = note(Code.FORMAT, f"The file is {named}, but its content is {table.format.upper()}: read as that.")
    return replace(table, issues=(*table.issues, said))
