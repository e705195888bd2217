"""From a file to a Dataset: read, understood, checked, freed of duplicates, split three ways, kept by id."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine import checks, reading, splits
from engine import roles as role_guesses
from engine.duplicates import clusters, normalized
from engine.errors import ConfigError, DatasetError, NotFoundError
from engine.findings import by_row, counted, listed
from engine.prompts import LONG_ROLE
from engine.records import Issue, Role, Row, Severity, Task
from engine.roles import Guess
from engine.rows import rows_of
from engine.sheets import Table, text_of

PREVIEW_ROWS = 10
PREVIEW_CHARACTERS = 2_000
INPUT_ROLES = (Role.CONTEXT, Role.SOURCE, Role.QUESTION, Role.PROMPT, Role.MESSAGES)
TOO_FEW = "too few to conclude"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was understood of a file and what was found in it; an issue that is an error keeps it from use.

    `rows` counts the data rows of the file, `usable_rows` those that the splits share out.
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

    @property
    def error(self) -> str | None:
        """The first error in one sentence; None when the file can be used."""
        return next((i.message for i in self.issues if i.severity is Severity.ERROR), None)


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A kept dataset in a list."""

    id: str
    name: str
    file_name: str
    task: Task
    rows: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows that are ready to train on; `splits` holds indices into `rows`. The same files, mapping and seed
    give the same id and splits. `total_rows` counts the file's rows, those set aside too. When `grouped`,
    rows that share a `group` (a passage, a text) are on one side."""

    id: str
    name: str
    file_name: str
    task: Task
    roles: dict[Role, str]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    splits: dict[str, tuple[int, ...]]
    issues: tuple[Issue, ...]
    total_rows: int
    grouped: bool
    seed: int
    notes: tuple[str, ...] = ()

    def split(self, name: str) -> tuple[Row, ...]:
        """The rows of 'train', 'dev' or 'test', in file order."""
        return tuple(self.rows[index] for index in self.splits[name])

    def train_subset(self, size: int | None, seed: int) -> tuple[Row, ...]:
        """A seeded sample of the training rows, by label in proportion; all of them when size is None."""
        rows = self.split("train")
        if size is None:
            return rows
        if not 1 <= size <= len(rows):
            raise ConfigError(
                f"The train size must be 1 to {len(rows):,} (the training rows), but is {size:,}."
            )
        wanted = {"taken": size, "left": len(rows) - size}
        found = splits.assign(wanted, _strata(rows, self.task), range(len(rows)), seed)
        return tuple(rows[index] for index in found["taken"])

    def input_hashes(self) -> frozenset[str]:
        """The input_hash of each row: to find the rows that two datasets share."""
        return frozenset(map(input_hash, self.rows))


def input_hash(row: Row) -> str:
    """16 hex digits of the row's input text; case, spacing and column names do not matter."""
    text = "\n".join(normalized(row.inputs[role]) for role in INPUT_ROLES if role in row.inputs)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def inspect(
    path: Path,
    task: Task | None = None,
    roles: Mapping[Role, str] | None = None,
    test_path: Path | None = None,
    seed: int = 0,
) -> Inspection:
    """What the file holds and what is wrong with it; DatasetError when it cannot be read at all."""
    return _analyse(path, task, roles, test_path, seed, {})[0]


def build(
    path: Path,
    *,
    name: str | None = None,
    task: Task | None = None,
    roles: Mapping[Role, str] | None = None,
    test_path: Path | None = None,
    seed: int = 0,
    label_words: Mapping[str, str] | None = None,
) -> Dataset:
    """The dataset of a file; DatasetError with the first error when it cannot be used.

    `test_path` is the user's own test file: it becomes the test split, and its rows leave train and dev.
    `label_words` replaces labels by words ('0' by 'negative') that the model is to write.
    """
    words = dict(label_words or {})
    view, rows, split = _analyse(path, task, roles, test_path, seed, words)
    if view.error is not None or view.task is None:
        raise DatasetError(f"{path.name}: {view.error}")
    few = view.usable_rows < checks.FEW_ROWS
    return Dataset(
        id=_identity((path, test_path), (view.task, sorted(view.roles.items()), seed, sorted(words.items()))),
        name=name or _default_name(path),
        file_name=view.file_name,
        task=view.task,
        roles=view.roles,
        labels=_labels(view.task, [rows[i] for i in split["train"]]),
        rows=tuple(rows),
        splits=split,
        issues=view.issues,
        total_rows=view.rows,
        grouped=any(row.group is not None for row in rows),
        seed=seed,
        notes=(TOO_FEW,) if few else (),
    )


def read_unlabelled(path: Path, dataset: Dataset) -> tuple[Row, ...]:
    """New rows for a trained model, by the dataset's columns; the target may be missing."""
    table = reading.read(path)
    found = _roles_in(table, path, dataset.roles, needs_target=False)
    rows, issues = rows_of(table, dataset.task, found, needs_target=False)
    if not rows:
        raise DatasetError(f"{path.name} has no row that can be used: {issues[0].message}")
    return tuple(rows)


def _roles_in(table: Table, path: Path, roles: Mapping[Role, str], needs_target: bool) -> dict[Role, str]:
    """The roles of one file in another; DatasetError when a column is not there."""
    found = dict(roles)
    for role, expression in roles.items():
        absent = [c for c in role_guesses.columns_of(expression, table.columns) if c not in table.columns]
        if absent and role is Role.TARGET and not needs_target:
            del found[role]
        elif absent:
            raise DatasetError(
                f"{path.name} has no column {absent[0]!r}, which is used as {role}; "
                f"it has {listed(table.columns, 30)}."
            )
    return found


_Analysis = tuple[Inspection, list[Row], dict[str, tuple[int, ...]]]


def _analyse(
    path: Path,
    task: Task | None,
    roles: Mapping[Role, str] | None,
    test_path: Path | None,
    seed: int,
    label_words: Mapping[str, str],
) -> _Analysis:
    """Everything that inspect and build share: the view, the usable rows, the splits."""
    table = reading.read(path)
    guess = role_guesses.guess(table, task, roles)
    issues = [*table.issues, *_guess_issues(guess, table)]
    rows: list[Row] = []
    split: dict[str, tuple[int, ...]] = {name: () for name in splits.SPLITS}
    if guess.task is not None and not role_guesses.missing_roles(guess):
        rows, found = rows_of(table, guess.task, guess.roles)
        _check_words(rows, label_words)
        test, test_found = _own_test(test_path, guess)
        rows, test, duplicate_issues = _distinct(
            _worded(rows, label_words), _worded(test, label_words), guess
        )
        issues += [*found, *test_found, *duplicate_issues, *_content_issues(rows, test, guess.task)]
        if len(rows) >= checks.LEAST_ROWS:
            split = _split(rows, test, guess.task, seed)
        rows += test
    view = Inspection(
        file_name=reading.safe_name(path.name),
        format=table.format,
        encoding=table.encoding,
        columns=table.columns,
        rows=table.total,
        usable_rows=len(rows),
        task=guess.task,
        task_reason=guess.task_reason,
        roles=dict(guess.roles),
        role_reasons=dict(guess.role_reasons),
        issues=tuple(sorted(issues, key=lambda i: list(Severity).index(i.severity))),
        splits={name: len(found) for name, found in split.items()},
        preview=_preview(table),
    )
    return view, rows, split


def _guess_issues(guess: Guess, table: Table) -> list[Issue]:
    if guess.task is None:
        return [Issue(Severity.ERROR, "unknown_task", None, guess.task_reason)]
    issues = [
        Issue(
            Severity.ERROR,
            "missing_role",
            None,
            f"Choose the column for {role} ({guess.task}); the file has {listed(table.columns, 30)}.",
        )
        for role in role_guesses.missing_roles(guess)
    ]
    used = {c for e in guess.roles.values() for c in role_guesses.columns_of(e, table.columns)}
    if unused := [column for column in table.columns if column not in used]:
        text = f"Not used: {listed(map(repr, unused))}."
        issues.append(Issue(Severity.INFO, "unused_columns", None, text))
    if not issues or issues[0].severity is not Severity.ERROR:
        issues += role_guesses.type_issues(guess, table)
    return issues


def _own_test(test_path: Path | None, guess: Guess) -> tuple[list[Row], list[Issue]]:
    if test_path is None:
        return [], []
    table = reading.read(test_path)
    assert guess.task is not None
    rows, issues = rows_of(table, guess.task, _roles_in(table, test_path, guess.roles, needs_target=True))
    if not rows:
        raise DatasetError(f"The test file {test_path.name} has no usable row: {issues[0].message}")
    return rows, [replace(i, message=f"Test file: {i.message}") for i in issues]


def _check_words(rows: Sequence[Row], words: Mapping[str, str]) -> None:
    known = {row.targets[0] for row in rows}
    for label, word in words.items():
        if label not in known:
            raise DatasetError(f"There is no label {label!r}; labels are {listed(sorted(known))}.")
        if not word.strip():
            raise DatasetError(f"The word for the label {label!r} is empty. Enter one.")


def _worded(rows: list[Row], words: Mapping[str, str]) -> list[Row]:
    if not words:
        return rows
    return [replace(row, targets=tuple(words.get(t, t) for t in row.targets)) for row in rows]


def _content_issues(rows: Sequence[Row], test: Sequence[Row], task: Task) -> list[Issue]:
    issues = checks.size(len(rows))
    if task is Task.CLASSIFICATION and rows:
        same = [normalized("\n".join(row.inputs.values())) for row in rows]
        issues += [*checks.labels(rows), *checks.conflicts(rows, same), *checks.unknown_labels(rows, test)]
    return [*issues, *checks.personal_data(rows)]


def _distinct(rows: list[Row], test: list[Row], guess: Guess) -> tuple[list[Row], list[Row], list[Issue]]:
    """Rows without duplicates and without those of the test file; rows that share a text get a group."""
    everything = [*rows, *test]
    if not everything or guess.task is None:
        return rows, test, []
    same = _same_inputs(everything)
    issues: list[Issue] = []
    in_test = set(zip(*(ids[len(rows) :] for ids in same.values()), strict=True))
    keys = list(zip(*same.values(), strict=True))
    shared = [row.number for row, key in zip(rows, keys, strict=False) if key in in_test]
    issues += by_row(
        Severity.WARNING,
        "shared_with_test",
        shared,
        lambda n: f"Row {n} is in the test file too and is left out of training.",
    )
    kept, repeated = _first_of_each(rows, keys, set(shared))
    issues += repeated
    long_role = Role.MESSAGES if Role.MESSAGES in same else LONG_ROLE[guess.task]
    issues += _texts_in_test(rows, kept, same[long_role])
    members = [*kept, *range(len(rows), len(everything))]
    grouped, group_issues = _grouped(everything, members, same[long_role])
    issues += group_issues
    return grouped[: len(kept)], grouped[len(kept) :], issues


def _texts_in_test(rows: Sequence[Row], kept: Sequence[int], same_text: Sequence[int]) -> list[Issue]:
    """Kept rows that share only the long text (another question, another label) with the test file."""
    in_test = set(same_text[len(rows) :])
    return by_row(
        Severity.WARNING,
        "text_in_test",
        [rows[index].number for index in kept if same_text[index] in in_test],
        lambda n: f"The text of row {n} is in the test file too, asked or labelled otherwise.",
    )


def _same_inputs(rows: Sequence[Row]) -> dict[Role, list[int]]:
    """For each input role and row, the first row whose text is the same or nearly so."""
    return {
        role: clusters([_compared_text(row, role) for row in rows])
        for role in INPUT_ROLES
        if role in rows[0].inputs
    }


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
        "duplicate_rows",
        list(same),
        lambda n: f"Row {n} repeats row {same[n]} and is left out.",
    )


def _near_repeats(alike: Mapping[int, int]) -> list[Issue]:
    return by_row(
        Severity.WARNING,
        "near_duplicates",
        list(alike),
        lambda n: f"Row {n} is nearly the same as row {alike[n]}, with the same target, and is left out.",
    )


def _frame(alike: int, rows: int) -> list[Issue]:
    text = (
        f"{alike:,} of {counted(rows, 'row')} are nearly the same as another one, as if a long text stood "
        "around all of them: they are kept, and those that are alike stay on one side."
    )
    return [Issue(Severity.WARNING, "near_duplicates", None, text)]


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
        return [rows[i] for i in members], [Issue(Severity.WARNING, "one_text", None, text)]
    return [
        replace(rows[i], group=str(same_text[i])) if counts[same_text[i]] > 1 else rows[i] for i in members
    ], []


def _split(rows: Sequence[Row], test: Sequence[Row], task: Task, seed: int) -> dict[str, tuple[int, ...]]:
    wanted = splits.sizes(len(rows), own_test=bool(test))
    groups = [row.group or f"row {index}" for index, row in enumerate(rows)]
    found = splits.assign(wanted, _strata(rows, task), groups, seed)
    return {**found, "test": tuple(range(len(rows), len(rows) + len(test)))} if test else found


def _strata(rows: Sequence[Row], task: Task) -> list[str]:
    return [row.targets[0] if task is Task.CLASSIFICATION else "" for row in rows]


def _labels(task: Task, train: Sequence[Row]) -> tuple[str, ...]:
    """The labels of the training rows, as they are spelled there."""
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


def _identity(paths: Sequence[Path | None], mapping: object) -> str:
    digest = hashlib.sha256(json.dumps(mapping).encode())
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest() if path else b"-")
    return digest.hexdigest()[:12]


def save(dataset: Dataset, original: Path, root: Path) -> None:
    """Keeps the dataset under <root>/datasets/<id>: the file itself, rows.parquet and, last, dataset.json."""
    folder = _folder(dataset.id, root)
    (folder / "original").mkdir(parents=True, exist_ok=True)
    _replace(folder / "original" / dataset.file_name, original.read_bytes())
    _replace(folder / "rows.parquet", _rows_to_parquet(dataset.rows))
    _replace(folder / "dataset.json", json.dumps(_to_dict(dataset), ensure_ascii=False, indent=1).encode())


def load(dataset_id: str, root: Path) -> Dataset:
    """The dataset that was kept under this id; NotFoundError when there is none."""
    folder = _folder(dataset_id, root)
    values = _read_json(folder, dataset_id)
    return _from_dict(values, _rows_from_parquet(folder / "rows.parquet"))


def list_saved(root: Path) -> list[DatasetInfo]:
    """All kept datasets by name."""
    found = [_read_json(path.parent, path.parent.name) for path in (root / "datasets").glob("*/dataset.json")]
    infos = [
        DatasetInfo(
            v["id"], v["name"], v["file_name"], Task(v["task"]), sum(len(s) for s in v["splits"].values())
        )
        for v in found
    ]
    return sorted(infos, key=lambda info: (info.name.casefold(), info.id))


def rename(dataset_id: str, name: str, root: Path) -> None:
    """Gives a kept dataset another name; the id stays."""
    if not name.strip():
        raise ConfigError("A dataset's name must not be empty. Enter a name.")
    folder = _folder(dataset_id, root)
    values = {**_read_json(folder, dataset_id), "name": name.strip()}
    _replace(folder / "dataset.json", json.dumps(values, ensure_ascii=False, indent=1).encode())


def delete(dataset_id: str, root: Path) -> None:
    """Removes all copies of a kept dataset: the original, the rows and what is known about it."""
    folder = _folder(dataset_id, root)
    _read_json(folder, dataset_id)
    shutil.rmtree(folder)


def _folder(dataset_id: str, root: Path) -> Path:
    if not re.fullmatch(r"[0-9a-f]{12}", dataset_id):
        raise NotFoundError(f"There is no dataset {dataset_id!r}.")
    return root / "datasets" / dataset_id


def _read_json(folder: Path, dataset_id: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no dataset {dataset_id!r}; it may have been deleted.") from error
    return values


def _replace(path: Path, data: bytes) -> None:
    """Writes whole files only: a reader sees the old or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)


def _rows_to_parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "number": pa.array([row.number for row in rows], pa.int64()),
        "group": pa.array([row.group for row in rows], pa.string()),
        "targets": pa.array([list(row.targets) for row in rows], pa.list_(pa.string())),
    }
    for role in rows[0].inputs:
        columns[f"input_{role}"] = pa.array([row.inputs[role] for row in rows], pa.string())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _rows_from_parquet(path: Path) -> tuple[Row, ...]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = [name for name in table.column_names if name.startswith("input_")]
    found = table.to_pydict()
    inputs = [
        dict(zip(map(_input_role, names), v, strict=True))
        for v in zip(*(found[n] for n in names), strict=True)
    ]
    return tuple(
        Row(number, texts, tuple(targets), group)
        for number, texts, targets, group in zip(
            found["number"], inputs, found["targets"], found["group"], strict=True
        )
    )


def _input_role(column: str) -> Role:
    return Role(column.removeprefix("input_"))


def _to_dict(dataset: Dataset) -> dict[str, Any]:
    return {
        "id": dataset.id,
        "name": dataset.name,
        "file_name": dataset.file_name,
        "task": str(dataset.task),
        "roles": {str(role): column for role, column in dataset.roles.items()},
        "labels": list(dataset.labels),
        "splits": {name: list(rows) for name, rows in dataset.splits.items()},
        "issues": [issue.to_dict() for issue in dataset.issues],
        "total_rows": dataset.total_rows,
        "grouped": dataset.grouped,
        "seed": dataset.seed,
        "notes": list(dataset.notes),
    }


def _from_dict(values: Mapping[str, Any], rows: tuple[Row, ...]) -> Dataset:
    return Dataset(
        **{
            **values,
            "task": Task(values["task"]),
            "roles": {Role(role): column for role, column in values["roles"].items()},
            "labels": tuple(values["labels"]),
            "rows": rows,
            "splits": {name: tuple(found) for name, found in values["splits"].items()},
            "issues": tuple(Issue(**{**i, "severity": Severity(i["severity"])}) for i in values["issues"]),
            "notes": tuple(values["notes"]),
        }
    )
