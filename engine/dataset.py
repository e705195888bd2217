"""From a file to a Dataset: read, understood, checked, freed of duplicates, split three ways, kept by id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import checks, continuing, inputs, labels, labelsets, layouts, reading, splits
from engine import roles as role_guesses
from engine.distinct import distinct
from engine.duplicates import input_hash, normalized
from engine.errors import DatasetError
from engine.findings import Code, listed
from engine.headings import columns_of
from engine.kept import Dataset, DatasetInfo, delete, list_saved, load, rename, save
from engine.records import Issue, Role, Row, Severity, Task
from engine.roles import Guess
from engine.rows import rows_of
from engine.sheets import AS_FOUND, Layout, Table, text_of

__all__ = [
    "Dataset",
    "DatasetInfo",
    "Inspection",
    "build",
    "delete",
    "input_hash",
    "inspect",
    "list_saved",
    "load",
    "read_new",
    "read_unlabelled",
    "rename",
    "save",
]

PREVIEW_ROWS = 10
PREVIEW_CHARACTERS = 2_000
TOO_FEW = "too few to conclude"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was understood of a file and what was found in it; an issue that is an error keeps it from use.

    `rows` counts the data rows of the file, `usable_rows` those that the splits share out. `layout`, `sheets`
    and `encodings` are the table's, `read_as` says in words how it was read.
    """

    file_name: str
    format: str
    encoding: str | None
    columns: tuple[str, ...]
    rows: int
    usable_rows: int
    task: Task | None
    task_reason: str
    roles: dict[Role, str]
    role_reasons: dict[Role, str]
    issues: tuple[Issue, ...]
    splits: dict[str, int]
    preview: list[dict[str, str | None]]
    layout: Layout = AS_FOUND
    sheets: tuple[str, ...] = ()
    encodings: tuple[tuple[str, str], ...] = ()
    read_as: str = ""

    @property
    def error(self) -> str | None:
        """The first error in one sentence; None when the file can be used."""
        return next((i.message for i in self.issues if i.severity is Severity.ERROR), None)


def inspect(
    path: Path,
    task: Task | None = None,
    roles: Mapping[Role, str] | None = None,
    test_path: Path | None = None,
    seed: int = 0,
    layout: Layout = AS_FOUND,
) -> Inspection:
    """What the file holds and what is wrong with it; DatasetError when it cannot be read at all."""
    return _view(path, _analysis(path, _Wishes(task, roles or {}, test_path, seed, layout=layout)))


def build(
    path: Path,
    *,
    name: str | None = None,
    task: Task | None = None,
    roles: Mapping[Role, str] | None = None,
    test_path: Path | None = None,
    seed: int = 0,
    label_words: Mapping[str, str] | None = None,
    newer_than: Dataset | None = None,
    layout: Layout = AS_FOUND,
) -> Dataset:
    """The dataset of a file; DatasetError with the first error when it cannot be used.

    `test_path` is the user's own test file: it becomes the test split, and its rows leave train and dev.
    `label_words` replaces labels by words ('0' by 'negative') that the model is to write.
    `newer_than`: an earlier version, whose test rows are the test split here too.
    `layout`: what the person chose of how the file is read.
    """
    wishes = _Wishes(task, roles or {}, test_path, seed, label_words or {}, newer_than, layout)
    found = _analysis(path, wishes)
    view = _view(path, found)
    if view.error is not None or view.task is None:
        raise DatasetError(f"{path.name}: {view.error}")
    return Dataset(
        id=_identity(path, view, wishes),
        name=name or _default_name(path),
        file_name=view.file_name,
        task=view.task,
        roles=view.roles,
        labels=_labels(view.task, [found.rows[i] for i in found.splits["train"]]),
        rows=found.rows,
        splits=found.splits,
        issues=view.issues,
        total_rows=view.rows,
        grouped=any(row.group is not None for row in found.rows),
        seed=seed,
        notes=(TOO_FEW,) if len(found.rows) < checks.FEW_ROWS else (),
        layout=replace(layout, options=found.table.layout.options),
        read_as=view.read_as,
    )


def read_unlabelled(path: Path, dataset: Dataset) -> tuple[Row, ...]:
    """New rows for a trained model, by the dataset's columns; the target may be missing."""
    return read_new(path, dataset)[1]


def read_new(path: Path, dataset: Dataset) -> tuple[Table, tuple[Row, ...]]:
    """A file of new rows as it is, and those of its rows that a model can answer."""
    table = reading.read(path, layouts.for_another_file(dataset.layout))
    _refuse_uncertain(table, path)
    found = _roles_in(table, path, dataset.roles, needs_target=False)
    rows, issues = rows_of(table, dataset.task, found, needs_target=False)
    if not rows:
        raise DatasetError(f"{path.name} has no row that can be used: {issues[0].message}")
    return table, tuple(rows)


def _refuse_uncertain(table: Table, path: Path) -> None:
    """Another file is not guessed at: where its encoding must be asked for, that is said."""
    for issue in table.issues:
        if issue.severity is Severity.ERROR:
            raise DatasetError(f"{path.name}: {issue.message}")


def _roles_in(table: Table, path: Path, roles: Mapping[Role, str], needs_target: bool) -> dict[Role, str]:
    """The roles of one file in another; DatasetError when a column is not there."""
    found = dict(roles)
    for role, expression in roles.items():
        absent = [c for c in columns_of(expression, table.columns) if c not in table.columns]
        if absent and role is Role.TARGET and not needs_target:
            del found[role]
        elif absent:
            raise DatasetError(
                f"{path.name} has no column {absent[0]!r}, which is used as {role}; "
                f"it has {listed(table.columns, 30)}."
            )
    return found


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What a person chose beside the file."""

    task: Task | None
    roles: Mapping[Role, str]
    test_path: Path | None
    seed: int
    label_words: Mapping[str, str] = field(default_factory=dict)
    newer_than: Dataset | None = None
    layout: Layout = AS_FOUND


@dataclass(frozen=True, slots=True)
class _Analysis:
    """What inspect and build share: `rows` are those of the file, then those of the test file."""

    table: Table
    guess: Guess
    issues: tuple[Issue, ...]
    rows: tuple[Row, ...]
    own_test: int
    splits: dict[str, tuple[int, ...]]


def _analysis(path: Path, wishes: _Wishes) -> _Analysis:
    table = reading.read(path, wishes.layout)
    guess = role_guesses.guess(table, wishes.task, wishes.roles)
    issues = [*table.issues, *_guess_issues(guess, table)]
    rows: list[Row] = []
    test: list[Row] = []
    split: dict[str, tuple[int, ...]] = {name: () for name in splits.SPLITS}
    if guess.task is not None and not role_guesses.missing_roles(guess):
        table = inputs.as_marks(table, guess.roles.get(Role.TARGET, ""))
        rows, found = rows_of(table, guess.task, guess.roles)
        test, test_found = _own_test(wishes, table, guess.task, guess.roles)
        if guess.task.has_labels:
            rows, test, same = labels.unified(rows, test)
            found += same
        _check_words(rows, wishes.label_words)
        rows, test = _worded(rows, wishes.label_words), _worded(test, wishes.label_words)
        if guess.task is Task.MULTILABEL:
            rows, test = labels.in_one_answer(rows), labels.in_one_answer(test)
        if wishes.newer_than is not None:
            test, rows, test_found = continuing.same_test(rows, wishes.newer_than)
        rows, test, repeats = distinct(rows, test, guess.task)
        if wishes.newer_than is not None:
            rows, too_close = continuing.apart(rows, test)
            repeats += too_close
        aside = [*table.issues, *found]
        issues += [*found, *test_found, *repeats, *_content_issues(rows, test, guess.task, aside)]
        if len(rows) >= checks.LEAST_ROWS:
            split = _split(rows, test, guess.task, wishes.seed)
    return _Analysis(table, guess, tuple(issues), (*rows, *test), len(test), split)


def _view(path: Path, found: _Analysis) -> Inspection:
    by_severity = sorted(found.issues, key=lambda issue: list(Severity).index(issue.severity))
    return Inspection(
        file_name=reading.safe_name(path.name),
        format=found.table.format,
        encoding=found.table.encoding,
        columns=found.table.columns,
        rows=found.table.total,
        usable_rows=len(found.rows) - found.own_test,
        task=found.guess.task,
        task_reason=found.guess.task_reason,
        roles=dict(found.guess.roles),
        role_reasons=dict(found.guess.role_reasons),
        issues=tuple(by_severity),
        splits={name: len(rows) for name, rows in found.splits.items()},
        preview=_preview(found.table),
        layout=found.table.layout,
        sheets=found.table.sheets,
        encodings=found.table.encodings,
        read_as=layouts.described(found.table),
    )


def _guess_issues(guess: Guess, table: Table) -> list[Issue]:
    if guess.task is None:
        single = len(table.columns) == 1 and table.layout.delimiter is not None
        way_out = " The file was read as one column: choose what its columns are split at." if single else ""
        return [Issue(Severity.ERROR, Code.UNKNOWN_TASK, None, guess.task_reason + way_out)]
    issues = [
        Issue(
            Severity.ERROR,
            Code.MISSING_ROLE,
            None,
            f"{guess.asked + ': choose' if guess.asked else 'Choose'} the column for {role} ({guess.task}); "
            f"the file has {listed(table.columns, 30)}.",
        )
        for role in role_guesses.missing_roles(guess)
    ]
    used = {c for e in guess.roles.values() for c in columns_of(e, table.columns)}
    if unused := [column for column in table.columns if column not in used]:
        told = (f"{c!r} ({guess.unused[c]})" if c in guess.unused else repr(c) for c in unused)
        issues.append(Issue(Severity.INFO, Code.UNUSED_COLUMNS, None, f"Not used: {listed(told)}."))
    if not issues or issues[0].severity is not Severity.ERROR:
        issues += role_guesses.type_issues(guess, table)
    return issues


def _own_test(
    wishes: _Wishes, first: Table, task: Task, roles: Mapping[Role, str]
) -> tuple[list[Row], list[Issue]]:
    """The rows of the person's test file, in which the same words mean "no label" as in the first file."""
    path = wishes.test_path
    if path is None:
        return [], []
    table = reading.read(path, layouts.for_another_file(wishes.layout))
    missing, _ = labels.words_for_nothing(first, task, roles)
    marks = first.layout.options
    table = replace(table, layout=replace(table.layout, missing=tuple(sorted(missing)), options=marks))
    rows, issues = rows_of(table, task, _roles_in(table, path, roles, needs_target=True))
    if not rows:
        raise DatasetError(f"The test file {path.name} has no usable row: {issues[0].message}")
    said = [issue for issue in table.issues if issue.severity is not Severity.INFO]
    return rows, [replace(issue, message=f"Test file: {issue.message}") for issue in (*said, *issues)]


def _check_words(rows: Sequence[Row], words: Mapping[str, str]) -> None:
    known = {target for row in rows for target in row.targets}
    for label, word in words.items():
        if label not in known:
            raise DatasetError(f"There is no label {label!r}; labels are {listed(sorted(known))}.")
        if not word.strip():
            raise DatasetError(f"The word for the label {label!r} is empty. Enter one.")


def _worded(rows: list[Row], words: Mapping[str, str]) -> list[Row]:
    """The rows with words in place of their labels."""
    if not words:
        return rows
    return [replace(row, targets=tuple(words.get(t, t) for t in row.targets)) for row in rows]


def _content_issues(
    rows: Sequence[Row], test: Sequence[Row], task: Task, aside: Sequence[Issue]
) -> list[Issue]:
    issues = checks.size(len(rows), len(test), aside)
    if task.has_labels and rows:
        same = [normalized("\n".join(row.inputs.values())) for row in rows]
        issues += checks.labels(rows) if task is Task.CLASSIFICATION else checks.label_sets(rows)
        issues += [*checks.conflicts(rows, same), *checks.unknown_labels(rows, test, task)]
    return [*issues, *checks.several_answers(rows), *checks.personal_data(rows)]


def _split(rows: Sequence[Row], test: Sequence[Row], task: Task, seed: int) -> dict[str, tuple[int, ...]]:
    wanted = splits.sizes(len(rows), own_test=bool(test))
    groups = [row.group or f"row {index}" for index, row in enumerate(rows)]
    found = splits.assign(wanted, splits.strata(rows, task), groups, seed)
    return {**found, "test": tuple(range(len(rows), len(rows) + len(test)))} if test else found


def _labels(task: Task, train: Sequence[Row]) -> tuple[str, ...]:
    """The labels of the training rows, as they are spelled there."""
    if task is Task.MULTILABEL:
        return tuple(sorted({label for row in train for label in labelsets.parts(row.targets[0])}))
    return tuple(sorted({row.targets[0] for row in train})) if task is Task.CLASSIFICATION else ()


def _preview(table: Table) -> list[dict[str, str | None]]:
    return [
        {column: (text_of(record.get(column)) or "")[:PREVIEW_CHARACTERS] or None for column in table.columns}
        for record in table.records[:PREVIEW_ROWS]
    ]


def _default_name(path: Path) -> str:
    """The file's name; for one such as train.jsonl the folder's says more."""
    stem = Path(reading.safe_name(path.name)).stem
    folder = path.resolve().parent.name
    return folder if folder and stem.lower() in ("train", "training", "data", "dataset") else stem


def _identity(path: Path, view: Inspection, wishes: _Wishes) -> str:
    """From the content of the files and everything that decides on rows and splits, not from their names."""
    words = sorted(wishes.label_words.items())
    mapping: list[Any] = [view.task, sorted(view.roles.items()), wishes.seed, words]
    if wishes.newer_than is not None:
        mapping.append([input_hash(row) for row in wishes.newer_than.split("test")])
    if wishes.layout != AS_FOUND:
        mapping.append(asdict(wishes.layout))
    digest = hashlib.sha256(json.dumps(mapping).encode())
    for file in (path, wishes.test_path):
        digest.update(hashlib.sha256(file.read_bytes()).digest() if file else b"-")
    return digest.hexdigest()[:12]
