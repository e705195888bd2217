"""The answers of a study side by side: what is joined, which rows a filter keeps, what is taken away."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from engine import outputs
from engine.evaluate import prediction_table
from engine.outputs import Filter, Outputs
from engine.records import Method, Role, Row, RunKind, RunSpec, Task
from tests import studies

BASE, TUNED, OTHER = (f"{studies.STUDY}-0{number}" for number in (1, 2, 3))
LABELS = ("no", "yes")
TEXTS = ("a b c", "=SUM(A1)", "d " * 500, "e f")


def specs(task: Task, metric: str) -> list[RunSpec]:
    kinds = {BASE: RunKind.BASE, TUNED: RunKind.SHORTLIST, OTHER: RunKind.DEFAULT}
    found = [studies.spec(run, kind, str(kind)) for run, kind in kinds.items()]
    return [replace(spec, task=task, metric=metric) for spec in found]


@pytest.fixture
def labels() -> Outputs:
    """Four rows whose label is yes; the dev row of each table must not be seen."""
    rows = [Row(number, {Role.SOURCE: text}, ("yes",)) for number, text in enumerate(TEXTS, start=5)]
    said = {
        BASE: ["no", "no", "?", "yes"],
        TUNED: ["yes", "yes", "maybe", "no"],
        OTHER: ["no", "yes", "yes", "no"],
    }
    dev = [Row(1, {Role.SOURCE: "seen"}, ("no",))]
    tables = {
        run: prediction_table(
            Task.CLASSIFICATION, LABELS, {"dev": dev, "test": rows}, {"dev": ["no"], "test": answers}
        )
        for run, answers in said.items()
    }
    return outputs.join(rows, specs(Task.CLASSIFICATION, "macro_f1"), tables, "test")


@pytest.fixture
def summaries() -> Outputs:
    rows = [Row(1, {Role.SOURCE: "x y"}, ("the cat sat",)), Row(2, {Role.SOURCE: "z"}, ("a dog ran",))]
    said = {BASE: ["", "a dog"], TUNED: ["the cat sat", "a dog"], OTHER: ["cat", "dog"]}
    tables = {
        run: prediction_table(Task.SUMMARIZATION, (), {"test": rows}, {"test": answers})
        for run, answers in said.items()
    }
    return outputs.join(rows, specs(Task.SUMMARIZATION, "rougeL"), tables, "test")


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        (Filter.ALL, [5, 6, 7, 8]),
        (Filter.WRONG, [7, 8]),
        (Filter.RIGHT, [5, 6]),
        (Filter.CHANGED, [5, 6, 7, 8]),
        (Filter.INVALID, [7]),
    ],
)
def test_a_filter_keeps_the_rows_that_it_names(labels: Outputs, wanted: Filter, rows: list[int]) -> None:
    assert outputs.select(labels, TUNED, wanted) == rows


def test_the_worst_rows_are_those_that_all_runs_find_hardest(labels: Outputs) -> None:
    assert outputs.select(labels, OTHER, Filter.WORST) == [5, 8]
    assert outputs.select(labels, BASE, Filter.WORST) == [5, 7, 6]


def test_the_finding_counts_what_tuning_changed_for_the_better_and_the_worse(labels: Outputs) -> None:
    assert outputs.finding(labels, TUNED) == (
        "shortlist answers 2 of 4 test rows right; "
        "tuning changed 4 answers, 2 for the better and 1 for the worse"
    )


def test_the_base_is_not_changed_by_tuning_and_a_summary_is_neither_right_nor_wrong(
    labels: Outputs, summaries: Outputs
) -> None:
    assert Filter.CHANGED not in outputs.filters(labels, BASE)
    assert outputs.filters(summaries, TUNED) == [
        Filter.ALL,
        Filter.CHANGED,
        Filter.INVALID,
        Filter.WORST,
    ]


def test_a_summary_is_told_in_points_and_an_empty_one_is_invalid(summaries: Outputs) -> None:
    assert outputs.result(summaries, TUNED, 1) == "100.0"
    assert outputs.result(summaries, TUNED, 2) == "80.0"
    assert outputs.result(summaries, BASE, 1) == "invalid"
    assert list(outputs.answers(summaries, TUNED, 2)["ROUGE-L"]) == ["80.0", "80.0", "50.0"]
    assert outputs.select(summaries, TUNED, Filter.WORST) == [2]
    assert outputs.finding(summaries, TUNED).endswith("1 for the better and 0 for the worse by ROUGE-L")


def test_a_page_shows_long_texts_cut_and_the_base_before_the_chosen_run(labels: Outputs) -> None:
    page = outputs.page(labels, TUNED, [7, 8], characters=300)

    assert list(page) == ["row", "source", "right answer", "untuned base", "shortlist", "result", "default"]
    assert len(page.at[0, "source"]) == 304
    assert list(page["result"]) == ["invalid", "wrong"]


def test_what_is_taken_away_holds_whole_texts_and_every_run(labels: Outputs) -> None:
    table = outputs.flat(labels, TUNED, [6, 7])

    assert list(table["row"]) == [6, 7]
    assert table.at[1, "source"] == TEXTS[2]
    assert list(table["shortlist"]) == ["yes", "maybe"]
    assert list(table["shortlist: accuracy"]) == [1.0, 0.0]
    assert list(table["shortlist: invalid"]) == [False, True]


def test_an_answer_that_a_run_never_gave_is_missing_not_wrong(labels: Outputs) -> None:
    rows = [Row(number, {Role.SOURCE: "t"}, ("yes",)) for number in (5, 99)]
    found = outputs.join(rows, list(labels.specs.values()), labels.tables, "test")

    assert found.said.at[99, TUNED] is None
    assert outputs.result(found, TUNED, 99) == ""
    assert outputs.select(found, TUNED, Filter.WRONG) == []
    assert outputs.finding(found, TUNED).startswith("shortlist answers 1 of 1 test rows right")


def test_runs_of_one_name_are_told_apart_by_their_numbers() -> None:
    twins = [studies.spec(run, RunKind.CUSTOM, "own 1") for run in (BASE, TUNED)]

    assert outputs.unique_titles(twins) == {BASE: "own 1 (01)", TUNED: "own 1 (02)"}


def test_a_conversation_is_shown_turn_by_turn() -> None:
    turns = '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]'
    rows = [Row(1, {Role.MESSAGES: turns}, ("Bye",))]
    table = prediction_table(Task.GENERATION, (), {"test": rows}, {"test": ["Bye"]})
    spec = replace(studies.spec(TUNED), task=Task.GENERATION, metric="rougeL", method=Method.LORA)

    found = outputs.join(rows, [spec], {TUNED: table}, "test")

    assert found.inputs.at[1, "messages"] == "User: Hi\nAssistant: Yes?"
    assert isinstance(found.words, pd.Series) and found.words[1] == 4
