"""Which further columns belong to the input beside its main one, and why the others do not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine import options
from engine.columns import Kind, Profile
from engine.records import Task
from engine.sheets import Table, text_of

# Names of what is read beside a text: it is part of the input even where its values are short and repeat.
NAMED = (
    "premise hypothesis claim evidence statement fact query question title headline subject body document "
    "passage context paragraph sentence sentence1 sentence2 text text1 text2 text_a text_b text_pair "
    "question1 question2 aspect aspect_term term entity target instruction input hint history persona "
    "system system_prompt system_message keyphrase previous reply response utterance ctx ctx_a ctx_b"
)
METADATA = re.compile(
    r"(^|_)(author|authors|user|username|name|names|email|mail|city|country|location|address|publisher|journal|"
    r"venue|url|link|path|file|filename|split|subset|dataset|model|licen[cs]e|language|lang|annotators?|worker|"
    r"editor|brand|company|version|source|type|meta|metadata|phone|tags?|keywords?|categor(y|ies))($|_)"
)
WHO = re.compile(r"(^|_)(annotators?|workers?|raters?|judges?|users?|authors?|coders?)($|_)")
REASONS = re.compile(
    r"(^|_)(explanations?|rationales?|justifications?|reasoning|thoughts?|cot|predict(ion|ed|ions)|pred)($|_)"
)
OTHER_FORM = re.compile(
    r"(^|_)(original|orig|raw|clean|cleaned|processed|preprocessed|lemmas?|lemmatized|stemmed|tokens?|tokenized|"
    r"normalized|translation|translated)($|_)"
)
CONSTANT = 0.9  # share of rows with one value from which on a column says nothing of its row [ours]
OPTION = "one of the options"
RARE = 0.05  # share of rows that have a value, below which a column is no input [ours]
NAME_WORDS = 3  # texts shorter than this, nearly all different, are names [ours]
METADATA_WORDS = 8
COPY_ROWS, COPY_WORDS, COPY_SHARE = 200, 0.9, 0.8  # rows looked at, words shared, share of rows [ours]
CONFLICTS, RESOLVED = 0.05, 0.2  # share of rows that disagree, share of these that still do [ours]

KINDS = {
    Kind.ID: "ids",
    Kind.DATE: "dates",
    Kind.NUMBER: "numbers",
    Kind.CATEGORY: "short values that repeat",
    Kind.LIST: "lists",
    Kind.LABELS: "several labels a row",
    Kind.MESSAGES: "conversations",
    Kind.EMPTY: "empty",
    Kind.TEXT: "a text",
}


def why_not(found: Profile, records: int) -> str | None:
    """Why a column is no input by itself, for a person; None where it is a text like the main one."""
    if found.kind is Kind.EMPTY or found.filled < RARE * records:
        return "empty" if found.kind is Kind.EMPTY else "empty in nearly all rows"
    if found.commonest * found.filled > CONSTANT * records:
        return "the same in nearly all rows"
    if REASONS.search(found.name):
        return "by its name it comes with the answer, so new rows will not have it"
    if OTHER_FORM.search(found.name) and found.name not in NAMED.split():
        return "by its name another form of a text"
    if found.name in NAMED.split() and found.kind in (Kind.TEXT, Kind.CATEGORY):
        return None
    if found.kind is not Kind.TEXT:
        return KINDS[found.kind]
    if METADATA.search(found.name) and found.words < METADATA_WORDS:
        return "facts about the row by its name"
    if found.words < NAME_WORDS:
        return "short, as names are"
    return None


def texts(profiles: Sequence[Profile], records: int) -> list[Profile]:
    """The columns that hold texts to read or to write."""
    return [p for p in profiles if p.kind is Kind.TEXT and why_not(p, records) is None]


def beside(
    main: str, target: str, free: Sequence[Profile], task: Task, table: Table
) -> tuple[dict[str, str], dict[str, str]]:
    """The free columns that belong to the input beside `main`, each with why, and why the others do not."""
    choices = [p.column for p in options.of(free)]
    taken: dict[str, str] = {}
    left: dict[str, str] = {}
    for found in free:
        reason = why_not(found, len(table.records)) or _why_not_beside(found, main, task, table)
        if found.column in choices:
            taken[found.column] = OPTION
        elif reason is None:
            is_text = found.kind is Kind.TEXT
            taken[found.column] = "a text too" if is_text else "by its name what the text is judged on"
        elif task is Task.CLASSIFICATION and _tells_apart(found, main, target, table):
            taken[found.column] = "it tells rows with the same text apart"
        else:
            left[found.column] = reason
    return taken, left


def _why_not_beside(found: Profile, main: str, task: Task, table: Table) -> str | None:
    """Why a text is no input beside the main one; a name that says it is settles that."""
    if found.name in NAMED.split():
        return None
    if task is Task.QA:
        return "a text beside the passage"
    return f"nearly the words of {main!r}" if _is_copy(found.column, main, table) else None


def _words(value: object) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", (text_of(value) or "").casefold()))


def _is_copy(column: str, main: str, table: Table) -> bool:
    """Whether most rows have nearly the same words in both columns."""
    records = table.records[:: max(1, len(table.records) // COPY_ROWS)]
    pairs = [(_words(r.get(column)), _words(r.get(main))) for r in records]
    there = [(one, two) for one, two in pairs if one and two]
    alike = sum(len(one & two) >= COPY_WORDS * len(one | two) for one, two in there)
    return bool(there) and alike >= COPY_SHARE * len(there)


def _tells_apart(found: Profile, main: str, target: str, table: Table) -> bool:
    """Whether rows with the same text have different labels, and no longer where this column agrees too."""
    if found.kind is not Kind.CATEGORY or WHO.search(found.name):
        return False
    before = _conflicting(table, (main,), target)
    if before < max(2, CONFLICTS * len(table.records)):
        return False
    return _conflicting(table, (main, found.column), target) <= RESOLVED * before


def _conflicting(table: Table, columns: Sequence[str], target: str) -> int:
    """Rows whose values in these columns come with more than one target."""
    targets: dict[tuple[str | None, ...], Counter[str | None]] = defaultdict(Counter)
    for record in table.records:
        targets[tuple(text_of(record.get(c)) for c in columns)][text_of(record.get(target))] += 1
    return sum(sum(counts.values()) for counts in targets.values() if len(counts) > 1)


def follows_from(column: str, other: str, table: Table) -> bool:
    """Whether the values of one column are settled by those of another, as a number's word is."""
    seen: Mapping[str | None, set[str | None]] = defaultdict(set)
    for record in table.records:
        seen[text_of(record.get(other))].add(text_of(record.get(column)))
    return all(len(values) == 1 for values in seen.values())


def as_marks(table: Table, target: str) -> Table:
    """The table with what its lists of options are counted from, where it has such lists."""
    if table.layout.options is not None or not any(map(options.is_list, table.columns)):
        return table
    return replace(table, layout=replace(table.layout, options=options.first_mark(table, target)))
