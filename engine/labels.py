"""Which labels are the same although written in several ways, and which words may mean "no label"."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace

from engine import labelsets
from engine.fasttext import PREFIX
from engine.findings import Code, counted, listed
from engine.records import Issue, Role, Row, Severity, Task
from engine.sheets import MISSING_WORDS, Table, text_of

# Words that people take as labels too; the other MISSING_WORDS are written by programs for nothing.
PERHAPS_LABELS = frozenset({"null", "NULL", "nan"})
WHOLE_NUMBER = re.compile(r"([-+]?(?:0|[1-9]\d*))(?:\.0*)?")
TRUTH = {"true", "false"}
INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")


def words_for_nothing(
    table: Table, task: Task, roles: Mapping[Role, str]
) -> tuple[Set[str], tuple[Issue, ...]]:
    """The words that mean "no label" in the table's label column, and what is to be said about others.

    As the table's layout has it; else "null" is a label where the others are (few and repeating), and "nan"
    is one if it is as frequent as a label; what only programs write for nothing ("NaN", "<NA>") is none.
    """
    if table.layout.missing is not None:
        return frozenset(table.layout.missing), ()
    column = roles.get(Role.TARGET)
    if not task.has_labels or column not in table.columns:
        return MISSING_WORDS, ()
    texts = (value.strip() for value in table.values(column) if isinstance(value, str))
    words = Counter(text for text in texts if text in PERHAPS_LABELS)
    if not words:
        return MISSING_WORDS, ()
    others = Counter(text for value in table.values(column) if (text := text_of(value)) is not None)
    labels = {word for word, count in words.items() if _is_label(word, count, others)}
    return MISSING_WORDS - labels, tuple(_kept(word, words[word]) for word in sorted(labels))


def _is_label(word: str, count: int, others: Counter[str]) -> bool:
    repeating = bool(others) and len(others) <= max(2, others.total() / 2)
    return repeating and (word != "nan" or count >= min(others.values()))


def _kept(word: str, count: int) -> Issue:
    text = (
        f"{counted(count, 'row')} {'has' if count == 1 else 'have'} the label {word!r}: it is learned like "
        "the others. If it means that there is no label, say that it is a word for nothing."
    )
    return Issue(Severity.WARNING, Code.WORD_FOR_NOTHING, None, text)


def unified(rows: Sequence[Row], test: Sequence[Row]) -> tuple[list[Row], list[Row], list[Issue]]:
    """Rows and test rows with one spelling for labels that are the same: composed and decomposed letters,
    invisible signs, 1 and 1.0, True and true (numbers and truth only if all labels are such). A prefix as
    fastText has it goes."""
    written = Counter(target for row in (*rows, *test) for target in row.targets)
    spelling = _spelling(list(written))
    forms: dict[str, list[str]] = defaultdict(list)
    for label in written:
        forms[spelling(label)].append(label)
    changed = {label: one for one, labels in forms.items() for label in labels if label != one}
    if not changed:
        return list(rows), list(test), []
    several = {one: labels for one, labels in forms.items() if len(labels) > 1}
    issues = [_equal(one, labels, written) for one, labels in sorted(several.items())]
    return _written(rows, changed), _written(test, changed), issues


def in_one_answer(rows: Sequence[Row]) -> list[Row]:
    """Rows whose labels are one answer, in a fixed order."""
    return [replace(row, targets=(labelsets.joined(row.targets),)) for row in rows]


def _spelling(labels: Sequence[str]) -> Callable[[str], str]:
    if all(WHOLE_NUMBER.fullmatch(label) for label in labels):
        return _whole
    if labels and all(re.fullmatch(rf"{PREFIX}\S+", label) for label in labels):
        return lambda label: label.removeprefix(PREFIX)
    if {label.lower() for label in labels} <= TRUTH:
        return str.lower
    return _visible


def _whole(label: str) -> str:
    found = WHOLE_NUMBER.fullmatch(label)
    return label if found is None else found[1]


def _visible(label: str) -> str:
    """Composed letters, plain spaces, nothing invisible: what a reader could not tell apart is one."""
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFC", label)).split()) or label


def _written(rows: Sequence[Row], changed: Mapping[str, str]) -> list[Row]:
    return [replace(row, targets=tuple(changed.get(t, t) for t in row.targets)) for row in rows]


def _equal(one: str, labels: Sequence[str], written: Mapping[str, int]) -> Issue:
    others = sum(written[label] for label in labels if label != one)
    if any(unicodedata.normalize("NFC", label) == one for label in labels if label != one):
        how = "composed and decomposed letters look the same"
    else:
        how = listed(map(repr, sorted(labels)))
    text = (
        f"The label {one!r} is written in {len(labels)} ways ({how}): they are one label here, in "
        f"{counted(others, 'row')} changed to it."
    )
    return Issue(Severity.WARNING, Code.EQUAL_LABELS, None, text)
