"""What a column looks like: text, category, number, id, date, list or conversations, by name and content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import Any

from engine import label_columns
from engine.sheets import Table, is_conversation, parsed, text_of

SAMPLE = 2_000
ASKING = ("?", "？", "؟", '?"')
LONG_WORDS = 5
ID_NAME = re.compile(r"(^|_)(id|ids|uuid|guid|index|idx|key|hash|url|row|number|nr|no)$|^unnamed_\d+$")
ID_VALUE = re.compile(r"[0-9a-fA-F-]{8,}|[A-Za-z]{0,6}[-_#/]?\d[\w-]*|https?://\S+")
DATE_NAME = re.compile(r"(^|_)(date|time|timestamp|datetime|created|updated|modified|day|year)($|_)|_at$")
DATE_VALUE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T].*)?")


class Kind(StrEnum):
    """What a column holds, judged by name and content."""

    TEXT = "text"
    CATEGORY = "category"
    NUMBER = "number"
    ID = "id"
    DATE = "date"
    LIST = "list"
    LABELS = "labels"
    MESSAGES = "messages"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Profile:
    """What a column looks like: values that are there, different ones, median words, median characters.

    `worded`: the values are words, without digits. `commonest`: the share of the values that is the most
    frequent one. `asking`: the share that ends in a question mark. `labels`: how many different ones, where
    rows have several. `binary`: the values say yes or no.
    """

    column: str
    kind: Kind
    filled: int
    distinct: int
    words: float
    length: float
    worded: bool = False
    commonest: float = 0.0
    asking: float = 0.0
    labels: int = 0
    binary: bool = False

    @property
    def name(self) -> str:
        """The column's name in lower case with underscores, for comparison with the aliases."""
        spaced = re.sub(r"([a-z])([A-Z])", r"\1_\2", self.column)
        return re.sub(r"\W+", "_", spaced.casefold()).strip("_")

    @property
    def few_values(self) -> bool:
        """Whether the values repeat as labels do."""
        return self.distinct <= max(2, self.filled / 2) or (self.distinct <= 20 and self.filled < 40)

    @property
    def is_label_like(self) -> bool:
        """Whether the values are short and repeat."""
        return self.kind is Kind.CATEGORY or (
            self.kind is not Kind.MESSAGES and self._short and self.few_values
        )

    @property
    def _short(self) -> bool:
        return self.words < LONG_WORDS * 2 and self.length < 80


def profile(column: str, table: Table) -> Profile:
    """Counts look at all records; kinds and lengths at an even sample of them."""
    pairs = [(value, text) for value in table.values(column) if (text := text_of(value)) is not None]
    sample = pairs[:: max(1, len(pairs) // SAMPLE)]
    texts = [text for _, text in sample]
    counts = Counter(text for _, text in pairs)
    distinct = len(counts)
    words = median(len(text.split()) for text in texts) if texts else 0.0
    length = median(map(len, texts)) if texts else 0.0
    worded = _mostly(texts, lambda text: not any(map(str.isdigit, text)))
    commonest = max(counts.values()) / len(pairs) if pairs else 0.0
    asking = sum(text.endswith(ASKING) for text in texts) / len(texts) if texts else 0.0
    found = Profile(column, Kind.EMPTY, len(pairs), distinct, words, length, worded, commonest, asking)
    found = replace(found, binary=label_columns.is_binary(texts))
    kind = _kind(found, [value for value, _ in sample], texts)
    if kind in (Kind.LIST, Kind.CATEGORY, Kind.TEXT) and (
        labels := label_columns.several([v for v, _ in sample])
    ):
        return replace(found, kind=Kind.LABELS, labels=labels)
    return replace(found, kind=kind)


def _kind(found: Profile, values: Sequence[Any], texts: Sequence[str]) -> Kind:
    if not texts:
        return Kind.EMPTY
    structured = [v for v in map(_structure, values[:50]) if isinstance(v, (list, dict))]
    if len(structured) > len(values[:50]) / 2:
        if all(map(is_conversation, structured)):
            return Kind.MESSAGES
        single = all(isinstance(value, list) and len(value) == 1 for value in values)
        return Kind.CATEGORY if single and found.words < LONG_WORDS and found.few_values else Kind.LIST
    if DATE_NAME.search(found.name) and _mostly(texts, _is_date) or _mostly(texts, DATE_VALUE.fullmatch):
        return Kind.DATE
    unique = found.distinct > 0.9 * found.filled
    if unique and found.filled > 1 and found.words <= 1 and _mostly(texts, ID_VALUE.fullmatch):
        return Kind.ID
    if ID_NAME.search(found.name) and found.words <= 1:
        return Kind.ID
    if _mostly(texts, _is_number):
        return Kind.NUMBER
    return Kind.CATEGORY if found.words < LONG_WORDS and found.few_values else Kind.TEXT


def _structure(value: Any) -> Any:
    """A list or dict; of texts only those that hold a conversation: others that look so may be answers."""
    found = parsed(value)
    return found if is_conversation(found) else value


def _mostly(texts: Sequence[str], test: Any) -> bool:
    return sum(bool(test(text)) for text in texts) > 0.9 * len(texts)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _is_date(text: str) -> bool:
    if DATE_VALUE.fullmatch(text) or re.fullmatch(r"\d{4}|\d{10}|\d{13}", text):
        return True
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
