"""The learning-rate test as a job: queued, climbed by a worker, read along, stopped, shown again."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from rq.job import JobStatus

from engine import dataset as datasets
from engine import models, settings
from engine.dataset import Dataset
from engine.errors import ModelError, NotFoundError, StackError
from engine.lr_range import Question
from engine.records import Method
from jobs import lr_range, queue, tasks
from jobs.talk import State
from tests import tiny

MODEL = "shortlist-tiny-1m"
QUESTION = Question(MODEL, Method.LORA)


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A kept dataset and a tiny model."""
    tiny.tiny_model(tmp_path / "models" / MODEL)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    path = tiny.write_jsonl(tmp_path / "colours.jsonl", tiny.tiny_classification())
    data = datasets.build(path)
    datasets.save(data, path, tasks.artifacts(settings.current()).datasets_root)
    return data


def test_a_test_waits_is_climbed_and_can_be_shown_again(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)
    waiting = lr_range.read(request)
    assert (waiting.state, waiting.place, lr_range.result(request)) == (State.WAITING, 1, None)

    lr_range.climb(request)
    client.flushall()

    assert lr_range.read(request).state is State.DONE
    found = lr_range.result(request)
    assert found is not None and found.dataset == colours.id and found.steps == len(found.losses)


def test_its_losses_can_be_read_along(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)
    lr_range.climb(request)
    found = lr_range.result(request)
    job = queue.queue(client).fetch_job(request)
    assert job is not None
    queue.queue(client).remove(job)
    job.set_status(JobStatus.STARTED)

    lr_range.delete(request)  # as if it were not at its end yet

    assert found is not None
    assert lr_range.read(request).losses == found.losses


def test_one_that_is_stopped_while_it_waits_is_never_climbed(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)

    lr_range.cancel(request)

    assert queue.waiting(client) == []
    assert lr_range.read(request).state is State.STOPPED


def test_one_that_is_stopped_while_it_climbs_finds_nothing(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)
    client.set(f"shortlist:lr-range:{request}:stop", 1)

    lr_range.climb(request)

    assert lr_range.read(request).state is State.STOPPED
    assert lr_range.result(request) is None


def test_what_went_wrong_is_said_in_one_sentence(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)
    for path in models.FOLDER.rglob("tokenizer.json"):
        path.unlink()

    lr_range.climb(request)

    climb = lr_range.read(request)
    assert climb.state is State.FAILED
    assert climb.error is not None and "\n" not in climb.error and "tokenizer" in climb.error


def test_what_is_not_there_is_refused_before_it_waits(client: Redis, colours: Dataset) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        lr_range.start(colours.id, Question("../../etc", Method.LORA))
    with pytest.raises(NotFoundError, match="There is no dataset"):
        lr_range.start("0" * 12, QUESTION)
    with pytest.raises(NotFoundError, match="There is no"):
        lr_range.read("../../etc")

    assert queue.waiting(client) == []


def test_without_a_queue_one_sentence_says_how_to_start_one(colours: Dataset) -> None:
    with pytest.raises(StackError, match="No job queue answers"):
        lr_range.start(colours.id, QUESTION)


def test_what_is_deleted_is_gone(client: Redis, colours: Dataset) -> None:
    request = lr_range.start(colours.id, QUESTION)
    lr_range.climb(request)

    lr_range.delete(request)

    assert lr_range.result(request) is None
