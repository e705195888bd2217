"""A newer version of a file keeps the test rows of the earlier one."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import dataset
from engine.dataset import Dataset
from engine.duplicates import input_hash
from engine.errors import DatasetError
from engine.findings import Code
from engine.records import Row
from tests.tiny import tiny_classification, tiny_questions, write_jsonl


def texts(rows: tuple[Row, ...]) -> set[str]:
    return {next(iter(row.inputs.values())) for row in rows}


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return tiny_classification(80)


@pytest.fixture
def before(tmp_path: Path, rows: list[dict[str, str]]) -> Dataset:
    return dataset.build(write_jsonl(tmp_path / "v1.jsonl", rows))


def newer(tmp_path: Path, rows: list[dict[str, str]], before: Dataset) -> Dataset:
    path = write_jsonl(tmp_path / "v2.jsonl", rows)
    return dataset.build(path, roles=before.roles, task=before.task, newer_than=before)


def test_the_test_rows_stay_and_new_rows_go_to_train_and_dev(
    tmp_path: Path, rows: list[dict[str, str]], before: Dataset
) -> None:
    added = [{"text": f"a wholly new line number {i} of things", "label": "red"} for i in range(100, 130)]

    found = newer(tmp_path, [*added, *reversed(rows)], before)

    assert texts(found.split("test")) == texts(before.split("test"))
    learned = texts(found.split("train")) | texts(found.split("dev"))
    assert not learned & texts(before.split("test"))
    assert {row["text"] for row in added} & learned
    assert found.id != before.id
    (moved,) = [issue for issue in found.issues if issue.code == Code.NEWER_VERSION]
    assert "0 of the earlier version are gone" in moved.message


def test_case_and_spacing_do_not_make_another_row(
    tmp_path: Path, rows: list[dict[str, str]], before: Dataset
) -> None:
    shouted = [{**row, "text": f"  {row['text'].upper()} "} for row in rows]

    found = newer(tmp_path, shouted, before)

    assert [input_hash(row) for row in found.split("test")] == [
        input_hash(row) for row in before.split("test")
    ]


def test_test_rows_that_vanished_are_named_by_their_number_in_the_earlier_file(
    tmp_path: Path, rows: list[dict[str, str]], before: Dataset
) -> None:
    gone = before.split("test")[:2]
    left = [row for number, row in enumerate(rows, 1) if number not in {row.number for row in gone}]

    found = newer(tmp_path, left, before)

    assert len(found.split("test")) == len(before.split("test")) - 2
    (issue,) = [issue for issue in found.issues if issue.code == Code.VANISHED_TEST_ROWS]
    assert f"rows {gone[0].number} and {gone[1].number} of v1.jsonl" in issue.message


def test_a_test_row_with_a_corrected_label_stays_and_is_named(
    tmp_path: Path, rows: list[dict[str, str]], before: Dataset
) -> None:
    first = before.split("test")[0]
    other = "green" if first.targets[0] != "green" else "blue"
    corrected = [
        {**row, "label": other} if number == first.number else row for number, row in enumerate(rows, 1)
    ]

    found = newer(tmp_path, corrected, before)

    assert found.split("test")[0].targets == (other,)
    (issue,) = [issue for issue in found.issues if issue.code == Code.CHANGED_ANSWERS]
    assert issue.row == first.number


def test_a_second_copy_of_a_test_row_is_not_trained_on(
    tmp_path: Path, rows: list[dict[str, str]], before: Dataset
) -> None:
    first = before.split("test")[0]

    found = newer(tmp_path, [*rows, rows[first.number - 1]], before)

    everywhere = [row for name in found.splits for row in found.split(name)]
    assert sum(input_hash(row) == input_hash(first) for row in everywhere) == 1


def test_new_questions_about_the_text_of_a_test_row_are_left_out(tmp_path: Path) -> None:
    rows = tiny_questions(60)
    before = dataset.build(write_jsonl(tmp_path / "q1.jsonl", rows))
    passage = rows[before.split("test")[0].number - 1]["context"]
    asked = {"context": passage, "question": "Is anything here green, red or blue?", "answer": "red"}

    found = newer(tmp_path, [*rows, asked], before)

    assert texts(found.split("test")) == texts(before.split("test"))
    assert passage not in texts(found.split("train")) | texts(found.split("dev"))
    assert any("61" in i.message and i.code == Code.TEXT_IN_TEST for i in found.issues)


def test_a_file_without_any_test_row_is_no_newer_version(tmp_path: Path, before: Dataset) -> None:
    others = [{"text": f"something else entirely {i} {i * 7}", "label": "red"} for i in range(40)]
    others += [{"text": f"and yet another matter {i} {i * 3}", "label": "blue"} for i in range(40)]

    with pytest.raises(DatasetError, match="None of the .* test rows of .* is in this file"):
        newer(tmp_path, others, before)


def test_a_missing_column_is_named(tmp_path: Path, rows: list[dict[str, str]], before: Dataset) -> None:
    renamed = [{"message": row["text"], "label": row["label"]} for row in rows]

    with pytest.raises(DatasetError, match="'text'"):
        newer(tmp_path, renamed, before)
