"""Which columns hold several labels a row: lists, texts such as 'a|b', a column of ones and noughts each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.sheets import Record, parsed, text_of

SIGNS = ("|", ";", ",")
LONGEST_WORDS, LONGEST_LETTERS = 6, 80  # of a label
YES, NO = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})

Labels = tuple[str, ...]


def several(values: Sequence[Any]) -> int:
    """How many different labels a column's values name, if rows have several of them; else 0."""
    sets = sets_of(values)
    return 0 if sets is None else len({label for labels in sets for label in labels})


def sets_of(values: Sequence[Any]) -> list[Labels] | None:
    """The labels of each value that is there; None where the values are no sets of labels.

    Lists are sets where their entries are short and repeat. Texts are where one sign parts them into few
    parts that come in other company too: 'a|b' is two labels only if 'a' or 'b' is found without the other.
    """
    there = [found for value in values if text_of(found := parsed_list(value)) is not None]
    lists = [value for value in there if isinstance(value, list)]
    if lists:
        sets = [of_list(value) for value in there] if len(lists) == len(there) else []
        known = [labels for labels in sets if labels is not None]
        return known if sets and len(known) == len(sets) and _repeat(known) else None
    sign = delimiter(there)
    return None if sign is None else [parts_of(value, sign) for value in there]


def delimiter(values: Sequence[Any]) -> str | None:
    """The sign between the labels of a text; None where texts are no sets of labels."""
    texts = [text for value in values if (text := text_of(value)) is not None]
    for sign in SIGNS:
        if sum(sign in text for text in texts) < max(2, len(texts) / 100):
            continue
        sets = [parts_of(text, sign) for text in texts]
        if _repeat(sets) and _recombined(sets, strict=sign == ","):
            return sign
    return None


def sign_of(values: Iterable[Any]) -> str | None:
    """As delimiter; for a column that a person chose, where nothing is sure, the first sign that is there."""
    texts = [text for value in values if (text := text_of(value)) is not None and not isinstance(value, list)]
    return delimiter(texts) or next((sign for sign in SIGNS if any(sign in text for text in texts)), None)


def parsed_list(value: Any) -> Any:
    """A list that a cell holds as text (['a', 'b']), or the value as it is."""
    found = parsed(value)
    return found if isinstance(found, list) else value


def of_list(value: list[Any]) -> Labels | None:
    """The labels of a list; None for one that holds something else than short texts and numbers."""
    texts = [text_of(item) for item in value if not isinstance(item, (list, dict))]
    labels = tuple(dict.fromkeys(text for text in texts if text is not None))
    return labels if len(texts) == len(value) and all(map(_is_short, labels)) else None


def parts_of(value: Any, sign: str | None) -> Labels:
    """The labels of a text, each once."""
    text = text_of(value) or ""
    parts = (part.strip() for part in text.split(sign)) if sign else (text,)
    return tuple(dict.fromkeys(part for part in parts if part))


def is_binary(texts: Sequence[str]) -> bool:
    """Whether all values say yes or no, as in a column for one label."""
    return bool(texts) and {text.lower() for text in texts} <= YES | NO


def marked(record: Record, columns: Sequence[str]) -> list[str] | None:
    """The columns of ones and noughts that say yes in a record; None where one says neither."""
    found = []
    for column in columns:
        text = (text_of(record.get(column)) or "").lower()
        if text not in YES | NO:
            return None
        found += [column] if text in YES else []
    return found


def is_exclusive(records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bool:
    """Whether every record says yes in exactly one of the columns."""
    return all(len(found) == 1 for record in records if (found := marked(record, columns)) is not None)


def _is_short(label: str) -> bool:
    return len(label) <= LONGEST_LETTERS and len(label.split()) <= LONGEST_WORDS


def _repeat(sets: Sequence[Labels]) -> bool:
    """Whether few short labels make up the sets, and not each row has exactly one."""
    often = Counter(label for labels in sets for label in labels)
    if not often or all(len(labels) == 1 for labels in sets) or len(set(sets)) < 2:
        return False
    return all(map(_is_short, often)) and len(often) <= max(4, len(sets) / 3, often.total() / 4)


def _recombined(sets: Sequence[Labels], strict: bool) -> bool:
    """Whether labels are found in more than one set; if strict, at least half of them."""
    company = Counter(label for labels in {frozenset(found) for found in sets} for label in labels)
    shared = sum(count > 1 for count in company.values())
    return shared >= (len(company) / 2 if strict else 1)
