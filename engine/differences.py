"""Where two texts differ, word by word: what one has, what the other has, what both share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

MOST_WORDS = 1_000  # of each text; the time grows with the product of both
WORD = re.compile(r"\S+\s*")


class Change(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


class Span(NamedTuple):
    """A piece of text, with the space behind it."""

    change: Change
    text: str


class Comparison(NamedTuple):
    """The pieces in reading order; `cut`: only the first MOST_WORDS of a text were compared."""

    spans: tuple[Span, ...]
    cut: bool


def compare(before: str, after: str) -> Comparison:
    """How `after` comes from `before`; words count as the same when all but the space behind them is."""
    old, new = WORD.findall(before), WORD.findall(after)
    cut = max(len(old), len(new)) > MOST_WORDS
    old, new = old[:MOST_WORDS], new[:MOST_WORDS]
    spans: list[Span] = []
    for what, i, j, k, m in _matcher(old, new).get_opcodes():
        if what == "equal":
            spans.append(Span(Change.SAME, "".join(new[k:m])))
            continue
        if j > i:
            spans.append(Span(Change.REMOVED, "".join(old[i:j])))
        if m > k:
            spans.append(Span(Change.ADDED, "".join(new[k:m])))
    return Comparison(tuple(spans), cut)


def closest(text: str, others: Sequence[str]) -> str:
    """Of several texts (at least one) the one that shares most words with `text`; the first of equals."""
    words = WORD.findall(text)[:MOST_WORDS]
    return max(others, key=lambda other: _matcher(words, WORD.findall(other)[:MOST_WORDS]).ratio())


def _matcher(old: Sequence[str], new: Sequence[str]) -> SequenceMatcher[str]:
    return SequenceMatcher(None, [w.rstrip() for w in old], [w.rstrip() for w in new], autojunk=False)
