"""The options of a multiple-choice question: which columns hold them, and a list of them as marked lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.columns import Kind, Profile
from engine.sheets import Table, parsed, text_of

LISTS = "choices options candidates endings alternatives answer_choices answer_options candidate_answers"
STEMS = "option|choice|answer|ending|opt|op|sol|solution|alternative|candidate|distractor"
NAMED = re.compile(rf"(?P<stem>{STEMS})?_?(?P<mark>[a-j]|\d)")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MOST_OPTIONS = 26
LISTED = (Kind.LIST, Kind.LABELS, Kind.TEXT, Kind.CATEGORY)


def of(profiles: Sequence[Profile]) -> list[Profile]:
    """The columns that hold options: two or more named alike with letters or numbers (A and B, option_1 and
    option_2), in order; or one of lists, by its name (in a text table
    their cells are texts)."""
    groups: dict[str, list[tuple[str, Profile]]] = {}
    for found in profiles:
        named = NAMED.fullmatch(found.name)
        if named and found.kind is not Kind.EMPTY:
            groups.setdefault(named["stem"] or "", []).append((named["mark"], found))
    for stem, members in groups.items():
        marks = [mark for mark, _ in members]
        if len(marks) > 1 and marks[0] in "a01" and _follow(marks) and (stem or marks[0] == "a"):
            return [found for _, found in members]
    return [p for p in profiles if p.kind in LISTED and p.name in LISTS.split()][:1]


def _follow(marks: Sequence[str]) -> bool:
    return all(ord(two) == ord(one) + 1 for one, two in zip(marks, marks[1:], strict=False))


def is_list(column: str) -> bool:
    """Whether a column of lists holds options, by its name."""
    return Profile(column, Kind.LIST, 0, 0, 0, 0).name in LISTS.split()


def marked(value: Any, first: str | None) -> str | None:
    """A list of options as lines 'A: text', marked from `first` ("A", "0" or "1"; None: "A"); the marks that
    the value brings ({text: [...], label: [...]}) stay. None: it is no such list."""
    found = parsed(value)
    if isinstance(found, Mapping) and isinstance(found.get("text"), list):
        labels = found.get("label")
        marks = list(map(str, labels)) if isinstance(labels, list) else []
        return _lines(found["text"], marks if len(marks) == len(found["text"]) else None, first)
    if isinstance(found, list) and found and all(isinstance(part, Mapping) for part in found):
        texts = [part.get("text") for part in found]
        return _lines(texts, [str(part.get("label", n)) for n, part in enumerate(found)], first)
    return _lines(found, None, first) if isinstance(found, list) else None


def _lines(texts: Sequence[Any], marks: Sequence[str] | None, first: str | None) -> str | None:
    cells = [text_of(text) or "" for text in texts][:MOST_OPTIONS]
    if not cells:
        return None
    used = marks or _marks(first or "A", len(cells))
    return "\n".join(f"{mark}: {cell}" for mark, cell in zip(used, cells, strict=False))


def _marks(first: str, count: int) -> Sequence[str]:
    return LETTERS[:count] if first == "A" else [str(int(first) + n) for n in range(count)]


def first_mark(table: Table, target: str) -> str:
    """How the answers count a list of options: from A, from 0 or from 1, by the labels in the target."""
    labels = {text for value in table.values(target) if (text := text_of(value)) is not None}
    if not _numbers(labels):
        return "A"
    return "0" if "0" in labels else "1"


def _numbers(labels: Iterable[str]) -> bool:
    found = list(labels)
    return bool(found) and all(re.fullmatch(r"\d{1,2}(\.0)?", label) for label in found)
