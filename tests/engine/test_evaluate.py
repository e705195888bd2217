"""Metrics against values worked out by hand, intervals against exact ones, generation against HF."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import evaluate, intervals, metrics
from engine.errors import ConfigError
from engine.records import Role, Row, Task


def row(number: int, *targets: str, group: str | None = None) -> Row:
    return Row(number, {Role.SOURCE: f"text {number}"}, targets, group)


def test_squad_normalisation_ignores_case_articles_and_punctuation() -> None:
    assert metrics.normalize_answer("The  Sea, and an island.") == "sea and island"
    assert metrics.exact_match("the blue sea!", "Blue sea") == 1.0


def test_token_f1_counts_shared_words_once_each() -> None:
    assert metrics.token_f1("blue blue sea", "blue sea now") == pytest.approx(2 * 2 / (3 + 3))
    assert metrics.token_f1("red", "blue") == 0.0
    assert metrics.token_f1("the", "") == 1.0
    assert metrics.token_f1("red", "") == 0.0


def test_the_best_of_several_right_answers_counts() -> None:
    values = metrics.row_values(Task.QA, "in Paris", ["London", "Paris", "Paris, France"])

    assert values == {"token_f1": pytest.approx(2 / 3), "exact_match": 0.0}


def test_rouge_of_a_hand_example() -> None:
    # shared words in order: the, sat, mat (3 of 4 said, 3 of 5 right); shared words: the same and "on"
    values = metrics.rouge("on the sat mat", "the cat sat on mat")

    assert values["rouge1"] == pytest.approx(2 * (4 / 4) * (4 / 5) / (4 / 4 + 4 / 5))
    assert values["rougeL"] == pytest.approx(2 * (3 / 4) * (3 / 5) / (3 / 4 + 3 / 5))


def test_rouge_stems_words() -> None:
    assert metrics.rouge("meetings", "meeting")["rouge1"] == 1.0


@pytest.mark.parametrize(
    ("answer", "label"),
    [("Spam", "Spam"), ("SPAM", None), ("HAM", "ham"), ("ham and eggs", None), ("", None)],
)
def test_an_answer_names_a_label_exactly_or_else_up_to_case(answer: str, label: str | None) -> None:
    assert metrics.as_label(answer, ["Spam", "spam", "ham"]) == label


def test_answers_outside_the_label_set_are_invalid_and_wrong() -> None:
    rows = {"test": [row(1, "red"), row(2, "blue")]}

    table = evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], rows, {"test": ["Red", "green"]})

    assert table["valid"].tolist() == [True, False]
    assert table["accuracy"].tolist() == [1.0, 0.0]
    assert table["prediction"].tolist() == ["red", "green"]
    assert [json.loads(gold) for gold in table["gold"]] == [["red"], ["blue"]]


def test_a_metric_that_the_task_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="accuracy, macro_f1, not 'bleu'"):
        metrics.check_metric("bleu", Task.CLASSIFICATION)


def test_macro_f1_equals_scikit_learn_over_the_labels_that_occur() -> None:
    from sklearn.metrics import f1_score

    golds = ["a", "a", "a", "b", "b", "c"]
    said = ["a", "a", "b", "b", "invalid", "a"]

    found = intervals.macro_f1_score(said, golds)

    expected = f1_score(golds, said, labels=["a", "b", "c"], average="macro", zero_division=0)
    assert found.value == pytest.approx(expected)
    assert found.low <= found.value <= found.high and found.n == 6


def test_a_share_has_the_wilson_interval() -> None:
    score = intervals.mean_score([1.0] * 8 + [0.0] * 2)

    # Wilson 1927, worked out by hand for 8 of 10 and z = 1.96
    assert (score.value, score.n) == (0.8, 10)
    assert score.low == pytest.approx(0.4902, abs=1e-3)
    assert score.high == pytest.approx(0.9433, abs=1e-3)


def test_a_score_of_zero_is_not_certain() -> None:
    assert intervals.mean_score([0.0] * 100).high == pytest.approx(0.037, abs=1e-3)
    grouped = intervals.mean_score([0.0] * 100, ["a", "b", "c", "d"] * 25)
    assert grouped.high > 0.4


def test_the_bootstrap_agrees_with_the_normal_interval_of_a_mean() -> None:
    values = np.random.default_rng(1).uniform(size=300)

    score = intervals.mean_score(values.tolist())

    half = 1.96 * values.std(ddof=1) / np.sqrt(300)
    assert score.high - score.value == pytest.approx(half, rel=0.1)
    assert score.value - score.low == pytest.approx(half, rel=0.1)


def test_the_bootstrap_is_repeatable() -> None:
    assert intervals.mean_score([0.1, 0.5, 0.3]) == intervals.mean_score([0.1, 0.5, 0.3])


def test_rows_of_one_group_widen_the_interval() -> None:
    draw = np.random.default_rng(2)
    documents = draw.uniform(size=20)
    values = np.repeat(documents, 10).tolist()
    groups = [str(d) for d in range(20) for _ in range(10)]

    alone, together = intervals.mean_score(values), intervals.mean_score(values, groups)

    assert together.value == alone.value
    assert together.high - together.low > 2.5 * (alone.high - alone.low)


def test_groups_of_one_row_are_rows() -> None:
    values = [0.2, 0.4, 0.9, 0.1, 0.5]

    assert intervals.mean_score(values, list("abcde")) == intervals.mean_score(values)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    draw = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        score = intervals.mean_score(draw.beta(2, 3, size=80).tolist())
        hits += score.low <= 0.4 <= score.high
    assert 180 <= hits <= 198


def test_a_paired_difference_is_narrower_than_the_scores_it_compares() -> None:
    rows = {"test": [row(n, "red" if n % 2 else "blue") for n in range(100)]}
    good = ["red" if n % 2 else "blue" for n in range(100)]
    a = good[:80] + ["red"] * 20
    b = good[:70] + ["red"] * 30
    tables = [
        evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], rows, {"test": said})
        for said in (a, b)
    ]

    found = evaluate.paired_difference(tables[0], tables[1], "accuracy", "test")

    assert found is not None and found.value == pytest.approx(0.05)
    assert 0 < found.low < 0.05 < found.high < 0.11
    back = evaluate.paired_difference(tables[1], tables[0], "accuracy", "test")
    assert back is not None and back.value == pytest.approx(-0.05)


def test_equal_predictions_differ_by_nothing() -> None:
    rows = {"dev": [row(n, "red" if n % 3 else "blue") for n in range(30)]}
    table = evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], rows, {"dev": ["red"] * 30})

    for metric in metrics.METRICS[Task.CLASSIFICATION]:
        found = evaluate.paired_difference(table, table, metric, "dev")
        assert found is not None and (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_a_lower_loss_is_a_difference_above_zero() -> None:
    rows = {"test": [row(n, "yes") for n in range(10)]}
    said = {"test": ["yes"] * 10}
    low, high = (
        evaluate.prediction_table(Task.GENERATION, [], rows, said, {"test": [loss] * 10})
        for loss in (1.0, 1.5)
    )

    found = evaluate.paired_difference(low, high, "loss", "test")

    assert found is not None and found.value == pytest.approx(0.5)


def test_a_baseline_has_no_loss_to_compare() -> None:
    rows = {"test": [row(1, "yes")]}
    table = evaluate.prediction_table(Task.GENERATION, [], rows, {"test": ["yes"]})

    assert evaluate.score(table, "loss", "test") is None
    assert evaluate.paired_difference(table, table, "loss", "test") is None


def test_a_group_shared_by_rows_reaches_the_interval() -> None:
    rows = {"test": [row(n, "red" if n < 20 else "blue", group=f"d{n // 20}") for n in range(40)]}

    table = evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], rows, {"test": ["red"] * 40})

    score = evaluate.score(table, "accuracy", "test")
    assert score is not None and (score.low, score.high) == (0.0, 1.0)


def test_the_smallest_difference_reproduces_the_table_of_the_methods() -> None:
    found = [round(100 * intervals.smallest_difference(n), 1) for n in (50, 100, 200, 1000)]

    assert found == pytest.approx([18.5, 13.1, 9.3, 4.1], abs=0.15)
