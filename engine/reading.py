"""Reads an uploaded file into records; the format comes from its content, not from its name."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine.delimited import read_csv
from engine.encodings import decode
from engine.errors import DatasetError
from engine.findings import Code
from engine.jsonrows import read_json
from engine.parquet import read_parquet
from engine.sheets import MAX_BYTES, Table, note

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
SUFFIXES = {
    "csv": {"csv", "txt"},
    "tsv": {"tsv", "tab", "txt"},
    "json": {"json"},
    "jsonl": {"jsonl", "ndjson", "json"},
    "parquet": {"parquet", "pq"},
}


def safe_name(name: str) -> str:
    """The file name without folders, control characters and leading dots: safe to write and to show."""
    base = re.sub(r"[^\w .()+-]", "_", re.split(r"[\\/]", name)[-1]).strip(" .")
    stem, dot, suffix = base[-100:].rpartition(".")
    return f"{stem}{dot}{suffix}" if stem else suffix or "data"


def read(path: Path) -> Table:
    """The records of the file; raises DatasetError with one sentence when it cannot be used."""
    data = _bytes(path)
    packed = data.startswith(b"PAR1")
    table = read_parquet(path) if packed else _read_text(*decode(data, path), path)
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


def _read_text(text: str, encoding: str, path: Path) -> Table:
    table = read_json(text, path) if text.lstrip()[0] in "[{" else None
    table = table or read_csv(text, path)
    said = note(Code.ENCODING, f"The text is read as {encoding}; check accents, or save the file as UTF-8.")
    issues = table.issues if encoding.startswith("utf") else (*table.issues, said)
    return replace(table, encoding=encoding, issues=issues)


def _with_suffix_note(table: Table, path: Path) -> Table:
    suffix = path.suffix.removeprefix(".").lower()
    if suffix in SUFFIXES[table.format]:
        return table
    named = f"named .{suffix}" if suffix else "without an extension"
    said = note(Code.FORMAT, f"The file is {named}, but its content is {table.format.upper()}: read as that.")
    return replace(table, issues=(*table.issues, said))
