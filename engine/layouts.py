"""How a file is read, in words, and what of it holds for another file of the same kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from engine.sheets import AS_FOUND, Layout, Quoting, Table

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
QUOTINGS = {
    Quoting.DOUBLED: "quotation marks around texts",
    Quoting.BACKSLASH: 'quotation marks around texts, \\" for one in a text',
    Quoting.NONE: "quotation marks belong to the texts",
    Quoting.ESCAPED: "quotation marks belong to the texts, a backslash before delimiters",
}


def described(table: Table) -> str:
    """How the table was read: 'TSV, UTF-8, split at: tab, quotation marks belong to the texts, header'."""
    layout = table.layout
    parts = [{"fasttext": "fastText"}.get(table.format, table.format.upper())]
    if layout.sheet is not None:
        parts.append(f"sheet {layout.sheet!r}")
    if layout.delimiter is not None and len(table.columns) > 1:
        parts.append(f"split at: {DELIMITERS.get(layout.delimiter, repr(layout.delimiter))}")
    elif layout.delimiter is not None:
        parts.append("one column")
    if layout.delimiter is not None and layout.quoting is not None:
        parts.append(QUOTINGS[layout.quoting])
    if layout.header is not None:
        parts.append("header in the first row" if layout.header else "no header")
    if table.encoding is not None:
        parts.append(table.encoding.upper() if table.encoding.startswith("utf") else table.encoding)
    return ", ".join(parts)


def for_another_file(layout: Layout) -> Layout:
    """What a person chose for one file, for another with rows of the same kind: not its sheet."""
    return replace(layout, sheet=None)


def to_dict(layout: Layout) -> dict[str, Any]:
    """What was chosen, for JSON."""
    return {name: value for name, value in asdict(layout).items() if value is not None}


def from_dict(values: Mapping[str, Any]) -> Layout:
    """The layout of `to_dict`."""
    known = dict(values)
    if "quoting" in known:
        known["quoting"] = Quoting(known["quoting"])
    if "missing" in known:
        known["missing"] = tuple(known["missing"])
    return replace(AS_FOUND, **known)
