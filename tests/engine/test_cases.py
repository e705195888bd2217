"""Files as people have them: what ../shared/cases says of reading comes true, and for others of each kind."""

from __future__ import annotations

import json
import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import dataset, labels, reading
from engine.dataset import Dataset
from engine.errors import DatasetError
from engine.records import Role, Row, Severity, Task
from engine.sheets import Layout, Quoting, Table
from tests.shared import shared

TOPICS = ("shipping", "billing", "account")
PLACES = ("parcel", "invoice", "password", "box", "refund", "profile", "tracking", "card", "login")
CHANCE = random.Random(5)
WORDS = [CHANCE.choice("bcdfglmnprst") + CHANCE.choice("aeiou") + CHANCE.choice(PLACES) for _ in range(400)]


def text(number: int) -> str:
    """Texts with commas that are not near each other."""
    words = random.Random(number).sample(WORDS, 9)
    return f"Good day, the {' '.join(words)}, order {number}."


def passage(number: int) -> str:
    """A text that is longer than a question about it."""
    return " ".join(text(number + i) for i in (100, 200, 300))


RECORDS = [{"text": text(i), "label": TOPICS[i % 3]} for i in range(24)]


def written(folder: Path, data: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def case(name: str, **choices: Any) -> Dataset:
    return dataset.build(shared(f"cases/{name}"), **choices)


def messages(found: Dataset | Table, code: str) -> list[str]:
    return [issue.message for issue in found.issues if issue.code == code]


def plain(table: Table) -> list[dict[str, Any]]:
    return [dict(record) for record in table.records]


def counts(found: Dataset) -> Counter[str]:
    return Counter(row.targets[0] for row in found.rows)


# JSON in every layout


def test_case_01a_pandas_by_columns_gives_every_row() -> None:
    found = case("01a_pandas_columns.json")

    assert (found.total_rows, found.roles) == (120, {Role.SOURCE: "text", Role.TARGET: "label"})


@pytest.mark.parametrize("orient", ["records", "columns", "index", "split", "table"])
@pytest.mark.parametrize("index", ["counted", "named", "shuffled"])
def test_pandas_writes_json_in_every_orient(tmp_path: Path, orient: Any, index: str) -> None:
    frame = pd.DataFrame(RECORDS)
    names = [f"a{i}" for i in range(24)]
    frame.index = {"counted": frame.index, "named": pd.Index(names), "shuffled": frame.index[::-1]}[index]

    table = reading.read(written(tmp_path, frame.to_json(orient=orient), "a.json"))

    assert [{"text": r["text"], "label": r["label"]} for r in table.records] == RECORDS
    if index == "named" and orient != "records":
        assert [record["index"] for record in table.records] == names


def test_pandas_values_are_rows_without_a_header(tmp_path: Path) -> None:
    table = reading.read(written(tmp_path, pd.DataFrame(RECORDS).to_json(orient="values"), "a.json"))

    assert [tuple(record.values()) for record in table.records] == [(r["text"], r["label"]) for r in RECORDS]
    assert table.columns == ("column_1", "column_2")


def test_records_by_their_ids_are_rows_with_the_id(tmp_path: Path) -> None:
    by_id = {f"q{i}": record for i, record in enumerate(RECORDS)}

    table = reading.read(written(tmp_path, json.dumps(by_id), "a.json"))

    assert plain(table) == [{"index": f"q{i}", **record} for i, record in enumerate(RECORDS)]


def test_lists_under_a_header_in_json_lines_are_rows(tmp_path: Path) -> None:
    lines = [["text", "label"], *([r["text"], r["label"]] for r in RECORDS)]

    table = reading.read(written(tmp_path, "\n".join(map(json.dumps, lines)), "a.jsonl"))

    assert plain(table) == RECORDS


@pytest.mark.parametrize("between", ["", "\n", ",\n", ", "])
@pytest.mark.parametrize("indent", [None, 1])
def test_objects_one_after_another_are_rows(tmp_path: Path, between: str, indent: int | None) -> None:
    data = between.join(json.dumps(record, indent=indent) for record in RECORDS)

    assert plain(reading.read(written(tmp_path, data, "a.json"))) == RECORDS


def viewer(rows: Sequence[dict[str, Any]], total: int) -> dict[str, Any]:
    label = {"names": list(TOPICS), "_type": "ClassLabel"}
    return {
        "features": [
            {"feature_idx": 0, "name": "text", "type": {"dtype": "string", "_type": "Value"}},
            {"feature_idx": 1, "name": "label", "type": label},
        ],
        "rows": [{"row_idx": i, "row": row, "truncated_cells": []} for i, row in enumerate(rows)],
        "num_rows_total": total,
        "partial": False,
    }


def test_rows_of_a_dataset_viewer_have_the_names_of_labels(tmp_path: Path) -> None:
    document = viewer([{**r, "label": TOPICS.index(r["label"])} for r in RECORDS], total=900)
    document["rows"][3]["truncated_cells"] = ["text"]

    table = reading.read(written(tmp_path, json.dumps(document), "a.json"))

    assert plain(table) == RECORDS
    assert any("24 of the dataset's 900 rows" in said for said in messages(table, "json_layout"))
    assert [i.row for i in table.issues if i.code == "cut_cells"] == [4]


def test_viewer_rows_alone_are_unpacked_too(tmp_path: Path) -> None:
    rows = viewer(RECORDS, 24)["rows"]

    for data in (json.dumps(rows), "\n".join(map(json.dumps, rows))):
        assert plain(reading.read(written(tmp_path, data, "a.json"))) == RECORDS


def test_the_other_splits_of_a_json_file_are_counted_as_not_used(tmp_path: Path) -> None:
    table = reading.read(
        written(tmp_path, json.dumps({"train": RECORDS, "test": RECORDS[:5], "version": 2}), "a.json")
    )

    assert messages(table, "rows_under_key") == [
        "The rows are those under 'train'; 'test' (5 rows) and the rest are not used."
    ]


# Delimited text


def test_case_02_a_header_that_comes_again_is_dropped_and_counted() -> None:
    found = case("02_repeated_header.csv")

    assert found.roles == {Role.SOURCE: "text", Role.TARGET: "label"}
    assert (found.total_rows, set(found.labels)) == (120, set(TOPICS))
    assert messages(found, "repeated_header") == [
        "The header comes again (line 62): 1 repeat left out, no row of data."
    ]


@pytest.mark.parametrize("again", ["{},{}", "\ufeff{},{}", "{}, {}", '"{}","{}"'])
@pytest.mark.parametrize("names", ["text,label", "Verbatim,Reason"])
def test_repeated_headers_are_known_in_other_dress(tmp_path: Path, again: str, names: str) -> None:
    repeat = again.format(*names.upper().split(","))
    lines = [f'"{r["text"]}",{r["label"]}' for r in RECORDS]

    table = reading.read(written(tmp_path, "\n".join([names, *lines[:9], repeat, *lines[9:]]), "a.csv"))

    assert table.columns == tuple(names.split(","))
    assert len(table.records) == 24


def test_files_joined_with_columns_in_another_order_are_refused_by_line(tmp_path: Path) -> None:
    lines = [f'"{r["text"]}",{r["label"]}' for r in RECORDS]
    data = "\n".join(["text,label", *lines, "label,text", *(f"{r['label']},x" for r in RECORDS)])

    with pytest.raises(DatasetError, match="line 26 is the header in another order"):
        reading.read(written(tmp_path, data, "a.csv"))


def test_without_a_header_a_first_row_that_comes_again_is_data(tmp_path: Path) -> None:
    lines = [f"{r['text']}\t{r['label']}" for r in (*RECORDS, RECORDS[0])]

    assert len(reading.read(written(tmp_path, "\n".join(lines), "a.tsv")).records) == 25


def test_a_first_row_with_a_number_among_numbers_is_data(tmp_path: Path) -> None:
    lines = [f"{i};{r['text']}" for i, r in enumerate(RECORDS)]

    assert reading.read(written(tmp_path, "\n".join(lines), "a.csv")).columns == ("column_1", "column_2")


def test_a_question_as_the_name_of_a_column_is_a_header(tmp_path: Path) -> None:
    lines = ["Timestamp,What was the matter with your order?", *(f"{i},thing {i}" for i in range(9))]

    assert "What was the matter with your order?" in reading.read(
        written(tmp_path, "\n".join(lines), "a.csv")
    ).columns  # fmt: skip


def test_case_03a_quotation_marks_of_an_unquoted_tsv_merge_no_rows() -> None:
    found = case("03a_tsv_quote_none.tsv")
    lines = shared("cases/03a_tsv_quote_none.tsv").read_text().splitlines()[1:]

    assert found.total_rows == 120
    assert all(f"{r.targets[0]}\t{r.inputs[Role.SOURCE]}" == lines[r.number - 1] for r in found.rows)


def with_marks(number: int) -> str:
    """Texts with quotation marks at the beginning, in the middle, at the end, around all, or none."""
    told = text(number)
    return (told, f'"{told}', f'He said "{told}"', f'{told}"', f'"{told}"', f'"Yes" and "{told}"')[number % 6]


@pytest.mark.parametrize("first", ["text", "label"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("kinds", [{0, 1}, {0, 1, 3}, {0, 4}, {0, 2, 4}, {0, 5}, {0, 1, 2, 3, 4, 5}])
def test_texts_of_an_unquoted_tsv_keep_their_marks(
    tmp_path: Path, first: str, header: bool, kinds: set[int]
) -> None:
    rows = [(with_marks(n), TOPICS[n % 5 % 3]) for n in range(120) if n % 6 in kinds]
    pairs = [row if first == "text" else row[::-1] for row in rows]
    names = ["text\tlabel" if first == "text" else "label\ttext"] if header else []

    table = reading.read(written(tmp_path, "\n".join([*names, *map("\t".join, pairs)]), "a.tsv"))

    assert [tuple(record.values()) for record in table.records] == pairs


def test_a_quotation_over_two_rows_of_an_unquoted_tsv_merges_none(tmp_path: Path) -> None:
    pairs = [pair for n in range(12) for pair in ((f'"{text(n)}', "pos"), (f'{text(n + 50)}"', "neg"))]

    for names in ([], ["text\tlabel"]):
        table = reading.read(written(tmp_path, "\n".join([*names, *map("\t".join, pairs)]), "a.tsv"))

        assert [tuple(record.values()) for record in table.records] == pairs


@pytest.mark.parametrize("quoting", ["minimal", "all", "nonnumeric"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_quoted_texts_lose_only_the_marks_of_the_format(tmp_path: Path, quoting: str, delimiter: str) -> None:
    import csv

    texts = [f"{with_marks(n)}{', '.join('ab')}{delimiter}\n{n}" for n in range(30)]
    frame = pd.DataFrame({"text": [*texts, *(text(n) for n in range(30))], "label": list(TOPICS) * 20})
    style = {"minimal": csv.QUOTE_MINIMAL, "all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC}[quoting]
    path = tmp_path / "a.csv"
    frame.to_csv(path, sep=delimiter, quoting=style, index=False)  # type: ignore[call-overload]

    table = reading.read(path)

    assert plain(table) == frame.to_dict("records")
    assert table.layout.quoting is Quoting.DOUBLED


def test_a_quoted_text_over_lines_that_look_like_rows_stays_one(tmp_path: Path) -> None:
    rows = "".join(f'"line one, and\nline two",{topic}\n{text(n)[:8]},{topic}\n' for n, topic in
                   enumerate(TOPICS * 4))  # fmt: skip

    table = reading.read(written(tmp_path, f"text,label\n{rows}", "a.csv"))

    assert Counter(record["text"] for record in table.records)["line one, and\nline two"] == 12


def test_marks_escaped_by_a_backslash_are_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": [f'say "{text(n)}", \\n now' for n in range(30)], "label": TOPICS * 10})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False, doublequote=False, escapechar="\\")

    assert reading.read(path).layout.quoting is Quoting.BACKSLASH
    assert plain(reading.read(path)) == frame.to_dict("records")


def test_delimiters_escaped_by_a_backslash_are_read(tmp_path: Path) -> None:
    import csv

    frame = pd.DataFrame({"text": [with_marks(n) for n in range(30)], "label": TOPICS * 10})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False, quoting=csv.QUOTE_NONE, escapechar="\\")

    assert plain(reading.read(path)) == frame.to_dict("records")


def test_a_quotation_that_takes_in_rows_is_refused_by_its_line(tmp_path: Path) -> None:
    lines = [f'"{r["text"]}",{r["label"]}' for r in RECORDS]
    lines[7] = f'"{RECORDS[7]["text"]},{RECORDS[7]["label"]}'

    with pytest.raises(DatasetError, match="opened in line 9 and never closed"):
        reading.read(written(tmp_path, "\n".join(["text,label", *lines]), "a.csv"))


def test_case_06b_a_tab_wins_over_one_comma_in_each_text() -> None:
    found = case("06b_onecomma_noheader.tsv")

    assert (found.total_rows, set(found.labels)) == (120, set(TOPICS))


@pytest.mark.parametrize(
    ("delimiter", "inside", "name"),
    [("\t", ", ", "a.tsv"), ("\t", ", ", "a.txt"), ("\t", "; ", "a.csv"), (";", ", ", "a.csv"),
     ("|", ", ", "a.txt"), (",", "; ", "a.csv"), (",", " | ", "a.csv"), ("\t", ",", "a.tsv"),
     ("\t", ",", "a.csv")],
)  # fmt: skip
@pytest.mark.parametrize("header", [True, False])
def test_a_sign_in_every_text_is_no_delimiter(
    tmp_path: Path, delimiter: str, inside: str, name: str, header: bool
) -> None:
    rows = [(f"Good day{inside}order {n}", TOPICS[n % 3]) for n in range(30)]
    names = [delimiter.join(("text", "label"))] if header else []

    table = reading.read(written(tmp_path, "\n".join([*names, *map(delimiter.join, rows)]), name))

    assert [tuple(record.values()) for record in table.records] == rows


def test_spaces_after_commas_of_the_header_go_and_the_quotes_hold(tmp_path: Path) -> None:
    lines = ["text, label", *(f'"{r["text"]}", "{r["label"]}"' for r in RECORDS)]

    assert plain(reading.read(written(tmp_path, "\n".join(lines), "a.csv"))) == RECORDS


def test_empty_fields_at_the_end_of_lines_are_no_columns(tmp_path: Path) -> None:
    lines = ["text;label", *(f"{r['text']};{r['label']};;" for r in RECORDS)]

    assert plain(reading.read(written(tmp_path, "\n".join(lines), "a.csv"))) == RECORDS


def test_a_person_may_say_how_a_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "spam|eggs, and ham\nspam|eggs, or ham\n" * 3, "a.csv")

    table = reading.read(path, Layout(delimiter="|", header=True))

    assert table.columns == ("spam", "eggs, and ham")
    assert len(reading.read(path, Layout(delimiter="|", header=False)).records) == 6
    quoted = written(tmp_path, 'text\tlabel\n"one"\ta\n"two"\tb\n', "b.tsv")
    assert reading.read(quoted, Layout(quoting=Quoting.NONE)).records[0]["text"] == '"one"'


def test_how_a_file_was_read_is_said_and_what_was_chosen_is_kept(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(f"{r['text']}\t{r['label']}" for r in RECORDS), "a.tsv")

    found = dataset.build(path)
    chosen = dataset.build(path, layout=Layout(header=True))

    assert found.read_as == "TSV, split at: tab, quotation marks around texts, no header, UTF-8"
    assert chosen.total_rows == found.total_rows - 1
    assert chosen.id != found.id
    dataset.save(chosen, path, tmp_path)
    assert dataset.load(chosen.id, tmp_path) == chosen


@pytest.mark.parametrize("form", ["{1}: {0}", "{1}:sub {0}", "{1} - {0}"])
def test_commas_of_prose_are_no_delimiter_and_the_way_out_is_said(tmp_path: Path, form: str) -> None:
    lines = [form.format(r["text"], r["label"]) for r in RECORDS]

    with pytest.raises(DatasetError, match="read as one column: choose what its columns are split at"):
        dataset.build(written(tmp_path, "\n".join(lines), "a.txt"))


def test_row_names_as_r_writes_them_are_a_column_without_a_name(tmp_path: Path) -> None:
    lines = ['"text"\t"label"', *(f'"{i}"\t"{r["text"]}"\t"{r["label"]}"' for i, r in enumerate(RECORDS))]

    table = reading.read(written(tmp_path, "\n".join(lines), "a.tsv"))

    assert table.columns == ("unnamed_1", "text", "label")
    assert table.records[3] == {"unnamed_1": "3", **RECORDS[3]}


# Lines are named in refusals and findings


def test_a_bad_line_is_named_in_files_of_any_size(tmp_path: Path) -> None:
    path = written(tmp_path, '{"text": "a text", "label": "b"}\n\n{"text": "c", "label"\n', "a.jsonl")

    with pytest.raises(DatasetError, match=r"found 1\. The first reason: Row 2 \(line 3\) is not JSON"):
        dataset.build(path)


def test_a_bad_first_line_is_set_aside_like_others(tmp_path: Path) -> None:
    lines = ['{"text": "broken"', *map(json.dumps, RECORDS)]

    table = reading.read(written(tmp_path, "\n".join(lines), "a.jsonl"))

    assert plain(table) == RECORDS
    assert [(i.code, i.row) for i in table.issues] == [("bad_line", 1)]


def test_a_row_of_another_width_is_named_by_its_line(tmp_path: Path) -> None:
    lines = [f'"{r["text"]}\n",{r["label"]}' for r in RECORDS]
    lines[5] = "one, two, three"

    (said,) = messages(reading.read(written(tmp_path, "\n".join(["text,label", *lines]), "a.csv")),
                       "wrong_field_count")  # fmt: skip

    assert said == "Row 6 (line 12) has 3 fields instead of 2 and is set aside."


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"row 2 \(line 3\) is no object"):
        reading.read(written(tmp_path, '\n{"a": 1}\n3\n4\n', "a.jsonl"))


# fastText, annotation tools, workbooks, Parquet


def test_case_04_fasttext_labels_lose_their_prefix() -> None:
    found = case("04_fasttext.txt")

    assert (found.task, set(found.labels), found.total_rows) == (Task.CLASSIFICATION, set(TOPICS), 120)
    assert found.rows[0].inputs[Role.SOURCE].startswith("Good day, a neighbour")


@pytest.mark.parametrize(
    "form", ["__label__{1} {0}", "__label__{1}\t{0}", "__label__{1} , {0}", "{0} __label__{1}"]
)
def test_fasttext_is_read_in_its_forms(tmp_path: Path, form: str) -> None:
    lines = [form.format(r["text"], r["label"]) for r in RECORDS]

    assert plain(reading.read(written(tmp_path, "\n".join(lines), "a.txt"))) == [
        {"label": r["label"], "text": r["text"]} for r in RECORDS
    ]


@pytest.mark.parametrize("header", ["", "label,text\n"])
def test_a_table_of_labels_with_the_prefix_is_a_table(tmp_path: Path, header: str) -> None:
    lines = [f'__label__{r["label"]},"{r["text"]}"' for r in RECORDS]

    found = dataset.build(written(tmp_path, header + "\n".join(lines), "a.csv"))

    assert set(found.labels) == set(TOPICS)
    assert found.rows[0].inputs[Role.SOURCE] == RECORDS[0]["text"]


def test_several_fasttext_labels_are_a_list(tmp_path: Path) -> None:
    lines = [f"__label__a __label__{r['label']} {r['text']}" for r in RECORDS]

    assert reading.read(written(tmp_path, "\n".join(lines), "a.txt")).records[0]["label"] == ["a", "shipping"]


def label_studio(number: int, *choices: str, **more: Any) -> dict[str, Any]:
    result = [{"value": {"choices": [choice]}, "from_name": "topic", "to_name": "text", "type": "choices"}
              for choice in choices]  # fmt: skip
    annotation = {"id": number, "completed_by": 1, "result": result, "was_cancelled": False, **more}
    return {"id": number, "data": {"text": text(number)}, "annotations": [annotation], "predictions": []}


def test_case_10a_label_studio_gives_text_and_chosen_label() -> None:
    found = case("10a_label_studio.json")

    assert (found.total_rows, len(found.rows), set(found.labels)) == (120, 120, set(TOPICS))
    assert found.roles == {Role.SOURCE: "text", Role.TARGET: "topic"}


def test_tasks_without_an_answer_are_set_aside_and_said(tmp_path: Path) -> None:
    tasks = [label_studio(i, TOPICS[i % 3]) for i in range(24)]
    tasks[3]["annotations"][0]["was_cancelled"] = True
    tasks[4]["annotations"] = []
    other = label_studio(5, "account")["annotations"][0]
    tasks[5]["annotations"] += [label_studio(5, "billing")["annotations"][0]]
    tasks[6]["annotations"] += [other, other]

    found = dataset.build(written(tmp_path, json.dumps(tasks), "export.json"))

    assert [i.row for i in found.issues if i.code == "missing_target"] == [4, 5, 6]
    assert found.rows[3].targets == ("account",)
    said = " ".join(messages(found, "annotations"))
    assert "Read as a Label Studio export: 24 tasks; its own fields 'predictions' are not used." in said
    assert "1 skipped by its annotator; 1 not annotated; 1 annotated in different ways" in said
    assert "The annotators of row 7 disagree" in said


def test_written_answers_of_label_studio_are_targets(tmp_path: Path) -> None:
    def task(number: int) -> dict[str, Any]:
        found = label_studio(number, "x")
        found["annotations"][0]["result"] = [
            {"value": {"text": [f"In short: {number}"]}, "from_name": "summary", "type": "textarea"}
        ]
        return found

    table = reading.read(written(tmp_path, json.dumps([task(i) for i in range(9)]), "a.json"))

    assert table.records[2]["summary"] == "In short: 2"


def test_marked_spans_are_refused_with_the_way_out(tmp_path: Path) -> None:
    spans = label_studio(1, "x")
    spans["annotations"][0]["result"][0] = {"type": "labels", "value": {"labels": ["PER"], "text": "Dee"}}

    with pytest.raises(DatasetError, match="marks spans of texts.*Export texts with one chosen label"):
        reading.read(written(tmp_path, json.dumps([spans]), "a.json"))


def prodigy(number: int, answer: str = "accept", **more: Any) -> dict[str, Any]:
    options = [{"id": topic, "text": topic.title()} for topic in TOPICS]
    return {"text": text(number), "_input_hash": number * 77, "_task_hash": -number, "options": options,
            "_view_id": "choice", "accept": [TOPICS[number % 3]], "answer": answer, **more}  # fmt: skip


def test_prodigy_choices_are_labels_and_rejected_rows_are_set_aside(tmp_path: Path) -> None:
    tasks = [prodigy(i, "reject" if i == 4 else "ignore" if i == 9 else "accept") for i in range(24)]

    found = dataset.build(written(tmp_path, "\n".join(map(json.dumps, tasks)), "a.jsonl"))

    assert [i.row for i in found.issues if i.code == "missing_target"] == [5, 10]
    assert counts(found) == {"shipping": 7, "billing": 7, "account": 8}
    assert "1 with the decision 'reject' and 1 with the decision 'ignore'" in " ".join(
        messages(found, "annotations")
    )


def test_prodigy_decisions_on_one_label_are_two_classes(tmp_path: Path) -> None:
    tasks = [{"text": text(i), "label": "INSULT", "answer": "reject" if i % 3 else "accept", "_task_hash": i}
             for i in range(30)]  # fmt: skip

    found = dataset.build(written(tmp_path, "\n".join(map(json.dumps, tasks)), "a.jsonl"))

    assert counts(found) == {"INSULT": 10, "not INSULT": 20}


def workbook(path: Path, **named: Sequence[Sequence[Any]]) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, rows in named.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def test_the_first_sheet_with_rows_is_read_or_the_chosen_one(tmp_path: Path) -> None:
    rows = [("text", "label"), *((r["text"], r["label"]) for r in RECORDS)]
    path = workbook(tmp_path / "a.xlsx", Notes=[], Data=rows, Old=[("text", "label"), ("x", 2.0)])

    table = reading.read(path)

    assert (table.format, table.sheets, table.layout.sheet) == ("xlsx", ("Notes", "Data", "Old"), "Data")
    assert plain(table) == RECORDS
    assert messages(table, "sheets") == ["The sheet 'Data' is read; 'Notes' and 'Old' are not used."]
    assert plain(reading.read(path, Layout(sheet="Old"))) == [{"text": "x", "label": 2.0}]
    with pytest.raises(DatasetError, match="has no sheet 'Mine'; its sheets are Notes, Data and Old"):
        reading.read(path, Layout(sheet="Mine"))


def test_a_workbook_has_blank_rows_dates_formulas_and_a_header_again(tmp_path: Path) -> None:
    from datetime import datetime

    rows: list[Sequence[Any]] = [
        (None, "text", "when", "label"), (), (None, "one", datetime(2024, 5, 1), 1),
        (None, "text", "when", "label"), (None, "two", datetime(2024, 5, 1, 9), '=A1&"x"'),
    ]  # fmt: skip

    table = reading.read(workbook(tmp_path / "a.xlsx", Data=rows))

    assert plain(table) == [
        {"text": "one", "when": "2024-05-01", "label": 1},
        {"text": "two", "when": "2024-05-01T09:00:00", "label": None},
    ]
    assert "row 4" in messages(table, "repeated_header")[0]
    assert "1 cell of the sheet 'Data' hold formulas" in messages(table, "sheets")[0]


@pytest.mark.parametrize(
    ("names", "kind"),
    [({"word/document.xml": "x"}, "a Word document"), ({"a.csv": "x"}, "a zip archive"),
     ({"xl/workbook.xml": "<broken"}, "a damaged Excel workbook"), ({"xl/workbook.bin": "x"}, "binary form")],
)  # fmt: skip
def test_other_archives_are_refused_by_name(tmp_path: Path, names: dict[str, str], kind: str) -> None:
    import zipfile

    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)

    with pytest.raises(DatasetError, match=kind):
        reading.read(path)


def test_a_workbook_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "x")
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as file:
            for _ in range(50):
                file.write(b"\0" * 10_000_000)

    with pytest.raises(DatasetError, match="unpacks to 500 MB"):
        reading.read(path)


def test_case_70_label_names_come_from_the_parquet_metadata() -> None:
    found = case("70_hf_classlabel.parquet")

    assert found.labels == ("account", "billing", "shipping")
    assert messages(found, "class_names")


@pytest.mark.parametrize("several", [False, True])
def test_class_labels_are_named_also_in_lists_and_none_stays_none(tmp_path: Path, several: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    feature: dict[str, Any] = {"names": list(TOPICS), "_type": "ClassLabel"}
    values: list[Any] = [[0], [2]] if several else [0, -1]
    feature = {"feature": feature, "_type": "List"} if several else feature
    table = pa.table({"text": ["a", "b"], "topic": values})
    info = json.dumps({"info": {"features": {"topic": feature}}})
    path = tmp_path / "a.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": info}), path)

    named = [record["topic"] for record in reading.read(path).records]

    assert named == ([["shipping"], ["account"]] if several else ["shipping", None])


# Labels


def test_case_14a_a_label_named_like_an_id_is_a_label() -> None:
    for choices in ({}, {"roles": {Role.TARGET: "label_id"}}):
        found = case("14a_label_id.csv", **choices)

        assert found.roles == {Role.SOURCE: "text", Role.TARGET: "label_id"}
        assert found.task is Task.CLASSIFICATION


@pytest.mark.parametrize(
    ("name", "values"),
    [("label_id", [0, 1, 2]), ("class_idx", [3, 4]), ("yes_no", ["yes", "no"]), ("intent_key", ["a", "b"]),
     ("category_id", ["news", "sport"])],
)  # fmt: skip
def test_a_column_named_like_an_id_that_repeats_is_a_label(
    tmp_path: Path, name: str, values: list[Any]
) -> None:
    rows = [{"id": i, "text": text(i), name: values[i % len(values)]} for i in range(30)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert (found.task, found.roles[Role.TARGET]) == (Task.CLASSIFICATION, name)


def test_numbers_of_users_are_no_labels_unless_a_person_says_so(tmp_path: Path) -> None:
    path = written(
        tmp_path, json.dumps([{"text": text(i), "user_id": 100 + i % 3} for i in range(30)]), "a.json"
    )

    assert dataset.inspect(path).task is None
    assert dataset.build(path, roles={Role.TARGET: "user_id"}).labels == ("100", "101", "102")


def test_case_15a_composed_and_decomposed_labels_are_one_and_it_is_said() -> None:
    found = case("15a_nfd_labels.csv")

    assert found.labels == ("facturé", "livré", "réglé")
    assert len(messages(found, "equal_labels")) == 3


@pytest.mark.parametrize(
    ("written_as", "one"),
    [(("Größe", unicodedata.normalize("NFD", "Größe")), "Größe"), (("a b", "a\u00a0b"), "a b"),
     (("spam", "\ufeffspam"), "spam"), (("spam", "sp\u00adam"), "spam")],
)  # fmt: skip
def test_labels_that_look_the_same_are_one(written_as: tuple[str, str], one: str) -> None:
    rows = [Row(n, {Role.SOURCE: "x"}, (label,)) for n, label in enumerate((*written_as, "other"), 1)]

    found, test, issues = labels.unified(rows[:1], rows[1:])

    assert [row.targets[0] for row in (*found, *test)] == [one, one, "other"]
    assert [issue.code for issue in issues] == ["equal_labels"]


def test_case_15b_the_word_null_is_a_label_among_labels_and_it_is_said() -> None:
    found = case("15b_null_label.csv")

    assert (len(found.rows), set(found.labels)) == (
        120,
        {"int", "null", "str"} & set(found.labels) | {"null"},
    )
    assert messages(found, "word_for_nothing")
    chosen = case("15b_null_label.csv", layout=Layout(missing=("null",)))
    assert "null" not in chosen.labels
    assert len(chosen.rows) == 76


@pytest.mark.parametrize(
    ("word", "is_label"), [("NULL", True), ("nan", True), ("NaN", False), ("#N/A", False)]
)
def test_words_of_programs_for_nothing_are_no_labels(tmp_path: Path, word: str, is_label: bool) -> None:
    rows = "".join(f'"{text(i)}",{("int", word)[i % 2]}\n' for i in range(40))
    rows += "".join(f'"{text(i)}",str\n' for i in range(40, 60))

    found = dataset.build(written(tmp_path, f"text,label\n{rows}", "a.csv"))

    assert (word in found.labels) == is_label
    if not is_label:
        assert f"has no target ({word!r} is read as missing)" in messages(found, "missing_target")[0]


def test_a_few_nan_among_labels_are_missing(tmp_path: Path) -> None:
    rows = "".join(f'"{text(i)}",{"nan" if i % 10 == 0 else TOPICS[i % 3]}\n' for i in range(60))

    assert set(dataset.build(written(tmp_path, f"text,label\n{rows}", "a.csv")).labels) == set(TOPICS)


def test_case_16_one_and_one_point_zero_are_the_same_label_also_in_a_test_file() -> None:
    found = case("16_train_float.csv", test_path=shared("cases/16_test_int.csv"))

    assert {row.targets[0] for row in found.split("test")} <= set(found.labels) == {"0", "1", "2"}


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 1), ("0", "1")), ((0.0, 1.0), (0, 1)), (("0.0", "1.0"), (0, 1)), (("3.0", "-1.0"), ("3", -1)),
     ((True, False), ("True", "False")), (("TRUE", "FALSE"), (True, False))],
)  # fmt: skip
def test_the_same_labels_in_other_types_meet(
    tmp_path: Path, first: tuple[Any, ...], second: tuple[Any, ...]
) -> None:
    rows = [{"text": text(i), "label": first[i % 2]} for i in range(40)]
    test = [{"text": text(i), "label": second[i % 2]} for i in range(90, 100)]
    path = written(tmp_path, json.dumps(rows), "a.json")

    found = dataset.build(path, test_path=written(tmp_path, json.dumps(test), "t.json"))

    assert {row.targets[0] for row in found.split("test")} == set(found.labels)


def test_versions_as_labels_stay_as_they_are(tmp_path: Path) -> None:
    rows = [{"text": text(i), "label": ("1.0", "1.1", "2.0")[i % 3]} for i in range(40)]

    assert dataset.build(written(tmp_path, json.dumps(rows), "a.json")).labels == ("1.0", "1.1", "2.0")


def test_a_test_file_without_any_known_label_stops_before_the_runs(tmp_path: Path) -> None:
    test = [{"text": text(90 + i), "label": TOPICS[i % 3].upper()} for i in range(9)]
    path = written(tmp_path, json.dumps(RECORDS), "a.json")

    with pytest.raises(DatasetError, match="No label of the test file is in the first file"):
        dataset.build(path, test_path=written(tmp_path, json.dumps(test), "t.json"))


# Answers


def test_case_18a_an_answer_that_looks_like_json_is_text() -> None:
    found = case("18a_qa_json_answer.jsonl")

    assert len(found.rows) == 120
    assert json.loads(found.rows[0].targets[0]) == {"name": "Dee", "qty": 49, "item": "nuts"}
    assert all(len(row.targets) == 1 for row in found.rows)


@pytest.mark.parametrize(
    "answer", ["[49, 'nuts']", '["a", "b"]', '{"text": "x", "unit": 3}', "[1]", "{1, 2}"]
)
def test_answers_that_look_like_lists_stay_text(tmp_path: Path, answer: str) -> None:
    rows = [{"context": passage(i), "question": f"What {text(i + 50)}?", "answer": answer} for i in range(12)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert {row.targets for row in found.rows} == {(answer,)}


def test_real_lists_are_alternatives_and_objects_are_answers_as_json(tmp_path: Path) -> None:
    answers = (["a", "b"], [49, "nuts"], {"qty": 3}, {"text": ["x", "y"], "answer_start": [1, 2]})
    rows = [{"context": text(i), "question": f"{text(i + 50)}?", "answer": answers[i % 4]} for i in range(12)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"), task=Task.QA)

    assert [r.targets for r in found.rows[:4]] == [("a", "b"), ("49", "nuts"), ('{"qty": 3}',), ("x", "y")]


@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ('["one", "two"]', ("one", "two")),
        ("['one', 'two']", ("one", "two")),
        ("['one' 'two']", ("one", "two")),
        ("{'text': ['one', 'two'], 'answer_start': [1, 2]}", ("one", "two")),
        ("{'text': array(['one', 'two'], dtype=object), 'answer_start': array([1, 2])}", ("one", "two")),
        ("[49, 'nuts']", ("[49, 'nuts']",)),
        ("[one, two]", ("[one, two]",)),
    ],
)
def test_a_column_of_a_table_is_lists_where_every_cell_is_one(
    tmp_path: Path, cell: str, answers: tuple[str, ...]
) -> None:
    rows = [{"context": passage(i), "question": f"What {text(i + 50)}?", "answers": cell} for i in range(12)]
    path = tmp_path / "a.csv"
    pd.DataFrame(rows).to_csv(path, index=False)

    assert {row.targets for row in dataset.build(path).rows} == {answers}
    as_text = dataset.build(path, layout=Layout(lists=False)).rows
    assert {row.targets for row in as_text} == {(cell,)}


def test_one_cell_that_is_no_list_makes_a_column_text(tmp_path: Path) -> None:
    rows = [{"context": passage(i), "question": f"{text(i + 50)}?", "answers": "['a', 'b']" if i else "plain"}
            for i in range(12)]  # fmt: skip
    path = tmp_path / "a.csv"
    pd.DataFrame(rows).to_csv(path, index=False)

    assert {row.targets for row in dataset.build(path).rows} == {("plain",), ("['a', 'b']",)}


def squad2(number: int) -> dict[str, Any]:
    impossible = number % 3 == 0
    answers = [] if impossible else [{"text": f"thing {number}", "answer_start": 3}]
    return {"id": f"q{number}", "question": f"What {text(number + 90)}?", "answers": answers,
            "is_impossible": impossible}  # fmt: skip


def test_unanswerable_questions_are_said_and_may_be_learned(tmp_path: Path) -> None:
    paragraphs = [{"context": passage(i), "qas": [squad2(2 * i), squad2(2 * i + 1)]} for i in range(12)]
    document = {"version": "v2.0", "data": [{"title": "Tesla", "paragraphs": paragraphs}]}
    path = written(tmp_path, json.dumps(document), "dev-v2.0.json")

    plainly = dataset.build(path)
    learned = dataset.build(path, layout=Layout(no_answer="no answer"))

    assert (plainly.total_rows, len(plainly.rows), len(learned.rows)) == (24, 16, 24)
    assert "can be learned" in messages(plainly, "unanswerable")[0]
    assert learned.rows[0].targets == ("no answer",)
    flat = [{"context": passage(i), "question": f"{text(i)}?", "answers": {"text": [], "answer_start": []}}
            for i in range(8)]  # fmt: skip
    flat_path = written(tmp_path, json.dumps(flat), "flat.json")
    assert len(dataset.build(flat_path, layout=Layout(no_answer="none")).rows) == 8


def test_case_33_the_first_indent_of_an_answer_stays() -> None:
    found = case("33_code_indent.jsonl")

    assert found.rows[0].targets == ("    x = a + 0\n    return x + b",)


@pytest.mark.parametrize("form", ["jsonl", "csv", "chat", "sharegpt"])
@pytest.mark.parametrize(
    ("given", "kept"),
    [("    return 1", "    return 1"), ("\treturn 1", "\treturn 1"), ("\n    return 1\n", "    return 1"),
     (" positive", "positive"), ("plain  ", "plain")],
)  # fmt: skip
def test_indents_of_answers_stay_in_every_form(tmp_path: Path, form: str, given: str, kept: str) -> None:
    prompts = [f"def add_{i}(a): # {text(i)}" for i in range(8)]
    if form == "csv":
        path = tmp_path / "a.csv"
        pd.DataFrame({"prompt": prompts, "completion": [given] * 8}).to_csv(path, index=False)
    else:
        rows: list[Any] = [{"prompt": p, "completion": given} for p in prompts]
        if form != "jsonl":
            who = ("role", "content", "user", "assistant")
            speaker, says, one, two = who if form == "chat" else ("from", "value", "human", "gpt")
            rows = [
                {"messages": [{speaker: one, says: r["prompt"]}, {speaker: two, says: r["completion"]}]}
                for r in rows
            ]
        path = written(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl")

    assert dataset.build(path, task=Task.GENERATION).rows[3].targets == (kept,)


# Conversations with tools


def test_case_22_tool_turns_are_context() -> None:
    found = case("22_sharegpt_tools.json")

    assert len(found.rows) == 120
    turns = json.loads(found.rows[0].inputs[Role.MESSAGES])
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool"]
    assert turns[1]["content"] == '{"name":"find"}'
    assert found.rows[0].targets == ("Done for shipping",)


def test_calls_without_words_are_turns_of_the_assistant(tmp_path: Path) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 3}'}}
    rows = [
        {"messages": [
            {"role": "user", "content": text(i)},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "ok" if i else ""},
            {"role": "assistant", "content": f"Done {i}"},
        ]}
        for i in range(8)
    ]  # fmt: skip

    found = dataset.build(written(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl"))

    turns = json.loads(found.rows[0].inputs[Role.MESSAGES])
    assert [turn["role"] for turn in turns] == ["user", "assistant", "tool"]
    assert json.loads(turns[1]["content"]) == call["function"]


# Texts that begin like something else


def test_case_40_a_text_that_is_a_page_is_a_row() -> None:
    found = case("40_html_first.tsv")

    assert (found.total_rows, set(found.labels)) == (120, set(TOPICS))


@pytest.mark.parametrize(
    "opening",
    ["<html>", "<!DOCTYPE html>", "<?xml version='1'?>", "BZh", "%PDF ", "[x] ", '{"a": 1} ', '["a"] '],
)
@pytest.mark.parametrize("form", ["{}\t{}", '"{}",{}'])
def test_texts_may_begin_like_another_format(tmp_path: Path, opening: str, form: str) -> None:
    rows = [(f"{opening if i == 0 else ''}{r['text']}".replace('"', "'" if "," in form else '"'), r["label"])
            for i, r in enumerate(RECORDS)]  # fmt: skip

    table = reading.read(written(tmp_path, "\n".join(form.format(*row) for row in rows), "a.txt"))

    assert [tuple(record.values()) for record in table.records] == rows


def test_pages_are_still_refused(tmp_path: Path) -> None:
    page = "<html>\n<body>\n" + "".join(f"<p>{text(i)}</p>\n" for i in range(9)) + "</body>\n</html>\n"

    for data in (page, page.replace("\n", ""), f"<!DOCTYPE html>{page}"):
        with pytest.raises(DatasetError, match="a web page"):
            reading.read(written(tmp_path, data, "a.csv"))


# Encodings

TOLD = {
    "cp1251": [
        "Здравствуйте, заказ {}: доставка не работает, помогите.",
        "Добрий день, замовлення {} не прийшло, її не знайти.",
        "Здравейте, поръчка {} не пристигна, моля помогнете.",
    ],
    "cp1250": [
        "Dzień dobry, zamówienie {} nie dotarło, proszę o pomoc.",
        "Dobrý den, objednávka {} nedorazila, děkuji za pomoc.",
        "Dobrý deň, objednávka {} neprišla, ďakujem.",
        "Jó napot, a {} rendelés nem érkezett meg, köszönöm a hűséget.",
        "Bună ziua, comanda {} nu a ajuns, vă rog, mulţumesc.",
        "Dobar dan, narudžba {} nije stigla, još čekam pomoć.",
    ],
    "cp1252": [
        "Bonjour, la commande {} n’est pas arrivée, où est-elle, s’il vous plaît ?",
        "Guten Tag, Bestellung {} ist nicht da, bitte prüfen Sie die Größe.",
        "Hola, el pedido {} no llegó, ¿pueden ayudarme mañana?",
        "Olá, o pedido {} não chegou, vocês podem ajudar?",
        "Hej, beställning {} har inte kommit på måndag.",
        "The order {} is for the naïve guest of the café",
    ],
    "cp1254": ["Merhaba, {} numaralı sipariş gelmedi, lütfen yardım edin, teşekkürler, doğru."],
    "cp1253": ["Καλημέρα, η παραγγελία {} δεν έφτασε, παρακαλώ βοηθήστε. Άλλο"],
    "koi8_r": ["Здравствуйте, заказ {}: доставка не работает, помогите."],
    "cp866": ["Здравствуйте, заказ {}: доставка не работает, помогите."],
    "mac_cyrillic": ["Здравствуйте, заказ {}: моя доставка не работает, помогите."],
    "cp1257": ["Laba diena, užsakymas {} neatvyko, prašau padėti, ačiū."],
    "cp1255": ["שלום, הזמנה {} לא הגיעה, אנא עזרו לי."],
    "cp1256": ["مرحبا، الطلب {} لم يصل، الرجاء المساعدة."],
    "shift_jis": ["こんにちは、注文{}が届きません。助けてください。"],
    "gb18030": ["你好，订单{}还没有到，请帮忙。谢谢"],
    "big5": ["你好，訂單{}還沒有到，請幫忙。謝謝"],
    "cp949": ["안녕하세요, 주문 {}이 도착하지 않았습니다."],
}


def test_case_30a_short_templated_cyrillic_is_cp1251() -> None:
    found = case("30a_ru_cp1251.csv")

    original = shared("cases/30a_ru_cp1251.csv").read_bytes().decode("cp1251")
    assert all(row.inputs[Role.SOURCE] in original for row in found.rows)
    assert "cp1251" in messages(found, "encoding")[0]


@pytest.mark.parametrize(("codec", "told"), [(codec, told) for codec in TOLD for told in TOLD[codec]])
@pytest.mark.parametrize("rows", [1, 100])
def test_legacy_encodings_are_read_or_asked_for(tmp_path: Path, codec: str, told: str, rows: int) -> None:
    data = "text;label\n" + "".join(f"{told.format(7 * i)};{TOPICS[i % 3]}\n" for i in range(rows))

    table = reading.read(written(tmp_path, data.encode(codec), "a.csv"))

    (found,) = [issue for issue in table.issues if issue.code == "encoding"]
    asked = found.severity is Severity.ERROR
    assert asked or table.records[0]["text"] == told.format(0)
    assert not (asked and rows > 1)
    assert dict(table.encodings).get(codec) is not None


def test_an_uncertain_encoding_is_asked_with_a_preview_of_both(tmp_path: Path) -> None:
    path = written(tmp_path, "text;label\nOrder 7: è;a\nOrder 8: b;b\n".encode("cp1252"), "a.csv")

    said = dataset.inspect(path).error

    assert said and "cp1252 reads" in said
    assert "'è;a'" in said and "'č;a'" in said
    chosen = reading.read(path, Layout(encoding="cp1250"))
    assert chosen.records[0]["text"] == "Order 7: č"
    assert not any(issue.severity is Severity.ERROR for issue in chosen.issues)


def test_new_rows_of_an_uncertain_encoding_are_not_guessed_at(tmp_path: Path) -> None:
    known = dataset.build(written(tmp_path, json.dumps(RECORDS), "a.json"))
    path = written(tmp_path, "text;label\nOrder 7: è;a\nOrder 8: b;b\n".encode("cp1252"), "new.csv")

    with pytest.raises(DatasetError, match="new.csv: The encoding is not certain"):
        dataset.read_unlabelled(path, known)


def test_a_wrong_choice_of_encoding_is_refused_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, b"text;label\none;a\ntwo \x81;b\n", "a.csv")

    with pytest.raises(DatasetError, match="not cp1252: line 3"):
        reading.read(path, Layout(encoding="cp1252"))
    with pytest.raises(DatasetError, match="no encoding 'klingon'"):
        reading.read(path, Layout(encoding="klingon"))


def test_single_broken_lines_of_utf8_are_named(tmp_path: Path) -> None:
    lines = [f"Grüße {r['text']};{r['label']}".encode() for r in RECORDS]
    lines[4] = lines[4].decode().encode("latin-1")

    table = reading.read(written(tmp_path, b"\n".join([b"text;label", *lines]), "a.csv"))

    assert table.encoding == "utf-8"
    assert table.records[0]["text"].startswith("Grüße")
    assert "1 line of the file are not UTF-8 like the others: 6" in messages(table, "broken_letters")[0]


# Files that are nearly one of these


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything inside a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [place for key, part in parts for place in places(part, (*path, key))]
    return [path, *inner] if path else inner


def damaged(document: Any, draw: random.Random) -> Any:
    """The document with something else in one place."""
    found = json.loads(json.dumps(document))
    path = draw.choice(places(found))
    inside = found
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = draw.choice((None, 1, "x", [], {}, [1], {"a": 1}, True, [[]], "[]", {"text": "y"}))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_damaged_exports_are_inspected_or_refused(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    frame = pd.DataFrame(RECORDS[:6])
    orients: tuple[Any, ...] = ("columns", "index", "split", "table", "values")
    documents = [
        [label_studio(i, "ab"[i % 2]) for i in range(6)],
        [prodigy(i) for i in range(6)],
        viewer(RECORDS[:6], 6),
        {"data": [{"paragraphs": [{"context": text(i), "qas": [squad2(i)]} for i in range(6)]}]},
        *(json.loads(frame.to_json(orient=orient)) for orient in orients),
    ]

    for document in documents:
        path = written(tmp_path, json.dumps(damaged(damaged(document, draw), draw)), "a.json")
        try:
            dataset.inspect(path)
        except DatasetError as error:
            assert "\n" not in str(error)


# Several labels a row


@pytest.mark.parametrize("name", ["08a_multilabel_pipe.csv", "08c_multilabel_list.jsonl"])
def test_case_08_several_labels_a_row_are_one_answer_in_a_fixed_order(name: str) -> None:
    found = case(name)

    assert (found.task, found.labels) == (Task.MULTILABEL, ("account", "billing", "shipping"))
    assert len(found.rows) == 120
    assert "account; billing" in counts(found)
    assert all(list(said := target.split("; ")) == sorted(said) for target in counts(found))


SETS = [(), ("a",), ("b",), ("a", "b"), ("c", "a"), ("b", "c", "a")]


def as_column(form: str, labels: tuple[str, ...]) -> Any:
    return {"list": list(labels), "json": json.dumps(labels), "python": str(list(labels))}.get(
        form, form.join(labels)
    )


@pytest.mark.parametrize("form", ["list", "json", "python", "|", ";", ", "])
def test_labels_in_lists_and_texts_are_sets(tmp_path: Path, form: str) -> None:
    sets = [SETS[i % 6] or (("a",) if form in "|;, " else ()) for i in range(60)]
    rows = [{"text": text(i), "tags": as_column(form, labels)} for i, labels in enumerate(sets)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert (found.task, found.labels) == (Task.MULTILABEL, ("a", "b", "c"))
    assert [r.targets[0] for r in found.rows] == ["; ".join(sorted(labels)) or "none" for labels in sets]


@pytest.mark.parametrize(("yes", "no"), [(1, 0), ("1.0", "0.0"), (True, False), ("yes", "no")])
def test_columns_of_ones_and_noughts_are_labels(tmp_path: Path, yes: Any, no: Any) -> None:
    rows = [
        {"id": i, "comment": text(i), **{name: yes if name in SETS[i % 6] else no for name in "abc"}}
        for i in range(60)
    ]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert (found.task, found.roles) == (Task.MULTILABEL, {Role.SOURCE: "comment", Role.TARGET: "a+b+c"})
    assert counts(found)["none"] == 10
    assert counts(found)["a; b; c"] == 10
    fewer = dataset.build(written(tmp_path, json.dumps(rows), "a.json"), roles={Role.TARGET: "a+b"})
    assert (fewer.task, fewer.labels) == (Task.MULTILABEL, ("a", "b"))


def test_one_one_in_every_row_is_one_label(tmp_path: Path) -> None:
    rows = [{"text": text(i), **{n: int("abc"[i % 3] == n) for n in "abc"}} for i in range(30)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert (found.task, found.labels) == (Task.CLASSIFICATION, ("a", "b", "c"))


@pytest.mark.parametrize(
    "labels",
    [("Credit card, or prepaid card", "Money transfer, virtual currency, or money service", "Mortgage"),
     ("Q|A", "X|Y"), ("Paris, France", "Rome, Italy", "Lyon, France")],
)  # fmt: skip
def test_signs_in_the_names_of_classes_part_nothing(tmp_path: Path, labels: tuple[str, ...]) -> None:
    rows = [{"text": text(i), "label": labels[i % len(labels)]} for i in range(60)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert (found.task, found.labels) == (Task.CLASSIFICATION, tuple(sorted(labels)))


def test_lists_of_one_label_are_labels(tmp_path: Path) -> None:
    rows = [{"text": text(i), "label": [TOPICS[i % 3]]} for i in range(30)]

    assert dataset.build(written(tmp_path, json.dumps(rows), "a.json")).labels == tuple(sorted(TOPICS))


def test_a_label_never_seen_in_training_is_said_of_an_own_test_file(tmp_path: Path) -> None:
    rows = [{"text": text(i), "tags": list(SETS[i % 6])} for i in range(60)]
    test = [{"text": text(90 + i), "tags": ["a", "new"]} for i in range(9)]
    path = written(tmp_path, json.dumps(rows), "a.json")

    found = dataset.build(path, test_path=written(tmp_path, json.dumps(test), "t.json"))

    assert "cannot be learned from the first file: new." in messages(found, "unknown_labels")[0]


# Labels written by an assistant, and what no task learns


def test_case_11b_labels_of_a_chat_are_classes_and_the_system_prompt_stays() -> None:
    found = case("11b_openai_chat_cls.jsonl")

    assert (found.task, found.roles) == (Task.CLASSIFICATION, {Role.MESSAGES: "messages"})
    assert found.labels == ("account", "billing", "shipping")
    assert [t["role"] for t in json.loads(found.rows[0].inputs[Role.MESSAGES])] == ["system", "user"]
    free = case("11b_openai_chat_cls.jsonl", task=Task.GENERATION)
    assert (free.task, free.labels) == (Task.GENERATION, ())


@pytest.mark.parametrize(
    ("names", "source"),
    [(("prompt", "completion"), "prompt"), (("prompt", "response"), "prompt"),
     (("instruction", "input", "output"), "instruction+input")],
)  # fmt: skip
def test_labels_as_completions_are_classes(tmp_path: Path, names: tuple[str, ...], source: str) -> None:
    cells = [(text(i), TOPICS[i % 3]) if len(names) == 2 else (f"Sort {i}.", text(i), TOPICS[i % 3])
             for i in range(30)]  # fmt: skip
    rows = [dict(zip(names, cell, strict=True)) for cell in cells]

    found = dataset.build(written(tmp_path, "\n".join(map(json.dumps, rows)), "a.jsonl"))

    assert (found.task, found.labels) == (Task.CLASSIFICATION, tuple(sorted(TOPICS)))
    assert found.roles == {Role.SOURCE: source, Role.TARGET: names[-1]}


def test_free_answers_of_a_chat_stay_free(tmp_path: Path) -> None:
    rows = [{"prompt": text(i), "completion": f"It is {i}." if i % 2 else "Yes."} for i in range(30)]

    assert dataset.build(written(tmp_path, json.dumps(rows), "a.json")).task is Task.GENERATION
    assert case("22_sharegpt_tools.json").task is Task.GENERATION


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (lambda i: {"prompt": text(i), "chosen": text(i + 40), "rejected": text(i + 80)}, "preference pairs"),
        (lambda i: {"tokens": ["a", "b"], "ner_tags": [0, 1 + i % 2]}, r"spans of texts \(NER\)"),
        (lambda i: {"text": text(i), "entities": [{"start": 0, "end": 3, "label": "A"}]}, "person: Ann"),
        (lambda i: {"text": text(i), "score": round(i / 7, 2)}, "low, medium and high"),
        (lambda i: {"text": text(i), "label": round(i % 20 / 4, 2)}, "low, medium and high"),
    ],
)
def test_what_no_task_learns_is_refused_with_a_way_out(tmp_path: Path, row: Any, said: str) -> None:
    path = written(tmp_path, json.dumps([row(i) for i in range(60)]), "a.json")

    with pytest.raises(DatasetError, match=said):
        dataset.build(path)


def test_a_scale_is_learned_as_classes_and_it_is_said(tmp_path: Path) -> None:
    rows = [{"text": text(i), "stars": 1 + i % 5} for i in range(60)]

    found = dataset.build(written(tmp_path, json.dumps(rows), "a.json"))

    assert found.labels == ("1", "2", "3", "4", "5")
    assert "their order is not seen" in messages(found, "integer_labels")[0]


def test_answers_that_call_tools_are_learned_as_json_and_it_is_said(tmp_path: Path) -> None:
    call = {"type": "function", "function": {"name": "find", "arguments": "{}"}}
    rows = [{"messages": [{"role": "user", "content": text(i)}, {"role": "assistant", "tool_calls": [call]}],
             "tools": "[]"} for i in range(12)]  # fmt: skip

    found = dataset.inspect(written(tmp_path, json.dumps(rows), "a.json"))

    assert any("12 answers call tools" in issue.message for issue in found.issues)
