"""A worker downloads a model of the hub before its first run, says how far it is, or fails in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from engine import dataset as datasets
from engine import models, settings
from engine.artifacts import Artifacts
from engine.models import BaseModel, Provenance, Shape
from engine.records import RunKind, RunStatus
from jobs import queue, studies, tasks
from tests.engine import hubserver
from tests.engine.hubserver import FakeHub
from tests.studies import RUN, spec, study
from tests.tiny import tiny_classification, tiny_model, write_jsonl

TINY = BaseModel(
    id="tiny-qwen",
    hub_id="someone/tiny-qwen",
    revision="0123456789abcdef0123456789abcdef01234567",
    parameters=98_496,
    context_length=512,
    licence="Apache-2.0",
    shape=Shape(2, 64, 128, 32),
    shortlist=Provenance.PUBLISHED,
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with one tiny Qwen, which the registry knows."""
    folder = tiny_model(tmp_path / "hub", architecture="Qwen2", shard="100KB")
    monkeypatch.setattr(models, "HUB_MODELS", (TINY,))
    with hubserver.serve(folder, str(TINY.hub_id), str(TINY.revision)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def files(tmp_path: Path) -> Artifacts:
    """A study whose runs score the untuned model of the hub."""
    path = write_jsonl(tmp_path / "tickets.jsonl", tiny_classification())
    data = datasets.build(path)
    studies.save_dataset(data, path)
    found = tasks.artifacts(settings.current())
    found.write_study(study(dataset=data.id))
    for run in study().runs:
        found.write_spec(replace(spec(run, RunKind.BASE, "base"), dataset=data.id, model=TINY.id))
    return found


def test_the_first_run_downloads_the_model_and_the_next_one_does_not(
    client: Redis, hub: FakeHub, files: Artifacts
) -> None:
    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None
    assert found.status is RunStatus.FINISHED, found.error
    stages = [event.data["stage"] for event in files.events(RUN, 1) if event.kind == "stage"]
    assert stages[0] == "looking for tiny-qwen on the hub"
    assert "loading" in stages
    hub.asked.clear()

    tasks.run_training(study().runs[1])

    second = files.read_result(study().runs[1])
    assert second is not None and second.status is RunStatus.FINISHED
    assert hub.asked == []


def test_a_model_that_the_hub_refuses_fails_the_run_in_one_sentence(
    client: Redis, hub: FakeHub, files: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    hub.refuse = (403, "GatedRepo")

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FAILED
    assert str(found.error).startswith("The hub gives someone/tiny-qwen only to accounts that accepted")


def test_a_run_that_is_stopped_while_its_model_comes_keeps_nothing(
    client: Redis, hub: FakeHub, files: Artifacts
) -> None:
    client.set(queue.stop_key(RUN), tasks.KEEP_BEST)

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.STOPPED
    assert not models.is_here(TINY)


def test_a_baseline_needs_no_model(client: Redis, hub: FakeHub, files: Artifacts) -> None:
    files.write_spec(replace(files.read_spec(RUN), kind=RunKind.BASELINE, name="majority"))

    tasks.run_training(RUN)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FINISHED
    assert hub.asked == []
