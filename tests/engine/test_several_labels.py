"""A dataset whose rows have several labels: split, scored, answered by a baseline, told label by label."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from engine import baselines, classes, dataset, evaluate, labelsets
from engine.dataset import Dataset
from engine.records import Role, Row, Task

WORDS = {"account": "password login", "billing": "invoice refund", "shipping": "parcel courier"}


def row(number: int, *labels: str) -> Row:
    text = " ".join([f"order {number}", *(WORDS[label] for label in labels)])
    return Row(number, {Role.SOURCE: text}, (labelsets.joined(labels),))


@pytest.fixture
def found(tmp_path: Path) -> Dataset:
    draw = random.Random(3)
    sets = [draw.sample(list(WORDS), draw.choice((0, 1, 1, 2, 3))) for _ in range(200)]
    lines = [
        {"text": f"ticket {i * 7919} {draw.random()} " + " ".join(WORDS[n] for n in labels), "tags": labels}
        for i, labels in enumerate(sets)
    ]
    path = tmp_path / "tickets.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return dataset.build(path)


def table(golds: Sequence[str], said: Sequence[str]) -> pd.DataFrame:
    rows = [Row(n, {Role.SOURCE: "x"}, (gold,)) for n, gold in enumerate(golds)]
    return evaluate.prediction_table(Task.MULTILABEL, ("a", "b", "c"), {"test": rows}, {"test": said})


GOLDS = ["a", "a; b", "none", "b; c", "c", "a; b; c"]
SAID = ["a", "b; a", "none", "b", "a; x", "NONE"]


def test_scores_are_those_of_scikit_learn() -> None:
    found = table(GOLDS, SAID)
    names = ["a", "b", "c", "x"]
    binary = MultiLabelBinarizer(classes=names)
    right, said = (binary.fit_transform([labelsets.parts(text) for text in texts]) for texts in
                   (GOLDS, [str(p) for p in found["prediction"]]))  # fmt: skip

    scores = {m: evaluate.score(found, m, "test") for m in ("micro_f1", "macro_f1", "exact_set")}

    assert list(found["valid"]) == [True, True, True, True, False, True]
    assert scores["micro_f1"].value == pytest.approx(f1_score(right, said, average="micro"))  # type: ignore[union-attr]
    assert scores["macro_f1"].value == pytest.approx(f1_score(right[:, :3], said[:, :3], average="macro"))  # type: ignore[union-attr]
    assert scores["exact_set"].value == pytest.approx(3 / 6)  # type: ignore[union-attr]
    assert all(score is not None and score.low <= score.value <= score.high for score in scores.values())


def test_an_empty_answer_is_not_the_answer_none() -> None:
    found = table(["none", "none"], ["", "none"])

    assert list(found["exact_set"]) == [0.0, 1.0]
    assert list(found["valid"]) == [False, True]


def test_the_difference_of_two_models_is_paired_row_by_row() -> None:
    better, worse = table(GOLDS, GOLDS), table(GOLDS, SAID)

    difference = evaluate.paired_difference(better, worse, "micro_f1", "test")

    own = evaluate.score(worse, "micro_f1", "test")
    assert difference is not None and own is not None
    assert difference.value == pytest.approx(1 - own.value)
    assert difference.low >= 0


def test_every_label_is_shared_out_in_proportion(found: Dataset) -> None:
    def shares(split: str) -> list[float]:
        sets = [labelsets.parts(row.targets[0]) for row in found.split(split)]
        return [sum(label in labels for labels in sets) / len(sets) for label in WORDS]

    assert shares("train") == pytest.approx(shares("test"), abs=0.1)
    assert shares("train") == pytest.approx(shares("dev"), abs=0.1)


def test_one_vs_rest_finds_labels_together_and_none(found: Dataset) -> None:
    said = baselines.predict("tfidf_one_vs_rest", found.split("train"), found.split("test"), Task.MULTILABEL)

    golds = [r.targets[0] for r in found.split("test")]
    assert np.mean([a == b for a, b in zip(said, golds, strict=True)]) > 0.8
    assert {"none", "billing; shipping"} & set(said)


def test_labels_of_all_training_rows_are_always_said() -> None:
    rows = [row(n, "account", *(("billing",) if n % 2 else ())) for n in range(12)]

    said = baselines.predict("tfidf_one_vs_rest", rows, [row(90, "billing")], Task.MULTILABEL)
    constant = baselines.predict("tfidf_one_vs_rest", [row(1, "account")] * 4, [row(90)], Task.MULTILABEL)

    assert said == ["account; billing"]
    assert constant == ["account"]


def test_recall_and_precision_are_told_label_by_label() -> None:
    result = classes.classes(table(GOLDS, SAID), ("a", "b", "c"))

    assert result is not None
    told = {s.label: (s.n, s.said, s.recall and s.recall.value, s.precision and s.precision.value)
            for s in result.scores}  # fmt: skip
    assert told["a"] == (3, 3, 2 / 3, 2 / 3)
    assert told["b"] == (3, 2, 2 / 3, 1.0)
    assert told["c"] == (3, 0, 0.0, None)
    assert result.invalid == 1
    assert classes.finding(result).startswith("Exact set of labels 50.0")


def test_words_for_labels_are_written_in_their_own_order(tmp_path: Path, found: Dataset) -> None:
    path = tmp_path / "tickets.jsonl"

    worded = dataset.build(path, label_words={"account": "user"})

    assert worded.labels == ("billing", "shipping", "user")
    assert {"billing; user"} <= {r.targets[0] for r in worded.rows}
