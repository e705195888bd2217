"""A run that stands still is continued by its next attempt, also on another machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from redis import Redis

from engine import dataset as datasets
from engine import models, pausing, settings
from engine.artifacts import Artifacts
from engine.records import RunKind, RunStatus
from jobs import tasks
from tests import tiny
from tests.studies import CONFIG, RUN, spec, study


@pytest.fixture(params=["local", "remote"])
def files(
    request: pytest.FixtureRequest, client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Artifacts]:
    """A study with one run that is to stand still after a third of its steps."""
    if request.param == "remote":
        monkeypatch.setenv("SHORTLIST_ARTIFACTS", "memory://shared")
    tiny.tiny_model(tmp_path / "models" / "shortlist-tiny-1m")
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    path = tiny.write_jsonl(tmp_path / "tickets.jsonl", tiny.tiny_classification())
    data = datasets.build(path)
    found = tasks.artifacts(settings.current())
    datasets.save(data, path, found.datasets_root)
    found.push_dataset(data.id)
    found.write_study(study(dataset=data.id))
    found.write_spec(replace(spec(RUN, RunKind.SEARCH), dataset=data.id, config=CONFIG, pause_at=1 / 3))
    yield found
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]  # else the next test counts the attempts of this one


def on_another_machine(files: Artifacts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next worker has its own scratch folder, where the root is remote."""
    if not files.is_local:
        other = Artifacts("memory://shared", folder)
        monkeypatch.setattr(tasks, "artifacts", lambda _: other)


def go_on(files: Artifacts, pause_at: float | None) -> None:
    files.write_spec(replace(files.read_spec(RUN), pause_at=pause_at))
    files.delete_result(RUN)
    tasks.run_training(RUN)


def test_the_next_attempt_goes_on_and_the_last_leaves_no_checkpoint(
    files: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.run_training(RUN)
    first = files.read_result(RUN)
    on_another_machine(files, tmp_path / "second", monkeypatch)
    go_on(files, 2 / 3)
    second = files.read_result(RUN)
    at_the_second = [pausing.FOLDER in files.attempt_names(RUN, attempt) for attempt in (1, 2)]
    on_another_machine(files, tmp_path / "third", monkeypatch)
    go_on(files, None)
    third = files.read_result(RUN)

    assert first is not None and second is not None and third is not None
    statuses = [found.status for found in (first, second, third)]
    assert statuses == [RunStatus.STOPPED, RunStatus.STOPPED, RunStatus.FINISHED]
    assert second.facts["continued_from"] == first.facts["paused"]["step"]
    assert third.facts["continued_from"] == second.facts["paused"]["step"] < third.facts["steps"]
    assert at_the_second == [False, True]
    assert not any(pausing.FOLDER in files.attempt_names(RUN, attempt) for attempt in files.attempts(RUN))


def test_an_attempt_that_was_killed_leaves_the_checkpoint_to_the_next(files: Artifacts) -> None:
    tasks.run_training(RUN)
    files.attempt_folder(RUN, 2)  # what a killed worker leaves

    go_on(files, None)

    found = files.read_result(RUN)
    assert found is not None and found.status is RunStatus.FINISHED
    assert found.facts["continued_from"] > 0


def test_a_run_that_is_dropped_keeps_no_checkpoint(files: Artifacts) -> None:
    tasks.run_training(RUN)
    assert pausing.FOLDER in files.attempt_names(RUN, 1)

    tasks.drop_checkpoints(files, RUN)

    assert pausing.FOLDER not in files.attempt_names(RUN, 1)
    assert (files.open_attempt(RUN, 1) / "events.jsonl").exists()
