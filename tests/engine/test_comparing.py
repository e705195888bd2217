"""Runs side by side: settings that differ, differences on shared test rows alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine import comparing, dataset, evaluate, figures_comparing
from engine.comparing import Side
from engine.records import Config, Event, Row, RunKind, RunResult, RunSpec, RunStatus, Score, Study, Task
from tests import studies

LABELS = ("good", "bad")


def rows(numbers: range, gold: str = "good") -> list[Row]:
    from engine.records import Role

    return [Row(n, {Role.SOURCE: f"text {n}"}, (gold,)) for n in numbers]


def table(members: list[Row], right: float) -> pd.DataFrame:
    said = ["good" if i < right * len(members) else "bad" for i in range(len(members))]
    return evaluate.prediction_table(
        Task.CLASSIFICATION, LABELS, {"test": members, "dev": members[:4]}, {"test": said, "dev": said[:4]}
    )


def side(
    number: int = 1,
    right: float | None = 0.5,
    study: Study | None = None,
    config: Config = studies.CONFIG,
    keys: dict[int, str] | None = None,
    members: list[Row] | None = None,
    **changes: object,
) -> Side:
    study = study or studies.study()
    run = f"{study.study}-{number:02d}"
    spec: RunSpec = replace(studies.spec(run), config=config, dataset=study.dataset, **changes)  # type: ignore[arg-type]
    if right is None:
        return Side(study, spec)
    found = table(members or rows(range(1, 101)), right)
    test = evaluate.score(found, "accuracy", "test")
    result = RunResult(
        run, 1, RunStatus.FINISHED, test, test, metrics={"accuracy": {"test": test}} if test else {}
    )
    return Side(study, spec, result, found, rows=keys)


def test_only_the_settings_that_differ_are_marked() -> None:
    other = replace(studies.CONFIG, learning_rate=1e-2, lora_r=32)

    found = comparing.settings([side(1), side(2, config=other)])

    differing = {setting.name: setting.values for setting in found if setting.differs}
    assert differing == {"learning_rate": ("3e-3", "1e-2"), "lora_r": ("8", "32")}
    assert {"model", "method", "metric", "seed", "train_size"} <= {setting.name for setting in found}


def test_a_run_that_is_not_trained_has_no_hyperparameters() -> None:
    base = replace(side(2).spec, kind=RunKind.BASE, name="base", config=None, rank=None)

    found = {s.name: s.values for s in comparing.settings([side(1), Side(studies.study(), base)])}

    assert found["learning_rate"] == ("3e-3", "")
    assert found["method"] == ("lora", "not trained")


def test_few_shot_says_how_many_examples_it_had() -> None:
    spec = replace(side(2).spec, kind=RunKind.FEW_SHOT, name="few-shot", config=None, rank=None)
    facts = {"examples": {"rows": [3, 4], "tokens": 40}}
    asked = Side(studies.study(), spec, replace(studies.result(spec.run), facts=facts))

    found = {s.name: s.values for s in comparing.settings([side(1), asked])}

    assert found["examples"] == ("", "2 examples in its prompt")


def test_runs_on_one_dataset_are_paired_row_by_row() -> None:
    found = comparing.pairing(side(1, 0.8), side(2, 0.5), ("A", "B"))

    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.3)
    assert found.difference.n == 100
    assert found.sentence.startswith("A is better than B by 30.0 (")
    assert found.sentence.endswith("points on the same 100 test rows.")


def test_the_better_one_is_named_first_whichever_was_chosen_first() -> None:
    found = comparing.pairing(side(1, 0.5), side(2, 0.8), ("A", "B"))

    assert found.difference is not None and found.difference.value < 0
    assert found.sentence.startswith("B is better than A by 30.0 (")


def test_a_difference_that_may_be_zero_is_said_so() -> None:
    found = comparing.pairing(side(1, 0.5), side(2, 0.51), ("A", "B"))

    assert found.sentence.startswith("A and B cannot be told apart on the same 100 test rows")


def test_runs_on_different_rows_are_not_paired_even_where_row_numbers_agree() -> None:
    other = studies.study("s-20260202-zzzzzz", dataset="e0e0e0e0e0e0")
    keys = {n: f"a{n}" for n in range(1, 101)}, {n: f"b{n}" for n in range(1, 101)}

    found = comparing.pairing(side(1, 0.8, keys=keys[0]), side(1, 0.5, study=other, keys=keys[1]), ("A", "B"))

    assert found.difference is None
    assert found.sentence == "Not compared row by row: the two were tested on different rows."


def test_versions_of_a_dataset_are_paired_on_the_rows_with_the_same_content() -> None:
    """The second version has the rows in another order, and a quarter of them are gone."""
    other = studies.study("s-20260202-zzzzzz", dataset="e0e0e0e0e0e0")
    first = {n: f"row {n}" for n in range(1, 101)}
    second = {n: f"row {101 - n}" for n in range(1, 76)}
    a = side(1, 0.8, keys=first)
    b = side(1, 1.0, study=other, keys=second, members=rows(range(1, 76)))

    found = comparing.pairing(a, b, ("A", "B"))

    wrong_in_a = 20  # rows 81 to 100, all of them among the 75 that are left (26 to 100)
    assert found.difference is not None
    assert (found.difference.n, found.difference.value) == (75, pytest.approx(-wrong_in_a / 75))


def test_a_deleted_dataset_shares_no_row() -> None:
    other = studies.study("s-20260202-zzzzzz", dataset="e0e0e0e0e0e0")

    found = comparing.pairing(side(1, 0.8, keys={1: "a"}), side(1, 0.5, study=other, keys={}), ("A", "B"))

    assert found.difference is None


def test_what_cannot_be_compared_says_why() -> None:
    unscored = comparing.pairing(side(1), side(2, None), ("A", "B"))
    metric = comparing.pairing(side(1), side(2, metric="macro_f1"), ("A", "B"))

    assert unscored.sentence == "Not compared: B has no test score."
    assert metric.sentence == "Not compared: one is scored by accuracy, the other by macro-F1."


def test_a_loss_is_better_when_it_is_lower() -> None:
    members = rows(range(1, 51))
    draw = np.random.default_rng(0)
    tables = [table(members, 0.5).assign(loss=0.0) for _ in range(2)]
    for found, level in zip(tables, (1.0, 2.0), strict=True):
        found["loss"] = level + draw.normal(0, 0.01, len(found))
    score = Score(1.0, 0.9, 1.1, 50)
    result = RunResult(studies.RUN, 1, RunStatus.FINISHED, score, score)
    a, b = (Side(studies.study(), replace(studies.spec(), metric="loss"), result, found) for found in tables)

    found = comparing.pairing(a, b, ("A", "B"))

    assert found.sentence.startswith("A is better than B by 0.99")
    assert "nats" in found.sentence


def test_test_rows_are_known_by_input_and_answers() -> None:
    first, second = rows(range(1, 3))
    data = dataset.Dataset(
        "d", "d", "d", Task.CLASSIFICATION, {}, LABELS,
        (first, second, replace(first, number=3, targets=("bad",)), replace(second, number=4)),
        {"train": (), "dev": (), "test": (0, 1, 2, 3)}, (), 4, False, 0,
    )  # fmt: skip

    keys = comparing.test_keys(data)

    assert list(keys) == [1, 2, 3]
    assert len(set(keys.values())) == 3


def test_runs_of_several_studies_are_called_by_their_study_too() -> None:
    other = replace(studies.study("s-20260202-zzzzzz"), name="second")

    assert comparing.names([side(1), side(2)]) == (
        f"shortlist 1, {studies.STUDY}-01",
        f"shortlist 1, {studies.STUDY}-02",
    )
    assert comparing.names([side(1), side(1, study=other)]) == (
        "shortlist 1 (tickets)",
        "shortlist 1 (second)",
    )


def test_curves_and_scores_carry_letters_and_say_which_ends_lowest() -> None:
    def curve(number: int, losses: tuple[float, ...]) -> Side:
        events = tuple(
            Event(f"{studies.STUDY}-{number:02d}", 1, i, 0.0, "progress", {"epoch": float(i), "loss": loss})
            for i, loss in enumerate(losses)
        )
        return replace(side(number), events=events)

    sides = [curve(1, (3.0, 2.0)), curve(2, (3.0, 1.0))]

    info = figures_comparing.curve_info(sides)
    figure = figures_comparing.curve_figure(info)

    assert info.title == "Training loss by epoch: B ends lowest, at 1 nats per token"
    assert [note.text for note in figure.layout.annotations] == ["A", "B"]
    assert [p.label[:2] for p in figures_comparing.score_info(sides).points] == ["A:", "B:"]
    assert figures_comparing.score_info(sides).title.startswith("Accuracy on the same 100 test rows")


def test_scores_of_different_metrics_are_not_drawn_on_one_axis() -> None:
    assert figures_comparing.score_info([side(1), side(2, metric="macro_f1")]).points == ()
