"""Several columns as one text: each under its name as a heading, and the text taken apart again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.records import Role, Row

if TYPE_CHECKING:
    from engine.kept import Dataset


def expression(columns: Sequence[str]) -> str:
    """How several columns of one role are written: 'title+body'; a name that holds a plus in quotes."""
    if len(columns) == 1:
        return columns[0]
    return "+".join(json.dumps(c, ensure_ascii=False) if _needs_quotes(c) else c for c in columns)


def columns_of(written: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The column that a role uses, or those of an expression such as 'title+body'."""
    if written in columns:
        return (written,)
    found, rest = [], written.strip()
    while rest:
        name, rest = _first(rest)
        found.append(name)
    return tuple(found) or (written,)


def _needs_quotes(column: str) -> bool:
    return "+" in column or column.startswith('"') or column != column.strip()


def _first(written: str) -> tuple[str, str]:
    """The first name of an expression, and the rest after its plus."""
    if written.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(written)
        except ValueError:
            name, end = None, 0
        rest = written[end:].lstrip()
        if isinstance(name, str) and (not rest or rest.startswith("+")):
            return name, rest[1:].lstrip()
    name, _, rest = written.partition("+")
    return name.strip(), rest.strip()


def heading(column: str) -> str:
    """What stands before the text of a column: its name in one line."""
    return f"{' '.join(column.split())}: "


def joined(parts: Iterable[tuple[str, str]]) -> str:
    """The texts of several columns under their names, a line each, in the order given."""
    return "\n".join(heading(column) + text for column, text in parts)


def parted(text: str, columns: Sequence[str]) -> dict[str, str]:
    """The texts by column of what `joined` wrote; a text without headings is one part, under ''.

    A text that itself holds a line with a later heading is parted there.
    """
    starts: list[tuple[int, str]] = []
    place = 0
    for column in columns:
        found = _line_start(text, heading(column), place)
        if found is not None:
            starts.append((found, column))
            place = found + len(heading(column))
    if not starts or starts[0][0] != 0:
        return {"": text}
    ends = [start - 1 for start, _ in starts[1:]] + [len(text)]
    return {
        column: text[start + len(heading(column)) : end]
        for (start, column), end in zip(starts, ends, strict=True)
    }


def _line_start(text: str, wanted: str, place: int) -> int | None:
    if place == 0 and text.startswith(wanted):
        return 0
    found = text.find(f"\n{wanted}", place)
    return None if found < 0 else found + 1


def bare(row: Row, role: Role) -> str:
    """A role's text without headings: what is compared and counted."""
    return "\n".join(parted(row.inputs[role], row.headings).values())


def sources(dataset: Dataset) -> dict[Role, tuple[str, ...]]:
    """The columns of the file that each input is read from."""
    row = dataset.rows[0]
    return {
        role: columns_of(written, () if is_headed(row, role) else (written,))
        for role, written in dataset.roles.items()
        if role in row.inputs
    }


def longest(row: Row, role: Role) -> str:
    """The longest of the texts that a role joins."""
    return max(parted(row.inputs[role], row.headings).values(), key=len)


def is_headed(row: Row, role: Role) -> bool:
    """Whether the role joins several columns."""
    return "" not in parted(row.inputs[role], row.headings)


def with_longest(row: Row, role: Role, text: str) -> Row:
    """The row with another text in place of the longest that the role joins."""
    parts = parted(row.inputs[role], row.headings)
    long = max(parts, key=lambda column: len(parts[column]))
    changed: Mapping[str, str] = {**parts, long: text}
    whole = text if long == "" else joined(changed.items())
    return replace(row, inputs={**row.inputs, role: whole})
