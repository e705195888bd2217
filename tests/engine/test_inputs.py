"""Several columns as one input: which belong together, their headings, and where they are read again."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from engine import baselines, dataset, headings, prompts
from engine.dataset import Dataset
from engine.records import Role, Row, Task
from tests.engine.test_cases import TOPICS, case, messages, text, written

LABELS = ("SUPPORTS", "REFUTES", "UNKNOWN")


def rows_file(folder: Path, rows: list[dict[str, Any]]) -> Path:
    return written(folder, "\n".join(map(json.dumps, rows)), "a.jsonl")


def built(folder: Path, rows: list[dict[str, Any]], **choices: Any) -> Dataset:
    return dataset.build(rows_file(folder, rows), **choices)


def about(number: int, words: int = 6) -> str:
    return " ".join(random.Random(1000 + number).sample(text(number).split(), words))


# The shared cases


def test_case_fever_both_texts_are_read_under_their_names() -> None:
    found = case("fever_3.jsonl")

    assert found.roles == {Role.SOURCE: "claim+evidence", Role.TARGET: "label"}
    assert len(found.rows) == 120
    first = found.rows[0].inputs[Role.SOURCE].split("\n")
    assert first[0].startswith("claim: Near 0 clerk")
    assert first[1].startswith("evidence: While 0 with")


def test_case_12a_options_are_in_the_input_with_their_letters() -> None:
    found = case("12a_mmlu_options.csv")

    assert found.roles[Role.SOURCE] == "question+A+B+C+D"
    assert found.rows[0].inputs[Role.SOURCE] == (
        "question: What is 96 plus 74 in the ledger of year 1900?\nA: 70\nB: 30\nC: 168\nD: 170"
    )
    assert (found.rows[0].targets, len(found.rows)) == (("D",), 120)


def test_case_open_orca_system_and_question_are_read_and_the_response_learned() -> None:
    found = case("OpenOrca_4.jsonl")

    assert found.task is Task.GENERATION
    assert found.roles == {Role.PROMPT: "system_prompt+question", Role.TARGET: "response"}


def test_case_meta_math_neither_the_type_nor_the_other_question_is_learned(tmp_path: Path) -> None:
    rows = [
        {"type": f"GSM_{TOPICS[i % 3]}", "query": f"{text(i)} How many?", "original_question": about(i),
         "response": f"There are {i}. {text(i + 90)}"}
        for i in range(40)
    ]  # fmt: skip

    found = built(tmp_path, rows)

    assert (found.task, found.roles) == (Task.GENERATION, {Role.PROMPT: "query", Role.TARGET: "response"})
    assert "'original_question'" in messages(found, "unused_columns")[0]


def test_case_dolly_the_context_is_read_where_it_is_there() -> None:
    found = case("dolly_4.jsonl")

    assert found.roles == {Role.PROMPT: "instruction+context", Role.TARGET: "response"}
    assert messages(found, "empty_part") == [
        "Column 'context' is empty in 60 of 120 rows: their input goes without it."
    ]
    assert found.rows[0].inputs[Role.PROMPT].count("\n") == 0
    assert "\ncontext: Orders 1" in found.rows[1].inputs[Role.PROMPT]


def test_case_34_the_tables_are_the_passage() -> None:
    assert case("34_sql_context.jsonl").roles == {
        Role.CONTEXT: "context", Role.QUESTION: "question", Role.TARGET: "answer"
    }  # fmt: skip


# Which columns belong to the input


@pytest.mark.parametrize(
    "names",
    [("premise", "hypothesis"), ("query", "document"), ("text_a", "text_b"), ("title", "body"),
     ("Tweet", "Claim"), ("alpha", "beta")],
)  # fmt: skip
def test_two_texts_beside_a_label_are_both_read_in_the_order_of_the_file(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    rows = [{"id": f"q{i:04}", names[0]: about(i), "label": LABELS[i % 3], names[1]: text(i),
             "day": f"2024-03-{1 + i % 28:02}"} for i in range(40)]  # fmt: skip

    found = built(tmp_path, rows)

    assert found.roles == {Role.SOURCE: "+".join(names), Role.TARGET: "label"}
    assert messages(found, "unused_columns") == ["Not used: 'id' (ids) and 'day' (dates)."]


def test_an_aspect_is_read_although_it_repeats(tmp_path: Path) -> None:
    rows = [{"text": text(i), "aspect": ("food", "staff")[i % 2], "sentiment": TOPICS[i // 2 % 3]}
            for i in range(60)]  # fmt: skip

    assert built(tmp_path, rows).roles[Role.SOURCE] == "text+aspect"


def test_a_column_that_tells_rows_with_one_text_apart_is_read_under_any_name(tmp_path: Path) -> None:
    rows = [{"text": text(i // 2), "xyz": ("food", "staff")[i % 2], "label": TOPICS[(i + i // 2) % 3]}
            for i in range(60)]  # fmt: skip

    assert built(tmp_path, rows).roles[Role.SOURCE] == "text+xyz"
    assert built(tmp_path, [{**r, "annotator": f"{r['xyz']}"} for r in rows]).roles[Role.SOURCE] == "text+xyz"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("explanation", [about(i, 8) for i in range(40)]),
        ("author", [f"{random.Random(i).choice(TOPICS)} Smith{i}" for i in range(40)]),
        ("clean_text", [text(i).lower() for i in range(40)]),
        ("other", [text(i).upper() for i in range(40)]),
        (
            "footer",
            ["This message is confidential and for you alone."] * 39 + ["Another one stands here now."],
        ),
        ("remark", [""] * 39 + ["Only here, in one of all rows, there is a remark."]),
        ("source", ["mail", "phone"] * 20),
        ("nothing", [None] * 40),
        ("codes", [[1, 2]] * 40),
    ],
)
def test_other_columns_are_named_with_the_reason_why_they_are_not_read(
    tmp_path: Path, name: str, values: list[Any]
) -> None:
    rows = [{"text": text(i), name: values[i], "label": LABELS[i % 3]} for i in range(40)]

    found = built(tmp_path, rows)

    assert found.roles == {Role.SOURCE: "text", Role.TARGET: "label"}
    (said,) = messages(found, "unused_columns")
    assert said.startswith(f"Not used: {name!r} (")


def test_texts_without_telling_names_are_asked_about(tmp_path: Path) -> None:
    rows = [{"a1": text(i), "kind": LABELS[i % 3], "b1": text(i + 90)} for i in range(40)]

    found = dataset.inspect(rows_file(tmp_path, rows))

    assert found.task is None
    assert found.error and "could be the label of" in found.error


@pytest.mark.parametrize(
    ("names", "target"),
    [(("text", "category", "sentiment"), None), (("tweet", "target", "topic"), None),
     (("text", "label", "category"), "label"), (("text", "stars", "tag"), None)],
)  # fmt: skip
def test_two_columns_that_could_be_the_label_are_asked_about(
    tmp_path: Path, names: tuple[str, str, str], target: str | None
) -> None:
    draw = random.Random(3)
    rows = [
        {names[0]: text(i), names[1]: draw.choice(TOPICS), names[2]: draw.choice(LABELS)} for i in range(60)
    ]

    found = dataset.inspect(rows_file(tmp_path, rows))

    assert found.roles.get(Role.TARGET) == target
    assert target or (found.error and "could each be the labels: choose the column for target" in found.error)


def test_a_number_and_its_word_are_one_label(tmp_path: Path) -> None:
    rows = [{"text": text(i), "stars": 1 + i % 3, "sentiment": LABELS[i % 3]} for i in range(60)]

    assert built(tmp_path, rows).roles[Role.TARGET] in ("stars", "sentiment")


@pytest.mark.parametrize(
    "rows",
    [
        [{"context": about(i), "question": text(i), "answer": f"thing {i}"} for i in range(40)],
        [{"context": text(i), "answer": f"{about(i)}?", "question": f"thing {i}"} for i in range(40)],
        [{"summary": text(i), "document": about(i)} for i in range(40)],
        [{"prompt": text(i), "response": text(i + 99), "label": LABELS[i % 3]} for i in range(40)],
        [{"prompt": text(i), "response": text(i + 99), "is_safe": bool(i % 2)} for i in range(40)],
        [{"question": text(i), "answer": text(i + 99), "category": LABELS[i % 3]} for i in range(40)],
    ],
)
def test_names_that_the_content_contradicts_are_asked_about(tmp_path: Path, rows: list[Any]) -> None:
    assert dataset.inspect(rows_file(tmp_path, rows)).task is None


def test_a_person_may_add_and_remove_columns(tmp_path: Path) -> None:
    rows = [{"claim": about(i), "evidence": text(i), "label": LABELS[i % 3], "page": f"Page {i} of all"}
            for i in range(40)]  # fmt: skip

    alone = built(tmp_path, rows, roles={Role.SOURCE: "evidence"})
    more = built(tmp_path, rows, roles={Role.SOURCE: "claim+page+evidence"})

    assert alone.roles[Role.SOURCE] == "evidence"
    assert alone.rows[0].inputs[Role.SOURCE] == text(0)
    assert more.rows[0].inputs[Role.SOURCE].split("\n")[1] == "page: Page 0 of all"


# Options


@pytest.mark.parametrize(
    ("names", "answers"),
    [("ABCD", "ABCD"), (["option_1", "option_2", "option_3", "option_4"], "1234"),
     (["opa", "opb", "opc", "opd"], "0123"), (["choiceA", "choiceB", "choiceC", "choiceD"], "ABCD")],
)  # fmt: skip
def test_columns_of_options_are_read_and_never_the_label(tmp_path: Path, names: Any, answers: str) -> None:
    draw = random.Random(1)
    rows = [{**{name: draw.choice(("yes", "no", "none", "all")) for name in names}, "question": f"{text(i)}?",
             "gold": answers[i % 4]} for i in range(60)]  # fmt: skip

    found = built(tmp_path, rows, roles={Role.TARGET: "gold"})

    assert headings.columns_of(found.roles[Role.SOURCE], ()) == (*names, "question")


@pytest.mark.parametrize(
    ("choices", "answers", "lines"),
    [
        (["tea", "milk"], "AB", "A: tea\nB: milk"),
        (["tea", "milk"], [0, 1], "0: tea\n1: milk"),
        (["tea", "milk"], [1, 2], "1: tea\n2: milk"),
        ({"text": ["tea", "milk"], "label": ["x", "y"]}, "xy", "x: tea\ny: milk"),
        ([{"label": "A", "text": "tea"}, {"label": "B", "text": "milk"}], "AB", "A: tea\nB: milk"),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_list_of_options_is_marked_as_the_answers_are(
    tmp_path: Path, choices: Any, answers: Any, lines: str, form: str
) -> None:
    rows = [{"question": f"{text(i)}?", "choices": choices, "answer": answers[i % 2]} for i in range(40)]
    path = rows_file(tmp_path, rows)
    if form == "csv":
        import pandas as pd

        path = tmp_path / "a.csv"
        pd.DataFrame(rows).to_csv(path, index=False)

    found = dataset.build(path)
    unlabelled = [{"question": row["question"], "choices": row["choices"]} for row in rows]
    new = dataset.read_unlabelled(rows_file(tmp_path, unlabelled), found)

    assert found.roles[Role.SOURCE] == "question+choices"
    assert found.rows[0].inputs[Role.SOURCE] == f"question: {text(0)}?\nchoices: {lines}"
    assert new[0].inputs == found.rows[0].inputs


# What is made of the joined text


def pairs(count: int) -> list[dict[str, Any]]:
    return [{"claim": about(i), "evidence": text(i // 3), "label": LABELS[i % 3]} for i in range(count)]


def test_names_with_a_plus_are_told_apart() -> None:
    for columns in (("a+b", "c"), ("c++", "+"), ('"a"', " b"), ("a", "b")):
        assert headings.columns_of(headings.expression(columns), ()) == columns
    assert headings.columns_of("a+b", ("a+b", "a")) == ("a+b",)


def test_a_joined_text_is_taken_apart_again() -> None:
    parts = {"claim": "one\ntwo", "evi\ndence": "three: four"}

    assert headings.parted(headings.joined(parts.items()), tuple(parts)) == parts
    assert headings.parted("plain", ("claim",)) == {"": "plain"}
    assert headings.parted("b: x", ("a", "b")) == {"b": "x"}


def test_rows_that_share_the_longer_text_stay_on_one_side_and_none_is_taken_for_another(
    tmp_path: Path,
) -> None:
    found = built(tmp_path, pairs(240))

    assert len(found.rows) == 240
    sides = {name: {headings.longest(row, Role.SOURCE) for row in found.split(name)} for name in found.splits}
    assert not sides["train"] & sides["test"] and not sides["train"] & sides["dev"]


def test_a_kept_dataset_knows_the_columns_and_new_rows_are_read_by_them(tmp_path: Path) -> None:
    found = built(tmp_path, pairs(60))
    dataset.save(found, tmp_path / "a.jsonl", tmp_path)

    kept = dataset.load(found.id, tmp_path)
    new = dataset.read_unlabelled(
        written(tmp_path, json.dumps([{"evidence": "E.", "x": 1, "claim": "C."}]), "new.json"), kept
    )

    assert kept == found
    assert new[0].inputs[Role.SOURCE] == "claim: C.\nevidence: E."
    with pytest.raises(dataset.DatasetError, match="no column 'evidence'"):
        dataset.read_unlabelled(written(tmp_path, json.dumps([{"claim": "C."}]), "less.json"), kept)


class Words:
    """A tokenizer whose tokens are words."""

    chat_template = None
    is_fast = False

    def __call__(self, given: str, **_: Any) -> dict[str, Any]:
        self.words = given.split(" ")
        return {"input_ids": list(range(len(self.words)))}

    def decode(self, ids: list[int]) -> str:
        return " ".join(self.words[i] for i in ids)


def test_the_longest_column_is_cut_and_the_others_stay_whole(tmp_path: Path) -> None:
    row = Row(1, {Role.SOURCE: headings.joined([("document", "w " * 80), ("query", "red shoes")])}, (),
              headings=("document", "query"))  # fmt: skip

    short = prompts.shorten(row, prompts.Form(Task.CLASSIFICATION), Words(), 30)

    assert "query: red shoes" in short
    assert short.startswith("Text: document: w w")


def test_columns_under_their_names_need_no_other_one(tmp_path: Path) -> None:
    assert prompts.template_for(built(tmp_path, pairs(60)), False) == "{source}\nLabel:"
    alone = [{"text": text(i), "label": TOPICS[i % 3]} for i in range(30)]
    assert prompts.template_for(built(tmp_path, alone), False) == "Text: {source}\nLabel:"


def test_baselines_read_the_texts_and_not_the_headings() -> None:
    row = Row(1, {Role.SOURCE: "title: A title.\ntext: The lead sentence is here. More."}, ("x",),
              headings=("title", "text"))  # fmt: skip

    assert baselines.text_of(row) == "A title.\nThe lead sentence is here. More."
    assert baselines.predict("lead_sentence", [row], [row], Task.SUMMARIZATION) == [
        "The lead sentence is here."
    ]
