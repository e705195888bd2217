"""Reads fastText's training files: each line is one or more labels with a prefix, and a text."""

from __future__ import annotations

import re
from pathlib import Path

from engine import sheets
from engine.sheets import Record, Table, too_many_rows

PREFIX = "__label__"
LABELS = re.compile(rf"\s*((?:{PREFIX}[^\s,;|]+\s*[,;]?\s+)+|{PREFIX}[^\s,;|]+$)")
TRAILING = re.compile(rf"((?:\s+{PREFIX}[^\s,;|]+)+)\s*$")
SHARE = 0.5


def read_fasttext(text: str, path: Path) -> Table | None:
    """The texts and their labels without the prefix, several as a list; None: it is no such file."""
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    if sum(bool(LABELS.match(line) or TRAILING.search(line)) for line in lines[:1000]) <= SHARE * len(
        lines[:1000]
    ):
        return None
    if len(lines) > sheets.MAX_ROWS:
        raise too_many_rows(path)
    records = tuple(map(_record, lines))
    numbers = tuple(range(1, len(records) + 1))
    return Table("fasttext", None, ("label", "text"), numbers, records, len(records))


def _record(line: str) -> Record:
    opening = LABELS.match(line)
    closing = None if opening else TRAILING.search(line)
    found = opening or closing
    labels = re.findall(rf"{PREFIX}(\S+?)[,;]?(?=\s|$)", found[0]) if found else []
    text = line[found.end() :] if opening and found else line[: closing.start()] if closing else line
    return {"label": labels[0] if len(labels) == 1 else labels or None, "text": text.strip()}
