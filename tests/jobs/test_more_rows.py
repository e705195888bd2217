"""The runs that say whether more rows help: which they are, that they count for nothing else, their curve."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.records import RunKind
from jobs import more_rows, queue, search, tasks, views
from tests import studies as small
from tests.jobs.conftest import ROOT

SAMPLE = "s-20261121-5pnsyk"
WORST, WINNER = f"{SAMPLE}-02", f"{SAMPLE}-04"


@pytest.fixture
def files(client: Redis) -> Artifacts:
    """The finished sample study of 208 training rows."""
    found = tasks.artifacts(settings.current())
    shutil.copytree(ROOT / "samples" / "study", found.datasets_root)
    return found


def scored(files: Artifacts, run: str, like: str, rows: int) -> None:
    """Give a run the result of another one, on so many rows."""
    result = files.read_result(like)
    assert result is not None
    source = files.open_attempt(like, result.attempt)
    folder = source.parents[1] / run / "attempt-1"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / "predictions.parquet", folder / "predictions.parquet")
    files.write_result(replace(result, run=run, attempt=1, facts={**result.facts, "train_rows": rows}))


def test_the_best_config_is_trained_on_a_quarter_and_a_half_once(files: Artifacts, client: Redis) -> None:
    added = more_rows.start(SAMPLE)

    specs = [files.read_spec(run) for run in added]
    assert [(spec.name, spec.train_size) for spec in specs] == [
        ("shortlist 3, 52 rows", 52),
        ("shortlist 3, 104 rows", 104),
    ]
    winner = files.read_spec(WINNER)
    assert {(spec.kind, spec.config, spec.seed) for spec in specs} == {
        (RunKind.FEWER_ROWS, winner.config, winner.seed)
    }
    assert queue.waiting(client) == list(added)
    assert more_rows.start(SAMPLE) == ()
    assert more_rows.curve(SAMPLE) is None


def test_they_change_no_verdict_and_no_search_learns_from_them(files: Artifacts) -> None:
    before, trials = views.summary(SAMPLE), len(search.trials(SAMPLE))

    for run, size in zip(more_rows.start(SAMPLE), (52, 104), strict=True):
        assert views.summary(SAMPLE) == before  # while it waits
        scored(files, run, WINNER, size)

    assert views.summary(SAMPLE) == before
    assert len(search.trials(SAMPLE)) == trials


def test_the_curve_compares_sizes_on_the_same_test_rows(files: Artifacts) -> None:
    quarter, half = more_rows.start(SAMPLE)
    scored(files, quarter, WORST, 52)
    scored(files, half, WINNER, 104)

    found = more_rows.curve(SAMPLE)

    assert found is not None
    assert [point.rows for point in found.points] == [52, 104, 208]
    assert (found.last.value, found.last.low, found.last.high) == (0, 0, 0)
    assert found.all.value == pytest.approx(found.points[2].score.value - found.points[0].score.value)


def test_too_few_rows_and_no_score_are_said(files: Artifacts) -> None:
    result = files.read_result(WINNER)
    assert result is not None
    files.write_result(replace(result, facts={**result.facts, "train_rows": 31}))
    with pytest.raises(ConfigError, match="must be 8 rows or more, but this study trains on 31"):
        more_rows.wanted(SAMPLE)

    small.write(files)
    with pytest.raises(ConfigError, match="No trained config of this study has a score yet"):
        more_rows.wanted(small.STUDY)
