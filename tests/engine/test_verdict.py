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

    def answer_alike(self, name: str) -> None:
        """Say 'red' to each row, which is right for every second one."""
        table = self.tables[self.run(name)].assign(prediction="red")
        right = [float("red" in gold) for gold in table["gold"]]
        self.tables[self.run(name)] = table.assign(accuracy=right)
        scores = {
            split: evaluate.score(table.assign(accuracy=right), "accuracy", split)
            for split in ("dev", "test")
        }
        self.end(name, dev=scores["dev"], test=scores["test"])

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

    assert summary.winner == summary.decision.run == found.run("shortlist 1")
    assert summary.decision.headline == "Use shortlist 1: clearly better than anything cheaper."
    assert summary.reason.startswith(
        "Shortlist 1 (lr 5e-3, 5 epochs, batch 8): accuracy 75.0 points (68.6 to 80.5) on 200 test rows, "
        "70.0 ("
    )
    assert ") above the untuned model, and 50.0 (" in summary.reason
    assert summary.reason.endswith(") above TF-IDF.")
    assert summary.verdict.startswith(f"{summary.decision.headline} {summary.reason} ")
    assert "cannot be told apart" not in summary.verdict and "can be shown" not in summary.verdict
    assert summary.ties == () and summary.warnings == ()


def test_dev_selects_and_test_reports() -> None:
    found = Fake({"shortlist 1": (120, 121), "shortlist 2": (121, 120)})

    summary = found.summary()

    assert summary.winner == summary.decision.run == found.run("shortlist 2")
    assert "accuracy 60.0 points" in summary.reason


def test_a_config_that_dev_puts_first_but_test_clearly_behind_another_is_set_aside_in_words() -> None:
    found = Fake({"shortlist 1": (120, 160), "shortlist 2": (121, 90)})

    summary = found.summary()

    assert (summary.winner, summary.use) == (found.run("shortlist 2"), found.run("shortlist 1"))
    assert summary.details[0].startswith(
        "Shortlist 2 was first on the dev rows, but is clearly worse on the test rows (35.0 ("
    )


def test_of_equal_dev_scores_the_cheaper_wins() -> None:
    found = Fake({"shortlist 1": (150, 150), "shortlist 2": (150, 150)})
    found.end("shortlist 2", seconds=5.0)

    assert found.summary().winner == found.run("shortlist 2")


def test_runs_that_cannot_be_told_apart_are_a_tie() -> None:
    found = Fake({"shortlist 2": (148, 149), "default": (147, 152)})

    summary = found.summary()

    assert set(summary.ties) == {found.run("shortlist 2"), found.run("default")}
    assert (
        "The default reaches 76.0 points (69.6 to 81.4): the two cannot be told apart, 1.0 (0.0 to 2.5) "
        "between them." in summary.details
    )
    assert "Not told apart from shortlist 1: the default and shortlist 2" in summary.verdict


def test_a_baseline_that_beats_every_model_is_what_to_use() -> None:
    found = Fake({"tfidf_logreg": (190, 190)})

    summary = found.summary()

    assert summary.verdict.startswith("Use TF-IDF: tuning is clearly worse. TF-IDF: accuracy 95.0 points (")
    assert summary.reason.endswith(") above shortlist 1.") and ", and 20.0 (" in summary.reason
    assert summary.use == summary.decision.run == found.run("tfidf_logreg")
    assert summary.differences[found.run("tfidf_logreg")].high < 0


def test_a_baseline_is_named_as_in_a_sentence() -> None:
    found = Fake({"majority": (40, 40)}).summary().verdict

    assert "The majority class reaches 20.0 points" in found


def test_a_baseline_that_ties_is_said_to_tie() -> None:
    found = Fake({"tfidf_logreg": (149, 151)})

    assert "the two cannot be told apart, 0.5 (0.0 to 1.5)" in found.summary().verdict


def test_every_baseline_is_compared_in_words() -> None:
    details = Fake().summary().details

    assert any(text.startswith("TF-IDF reaches 25.0 points (") for text in details)
    assert any(text.startswith("The majority class reaches 10.0 points (") for text in details)
    assert sum(": worse by " in text for text in details) == 5


def test_a_majority_class_that_nothing_clearly_beats_leaves_nothing_to_use() -> None:
    summary = Fake({"majority": (149, 149)}).summary()

    assert summary.verdict.startswith(
        "No model clearly beats giving every row the same answer. Shortlist 1 ("
    )
    assert (summary.decision.run, summary.use) == (None, summary.winner)
    assert (
        "The majority class reaches 74.5 points (68.0 to 80.0): the two cannot be told apart"
        in summary.verdict
    )


def test_a_base_that_nothing_beats_is_used_as_it_is() -> None:
    found = Fake({"base": (180, 170)})

    summary = found.summary()

    assert summary.winner == summary.use == found.run("base")
    assert summary.verdict.startswith(
        "Use the untuned model: tuning is clearly worse. The untuned model: accuracy 85.0 points ("
    )


def test_an_untuned_model_that_gives_one_answer_is_not_used_however_it_scores() -> None:
    """The untuned model says 'red' to every row and so has half of them; tuning learnt nothing either."""
    found = Fake({"tfidf_logreg": (120, 128)})
    for name in ("base", "default", "shortlist 1", "shortlist 2"):
        found.answer_alike(name)

    summary = found.summary()

    assert summary.winner != summary.use == found.run("tfidf_logreg")
    assert summary.verdict.startswith("Use TF-IDF: tuning is clearly worse.")
    assert "The default answers 'red' to 200 of 200 test rows, 100 of them rightly." in summary.details


def test_the_default_may_win() -> None:
    found = Fake({"default": (180, 170)})

    summary = found.summary()

    assert summary.winner == summary.use == found.run("default")
    assert summary.decision.headline == "Use the default: clearly better than anything cheaper."
    assert "80.0 (74.5 to 85.5) above the untuned model" in summary.reason


def test_few_test_rows_are_too_few_to_say() -> None:
    summary = Fake(rows=40).summary()

    assert summary.verdict.startswith(
        "Too few rows to say: only 40 test rows. As far as they show, use shortlist 1 (lr 5e-3"
    )
    assert summary.decision.step == "Get about 40 more rows"


def test_what_has_failed_is_named_and_what_is_missing_leaves_the_study_unfinished() -> None:
    found = Fake()
    found.end(
        "shortlist 2", status=RunStatus.FAILED, dev=None, test=None, error="The loss became nan at step 3."
    )
    failed = found.summary()
    del found.results[found.run("default")]

    summary = found.summary()

    assert failed.use == summary.winner == found.run("shortlist 1")
    assert failed.verdict.endswith("Not counted: shortlist 2 (failed).")
    assert summary.decision.run is None and summary.decision.missing == ("the default",)
    assert summary.verdict.startswith(
        "Unfinished: the default has no score. Which model is best cannot be said before that. "
        "Not counted: shortlist 2 (failed), default (not ended)."
    )
    assert summary.warnings == (
        "The default has not ended yet.",
        "Shortlist 2 failed: The loss became nan at step 3.",
    )


def test_a_config_that_was_stopped_may_be_the_best_so_the_default_is_not_recommended() -> None:
    found = Fake()
    for name in ("shortlist 1", "shortlist 2"):
        found.end(name, status=RunStatus.STOPPED, dev=None, test=None)

    summary = found.summary()

    assert (summary.winner, summary.decision.run) == (found.run("default"), None)
    assert summary.decision.headline == "Unfinished: 2 runs have no score."
    assert summary.warnings == ("Shortlist 1 and shortlist 2 were stopped and have no score.",)


def test_what_a_search_dropped_is_not_missing() -> None:
    found = Fake()
    found.end("shortlist 2", status=RunStatus.STOPPED, dev=None, test=None, facts={"paused": 0.25})

    assert found.summary().decision.run == found.run("shortlist 1")


def test_a_run_stopped_with_scores_may_win_and_is_marked() -> None:
    found = Fake()
    found.end("shortlist 1", status=RunStatus.STOPPED, facts={"note": "The state after epoch 2 is kept."})

    summary = found.summary()

    assert summary.winner == found.run("shortlist 1")
    assert summary.warnings == ("Shortlist 1 was stopped: The state after epoch 2 is kept.",)


def test_without_a_scored_model_there_is_no_winner() -> None:
    found = Fake()
    for spec in found.specs:
        if spec.kind is not RunKind.BASELINE:
            found.end(spec.name, status=RunStatus.FAILED, dev=None, test=None, error="x")

    summary = found.summary()

    assert summary.winner is None
    assert summary.verdict == (
        "Unfinished: no training has a score. "
        "Not counted: base, default, shortlist 1 and shortlist 2 (failed)."
    )


def test_a_study_that_has_just_begun_says_so() -> None:
    found = Fake()
    found.results.clear()

    assert found.summary().decision.headline == "Unfinished: 6 runs have no score."


def test_without_predictions_there_are_no_paired_differences_and_the_intervals_decide() -> None:
    found = Fake()
    found.tables.clear()

    summary = found.summary()

    assert summary.differences == {}
    assert summary.winner == summary.use == found.run("shortlist 1")


def test_the_smallest_difference_shrinks_with_more_rows() -> None:
    few, many = (Fake(rows=rows).summary().smallest_difference for rows in (100, 400))

    assert few is not None and many is not None
    assert few / many == 2.0 or abs(few / many - 2.0) < 0.01


def test_the_score_of_what_a_half_of_the_rows_picks_is_told_as_a_second_measurement() -> None:
    luck = {"default": (150, 150), "shortlist 1": (152, 150), "shortlist 2": (148, 150)}

    summary = Fake(luck).summary()

    assert summary.headline is not None and summary.candidates == 4
    assert summary.headline.n == 400 and 0.74 < summary.headline.value < 0.76
    assert (
        "A second measurement, which may lie above or below the test score: when one half of 400 rows that "
        "no run trained on picks a model and the other half scores it, that model scores 75."
        in summary.verdict
    )


def test_a_headline_in_folds_says_that_no_answer_is_of_a_training_that_saw_the_row() -> None:
    folded = Fake()
    folded.specs = [replace(spec, folds=5) for spec in folded.specs]

    assert "400 rows, each answered by a training that did not see it, picks" in folded.summary().verdict


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
    assert "second measurement" not in summary.verdict


def test_the_runner_up_is_compared_row_by_row() -> None:
    summary = Fake({"shortlist 2": (140, 148)}).summary()

    assert summary.runner_up == "s-1-05"
    assert (
        "Shortlist 2 reaches 74.0 points (67.5 to 79.6): the two cannot be told apart, 1.0 (0.0 to 2.5) "
        "between them." in summary.details
    )


def test_a_runner_up_that_is_the_default_is_not_told_twice() -> None:
    summary = Fake({"default": (140, 140)}).summary()

    assert summary.runner_up == "s-1-03"
    assert sum(text.startswith("The default reaches") for text in summary.details) == 1


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


def test_a_winner_that_answers_nearly_every_row_alike_is_said_to_and_is_not_used() -> None:
    found = Fake({"default": (90, 90), "shortlist 2": (98, 150)})
    found.answer_alike("shortlist 1")

    summary = found.summary()

    assert "Shortlist 1 answers 'red' to 200 of 200 test rows, 100 of them rightly." in summary.details
    assert (summary.winner, summary.use) == (found.run("shortlist 1"), found.run("shortlist 2"))
    assert "answers 'red'" not in Fake().summary().verdict


def test_what_answers_for_a_study_is_what_the_decision_names() -> None:
    beaten = Fake({"tfidf_logreg": (140, 190)})
    as_good = Fake({"tfidf_logreg": (140, 150)})

    assert Fake().summary().use == Fake().run("shortlist 1")
    for found in (beaten, as_good):
        assert found.summary().use == found.run("tfidf_logreg")
        assert found.summary().winner == found.run("shortlist 1")
    assert as_good.summary().decision.headline == "Use TF-IDF: tuning is not clearly better."


def test_a_tuned_model_is_compared_with_examples_in_the_prompt() -> None:
    found = Fake()
    run = found.ask_with_examples(60, 60)

    summary = found.summary()

    assert summary.differences[run].value == pytest.approx(0.45)
    assert summary.decision.alternative == run
    assert ", and 45.0 (" in summary.reason and "above the untuned model with 3 examples" in summary.reason


@pytest.mark.parametrize(
    ("dev", "test", "why"),
    [(149, 149, "not clearly better"), (149, 180, "clearly worse"), (170, 172, "clearly worse")],
)
def test_examples_in_the_prompt_that_are_as_good_or_better_are_what_to_use(
    dev: int, test: int, why: str
) -> None:
    found = Fake()
    run = found.ask_with_examples(dev, test)

    summary = found.summary()

    assert summary.use == run
    assert summary.decision.headline == f"Use the untuned model with 3 examples: tuning is {why}."


def test_the_bare_untuned_model_is_used_where_it_is_as_good() -> None:
    found = Fake({"base": (148, 149)})
    found.ask_with_examples(60, 60)

    assert found.summary().decision.headline == "Use the untuned model: tuning is not clearly better."


def test_a_study_without_few_shot_says_nothing_of_it() -> None:
    verdict_ = Fake().summary().verdict

    assert "few-shot" not in verdict_ and "examples" not in verdict_
