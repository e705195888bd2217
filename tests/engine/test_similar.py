"""Datasets like mine: same task first, then the fewest doublings."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine import dataset, figures_similar, similar
from engine.records import Task
from engine.similar import Facts
from tests.shared import shared

MINE = Facts(Task.CLASSIFICATION, 200, 8, 20, 1)
OTHERS = {
    "near": Facts(Task.CLASSIFICATION, 1500, 4, 20, 1),
    "long": Facts(Task.CLASSIFICATION, 1500, 8, 320, 1),
    "answers": Facts(Task.QA, 200, None, 20, 1),
}


def test_the_same_task_comes_first_then_the_fewest_doublings() -> None:
    found = similar.nearest(MINE, OTHERS, {"near": (100, 1000), "long": (100,), "answers": (100,)})

    assert [one.name for one in found] == ["near", "long", "answers"]
    assert found[0].ratios == {"input_words": 1, "answer_words": 1, "labels": 0.5, "rows": 0.5}
    assert found[0].doublings == pytest.approx(0.5)
    assert found[1].doublings == pytest.approx((4 + 0 + 0 + 1) / 4)


def test_the_training_size_that_is_nearest_to_mine_counts() -> None:
    many = Facts(Task.CLASSIFICATION, 900, 8, 20, 1)

    assert similar.nearest(many, OTHERS, {"near": (100, 1000)})[0].facts.rows == 1000


def test_what_is_not_known_of_both_does_not_count() -> None:
    found = similar.nearest(MINE, {"answers": OTHERS["answers"]}, {})

    assert "labels" not in found[0].ratios
    assert math.isclose(found[0].doublings, 0)


def test_the_finding_names_the_nearest_and_in_what_it_differs() -> None:
    info = figures_similar.similar_info("tickets", similar.nearest(MINE, OTHERS, {"near": (100,)}))

    assert info.finding == (
        "near is most like tickets: the same task, 1.0 x the words of input, 1.0 x the words of answer, "
        "0.5 x the labels and 0.5 x the training rows"
    )
    assert info.title == "Of 2 datasets with the same task near is nearest, then long"
    assert {trace.name for trace in figures_similar.similar_figure(info).data} == {
        "Words of input", "Words of answer", "Labels", "Training rows",
    }  # fmt: skip


def test_no_dataset_of_the_task_says_so() -> None:
    info = figures_similar.similar_info("<b>mine</b>", similar.nearest(MINE, {"q": OTHERS["answers"]}, {}))

    figure = figures_similar.similar_figure(info)

    assert info.finding == "No dataset of this grid has the task of <b>mine</b>; it has qa"
    assert (
        figure.layout.title.text
        == "No dataset of this grid has the task of &lt;b&gt;mine&lt;/b&gt;; it has qa"
    )
    assert not figure.data


def test_facts_are_of_the_training_rows(tmp_path: Path) -> None:
    rows = "".join(f"a b c d{i},up\na b c d e{i},down\n" for i in range(60))
    path = tmp_path / "rows.csv"
    path.write_text(f"text,label\n{rows}")

    found = similar.facts(dataset.build(path))

    assert (found.task, found.labels, found.answer_words) == (Task.CLASSIFICATION, 2, 1)
    assert 4 <= found.input_words <= 5


def test_every_dataset_of_the_shipped_grids_is_described() -> None:
    known = similar.shipped()

    assert len(known) == 14
    assert known["trec"] == Facts(Task.CLASSIFICATION, 1500, 6, 10, 1)


@pytest.mark.slow
def test_the_shipped_facts_are_those_of_the_files() -> None:
    path = shared("datasets/trec/train.jsonl")

    assert similar.facts(dataset.build(path), 1500) == similar.shipped()["trec"]
