"""From a file to a dataset: what is set aside, left out, split, named, kept and deleted."""

import csv
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import dataset
from engine.errors import ConfigError, DatasetError, NotFoundError
from engine.records import Role, Row, Severity, Task
from tests.shared import shared

STEMS = ("amber", "basket", "candle", "dragon", "engine", "forest", "garden", "harbor", "island", "jacket")
WORDS = tuple(stem + end for stem in STEMS for end in ("", "less", "like", "ward"))


def sentence(number: int, length: int = 9) -> str:
    return " ".join(random.Random(number).sample(WORDS, length)) + f" {number}"


def labelled(count: int, labels: Sequence[Any] = ("good", "bad")) -> list[dict[str, Any]]:
    return [{"text": sentence(i), "label": labels[i % len(labels)]} for i in range(count)]


def jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def codes(found: dataset.Dataset | dataset.Inspection, *severities: Severity) -> list[str]:
    return [i.code for i in found.issues if i.severity in (severities or tuple(Severity))]


@pytest.mark.parametrize(
    ("name", "task", "roles"),
    [
        *(
            (name, Task.CLASSIFICATION, {Role.SOURCE: "text", Role.TARGET: "label"})
            for name in (
                "banking77",
                "cfpb_complaints",
                "cuad_clauses",
                "medical_abstracts",
                "sentence_polarity",
                "trec",
            )
        ),
        *(
            (name, Task.SUMMARIZATION, {Role.SOURCE: "document", Role.TARGET: "summary"})
            for name in ("dialogsum", "mts_dialog", "scitldr")
        ),
        *(
            (name, Task.QA, {Role.CONTEXT: "context", Role.QUESTION: "question", Role.TARGET: "answers"})
            for name in ("clapnq", "fairytale_qa", "head_qa", "pubmedqa", "xquad_en")
        ),
    ],
)
def test_real_datasets_are_understood(name: str, task: Task, roles: dict[Role, str]) -> None:
    found = dataset.build(shared(f"datasets/{name}/train.jsonl"))

    assert (found.task, found.roles, found.name) == (task, roles, name)
    assert len(found.rows) > 0.99 * found.total_rows
    assert (len(found.labels) > 0) == (task is Task.CLASSIFICATION)
    sides = [{r.group for r in found.split(s) if r.group} for s in ("train", "dev", "test")]
    assert not (sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2])


def test_gold_answers_are_all_kept_and_the_first_is_trained_on(tmp_path: Path) -> None:
    answers: list[Any] = [
        ["one", "two"],
        {"text": ["one", "two", "one"], "answer_start": [3, 7, 9]},
        [{"text": "one"}, {"text": "two"}],
        "one",
    ]
    rows = [
        {"context": sentence(i, 20), "question": sentence(i + 50), "answers": answer}
        for i, answer in enumerate(answers)
    ]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows), task=Task.QA)

    assert [row.targets for row in found.rows] == [("one", "two")] * 3 + [("one",)]


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_lists_of_answers_survive_tables(tmp_path: Path, name: str) -> None:
    import pandas as pd

    rows = pd.DataFrame(
        {
            "context": [sentence(i, 20) for i in range(8)],
            "question": [sentence(i + 50) for i in range(8)],
            "answers": [{"text": ["one", "two"], "answer_start": [1, 2]}] * 8,
        }
    )
    path = tmp_path / f"a.{name}"
    rows.to_csv(path, index=False) if name == "csv" else rows.to_parquet(path)

    assert {row.targets for row in dataset.build(path).rows} == {("one", "two")}


def test_rows_without_target_or_text_are_set_aside_and_counted(tmp_path: Path) -> None:
    rows = labelled(12)
    for number, change in {
        2: {"label": None},
        4: {"label": "  "},
        5: {"label": float("nan")},
        7: {"text": ""},
        9: {"text": None},
    }.items():
        rows[number - 1].update(change)
    del rows[10]["label"]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert (found.total_rows, len(found.rows)) == (12, 6)
    assert [row.number for row in found.rows] == [1, 3, 6, 8, 10, 12]
    assert [i.row for i in found.issues if i.code == "missing_target"] == [2, 4, 5, 11]
    assert [i.row for i in found.issues if i.code == "empty_source"] == [7, 9]


def test_rows_with_several_labels_are_set_aside(tmp_path: Path) -> None:
    rows = labelled(8)
    rows[0]["label"], rows[1]["label"] = ["good"], ["good", "bad"]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows), task=Task.CLASSIFICATION)

    assert found.rows[0].targets == ("good",)
    assert [i.row for i in found.issues if i.code == "several_labels"] == [2]


def test_labels_are_those_of_the_training_rows_as_spelled(tmp_path: Path) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20, ("NASA", "other Thing"))))

    assert found.labels == ("NASA", "other Thing")
    assert {row.targets[0] for row in found.split("train")} == set(found.labels)


def test_integer_labels_become_text_and_may_be_given_words(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(20, (0, 1)))

    plain = dataset.build(path)
    worded = dataset.build(path, label_words={"0": "negative", "1": "positive"})

    assert plain.labels == ("0", "1")
    assert worded.labels == ("negative", "positive")
    assert worded.splits == plain.splits
    assert worded.id != plain.id


def test_words_for_labels_reach_the_own_test_file(tmp_path: Path) -> None:
    path, own = tmp_path / "a.jsonl", tmp_path / "t.jsonl"
    jsonl(path, labelled(20, (0, 1)))
    jsonl(own, [{"text": sentence(90), "label": 1}])

    found = dataset.build(path, test_path=own, label_words={"0": "negative", "1": "positive"})

    assert [row.targets for row in found.split("test")] == [("positive",)]


def test_a_large_test_file_makes_up_for_few_rows(tmp_path: Path) -> None:
    path, own = tmp_path / "a.jsonl", tmp_path / "t.jsonl"
    jsonl(path, labelled(100))
    jsonl(own, labelled(300)[100:])

    assert dataset.build(path, test_path=own).notes == ()


def test_a_word_for_a_label_that_is_not_there_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(20, (0, 1)))

    with pytest.raises(DatasetError, match="no label '2'; labels are 0 and 1"):
        dataset.build(path, label_words={"2": "neutral"})


def test_whole_float_labels_read_as_integers(tmp_path: Path) -> None:
    assert dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20, (0.0, 1.0)))).labels == ("0", "1")


def test_duplicates_are_left_out_before_the_split(tmp_path: Path) -> None:
    rows = labelled(30)
    rows[5] = {**rows[3], "text": rows[3]["text"].upper() + "  "}
    rows[9] = {**rows[7], "text": rows[7]["text"].replace(" ", ", ", 1)}

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert [(i.row, i.message) for i in found.issues if i.code == "duplicate_rows"] == [
        (6, "Row 6 repeats row 4 and is left out.")
    ]
    assert [i.row for i in found.issues if i.code == "near_duplicates"] == [10]
    assert (found.total_rows, len(found.rows)) == (30, 28)
    assert sum(map(len, found.splits.values())) == 28


def test_the_same_text_with_other_labels_stays_and_stays_on_one_side(tmp_path: Path) -> None:
    rows = labelled(40)
    rows[10] = {**rows[3], "label": "bad" if rows[3]["label"] == "good" else "good"}

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert [i.row for i in found.issues if i.code == "conflicting_labels"] == [4]
    assert found.grouped
    assert any({4, 11} <= {row.number for row in found.split(s)} for s in found.splits)


def test_near_duplicates_with_another_target_are_kept(tmp_path: Path) -> None:
    rows = [
        {**r, "text": f"{sentence(i // 2, 20)} turn it {'on' if i % 2 else 'off'}"}
        for i, r in enumerate(labelled(40))
    ]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert len(found.rows) == 40
    assert all(len({r.number for r in found.split(s)} & {1, 2}) in (0, 2) for s in found.splits)


def test_questions_on_one_passage_stay_on_one_side(tmp_path: Path) -> None:
    rows = [
        {"context": sentence(i // 4, 25), "question": sentence(500 + i), "answer": sentence(900 + i, 2)}
        for i in range(80)
    ]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert found.grouped
    sides = [{row.inputs[Role.CONTEXT] for row in found.split(s)} for s in ("train", "dev", "test")]
    assert sum(map(len, sides)) == 20
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 40, "dev": 20, "test": 20}


def test_one_passage_for_all_questions_is_split_anyway_and_said(tmp_path: Path) -> None:
    rows = [{"context": sentence(1, 25), "question": sentence(i), "answer": "yes"} for i in range(40)]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert not found.grouped
    assert "one_text" in codes(found)
    assert len(found.split("test")) == 10


def test_the_same_instruction_around_every_text_makes_no_duplicates(tmp_path: Path) -> None:
    frame = "Decide whether the following customer message is friendly or not, and answer with one word. " * 5
    rows = [{**row, "text": f"{frame} Message: {row['text']} Answer:"} for row in labelled(60)]

    assert len(dataset.build(jsonl(tmp_path / "a.jsonl", rows)).rows) == 60


def test_when_most_rows_look_alike_they_are_kept_and_it_is_said(tmp_path: Path) -> None:
    frames = [sentence(n, 25) * 4 for n in range(3)]
    rows = [{"text": f"{frames[i % 3]} {sentence(i, 3)}", "label": "ab"[i % 2]} for i in range(60)]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", [*rows, rows[20]]))

    assert len(found.rows) == 60
    assert [i.row for i in found.issues if i.code == "duplicate_rows"] == [61]
    assert [(i.code, i.row) for i in found.issues if i.code == "near_duplicates"] == [
        ("near_duplicates", None)
    ]


@pytest.mark.parametrize(("count", "note"), [(40, True), (199, True), (200, False)])
def test_few_rows_are_marked(tmp_path: Path, count: int, note: bool) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(count)))

    assert found.notes == (("too few to conclude",) if note else ())
    assert ("few_rows" in codes(found)) == note


@pytest.mark.parametrize(
    ("rows", "code", "sentence_part"),
    [
        (labelled(1), "too_few_rows", "At least 4 usable rows"),
        (labelled(30, ("same",)), "one_class", "two or more labels"),
        ([{"text": sentence(i), "label": f"code {i}"} for i in range(30)], "unknown_task", "choose the task"),
        ([{"text": sentence(i)} for i in range(9)], "unknown_task", "choose it"),
    ],
)
def test_errors_are_shown_by_inspect_and_refused_by_build(
    tmp_path: Path, rows: list[dict[str, Any]], code: str, sentence_part: str
) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows)

    seen = dataset.inspect(path)

    assert code in codes(seen, Severity.ERROR)
    assert seen.error and sentence_part in seen.error
    with pytest.raises(DatasetError, match=sentence_part):
        dataset.build(path)


def test_a_label_per_row_is_refused(tmp_path: Path) -> None:
    rows = [{"text": sentence(i), "label": f"code {i}"} for i in range(30)]

    with pytest.raises(DatasetError, match="30 different labels for 30 rows"):
        dataset.build(jsonl(tmp_path / "a.jsonl", rows), task=Task.CLASSIFICATION)


def test_a_missing_role_says_what_to_choose(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(20))

    seen = dataset.inspect(path, task=Task.QA)

    assert seen.splits == {"train": 0, "dev": 0, "test": 0}
    assert seen.error == "Choose the column for question (qa); the file has text and label."


def test_inspect_shows_what_was_understood(tmp_path: Path) -> None:
    rows = [{"id": i, **row} for i, row in enumerate(labelled(20))]
    seen = dataset.inspect(jsonl(tmp_path / "my data.jsonl", rows))

    assert (seen.file_name, seen.format, seen.encoding) == ("my data.jsonl", "jsonl", "utf-8")
    assert seen.columns == ("id", "text", "label")
    assert (seen.rows, seen.usable_rows) == (20, 20)
    assert seen.task_reason == "'label' has 2 different short values: labels for 'text'."
    assert seen.role_reasons[Role.SOURCE]
    assert seen.splits == {"train": 10, "dev": 5, "test": 5}
    assert seen.preview[1] == {"id": "1", "text": rows[1]["text"], "label": "bad"}
    assert [i.message for i in seen.issues if i.code == "unused_columns"] == ["Not used: 'id' (ids)."]


def test_the_person_may_change_task_and_columns(tmp_path: Path) -> None:
    rows = [{"a": sentence(i, 20), "b": sentence(i, 5), "c": "xy"[i % 2]} for i in range(20)]
    path = jsonl(tmp_path / "a.jsonl", rows)

    found = dataset.build(path, task=Task.SUMMARIZATION, roles={Role.SOURCE: "a", Role.TARGET: "b"})

    assert found.roles == {Role.SOURCE: "a", Role.TARGET: "b"}
    assert found.rows[0].targets == (rows[0]["b"],)


def test_an_own_test_file_becomes_the_test_split(tmp_path: Path) -> None:
    rows = labelled(60)
    own = [
        {"text": rows[4]["text"].upper(), "label": rows[4]["label"]},
        *({"text": sentence(700 + i), "label": "good"} for i in range(7)),
        {"text": sentence(800), "label": "unheard of"},
    ]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows), test_path=jsonl(tmp_path / "test.jsonl", own))

    assert [row.inputs[Role.SOURCE] for row in found.split("test")] == [row["text"] for row in own]
    assert {name: len(rows) for name, rows in found.splits.items()} == {"train": 40, "dev": 19, "test": 9}
    assert [i.row for i in found.issues if i.code == "shared_with_test"] == [5]
    assert 5 not in [row.number for row in found.split("train") + found.split("dev")]
    assert [i.message for i in found.issues if i.code == "unknown_labels"]


def test_passages_shared_with_the_own_test_file_are_said(tmp_path: Path) -> None:
    def questions(numbers: range) -> list[dict[str, str]]:
        return [
            {"context": sentence(i // 4, 25), "question": sentence(i + 99), "answer": "x"} for i in numbers
        ]

    found = dataset.build(
        jsonl(tmp_path / "a.jsonl", questions(range(42))),
        test_path=jsonl(tmp_path / "test.jsonl", questions(range(42, 60))),
    )

    assert [i.row for i in found.issues if i.code == "text_in_test"] == [41, 42]
    assert not any(i.code == "shared_with_test" for i in found.issues)


def test_a_test_file_with_other_columns_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(20))
    other = jsonl(tmp_path / "test.jsonl", [{"text": "a", "class": "b"}])

    with pytest.raises(DatasetError, match="test.jsonl has no column 'label', which is used as target"):
        dataset.build(path, test_path=other)


def test_conversations_learn_the_last_answer_only(tmp_path: Path) -> None:
    def talk(i: int) -> list[dict[str, str]]:
        return [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": sentence(i)},
            {"role": "assistant", "content": "First answer"},
            {"role": "user", "content": "More?"},
            {"role": "assistant", "content": f"Last answer {i}"},
        ]

    rows = [{"messages": talk(i)} for i in range(8)]
    rows[1]["messages"] = rows[1]["messages"][:-1]
    rows[2]["messages"] = rows[2]["messages"][-1:]
    rows[3]["messages"][0]["role"] = "narrator"

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert (found.task, found.roles) == (Task.GENERATION, {Role.MESSAGES: "messages"})
    assert found.rows[0].targets == ("Last answer 0",)
    assert json.loads(found.rows[0].inputs[Role.MESSAGES]) == talk(0)[:-1]
    assert {(i.code, i.row) for i in found.issues if i.row} == {
        ("missing_target", 2),
        ("empty_messages", 3),
        ("unknown_role", 4),
    }


def test_sharegpt_conversations_are_the_same_rows(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    rows = [{"conversations": [{**turns[0], "value": sentence(i)}, turns[1]]} for i in range(6)]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    assert json.loads(found.rows[2].inputs[Role.MESSAGES]) == [{"role": "user", "content": sentence(2)}]
    assert found.rows[2].targets == ("Hello",)


def test_turns_in_parts_are_read_as_their_text(tmp_path: Path) -> None:
    def talk(i: int) -> list[dict[str, Any]]:
        parts = [{"type": "text", "text": sentence(i)}, {"type": "image", "url": "x"}]
        return [{"role": "user", "content": parts}, {"role": "assistant", "content": "Hello"}]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", [{"messages": talk(i)} for i in range(6)]))

    assert json.loads(found.rows[0].inputs[Role.MESSAGES]) == [{"role": "user", "content": sentence(0)}]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["text", "label", "question", "context", "answers", "messages", "prompt", "output"]
            ),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=30)
            | st.lists(st.text(max_size=9), max_size=3)
            | st.lists(
                st.dictionaries(st.sampled_from(["role", "content", "text"]), st.text(max_size=9)), max_size=3
            ),
            min_size=1,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_rows_are_inspected_or_refused(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows)

    for task in (None, *Task):
        try:
            seen = dataset.inspect(path, task)
        except DatasetError as error:
            assert "\n" not in str(error)
            continue
        if seen.error is None:
            found = dataset.build(path, task=task)
            dataset.save(found, path, tmp_path)
            assert dataset.load(found.id, tmp_path) == found


def test_an_empty_input_leaves_the_instruction_alone(tmp_path: Path) -> None:
    rows = [
        {"instruction": sentence(i), "input": "" if i % 2 else "extra", "output": sentence(i + 90)}
        for i in range(8)
    ]

    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    both, alone = (row.inputs[Role.PROMPT] for row in found.rows[:2])
    assert both == f"instruction: {sentence(0)}\ninput: extra"
    assert alone == f"instruction: {sentence(1)}"


def test_the_id_depends_on_content_mapping_and_seed_only(tmp_path: Path) -> None:
    first = jsonl(tmp_path / "first.jsonl", labelled(20))
    second = jsonl(tmp_path / "second.jsonl", labelled(20))
    other = jsonl(tmp_path / "other.jsonl", labelled(21))

    ids = [dataset.build(path).id for path in (first, second, other)]

    assert ids[0] == ids[1] != ids[2]
    assert dataset.build(first, seed=1).id != ids[0]
    assert len(ids[0]) == 12


def test_the_seed_changes_the_splits(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(60))

    assert dataset.build(path, seed=1).splits != dataset.build(path, seed=2).splits
    assert dataset.build(path, seed=1).splits == dataset.build(path, seed=1).splits


def test_train_subsets_keep_the_proportions_of_labels(tmp_path: Path) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(400, ("a", "a", "a", "b"))))

    subset = found.train_subset(40, seed=3)

    assert 29 <= Counter(row.targets[0] for row in subset)["a"] <= 31
    assert set(r.number for r in subset) <= {r.number for r in found.split("train")}
    assert subset == found.train_subset(40, seed=3) != found.train_subset(40, seed=4)
    assert found.train_subset(None, seed=0) == found.split("train") == found.train_subset(200, seed=0)


@pytest.mark.parametrize("size", [0, -1, 11])
def test_a_train_size_beyond_the_data_is_refused(tmp_path: Path, size: int) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20)))

    with pytest.raises(ConfigError, match="must be 1 to 10"):
        found.train_subset(size, seed=0)


def test_input_hashes_find_the_same_texts_in_other_files(tmp_path: Path) -> None:
    first = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20)))
    path = tmp_path / "b.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Review", "Class"])
        writer.writerows(
            [row["text"].upper(), "new"] if i < 5 else [sentence(i + 70), "old"]
            for i, row in enumerate(labelled(20))
        )
    second = dataset.build(path)

    assert len(first.input_hashes() & second.input_hashes()) == 5
    assert all(len(found) == 16 for found in first.input_hashes())
    row = Row(1, {Role.CONTEXT: "a", Role.QUESTION: "b"}, ("x",))
    assert dataset.input_hash(row) != dataset.input_hash(
        Row(1, {Role.CONTEXT: "b", Role.QUESTION: "a"}, ("x",))
    )


def test_a_kept_dataset_comes_back_equal(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(40))
    found = dataset.build(path, name="Mine", test_path=jsonl(tmp_path / "t.jsonl", labelled(44)[40:]))

    dataset.save(found, path, tmp_path / "home")
    dataset.save(found, path, tmp_path / "home")

    assert dataset.load(found.id, tmp_path / "home") == found
    assert [(i.id, i.name, i.rows) for i in dataset.list_saved(tmp_path / "home")] == [(found.id, "Mine", 44)]
    folder = tmp_path / "home" / "datasets" / found.id
    assert (folder / "original" / "a.jsonl").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in folder.iterdir()) == ["dataset.json", "original", "rows.parquet"]


def test_conversations_come_back_equal(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Grüße \ud83d"}, {"role": "assistant", "content": "Hello"}]
    path = jsonl(
        tmp_path / "a.jsonl",
        [{"messages": [{**turns[0], "content": sentence(i)}, turns[1]]} for i in range(5)],
    )
    found = dataset.build(path)

    dataset.save(found, path, tmp_path)

    assert dataset.load(found.id, tmp_path) == found


def test_a_kept_dataset_can_be_renamed_and_deleted_with_all_copies(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", labelled(20))
    found = dataset.build(path)
    dataset.save(found, path, tmp_path)

    dataset.rename(found.id, " New name ", tmp_path)
    assert dataset.load(found.id, tmp_path).name == "New name"
    with pytest.raises(ConfigError):
        dataset.rename(found.id, " ", tmp_path)

    dataset.delete(found.id, tmp_path)
    assert dataset.list_saved(tmp_path) == []
    assert list((tmp_path / "datasets").iterdir()) == []
    with pytest.raises(NotFoundError):
        dataset.load(found.id, tmp_path)


@pytest.mark.parametrize("unknown", ["0123456789ab", "../../etc", "", "/", "0123456789AB"])
def test_unknown_and_crooked_ids_are_refused(tmp_path: Path, unknown: str) -> None:
    for act in (dataset.load, dataset.delete):
        with pytest.raises(NotFoundError):
            act(unknown, tmp_path)


def test_a_file_name_with_folders_stays_inside(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "..\\..\\evil\n.jsonl", labelled(20))

    found = dataset.build(path)
    dataset.save(found, path, tmp_path / "home")

    assert found.file_name == "evil_.jsonl"
    assert (tmp_path / "home" / "datasets" / found.id / "original" / "evil_.jsonl").is_file()


def test_a_file_called_like_ours_does_no_harm(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "dataset.json", labelled(20))
    found = dataset.build(path)

    dataset.save(found, path, tmp_path)

    assert dataset.load(found.id, tmp_path) == found


def test_new_rows_need_no_target(tmp_path: Path) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20)))

    bare = dataset.read_unlabelled(
        jsonl(tmp_path / "b.jsonl", [{"text": "x"}, {"text": ""}, {"text": "y"}]), found
    )
    mixed = dataset.read_unlabelled(
        jsonl(tmp_path / "c.jsonl", [{"text": "x", "label": "good"}, {"text": "y"}]), found
    )

    assert [(r.number, r.inputs[Role.SOURCE], r.targets) for r in bare] == [(1, "x", ()), (3, "y", ())]
    assert [r.targets for r in mixed] == [("good",), ()]


def test_new_conversations_end_with_the_user(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = [{"messages": [{**turns[0], "content": sentence(i)}, turns[1]]} for i in range(5)]
    found = dataset.build(jsonl(tmp_path / "a.jsonl", rows))

    (new,) = dataset.read_unlabelled(jsonl(tmp_path / "b.jsonl", [{"messages": turns[:1]}]), found)

    assert (json.loads(new.inputs[Role.MESSAGES]), new.targets) == (turns[:1], ())


def test_new_rows_without_the_column_are_refused(tmp_path: Path) -> None:
    found = dataset.build(jsonl(tmp_path / "a.jsonl", labelled(20)))

    with pytest.raises(DatasetError, match="b.jsonl has no column 'text', which is used as source"):
        dataset.read_unlabelled(jsonl(tmp_path / "b.jsonl", [{"body": "x"}]), found)
    with pytest.raises(DatasetError, match="no row that can be used: Row 1 has no source"):
        dataset.read_unlabelled(jsonl(tmp_path / "c.jsonl", [{"text": ""}]), found)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_rows_take_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((sentence(i, 20), "ab"[i % 2]) for i in range(100_000))

    start = time.process_time()
    found = dataset.build(path)

    assert len(found.rows) == 100_000
    assert time.process_time() - start < 45
