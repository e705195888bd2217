"""What a study was promised to take, beside what it took."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engine import settings
from engine.artifacts import Artifacts
from engine.estimate import Estimate
from engine.records import RunStatus
from jobs import promises, tasks, views
from jobs.views import Progress
from tests import studies

COST = Estimate(600, 2_400_000_000, "measured", low=540, high=840, each=(100.0, 200.0))


@pytest.fixture
def files(home: Path) -> Artifacts:
    return tasks.artifacts(settings.current())


def ended(files: Artifacts, run: str, began: float, end: float, attempt: int = 1) -> None:
    events = [{"seq": i, "time": t, "kind": "stage", "data": {}} for i, t in enumerate((began, end))]
    path = files.attempt_folder(run, attempt) / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    files.write_result(studies.result(run, attempt))


def test_the_promise_is_told_with_the_time_from_the_first_start_to_the_last_end(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)
    ended(files, study.runs[0], 1000.0, 1300.0)
    ended(files, study.runs[1], 1010.0, 1660.0)

    found = promises.told(views.study(study.study))

    assert found == promises.Kept(540, 840, 660, 2_400_000_000, None)


def test_a_run_that_was_done_again_makes_no_comparison(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)
    ended(files, study.runs[0], 1000.0, 1300.0)
    ended(files, study.runs[1], 1010.0, 1660.0, attempt=2)

    assert promises.told(views.study(study.study)) is None


def test_runs_that_were_added_later_are_no_part_of_the_promise(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs[:1])
    for run, end in zip(study.runs, (1300.0, 9000.0), strict=True):
        ended(files, run, 1000.0, end)

    found = promises.told(views.study(study.study))

    assert found is not None
    assert found.took == 300


def test_a_study_without_a_promise_says_nothing(files: Artifacts) -> None:
    assert promises.told(views.study(studies.write(files).study)) is None


def test_the_memory_of_the_largest_run_stands_beside_what_was_promised(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)
    for run, peak in zip(study.runs, (1000.0, 2000.0), strict=True):
        ended(files, run, 1000.0, 1300.0)
        result = studies.result(run)
        files.write_result(replace(result, facts={**result.facts, "peak_memory_mb": peak}))

    found = promises.told(views.study(study.study))

    assert found is not None
    assert (found.memory, found.peak) == (2_400_000_000, 2000 * 2**20)


def test_the_time_left_before_a_run_has_ended_is_what_was_promised_side_by_side(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)

    view = views.study(study.study)

    assert promises.seconds_left(view, workers=1, now=1000.0) == 300
    assert promises.seconds_left(view, workers=2, now=1000.0) == 200


def test_what_ended_late_makes_the_rest_later(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)
    files.write_result(replace(studies.result(study.runs[0]), seconds=300.0))

    assert promises.seconds_left(views.study(study.study), workers=2, now=1000.0) == 600


def test_what_runs_has_its_time_taken_off_but_never_less_than_its_steps_say(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs)
    view = views.study(study.study)
    steps = Progress(3, 12, None, None, None, None, None, 150.0, 0.0)
    running = [
        replace(run, status=RunStatus.RUNNING, started=1000.0, progress=steps if i else None)
        for i, run in enumerate(view.runs)
    ]

    left = promises.seconds_left(replace(view, runs=tuple(running)), workers=1, now=1090.0)

    assert left == 150


def test_a_run_without_a_promise_counts_as_the_mean_training(files: Artifacts) -> None:
    study = studies.write(files)
    promises.keep(study.study, COST, study.runs[:1])

    assert promises.seconds_left(views.study(study.study), workers=1, now=0.0) == 200


def test_nothing_known_of_any_run_is_no_time_left(files: Artifacts) -> None:
    study = studies.write(files)

    assert promises.seconds_left(views.study(study.study), workers=1, now=0.0) is None
