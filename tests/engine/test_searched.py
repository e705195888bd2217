"""What a search found: chosen on dev, said on test rows; it says when more runs are not worth their time."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from engine.records import RunKind, RunSpec, RunStatus
from engine.search import Objective, Search, SearchMethod, Trial
from engine.searched import (
    Measure,
    best_in,
    choice_sentence,
    edges_sentence,
    gain,
    gain_sentence,
    history,
    measure,
    opponents,
    seconds_left,
    stop_advice,
)
from engine.searchspace import space_of
from tests import studies

ACCURACY = Measure("accuracy")
SEARCH = Search(
    search="01",
    study=studies.STUDY,
    method=SearchMethod.TPE,
    objective=Objective.METRIC,
    runs=8,
    space=space_of("shortlist-tiny-4m", studies.CONFIG.method),
    began=0.0,
    earlier=(),
)


def spec(number: int, kind: RunKind, seed: int = 0) -> RunSpec:
    config = replace(studies.CONFIG, learning_rate=1e-3 * number)
    search = "01" if kind is RunKind.SEARCH else None
    found = studies.spec(f"{studies.STUDY}-{number:02d}", kind, f"{kind} {number}")
    return replace(found, config=config, search=search, seed=seed)


def trial(of: RunSpec, score: float | None, loss: float | None = None, **changes: object) -> Trial:
    assert of.config is not None
    status = RunStatus.FAILED if score is None else RunStatus.FINISHED
    made = Trial(of.run, of.config, status, of.kind is RunKind.SEARCH, loss, score, seconds=60.0)
    return replace(made, **changes)  # type: ignore[arg-type]


def tried(*scores: tuple[RunKind, float | None]) -> tuple[list[Trial], dict[str, RunSpec]]:
    specs = [spec(number, kind) for number, (kind, _) in enumerate(scores, start=1)]
    trials = [trial(of, score) for of, (_, score) in zip(specs, scores, strict=True)]
    return trials, {of.run: of for of in specs}


def answers(right: int, rows: int = 100) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": "test",
            "row": range(rows),
            "group": None,
            "prediction": "a",
            "gold": '["a"]',
            "valid": True,
            "accuracy": [float(number < right) for number in range(rows)],
        }
    )


LISTED, FOUND = RunKind.SHORTLIST, RunKind.SEARCH


def test_the_best_so_far_never_falls_and_a_failed_run_costs_its_place_and_time() -> None:
    trials, specs = tried((LISTED, 0.5), (LISTED, 0.7), (FOUND, None), (FOUND, 0.6), (FOUND, 0.8))

    steps = history(trials, specs, ACCURACY)

    assert [step.best for step in steps] == [50.0, 70.0, 70.0, 70.0, 80.0]
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert [step.minutes for step in steps] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert steps[2].value is None


def test_of_losses_the_least_is_best_and_one_measured_half_way_is_none() -> None:
    trials, specs = tried((LISTED, 0.5), (FOUND, 0.5), (FOUND, 0.5))
    losses = [replace(trials[0], loss=0.9), replace(trials[1], loss=0.7), replace(trials[2], loss=0.1)]
    losses[2] = replace(losses[2], status=RunStatus.STOPPED, pause_at=0.25, row_losses=(0.1,), score=None)

    steps = history(losses, specs, measure(Objective.LOSS, "accuracy"))

    assert [step.best for step in steps] == [0.9, 0.7, 0.7]


def test_a_repeat_with_another_seed_is_no_further_config() -> None:
    first = spec(1, LISTED)
    again = replace(first, run=f"{studies.STUDY}-02", kind=RunKind.CUSTOM, seed=1)
    specs = {of.run: of for of in (first, again)}

    steps = history([trial(first, 0.5), trial(again, 0.9)], specs, ACCURACY)

    assert [step.run for step in steps] == [first.run]


def test_what_is_compared_is_chosen_on_dev() -> None:
    trials, specs = tried((RunKind.DEFAULT, 0.9), (LISTED, 0.5), (LISTED, 0.7), (FOUND, 0.6), (FOUND, 0.8))

    pair = opponents(trials, specs)

    assert pair is not None
    assert [t.run[-2:] for t in pair] == ["05", "03"]


def test_without_a_shortlist_the_best_run_before_is_the_rival() -> None:
    trials, specs = tried((RunKind.DEFAULT, 0.9), (RunKind.CUSTOM, 0.5), (FOUND, 0.6))

    found = gain(trials, specs, "accuracy", {})

    assert found is not None
    assert (found.rival_title, found.difference) == ("the default config", None)


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (80, 70, "2 more runs gained 10.0 points (4.0 to 16.0) over the shortlist's best on 100 test rows."),
        (
            71, 70,
            "2 more runs gained 1.0 points (0.0 to 3.0) over the shortlist's best on 100 test rows, which is "
            "not a difference that can be shown.",
        ),
        (
            70, 70,
            "2 more runs gained nothing over the shortlist's best on 100 test rows: 0.0 points (0.0 to 0.0), "
            "which is not a difference that can be shown.",
        ),
        (
            60, 70,
            "2 more runs gained nothing: the best of them is 10.0 points (4.0 to 16.0) below the shortlist's "
            "best on 100 test rows.",
        ),
    ],
)  # fmt: skip
def test_what_was_gained_is_said_on_test_rows(ours: int, theirs: int, said: str) -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, 0.6), (FOUND, 0.8))
    tables = {trials[0].run: answers(theirs), trials[2].run: answers(ours)}

    found = gain(trials, specs, "accuracy", tables)

    assert found is not None
    assert gain_sentence(found) == said


def test_failed_runs_are_told() -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, None), (FOUND, 0.8))

    found = gain(trials, specs, "accuracy", {trials[0].run: answers(70), trials[2].run: answers(80)})

    assert found is not None
    assert gain_sentence(found).startswith("2 more runs (1 failed) gained")


def test_runs_that_stand_half_way_are_told_and_not_compared() -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, None), (FOUND, 0.6))
    trials[1] = replace(trials[1], status=RunStatus.STOPPED, pause_at=0.2, row_losses=(0.1,), loss=0.1)

    found = gain(trials, specs, "accuracy", {})

    assert found is not None
    assert gain_sentence(found).startswith("2 more runs (1 not trained to the end)")


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([(LISTED, 0.7), (FOUND, 0.8)], "search 2 (lr 2e-3, 3 epochs, batch 8, r 8, alpha 16) is ahead of"),
        ([(LISTED, 0.7), (FOUND, 0.6)], "the shortlist's best stays ahead: shortlist 1 (lr 1e-3"),
        (
            [(LISTED, 0.7), (FOUND, 0.6), (RunKind.CUSTOM, 0.9)],
            "custom 3 (lr 3e-3, 3 epochs, batch 8",
        ),
    ],
)
def test_the_best_of_all_on_dev_is_named_also_when_it_is_neither(
    scores: list[tuple[RunKind, float | None]], said: str
) -> None:
    trials, specs = tried(*scores)

    found = gain(trials, specs, "accuracy", {})

    assert found is not None
    assert choice_sentence(found, specs).startswith(f"On dev, which selects, {said}")


def test_six_runs_in_a_row_without_a_better_one_propose_to_stop() -> None:
    listed = (LISTED, 0.7)

    five = tried(listed, (FOUND, 0.71), *[(FOUND, 0.6)] * 5)
    six = tried(listed, (FOUND, 0.71), *[(FOUND, 0.71)] * 6)

    assert stop_advice(SEARCH, *five, ACCURACY) is None
    said = stop_advice(SEARCH, *six, ACCURACY)
    assert said is not None
    assert said.startswith("The last 6 runs did not improve the best dev accuracy, 71.0 points.")


def test_failed_runs_are_no_evidence_against_going_on() -> None:
    trials, specs = tried((LISTED, 0.7), *[(FOUND, 0.6)] * 5, (FOUND, None))

    assert stop_advice(SEARCH, trials, specs, ACCURACY) is None


def test_a_search_whose_runs_all_fail_says_so() -> None:
    trials, specs = tried((LISTED, 0.7), *[(FOUND, None)] * 3)

    said = stop_advice(SEARCH, trials, specs, ACCURACY)

    assert said is not None
    assert said.startswith("All 3 runs of this search failed")


def test_nothing_is_left_to_gain_where_every_dev_row_is_right() -> None:
    trials, specs = tried((LISTED, 1.0), (FOUND, 0.6))

    said = stop_advice(SEARCH, trials, specs, ACCURACY)

    assert said is not None
    assert said.startswith("The best run has every dev row right")


def test_the_time_left_is_that_of_what_trains_and_waits() -> None:
    trials, specs = tried((LISTED, 0.7), (FOUND, 0.6), (FOUND, 0.5))
    trials[-1] = replace(trials[-1], status=RunStatus.QUEUED, score=None, seconds=None)

    assert seconds_left(replace(SEARCH, runs=4), trials) == 60 * 2.5
    assert seconds_left(replace(SEARCH, method=SearchMethod.HALVING), trials) is None
    assert seconds_left(SEARCH, trials[:1]) is None


def test_edges_of_the_best_config_are_named_with_what_a_wider_range_would_reach() -> None:
    trials, specs = tried(*[(FOUND, 0.1)] * 9, (FOUND, 0.6))

    best = best_in(SEARCH.space, trials, ACCURACY)

    assert best is not None and best.run.endswith("10")
    edges = SEARCH.space.edges(best.config)
    said = edges_sentence(edges, [SEARCH.space.axis(e.axis) for e in edges], specs[best.run])
    assert "learning_rate 1e-2, the largest tried (wider, it would reach 3e-2)" in said


def test_a_config_outside_the_space_lies_on_none_of_its_edges() -> None:
    trials, _ = tried(*[(FOUND, 0.1)] * 10, (FOUND, 0.6))

    best = best_in(SEARCH.space, trials, ACCURACY)

    assert best is not None
    assert not best.run.endswith("11")
