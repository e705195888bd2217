"""More seeds for the two best configs: which runs that adds, and that it adds them once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.records import Config, RunKind
from jobs import queue, repeats, tasks
from tests import studies
from tests.studies import STUDY, result, study

NAMES = {"default": 0.5, "shortlist 1": 0.9, "shortlist 2": 0.7, "base": 0.95}


@pytest.fixture
def files() -> Artifacts:
    """A study that is over: a base, and three configs of which the first of the shortlist is best on dev."""
    found = tasks.artifacts(settings.current())
    of = study(runs=4)
    for place, (run, name) in enumerate(zip(of.runs, NAMES, strict=True)):
        kind = RunKind(name.split()[0])
        config = replace(studies.CONFIG, weight_decay=place / 10) if kind.trains else None
        found.write_spec(replace(studies.spec(run, kind, name), config=config))
        found.write_result(result(run, dev=NAMES[name]))
    found.write_study(of)
    return found


def test_the_two_best_on_dev_are_repeated_with_two_more_seeds(files: Artifacts) -> None:
    runs = repeats.wanted(STUDY)

    assert [(spec.name, spec.seed) for spec in runs] == [
        ("shortlist 1, seed 1", 1),
        ("shortlist 1, seed 2", 2),
        ("shortlist 2, seed 1", 1),
        ("shortlist 2, seed 2", 2),
    ]
    assert {spec.kind for spec in runs} == {RunKind.CUSTOM}


def test_repeats_have_the_config_of_the_run_and_are_queued_once(files: Artifacts, client: Redis) -> None:
    added = repeats.start(STUDY, seeds=2)

    specs = [files.read_spec(run) for run in added]
    assert [(spec.name, spec.seed) for spec in specs] == [
        ("shortlist 1, seed 1", 1),
        ("shortlist 2, seed 1", 1),
    ]
    assert [decay_of(spec.config) for spec in specs] == [0.1, 0.2]
    assert queue.waiting(client) == list(added)
    assert repeats.start(STUDY, seeds=2) == ()


def test_a_repeat_stops_early_where_its_first_run_did(files: Artifacts, client: Redis) -> None:
    first = files.read_spec(f"{STUDY}-02")
    files.write_spec(replace(first, early_stopping_patience=3, early_stopping_threshold=0.001))

    added = [files.read_spec(run) for run in repeats.start(STUDY, seeds=2)]

    assert [spec.early_stopping_patience for spec in added] == [3, None]


def test_one_seed_repeats_nothing(files: Artifacts) -> None:
    assert repeats.start(STUDY, seeds=1) == ()


def decay_of(config: Config | None) -> float | None:
    return None if config is None else config.weight_decay
