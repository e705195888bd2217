"""What may be wrong with a dataset: findings with a stable code, a row where there is one, and one sentence.

A finding about single rows is given once per row for the first ROWS_SHOWN rows; one more, without a row,
then sums up the others by number.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from math import ceil
from typing import TYPE_CHECKING

from engine import labelsets, prompts
from engine.findings import ROWS_SHOWN, Code, by_row, counted, listed
from engine.records import Issue, Role, Row, Severity, Task

if TYPE_CHECKING:
    from engine.dataset import Dataset
    from engine.encode import Encoder

RARE_LABEL_ROWS = 8
UNBALANCED_SHARE = 0.8
UNBALANCED_RATIO = 10
FEW_ROWS = 200
LEAST_ROWS = 4
MEASURED_ROWS = 5_000

SIGNED = re.compile(r"[-+]?\d+([.,]\d+)?")
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.[A-Za-z]{2,}\b")
CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w])")
PHONE = re.compile(
    r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?!\w)"
)


def size(usable: int, own_test: int = 0, aside: Sequence[Issue] = ()) -> list[Issue]:
    """Whether there are enough rows to train on and, with those of an own test file, to tell models apart.

    `aside` are findings about rows that were set aside: the first says why there are too few.
    """
    if usable < LEAST_ROWS:
        first = next((issue for issue in aside if issue.row is not None), None)
        why = "Add labelled rows." if first is None else f"The first reason: {first.message}"
        text = f"At least {LEAST_ROWS} usable rows are needed, found {usable:,}. {why}"
        return [Issue(Severity.ERROR, Code.TOO_FEW_ROWS, None, text)]
    if usable + own_test < FEW_ROWS:
        text = (
            f"{usable + own_test:,} usable rows are too few to conclude: scores will be rough. "
            f"{FEW_ROWS} rows or more make them firmer."
        )
        return [Issue(Severity.WARNING, Code.FEW_ROWS, None, text)]
    return []


def label_sets(rows: Sequence[Row]) -> list[Issue]:
    """What is odd about the labels of rows that have several: too many, rare ones, spelled in two ways."""
    sets = [labelsets.parts(row.targets[0]) for row in rows]
    counts = Counter(label for found in sets for label in found)
    if not counts:
        text = "No row has a label. Choose the column of the labels, or the columns of ones and noughts."
        return [Issue(Severity.ERROR, Code.ONE_CLASS, None, text)]
    issues = [*_too_many(counts, len(rows)), *_rare(counts), *_spelled_twice(counts)]
    several, without = sum(len(found) > 1 for found in sets), sum(not found for found in sets)
    text = (
        f"{len(counts):,} labels: several in {counted(several, 'row')}, none in "
        f"{without:,} (learned as '{labelsets.NONE}'). An answer names all labels of a row in the "
        "order of the alphabet; models write it, it is not picked by likelihood."
    )
    return [*issues, Issue(Severity.INFO, Code.LABEL_SETS, None, text)]


def labels(rows: Sequence[Row]) -> list[Issue]:
    """What is odd about the labels of a classification: one class, rare, unbalanced, spelled in two ways."""
    counts = Counter(row.targets[0] for row in rows)
    if len(counts) == 1:
        text = f"All {len(rows):,} rows have the label {next(iter(counts))!r}; two or more labels are needed."
        return [Issue(Severity.ERROR, Code.ONE_CLASS, None, text)]
    return _too_many(counts, len(rows)) or [*_rare(counts), *_unbalanced(counts), *_spelled_twice(counts)]


def _too_many(counts: Counter[str], rows: int) -> list[Issue]:
    if rows < 20 or len(counts) <= rows / 2:
        return []
    text = (
        f"{len(counts):,} different labels for {rows:,} rows leave nothing to learn from. "
        "Choose another label column, or another task."
    )
    return [Issue(Severity.ERROR, Code.TOO_MANY_LABELS, None, text)]


def _rare(counts: Counter[str]) -> list[Issue]:
    rare = sorted((n, label) for label, n in counts.items() if n < RARE_LABEL_ROWS)
    issues = [
        Issue(
            Severity.WARNING,
            Code.RARE_LABEL,
            None,
            f"Label {label!r} has {counted(n, 'row')}: too few to learn it or to score it.",
        )
        for n, label in rare[:ROWS_SHOWN]
    ]
    if rest := rare[ROWS_SHOWN:]:
        names = listed(repr(label) for _, label in rest)
        text = f"{len(rare):,} labels have fewer than {RARE_LABEL_ROWS} rows; beside those named: {names}."
        issues.append(Issue(Severity.WARNING, Code.RARE_LABEL, None, text))
    return issues


def _unbalanced(counts: Counter[str]) -> list[Issue]:
    (top, most), *_ = counts.most_common()
    share = most / counts.total()
    least, fewest = min(
        ((label, n) for label, n in counts.items() if n >= RARE_LABEL_ROWS),
        key=lambda pair: pair[1],
        default=(top, most),
    )
    if share < UNBALANCED_SHARE and most < UNBALANCED_RATIO * fewest:
        return []
    text = f"Label {top!r} has {most:,} of {counts.total():,} rows ({share:.0%})"
    if least != top:
        text += f", {least!r} only {fewest:,}"
    if share >= UNBALANCED_SHARE:
        text += ": a constant answer already scores that share"
    text += ". Let macro F1 select rather than accuracy."
    return [Issue(Severity.WARNING, Code.UNBALANCED_LABELS, None, text)]


def _spelled_twice(counts: Counter[str]) -> list[Issue]:
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in counts:
        plain = re.sub(r"[\W_]+", " ", label.casefold()).strip()
        spellings[label if SIGNED.fullmatch(label) else plain or label].append(label)
    return [
        Issue(
            Severity.WARNING,
            Code.LABEL_VARIANTS,
            None,
            f"Labels {listed(map(repr, sorted(names)))} differ in spelling only and are learned as "
            "different labels. Make them one in the file if they mean the same.",
        )
        for names in spellings.values()
        if len(names) > 1
    ]


def _named(row: Row, task: Task) -> Set[str]:
    return labelsets.parts(row.targets[0]) if task is Task.MULTILABEL else {row.targets[0]}


def unknown_labels(rows: Sequence[Row], test: Sequence[Row], task: Task) -> list[Issue]:
    """Labels of the user's own test file that no training row has; an error when it has no others."""
    of_row = {row.number: _named(row, task) for row in test}
    known = set().union(*(_named(row, task) for row in rows))
    unknown = sorted(set().union(*of_row.values()) - known)
    if not unknown:
        return []
    if all(found and found <= set(unknown) for found in of_row.values()):
        text = (
            f"No label of the test file is in the first file: it has {listed(map(repr, unknown))}, the first "
            f"file {listed(map(repr, sorted(known)))}. Write them alike, or choose the right label column."
        )
        return [Issue(Severity.ERROR, Code.UNKNOWN_LABELS, None, text)]
    text = f"The test file has labels that cannot be learned from the first file: {listed(unknown)}."
    return [Issue(Severity.WARNING, Code.UNKNOWN_LABELS, None, text)]


def conflicts(rows: Sequence[Row], same_input: Sequence[object]) -> list[Issue]:
    """The same input with different labels; `same_input[i]` is equal for rows with the same input."""
    found: dict[object, list[Row]] = defaultdict(list)
    for row, key in zip(rows, same_input, strict=True):
        found[key].append(row)
    clashes = [group for group in found.values() if len({row.targets[0] for row in group}) > 1]
    names = {
        group[0].number: f"Rows {listed(row.number for row in group)} have the same text but the labels "
        f"{listed(sorted({repr(row.targets[0]) for row in group}))}. Correct them, or delete all but one."
        for group in clashes
    }
    return by_row(Severity.WARNING, Code.CONFLICTING_LABELS, list(names), names.__getitem__)


def personal_data(rows: Sequence[Row]) -> list[Issue]:
    """Possible e-mail addresses, phone and card numbers; the finding never repeats them."""
    found: dict[int, str] = {}
    for row in rows:
        text = "\n".join((*row.inputs.values(), *row.targets))
        if kinds := _personal_kinds(text):
            found[row.number] = (
                f"Row {row.number} may hold personal data ({listed(kinds)}). Remove it if the model must "
                "not learn it."
            )
    return by_row(Severity.WARNING, Code.PERSONAL_DATA, list(found), found.__getitem__)


def _personal_kinds(text: str) -> list[str]:
    kinds = ["an e-mail address"] if "@" in text and EMAIL.search(text) else []
    if sum(map(str.isdigit, text)) < 9:
        return kinds
    if any(_is_card(match.group()) for match in CARD.finditer(text)):
        return [*kinds, "a card number"]
    return [*kinds, "a phone number"] if PHONE.search(text) else kinds


def _is_card(text: str) -> bool:
    """The check digit of ISO/IEC 7812-1 (Luhn)."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[1::2]]
    return len(set(digits)) > 1 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def truncation(dataset: Dataset, text: Encoder) -> Issue | None:
    """How many rows are longer (prompt, answer and end mark) than a run reads; None when all fit.

    Of more than MEASURED_ROWS rows every second, third, ... is measured, and the sentence says so.
    """
    rows = dataset.rows[:: ceil(len(dataset.rows) / MEASURED_ROWS)]
    long = sum(text.write(row).truncated or text.cuts_prompt(row) for row in rows)
    if not long:
        return None
    answers = sum(text.cuts_answer(row) for row in rows)
    keeps = "question and answer stay" if Role.QUESTION in dataset.roles else "answer stays"
    kept = f"the {keeps} whole" if not answers else f"and the answer itself in {counted(answers, 'row')}"
    measured = " measured" if len(rows) < len(dataset.rows) else ""
    sentence = (
        f"{long:,} of {counted(len(rows), 'row')}{measured} ({long / len(rows):.0%}) are longer than the "
        f"{text.max_length:,} tokens that are read: the end of the text is cut off, {kept}."
    )
    return Issue(Severity.WARNING, Code.TRUNCATED, None, sentence)


def several_answers(rows: Sequence[Row]) -> list[Issue]:
    """Conversations of which only the last answer is learned unless a person asks for all."""
    found = prompts.several_answers(rows)
    if not found:
        return []
    text = (
        f"{counted(found, 'conversation')} of {len(rows):,} have earlier answers of the assistant. Only the "
        "last answer is learned, unless you choose to learn every answer (assistant_only_loss)."
    )
    return [Issue(Severity.INFO, Code.SEVERAL_ANSWERS, None, text)]


def refused(dataset: Dataset, why: Mapping[int, str]) -> list[Issue]:
    """The conversations that a model's chat template refuses (see encode.readable)."""
    return by_row(Severity.WARNING, Code.REFUSED, list(why), lambda row: f"{why[row]} It is set aside.")
