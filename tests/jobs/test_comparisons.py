from __future__ import annotations

import pytest

from engine import settings
from engine.errors import ConfigError, NotFoundError
from jobs import comparisons, tasks
from tests.studies import RUN, STUDY, study, write


def test_an_address_names_runs_once_and_at_most_eight() -> None:
    assert comparisons.run_ids(f"{RUN}, ,{STUDY}-02,{RUN}") == (RUN, f"{STUDY}-02")
    with pytest.raises(ConfigError, match="At most 8 runs are compared, but these are 9"):
        comparisons.run_ids(",".join(f"{STUDY}-{number:02d}" for number in range(1, 10)))


def test_a_run_that_has_not_begun_is_gathered_without_what_it_has_not_got() -> None:
    files = tasks.artifacts(settings.current())
    write(files, study(runs=2))
    files.attempt_folder(RUN, 1)

    first, second = comparisons.gather(study().runs)

    assert (first.result, first.predictions, first.events) == (None, None, ())
    assert second.study.study == STUDY


def test_a_run_that_does_not_exist_is_named() -> None:
    write(tasks.artifacts(settings.current()), study(runs=1))

    for name in ("../etc/passwd", f"{STUDY}-99"):
        with pytest.raises(NotFoundError):
            comparisons.gather([name])


def test_a_study_without_a_winner_has_none() -> None:
    files = tasks.artifacts(settings.current())
    write(files, study(runs=1))

    assert comparisons.winner(STUDY) is None
    assert comparisons.winner("s-20260131-zzzzzz") is None
