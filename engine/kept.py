"""A dataset that is ready to train on, and how it is kept by its id and deleted with all copies."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import layouts, splits
from engine.duplicates import input_hash
from engine.errors import ConfigError, NotFoundError
from engine.records import Issue, Role, Row, Severity, Task
from engine.sheets import AS_FOUND, Layout


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
    rows that share a `group` (a passage, a text) are on one side. `layout` is what the person
    chose of how the file is read, `read_as` how it was, in words."""

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
    layout: Layout = AS_FOUND
    read_as: str = ""

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
        found = splits.assign(wanted, splits.strata(rows, self.task), range(len(rows)), seed)
        return tuple(rows[index] for index in found["taken"])

    def input_hashes(self) -> frozenset[str]:
        """The input_hash of each row: to find the rows that two datasets share."""
        return frozenset(map(input_hash, self.rows))


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
    headings = tuple(values.pop("headings", ()))
    return _from_dict(values, _rows_from_parquet(folder / "rows.parquet", headings))


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


def _rows_from_parquet(path: Path, headings: tuple[str, ...]) -> tuple[Row, ...]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = [name for name in table.column_names if name.startswith("input_")]
    found = table.to_pydict()
    inputs = [
        dict(zip(map(_input_role, names), v, strict=True))
        for v in zip(*(found[n] for n in names), strict=True)
    ]
    return tuple(
        Row(number, texts, tuple(targets), group, headings)
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
        "layout": layouts.to_dict(dataset.layout),
        "read_as": dataset.read_as,
        "headings": list(dataset.rows[0].headings) if dataset.rows else [],
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
            "layout": layouts.from_dict(values.get("layout", {})),
        }
    )
