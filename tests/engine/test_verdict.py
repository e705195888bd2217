"""The verdict says no more than its numbers: who wins, by how much, what ties, what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from engine import evaluate, verdict
from engine.records import (
    Config,
    Method,
    Role,
    Row,
    RunKind,
    RunResult,
    RunSpec,
    RunStatus,
    Study,
    Task,
)

CONFIG = Config(3e-3, 5, 8)
NAMES = {
    "base": RunKind.BASE,
    "majority": RunKind.BASELINE,
    "tfidf_logreg": RunKind.BASELINE,
    "default": RunKind.DEFAULT,
    "shortlist 1": RunKind.SHORTLIST,
    "shortlist 2": RunKind.SHORTLIST,
}


class Fake:
    """A study of six runs, each right on the first so many of its dev and test rows."""

    def __init__(self, right: dict[str, tuple[int, int]] | None = None, rows: int = 200) -> None:
        self.rows = {"dev": rows_of(rows), "test": rows_of(rows)}
        self.specs = [spec_of(place, name) for place, name in enumerate(NAMES)]
        self.results: dict[str, RunResult] = {}
        self.tables: dict[str, pd.DataFrame] = {}
        defaults = {"base": (10, 10), "majority": (20, 20), "tfidf_logreg": (50, 50), "default": (100, 100)}
        shares = {**defaults, "shortlist 1": (150, 150), "shortlist 2": (110, 110), **(right or {})}
        for spec in self.specs:
            self.score(spec, *(round(part * rows / 200) for part in shares[spec.name]))

    def score(self, spec: RunSpec, dev: int, test: int) -> None:
        said = {"dev": answers(self.rows["dev"], dev), "test": answers(self.rows["test"], test)}
        table = evaluate.prediction_table(Task.CLASSIFICATION, ["blue", "red"], self.rows, said)
        metrics = evaluate.scores(table, Task.CLASSIFICATION)
        scores = metrics["accuracy"]
        self.tables[spec.run] = table
        self.results[spec.run] = RunResult(
            spec.run, 1, RunStatus.FINISHED, scores["dev"], scores["test"], 10.0, None, metrics
        )

    def run(self, name: str) -> str:
        return next(spec.run for spec in self.specs if spec.name == name)

    def ask_with_examples(self, dev: int, test: int) -> str:
        """Add the run few-shot."""
        run = f"s-1-{len(self.specs):02}"
        spec = replace(self.specs[0], run=run, kind=RunKind.FEW_SHOT, name="few-shot")
        self.specs.insert(1, spec)
        self.score(spec, dev, test)
        self.end("few-shot", facts={"examples": {"rows": [1, 2, 3], "tokens": 60}})
        return run

    def end(self, name: str, **changes: Any) -> None:
        self.results[self.run(name)] = replace(self.results[self.run(name)], **changes)

    def repeat(self, name: str, seed: int, dev: int, test: int) -> str:
        first = next(spec for spec in self.specs if spec.name == name)
        run = f"s-1-{len(self.specs):02}"
        spec = replace(first, run=run, kind=RunKind.CUSTOM, name=f"{name}, seed {seed}", seed=seed)
        self.specs.append(spec)
        self.score(spec, dev, test)
        return run

    def summary(self) -> verdict.Summary:
        return verdict.summarize(self.study(), self.specs, self.results, self.tables)

    def study(self) -> Study:
        return Study(
            "s-1",
            "n",
            "d",
            "d",
            Task.CLASSIFICATION,
            "m",
            Method.FULL,
            "accuracy",
            2,
            0,
            0.0,
            tuple(self.results),
        )


def rows_of(count: int) -> list[Row]:
    return [Row(n, {Role.SOURCE: "x"}, ("red" if n % 2 else "blue",)) for n in range(1, count + 1)]


def answers(rows: Sequence[Row], right: int) -> list[str]:
    other = {"red": "blue", "blue": "red"}
    return [row.targets[0] if n < right else other[row.targets[0]] for n, row in enumerate(rows)]


def spec_of(place: int, name: str) -> RunSpec:
    kind = NAMES[name]
    config = replace(CONFIG, learning_rate=1e-3 * (place + 1)) if kind.trains else None
    return RunSpec(
        f"s-1-{place:02}",
        "s-1",
        kind,
        name,
        "d",
        Task.CLASSIFICATION,
        "m",
        Method.FULL,
        "accuracy",
        config=config,
    )


def test_a_clear_winner_is_named_with_its_test_score_and_both_distances() -> None:
    found = Fake()

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1")
    assert summary.verdict.startswith(
        "Use shortlist 1 (lr 5e-3, 5 epochs, batch 8): accuracy 75.0 points (68.6 to 80.5) on 200 test rows, "
        "70.0 ("
    )
    assert "above the untuned base, and 25.0 (19.0 to 31.0) above the default" in summary.verdict
    assert "cannot be told apart" not in summary.verdict and "can be shown" not in summary.verdict
    assert summary.ties == () and summary.warnings == ()


def test_dev_selects_and_test_reports() -> None:
    found = Fake({"shortlist 1": (120, 160), "shortlist 2": (121, 90)})

    summary = found.summary()

    assert summary.winner == found.run("shortlist 2")
    assert "accuracy 45.0 points" in summary.verdict


def test_of_equal_dev_scores_the_cheaper_wins() -> None:
    found = Fake({"shortlist 1": (150, 150), "shortlist 2": (150, 150)})
    found.end("shortlist 2", seconds=5.0)

    assert found.summary().winner == found.run("shortlist 2")


def test_runs_that_cannot_be_told_apart_are_a_tie() -> None:
    found = Fake({"shortlist 2": (148, 149), "default": (147, 152)})

    summary = found.summary()

    assert set(summary.ties) == {found.run("shortlist 2"), found.run("default")}
    assert (
        "1.0 (0.0 to 2.5) below the default, which is not a difference that can be shown" in summary.verdict
    )
    assert "Not told apart from shortlist 1: default and shortlist 2" in summary.verdict


def test_a_baseline_that_beats_every_model_is_said_first() -> None:
    found = Fake({"tfidf_logreg": (190, 190)})

    summary = found.summary()

    assert summary.verdict.startswith("No tuned model beat TF-IDF + logistic regression. Of the models, use ")
    assert "TF-IDF + logistic regression reaches 95.0 points" in summary.verdict
    assert "it is better, 20.0 (" in summary.verdict
    assert summary.differences[found.run("tfidf_logreg")].high < 0


def test_a_baseline_is_named_as_in_a_sentence() -> None:
    found = Fake({"majority": (190, 190)}).summary().verdict

    assert found.startswith("No tuned model beat the majority class. Of the models, use shortlist 1")
    assert "The majority class reaches 95.0 points" in found


def test_a_baseline_that_ties_is_said_to_tie() -> None:
    found = Fake({"tfidf_logreg": (149, 151)})

    assert "the two cannot be told apart, 0.5 (0.0 to 1.5)" in found.summary().verdict


def test_only_the_best_baseline_by_dev_is_compared_in_words() -> None:
    verdict_text = Fake().summary().verdict

    assert "TF-IDF + logistic regression reaches 25.0 points" in verdict_text
    assert "it is worse, 50.0 (" in verdict_text
    assert "ajority" not in verdict_text


def test_a_majority_class_that_is_not_beaten_is_told_too() -> None:
    said = Fake({"majority": (149, 149), "tfidf_logreg": (190, 190)}).summary().verdict

    assert "The majority class reaches 74.5 points" in said
    assert "the two cannot be told apart, 0.5 (0.0 to 1.5)" in said


def test_a_base_that_nothing_beats_is_used_as_it_is() -> None:
    found = Fake({"base": (180, 170)})

    summary = found.summary()

    assert summary.winner == found.run("base")
    assert summary.verdict.startswith(
        "No config beat the untuned base on dev, so use it as it is: accuracy 85.0"
    )


def test_the_default_may_win() -> None:
    found = Fake({"default": (180, 170)})

    summary = found.summary()

    assert summary.winner == found.run("default")
    assert " above the default" not in summary.verdict
    assert "80.0 (74.5 to 85.5) above the untuned base." in summary.verdict


def test_few_test_rows_are_too_few_to_conclude() -> None:
    summary = Fake(rows=40).summary()

    assert summary.verdict.startswith("Too few rows to conclude: the test split has only 40. Use shortlist 1")


def test_failed_and_missing_runs_are_named() -> None:
    found = Fake()
    found.end(
        "shortlist 2", status=RunStatus.FAILED, dev=None, test=None, error="The loss became nan at step 3."
    )
    del found.results[found.run("default")]

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1")
    assert summary.verdict.endswith("Not counted: shortlist 2 (failed), default (not ended).")
    assert summary.warnings == (
        "default has not ended yet.",
        "shortlist 2 failed: The loss became nan at step 3.",
    )


def test_a_run_stopped_with_scores_may_win_and_is_marked() -> None:
    found = Fake()
    found.end("shortlist 1", status=RunStatus.STOPPED, facts={"note": "The state after epoch 2 is kept."})

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1")
    assert summary.warnings == ("shortlist 1 was stopped: The state after epoch 2 is kept.",)


def test_without_a_scored_model_there_is_no_winner() -> None:
    found = Fake()
    for spec in found.specs:
        if spec.kind is not RunKind.BASELINE:
            found.end(spec.name, status=RunStatus.FAILED, dev=None, test=None, error="x")

    summary = found.summary()

    assert summary.winner is None
    assert summary.verdict == (
        "No model has a score, so none can be recommended. "
        "Not counted: base, default, shortlist 1 and shortlist 2 (failed)."
    )


def test_a_study_that_has_just_begun_says_so() -> None:
    found = Fake()
    found.results.clear()

    assert found.summary().verdict == "No model has a score yet: 6 of 6 runs have not ended."


def test_without_predictions_there_are_scores_but_no_differences() -> None:
    found = Fake()
    found.tables.clear()

    summary = found.summary()

    assert summary.differences == {} and summary.winner == found.run("shortlist 1")
    assert "on 200 test rows." in summary.verdict


def test_the_smallest_difference_shrinks_with_more_rows() -> None:
    few, many = (Fake(rows=rows).summary().smallest_difference for rows in (100, 400))

    assert few is not None and many is not None
    assert few / many == 2.0 or abs(few / many - 2.0) < 0.01


def test_the_headline_counts_for_having_picked_the_best() -> None:
    luck = {"default": (150, 150), "shortlist 1": (152, 150), "shortlist 2": (148, 150)}

    summary = Fake(luck).summary()

    assert summary.headline is not None and summary.candidates == 4
    assert summary.headline.n == 400 and 0.74 < summary.headline.value < 0.76
    assert "Counting for having picked the best of 4: 75." in summary.verdict
    assert "from 400 rows that no run trained on." in summary.verdict


def test_a_headline_in_folds_says_that_no_answer_is_of_a_training_that_saw_the_row() -> None:
    folded = Fake()
    folded.specs = [replace(spec, folds=5) for spec in folded.specs]

    assert "rows, each answered by a training that did not see it." in folded.summary().verdict


def test_dev_rows_that_shaped_a_config_do_not_count_in_the_headline() -> None:
    stopped, early, added = Fake(), Fake(), Fake()
    stopped.end("default", status=RunStatus.STOPPED)
    early.specs[4] = replace(early.specs[4], early_stopping_patience=3, early_stopping_threshold=0.001)
    config = replace(CONFIG, weight_decay=0.1)
    later = replace(added.specs[4], run="s-1-06", kind=RunKind.CUSTOM, config=config)
    added.specs.append(later)
    added.score(later, 100, 100)

    base_first = [found.summary().headline for found in (Fake(), stopped, early, added)]

    assert [score and score.n for score in base_first] == [400, 200, 200, 200]


def test_one_config_was_not_picked() -> None:
    found = Fake()
    for name in ("base", "default", "shortlist 2"):
        found.end(name, status=RunStatus.FAILED, dev=None, test=None, error="x")

    summary = found.summary()

    assert summary.headline is None and summary.runner_up is None
    assert "Counting" not in summary.verdict


def test_the_runner_up_is_compared_row_by_row() -> None:
    summary = Fake({"shortlist 2": (140, 148)}).summary()

    assert summary.runner_up == "s-1-05"
    assert (
        "On the test rows shortlist 1 is 1.0 (0.0 to 2.5) above shortlist 2, the runner-up by dev, "
        "which is not a difference that can be shown." in summary.verdict
    )


def test_a_runner_up_that_is_the_default_is_not_told_twice() -> None:
    summary = Fake({"default": (140, 140)}).summary()

    assert summary.runner_up == "s-1-03" and "runner-up" not in summary.verdict


def test_more_seeds_are_no_more_chances_to_win() -> None:
    found = Fake({"shortlist 1": (150, 150), "shortlist 2": (149, 149)})
    lucky = found.repeat("shortlist 2", 1, 170, 170)
    found.repeat("shortlist 2", 2, 110, 110)

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1") and summary.candidates == 4
    assert lucky not in summary.ties


def test_dev_selects_by_the_mean_over_seeds() -> None:
    found = Fake({"shortlist 1": (150, 150), "shortlist 2": (149, 149)})
    found.repeat("shortlist 1", 1, 130, 130)
    found.repeat("shortlist 1", 2, 120, 120)

    assert found.summary().winner == found.run("shortlist 2")


def test_the_verdict_tells_the_mean_and_spread_over_seeds_and_whether_the_order_holds() -> None:
    held = Fake({"shortlist 1": (150, 150), "shortlist 2": (140, 140)})
    turned = Fake({"shortlist 1": (150, 150), "shortlist 2": (140, 140)})
    for found, test in ((held, 130), (turned, 170)):
        found.repeat("shortlist 1", 1, 152, 146)
        found.repeat("shortlist 2", 1, 148, test)

    assert (
        "the mean over seeds (least to most) is shortlist 1 74.0 (73.0 to 75.0) with 2 seeds, "
        "and shortlist 2 67.5 (65.0 to 70.0) with 2 seeds: the order that the first seed had on dev holds."
        in held.summary().verdict
    )
    assert "on dev does not hold." in turned.summary().verdict


def test_a_repeat_that_failed_is_told_and_leaves_the_rest_as_it_was() -> None:
    found = Fake()
    found.repeat("shortlist 1", 1, 100, 100)
    found.end("shortlist 1, seed 1", status=RunStatus.FAILED, dev=None, test=None, error="x")

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1") and "over seeds" not in summary.verdict
    assert summary.verdict.endswith("Not counted: shortlist 1, seed 1 (failed).")


def test_the_ranking_by_dev_leaves_out_what_is_not_trained_and_counts_a_config_once() -> None:
    found = Fake({"base": (190, 10)})
    found.repeat("shortlist 2", 1, 199, 199)

    names = verdict.ranked(found.study(), found.specs, found.results)

    assert names == [found.run(name) for name in ("shortlist 2", "shortlist 1", "default")]


def test_a_winner_that_answers_nearly_every_row_alike_is_said_to() -> None:
    found = Fake({"shortlist 1": (120, 102)})
    table = found.tables[found.run("shortlist 1")]
    found.tables[found.run("shortlist 1")] = table.assign(prediction="red")

    assert "It answers 'red' to 200 of 200 test rows, 100 of them rightly." in found.summary().verdict
    assert "It answers" not in Fake().summary().verdict


def test_what_answers_for_a_study_is_its_winner_or_a_baseline_above_it_on_dev_and_test() -> None:
    beaten = Fake({"tfidf_logreg": (190, 190)})
    by_luck = Fake({"tfidf_logreg": (140, 190)})

    assert Fake().summary().use == Fake().run("shortlist 1")
    assert beaten.summary().use == beaten.run("tfidf_logreg")
    assert beaten.summary().winner == beaten.run("shortlist 1")
    assert by_luck.summary().use == by_luck.run("shortlist 1")


def test_a_tuned_model_that_is_better_than_examples_in_the_prompt_is_worth_it() -> None:
    found = Fake()
    run = found.ask_with_examples(60, 60)

    summary = found.summary()

    assert summary.differences[run].value == pytest.approx(0.45)
    assert ", 45.0 (" in summary.verdict and "above few-shot, and 25.0 (" in summary.verdict
    assert "Tuning is worth it: 3 examples in its prompt reach 30.0 points (" in summary.verdict


def test_a_few_examples_that_may_be_as_good_are_said_to_be() -> None:
    found = Fake()
    found.ask_with_examples(149, 149)

    assert (
        "Tuning is not shown to be worth it: 3 examples in its prompt reach 74.5 points (68.0 to 80.0), "
        "which cannot be told apart." in found.summary().verdict
    )


def test_examples_that_are_better_on_test_than_the_winner_by_dev_are_said_to_be() -> None:
    found = Fake()
    found.ask_with_examples(149, 180)

    verdict_ = found.summary().verdict
    assert "15.0 (" in verdict_ and "below few-shot" in verdict_
    assert "Tuning is not worth it: 3 examples in its prompt reach 90.0 points" in verdict_


def test_tuning_is_not_worth_it_where_the_bare_untuned_model_is_as_good() -> None:
    found = Fake({"base": (148, 149)})
    found.ask_with_examples(60, 60)

    assert "Tuning is not shown to be worth it: the untuned base reaches 74.5" in found.summary().verdict


def test_examples_in_the_prompt_can_win() -> None:
    found = Fake()
    run = found.ask_with_examples(170, 172)

    summary = found.summary()

    assert summary.winner == run
    assert summary.verdict.startswith(
        "No config beat few-shot on dev, so use the untuned base with 3 examples in its prompt: accuracy "
        "86.0 points ("
    )
    assert "above the untuned base, and 36.0 (" in summary.verdict
    assert "worth it" not in summary.verdict


def test_neither_examples_nor_a_config_may_beat_the_bare_model() -> None:
    found = Fake({"base": (180, 170)})
    found.ask_with_examples(60, 60)

    assert "Neither a config nor few-shot beat the untuned base on dev" in found.summary().verdict


def test_a_study_without_few_shot_says_nothing_of_it() -> None:
    verdict_ = Fake().summary().verdict

    assert "few-shot" not in verdict_ and "worth it" not in verdict_
