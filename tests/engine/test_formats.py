"""Each shared dataset comes back as the same rows, task and roles from every format that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine import reading, roles
from engine.records import Role, Row, Task
from engine.rows import rows_of
from tests.engine.fileformats import FORMATS, LONGEST_CELL, one_line
from tests.shared import SHARED, shared

SAMPLE = 120
DATASETS = sorted(path.name for path in (SHARED / "datasets").glob("*")) or ["trec"]


class Understood(NamedTuple):
    """What came of a file."""

    task: Task | None
    roles: dict[Role, str]
    rows: list[tuple[dict[Role, str], tuple[str, ...]]]


def sample(name: str) -> list[dict[str, Any]]:
    """Every n-th row, so that sorted labels are all there; none with a cell too long for Excel."""
    lines = shared(f"datasets/{name}/train.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines[:: max(1, len(lines) // SAMPLE)]][:SAMPLE]
    return [r for r in records if all(len(json.dumps(v)) < LONGEST_CELL for v in r.values())]


def understood(path: Path) -> Understood:
    table = reading.read(path)
    guess = roles.guess(table)
    rows: list[Row] = rows_of(table, guess.task, guess.roles)[0] if guess.task else []
    return Understood(guess.task, dict(guess.roles), [(dict(row.inputs), row.targets) for row in rows])


def expected(records: list[dict[str, Any]], form: str, folder: Path) -> Understood:
    """What the records are as JSON Lines; of a chat the turns."""
    path = folder / "expected.jsonl"
    if form == "unquoted":
        records = [one_line(record) for record in records]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    found = understood(path)
    assert found.task is not None
    if form != "chat":
        return found
    order = list(records[0])[:-1]
    turns = [
        ([{"role": "user", "content": "\n".join(record[name] for name in order).strip()}], targets[:1])
        for record, (_, targets) in zip(records, found.rows, strict=True)
    ]
    said = [({Role.MESSAGES: json.dumps(asked, ensure_ascii=False)}, answer) for asked, answer in turns]
    repeat = 4 * len({answer for _, answer in said}) <= len(said)
    task = Task.CLASSIFICATION if repeat else Task.GENERATION
    return Understood(task, {Role.MESSAGES: "messages"}, said)


@pytest.mark.slow
@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_rows_task_and_roles(tmp_path: Path, form: str, name: str) -> None:
    records = sample(name)
    file_name, write = FORMATS[form]
    write(records, tmp_path / file_name)

    found = understood(tmp_path / file_name)

    assert len(found.rows) == len(records) > 90
    assert found == expected(records, form, tmp_path)
