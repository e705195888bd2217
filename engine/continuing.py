"""A newer version of a dataset keeps the test rows of the earlier one, so that old and new models compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from engine.duplicates import input_hash
from engine.findings import Code, by_row, counted, listed
from engine.kept import Dataset
from engine.records import Issue, Row, Severity


class SameTest(NamedTuple):
    """The rows of a newer file: those that were test rows before, and the others; what differs."""

    test: list[Row]
    others: list[Row]
    issues: list[Issue]


def same_test(rows: Sequence[Row], before: Dataset) -> SameTest:
    """Test rows are recognised by their input (case and spacing do not count), in the order they had.

    A test row whose answer was corrected stays a test row. Of several rows with its input the one with its
    answer is taken; the others are left to the search for duplicates.
    """
    by_input: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_input[input_hash(row)].append(row)
    test, vanished, changed = [], [], []
    for old in before.split("test"):
        alike = by_input[input_hash(old)]
        found = next((row for row in alike if row.targets == old.targets), alike[0] if alike else None)
        if found is None:
            vanished.append(old.number)
            continue
        alike.remove(found)
        test.append(found)
        if found.targets != old.targets:
            changed.append(found.number)
    taken = set(map(id, test))
    others = [row for row in rows if id(row) not in taken]
    if not test:
        return SameTest(test, others, [_another_dataset(before)])
    issues = [*_vanished(vanished, before), *_changed(changed), _moved(others, before)]
    return SameTest(test, others, issues)


def apart(rows: Sequence[Row], test: Sequence[Row]) -> tuple[list[Row], list[Issue]]:
    """The rows that share no text with a test row: as test rows are given, the others have to go."""
    groups = {row.group for row in test if row.group is not None}
    kept = [row for row in rows if row.group not in groups]
    if len(kept) == len(rows):
        return kept, []
    left = listed(row.number for row in rows if row.group in groups)
    text = f"{counted(len(rows) - len(kept), 'row')} with the text of a test row are left out: {left}."
    return kept, [Issue(Severity.WARNING, Code.TEXT_IN_TEST, None, text)]


def _another_dataset(before: Dataset) -> Issue:
    rows = counted(len(before.splits["test"]), "test row")
    text = (
        f"None of the {rows} of '{before.name}' is in this file, so it is no newer version of it. "
        "Add them, or tune a model on it as a dataset of its own."
    )
    return Issue(Severity.ERROR, Code.OTHER_DATASET, None, text)


def _vanished(numbers: Sequence[int], before: Dataset) -> list[Issue]:
    if not numbers:
        return []
    of = counted(len(before.splits["test"]), "test row")
    be, which = ("is", "row") if len(numbers) == 1 else ("are", "rows")
    text = (
        f"{len(numbers):,} of {of} {be} no longer in the file and left out: {which} {listed(numbers, 50)} "
        f"of {before.file_name}."
    )
    return [Issue(Severity.WARNING, Code.VANISHED_TEST_ROWS, None, text)]


def _changed(numbers: Sequence[int]) -> list[Issue]:
    return by_row(
        Severity.WARNING,
        Code.CHANGED_ANSWERS,
        numbers,
        lambda n: f"Row {n} is a test row whose answer differs from that of the earlier version.",
    )


def _moved(others: Sequence[Row], before: Dataset) -> Issue:
    known = before.input_hashes()
    here = {input_hash(row) for row in others}
    learned = {input_hash(row) for name in ("train", "dev") for row in before.split(name)}
    new, gone = len(here - known), len(learned - here)
    text = (
        f"{counted(new, 'row')} of train and dev {'is' if new == 1 else 'are'} new, "
        f"{gone:,} of the earlier version {'is' if gone == 1 else 'are'} gone."
    )
    return Issue(Severity.INFO, Code.NEWER_VERSION, None, text)
