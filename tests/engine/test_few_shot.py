"""Examples for the prompt of the untuned model: which ones, how many, and a run with them end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from engine import dataset, few_shot, loading, models, predict, talk
from engine.dataset import Dataset
from engine.records import Role, Row, RunKind, RunResult, RunStatus, Task
from tests import tiny
from tests.engine.test_train import MODEL, carry_out, spec_of

LABELS = ("red", "green", "blue")


def rows(number: int, labels: Sequence[str] = LABELS) -> list[Row]:
    """Rows 1, 2, ...; the text of row n has n letters."""
    return [Row(n, {Role.SOURCE: "x" * n}, (labels[n % len(labels)],)) for n in range(1, number + 1)]


def choose(
    train: Sequence[Row], most_tokens: int = 10_000, seed: int = 0, task: Task = Task.CLASSIFICATION
) -> tuple[Row, ...]:
    labels = tuple(dict.fromkeys(row.targets[0] for row in train))
    return few_shot.choose(train, labels, task, seed, most_tokens, lambda row: len(row.inputs[Role.SOURCE]))


def test_eight_examples_are_chosen_where_they_fit() -> None:
    assert len(choose(rows(60))) == few_shot.MOST == 8


def test_fewer_rows_than_examples_are_all_shown() -> None:
    assert {row.number for row in choose(rows(3))} == {1, 2, 3}


def test_labels_get_as_many_examples_as_each_other() -> None:
    assert sorted(Counter(row.targets[0] for row in choose(rows(60))).values()) == [2, 3, 3]


def test_a_rare_label_has_an_example() -> None:
    train = [*rows(60, ("red", "green")), Row(61, {Role.SOURCE: "x"}, ("blue",))]

    assert 61 in {row.number for row in choose(train)}


def test_every_label_has_one_where_the_room_is_just_enough() -> None:
    train = [Row(n, {Role.SOURCE: "xx"}, (label,)) for n, label in enumerate(LABELS * 4)]

    assert {row.targets[0] for row in choose(train, most_tokens=6)} == set(LABELS)


def test_a_long_row_takes_no_room_that_another_label_needs() -> None:
    long = [Row(n, {Role.SOURCE: "x" * 50}, ("red",)) for n in range(10)]
    short = [Row(n, {Role.SOURCE: "x" * 20}, (label,)) for n, label in ((10, "green"), (11, "blue"))]

    for seed in range(10):
        assert {row.targets[0] for row in choose([*long, *short], 60, seed)} >= {"green", "blue"}


def test_with_more_labels_than_examples_each_example_has_another_label() -> None:
    found = choose(rows(60, [f"label {n}" for n in range(20)]))

    assert len({row.targets[0] for row in found}) == len(found) == 8


@pytest.mark.parametrize("most_tokens", [1, 5, 20, 40])
def test_the_examples_fit_into_the_room(most_tokens: int) -> None:
    for task in (Task.CLASSIFICATION, Task.QA):
        found = choose(rows(60), most_tokens, task=task)

        assert sum(len(row.inputs[Role.SOURCE]) for row in found) <= most_tokens
        assert found


def test_nothing_is_chosen_where_nothing_fits() -> None:
    assert choose(rows(60)[5:], most_tokens=5) == ()


def test_the_seed_decides_and_the_order_is_not_by_label() -> None:
    assert choose(rows(60)) == choose(rows(60))
    assert choose(rows(60)) != choose(rows(60), seed=1)
    orders = [[row.targets[0] for row in choose(rows(60), seed=seed)] for seed in range(5)]
    assert any(order[:3] != order[3:6] for order in orders)


@pytest.fixture
def ran(colours: Dataset, tmp_path: Path) -> RunResult:
    """A few-shot run on 20 training rows."""
    result, _ = carry_out(spec_of(colours, RunKind.FEW_SHOT, train_size=20), colours, tmp_path / "run")
    return result


def test_a_run_with_examples_is_scored_like_the_base(
    ran: RunResult, colours: Dataset, tmp_path: Path
) -> None:
    assert (ran.status, ran.error) == (RunStatus.FINISHED, None)
    assert ran.test is not None and ran.test.n == len(colours.split("test"))
    assert ran.facts["answers_by"] in ("generation", "likelihood")
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert set(table["likelihood_prediction"]) <= set(colours.labels)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"predictions.parquet"}


def test_its_facts_say_how_many_examples_of_which_labels_in_how_many_tokens(
    ran: RunResult, colours: Dataset
) -> None:
    examples = ran.facts["examples"]

    assert len(examples["rows"]) == 8
    assert set(examples["rows"]) <= {row.number for row in colours.train_subset(20, 0)}
    assert sorted(examples["labels"].values()) == [2, 3, 3]
    assert 8 * 5 < examples["tokens"] < few_shot.MOST_TOKENS
    assert ran.facts["note"].startswith("8 examples in the prompt (")
    assert f"{examples['tokens']} tokens: the training rows " in ran.facts["note"]
    assert few_shot.told(ran.facts) == "8 examples in its prompt"


def test_the_prompt_of_each_row_holds_the_examples_and_then_the_row(ran: RunResult, colours: Dataset) -> None:
    tokenizer = loading.load_tokenizer(models.FOLDER / MODEL)
    spec = spec_of(colours, RunKind.FEW_SHOT, train_size=20)
    row = colours.split("test")[0]
    by_number = {row.number: row for row in colours.rows}

    full = talk.prompt(spec, colours, tokenizer, row, ran.facts)
    bare = talk.prompt(spec, colours, tokenizer, row)

    assert full.text.endswith(bare.text) and not full.cut
    shown = [by_number[number] for number in ran.facts["examples"]["rows"]]
    places = [full.text.index(f"{row.inputs[Role.SOURCE]}\nLabel: {row.targets[0]}") for row in shown]
    assert places == sorted(places)
    assert len(full.ids) - len(bare.ids) == ran.facts["examples"]["tokens"]


def test_new_rows_are_answered_as_the_run_answered_them(
    ran: RunResult, colours: Dataset, tmp_path: Path
) -> None:
    rows = colours.split("test")
    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet").set_index("row")

    spec = spec_of(colours, RunKind.FEW_SHOT, train_size=20)
    said, note = predict.predict(spec, ran, tmp_path / "run", colours, rows)

    assert said["prediction"].tolist() == [table.at[row.number, "prediction"] for row in rows]
    assert said["confidence"].between(0, 1).sum() == said["valid"].sum()
    assert "% stated" in note


def test_in_folds_no_example_is_scored(colours: Dataset, tmp_path: Path) -> None:
    result, _ = carry_out(spec_of(colours, RunKind.FEW_SHOT, folds=3), colours, tmp_path / "run")

    table = pd.read_parquet(tmp_path / "run" / "predictions.parquet")
    dev = set(table.loc[table["split"] == "dev", "row"])
    examples = set(result.facts["examples"]["rows"])
    outside = {row.number for name in ("train", "dev") for row in colours.split(name)}
    assert dev == outside - examples


def test_a_model_without_room_for_an_example_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.tiny_model(tmp_path / "models" / MODEL, context=24)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    data = dataset.build(tiny.write_jsonl(tmp_path / "colours.jsonl", tiny.tiny_classification(80)))

    result, _ = carry_out(spec_of(data, RunKind.FEW_SHOT), data, tmp_path / "run")

    assert result.status is RunStatus.FAILED and result.error is not None
    assert result.error.startswith(
        "No training row fits into the prompt as an example: the model reads 24 tokens, and rows with their "
    )
