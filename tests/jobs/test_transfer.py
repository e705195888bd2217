"""What is carried from a study on a small model to one on a larger one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import dataset as datasets
from engine import settings
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.records import RunKind
from engine.search import SearchMethod
from jobs import studies, tasks, transfer
from tests.studies import CONFIG, STUDY, result, spec, study
from tests.tiny import tiny_classification, write_jsonl

SMALL, LARGE = "shortlist-tiny-1m", "shortlist-tiny-4m"


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    """A study on the small model with five configs, of which the third to fifth are the best on dev."""
    path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification(80))
    data = datasets.build(path)
    studies.save_dataset(data, path)
    found = tasks.artifacts(settings.current())
    of = study(runs=5, dataset=data.id)
    for place, run in enumerate(of.runs):
        config = replace(CONFIG, learning_rate=(place + 1) * 1e-3)
        found.write_spec(replace(spec(run, RunKind.CUSTOM, f"own {place}"), config=config, dataset=data.id))
        found.write_result(replace(result(run, dev=place / 10), facts={"dev_loss": 1.0}))
    found.write_study(of)
    return found


def test_the_three_best_on_dev_are_carried_with_twice_the_rank(files: Artifacts) -> None:
    plan = transfer.prepare(STUDY, LARGE, 0.5)

    carried = [spec for spec in plan.specs if spec.kind is RunKind.CUSTOM]
    assert [s.config.learning_rate for s in carried if s.config] == [2.5e-3, 2e-3, 1.5e-3]
    assert {(s.config.lora_r, s.config.lora_alpha) for s in carried if s.config} == {(16, 32)}
    assert {s.name for s in carried} == {"carried 1", "carried 2", "carried 3"}
    assert plan.study.model == LARGE and "learning rate times 0.5" in plan.study.note


def test_they_are_verified_by_short_runs(files: Artifacts) -> None:
    plan = transfer.prepare(STUDY, LARGE, 1.0)

    assert plan.search is not None and plan.search.method is SearchMethod.SHORTLIST
    assert [spec.pause_at for spec in plan.specs if spec.kind is RunKind.CUSTOM] == [0.25] * 3
    assert all(spec.pause_at is None for spec in plan.specs if spec.kind is not RunKind.CUSTOM)


def test_only_a_larger_model_is_a_target(files: Artifacts) -> None:
    assert LARGE in [model.id for model in transfer.targets(STUDY)]
    with pytest.raises(ConfigError, match="no larger model"):
        transfer.prepare(STUDY, SMALL, 1.0)


def test_without_a_score_there_is_nothing_to_carry(files: Artifacts) -> None:
    for run in study(runs=5).runs:
        files.delete_result(run)
    with pytest.raises(ConfigError, match="nothing to carry"):
        transfer.prepare(STUDY, LARGE, 1.0)
