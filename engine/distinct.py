"""Leaves out rows that repeat others or the test file, and groups those that share a text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.duplicates import INPUT_ROLES, clusters, input_hash, normalized
from engine.findings import Code, by_row, counted
from engine.headings import parted
from engine.prompts import LONG_ROLE
from engine.records import Issue, Role, Row, Severity, Task

Part = tuple[Role, str]  # a role, and the column where it joins several, else ""


def distinct(rows: list[Row], test: list[Row], task: Task) -> tuple[list[Row], list[Row], list[Issue]]:
    """Rows without duplicates and without those of the test file; rows that share a text get a group."""
    everything = [*rows, *test]
    if not everything:
        return rows, test, []
    same = _same_inputs(everything)
    issues: list[Issue] = []
    in_test = set(zip(*(ids[len(rows) :] for ids in same.values()), strict=True))
    keys = list(zip(*same.values(), strict=True))
    shared = [row.number for row, key in zip(rows, keys, strict=False) if key in in_test]
    issues += by_row(
        Severity.WARNING,
        Code.SHARED_WITH_TEST,
        shared,
        lambda n: f"Row {n} is among the test rows too and is left out of training.",
    )
    kept, repeated = _first_of_each(rows, keys, set(shared))
    issues += repeated
    long_part = _of_long_part(everything, same, task)
    issues += _texts_in_test(rows, kept, long_part)
    members = [*kept, *range(len(rows), len(everything))]
    grouped, group_issues = _grouped(everything, members, long_part)
    issues += group_issues
    return grouped[: len(kept)], grouped[len(kept) :], issues


def _texts_in_test(rows: Sequence[Row], kept: Sequence[int], same_text: Sequence[int]) -> list[Issue]:
    """Kept rows that share only the long text (another question, another label) with the test file."""
    in_test = set(same_text[len(rows) :])
    return by_row(
        Severity.WARNING,
        Code.TEXT_IN_TEST,
        [rows[index].number for index in kept if same_text[index] in in_test],
        lambda n: f"The text of row {n} is among the test rows too, asked or labelled otherwise.",
    )


def _same_inputs(rows: Sequence[Row]) -> dict[Part, list[int]]:
    """For each input role, of joined columns for each of them, and each row: the first row whose text is the
    same or nearly so."""
    texts: dict[Part, list[str]] = {}
    for role in (role for role in INPUT_ROLES if role in rows[0].inputs):
        parts = [parted(_compared_text(row, role), row.headings) for row in rows]
        for column in dict.fromkeys(column for found in parts for column in found):
            texts[role, column] = [found.get(column, "") for found in parts]
    return {part: clusters(found) for part, found in texts.items()}


def _of_long_part(rows: Sequence[Row], same: Mapping[Part, list[int]], task: Task) -> list[int]:
    """For each row the first with the same long text, which stays on one side: that of the long role, of
    joined columns the one with the longest texts; a row that lacks it stands for itself."""
    role = Role.MESSAGES if Role.MESSAGES in rows[0].inputs else LONG_ROLE[task]
    parts = [parted(_compared_text(row, role), row.headings) for row in rows]
    columns = [column for found, column in same if found is role]
    long = max(columns, key=lambda column: sum(len(found.get(column, "")) for found in parts))
    return [same[role, long][n] if found.get(long) else n for n, found in enumerate(parts)]


def _compared_text(row: Row, role: Role) -> str:
    """What makes a row itself: of a conversation not the system's turn, often the same everywhere."""
    if role is not Role.MESSAGES:
        return row.inputs[role]
    turns = json.loads(row.inputs[role])
    return "\n".join(turn["content"] for turn in turns if turn["role"] != "system")


def _first_of_each(
    rows: Sequence[Row], keys: Sequence[tuple[int, ...]], skipped: set[int]
) -> tuple[list[int], list[Issue]]:
    """Indices of rows to keep: of rows with (nearly) the same input and the same target the first."""
    exact: dict[tuple[object, ...], Row] = {}
    near: dict[tuple[object, ...], Row] = {}
    same: dict[int, int] = {}
    alike: dict[int, int] = {}
    for row, key in zip(rows, keys, strict=False):
        target = tuple(map(normalized, row.targets))
        if row.number in skipped:
            continue
        if (twin := exact.setdefault((input_hash(row), target), row)) is not row:
            same[row.number] = twin.number
        elif (like := near.setdefault((*key, target), row)) is not row:
            alike[row.number] = like.number
    framed = len(alike) > len(rows) / 2
    left_out = {*skipped, *same, *(() if framed else alike)}
    kept = [index for index, row in enumerate(rows) if row.number not in left_out]
    return kept, [*_repeats(same), *(_frame(len(alike), len(rows)) if framed else _near_repeats(alike))]


def _repeats(same: Mapping[int, int]) -> list[Issue]:
    return by_row(
        Severity.WARNING,
        Code.DUPLICATE_ROWS,
        list(same),
        lambda n: f"Row {n} repeats row {same[n]} and is left out.",
    )


def _near_repeats(alike: Mapping[int, int]) -> list[Issue]:
    return by_row(
        Severity.WARNING,
        Code.NEAR_DUPLICATES,
        list(alike),
        lambda n: f"Row {n} is nearly the same as row {alike[n]}, with the same target, and is left out.",
    )


def _frame(alike: int, rows: int) -> list[Issue]:
    text = (
        f"{alike:,} of {counted(rows, 'row')} are nearly the same as another one, as if a long text stood "
        "around all of them: they are kept, and those that are alike stay on one side."
    )
    return [Issue(Severity.WARNING, Code.NEAR_DUPLICATES, None, text)]


def _grouped(
    rows: Sequence[Row], members: Sequence[int], same_text: Sequence[int]
) -> tuple[list[Row], list[Issue]]:
    """The rows at `members`, with a group where others have the same long text."""
    counts = Counter(same_text[index] for index in members)
    largest = max(counts.values(), default=1)
    if largest > max(1, len(members) / 2):
        text = (
            f"{counted(largest, 'row')} of {len(members):,} share one text, too many for one side: it is in "
            "train, dev and test, and scores say nothing about other texts."
        )
        return [rows[i] for i in members], [Issue(Severity.WARNING, Code.ONE_TEXT, None, text)]
    return [
        replace(rows[i], group=str(same_text[i])) if counts[same_text[i]] > 1 else rows[i] for i in members
    ], []
