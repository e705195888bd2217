"""A question through Redis: it waits, is answered token by token, is stopped, or its worker is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from redis import Redis

from engine import dataset as datasets
from engine import models, settings
from engine.errors import DatasetError, NotFoundError, StackError
from engine.records import Role
from engine.talk import Sampling, Side
from jobs import queue, talk, tasks
from jobs.talk import State
from tests.jobs.conftest import ROOT, StartWorker, eventually

SAMPLE = ROOT / "samples" / "study"
SHORT = Sampling(max_new_tokens=8)
TEXT = {"source": "I was charged twice for the same order"}


@pytest.fixture
def run() -> str:
    """The winner of the sample study, the one whose weights are kept."""
    if not any(model.embedded for model in models.registry()):
        pytest.skip("the weights of models/ are missing")
    shutil.copytree(SAMPLE, tasks.artifacts(settings.current()).datasets_root, dirs_exist_ok=True)
    (kept,) = SAMPLE.glob("studies/*/runs/*/attempt-1/adapter")
    return kept.parents[1].name


def test_both_models_answer_and_what_they_read_and_how_fast_they_were_is_kept(
    client: Redis, run: str
) -> None:
    request = talk.ask(run, TEXT, SHORT)
    assert talk.read(request).state is State.WAITING

    talk.answer(request)

    found = talk.read(request)
    assert found.state is State.DONE and found.error is None
    assert found.prompt == "Text: I was charged twice for the same order\nLabel:"
    assert set(found.answers) == set(Side)
    assert 1 <= found.answers[Side.BASE].tokens <= 8
    assert all(answer.tokens_per_second for answer in found.answers.values())


def test_the_tuned_model_says_what_its_run_predicted(client: Redis, run: str) -> None:
    files = tasks.artifacts(settings.current())
    table = pd.read_parquet(files.open_attempt(run, 1) / "predictions.parquet").set_index("row")
    rows = datasets.load(files.read_spec(run).dataset, files.datasets_root).split("test")[:3]

    for row in rows:
        request = talk.ask(run, {"source": row.inputs[Role.SOURCE]}, SHORT)
        talk.answer(request)
        said = talk.read(request).answers[Side.TUNED].text.strip()
        assert said == table.at[row.number, "prediction"]


def test_a_baseline_answers_alone_as_its_run_predicted(client: Redis, run: str) -> None:
    files = tasks.artifacts(settings.current())
    tfidf = f"{run[:-2]}08"
    table = pd.read_parquet(files.open_attempt(tfidf, 1) / "predictions.parquet").set_index("row")
    row = datasets.load(files.read_spec(tfidf).dataset, files.datasets_root).split("test")[0]

    request = talk.ask(tfidf, {"source": row.inputs[Role.SOURCE]}, SHORT)
    talk.answer(request)

    found = talk.read(request)
    assert found.state is State.DONE and found.prompt is None
    assert {side: answer.text for side, answer in found.answers.items()} == {
        Side.TUNED: table.at[row.number, "prediction"]
    }


def test_everything_that_a_question_leaves_in_redis_expires(client: Redis, run: str) -> None:
    request = talk.ask(run, TEXT, SHORT)
    talk.answer(request)

    keys = list(client.scan_iter("shortlist:talk:*"))
    assert len(keys) == 2
    assert all(0 < client.ttl(key) <= talk.KEPT_SECONDS for key in keys)


def test_a_question_goes_before_waiting_trainings_and_says_its_place(client: Redis, run: str) -> None:
    queue.enqueue(client, queue.STUDIES, "tests.jobs.toys.succeeds", "training", "id")
    older = talk.ask(run, TEXT, SHORT)
    newer = talk.ask(run, TEXT, SHORT)

    assert queue.waiting(client)[-1] == "training"
    assert {talk.read(older).place, talk.read(newer).place} == {1, 2}


def test_a_waiting_question_that_is_stopped_is_never_answered(client: Redis, run: str) -> None:
    request = talk.ask(run, TEXT, SHORT)

    talk.stop(request)
    talk.answer(request)

    assert talk.read(request).state is State.STOPPED
    assert queue.waiting(client) == []
    assert not talk.read(request).answers


def test_a_running_answer_stops_at_the_token_that_follows_the_wish(
    client: Redis, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = talk.ask(run, TEXT, Sampling(max_new_tokens=500, temperature=1.0))
    spoken = talk.talk.stream

    def stopped_at_the_first(*args: object) -> object:
        for number, piece in enumerate(spoken(*args), start=1):  # type: ignore[arg-type]
            if number == 1:
                talk.stop(request)
            yield piece

    monkeypatch.setattr(talk.talk, "stream", stopped_at_the_first)
    talk.answer(request)

    found = talk.read(request)
    assert found.state is State.STOPPED
    assert found.answers[Side.BASE].tokens == 1
    assert Side.TUNED not in found.answers


def test_a_run_without_weights_is_named_before_anything_is_said(client: Redis, run: str) -> None:
    other = f"{run[:-2]}01"
    request = talk.ask(other, TEXT, SHORT)

    talk.answer(request)

    found = talk.read(request)
    assert found.state is State.FAILED and not found.answers
    assert found.error == f"Run {other} kept no weights. Train it again to predict with it."


def test_a_lost_worker_is_one_sentence_and_the_question_is_not_asked_again(
    client: Redis, run: str, toy_worker: StartWorker, tmp_path: Path
) -> None:
    request = "t-0123456789ab"
    queue.enqueue_question(client, "tests.jobs.toys.killed_once", request, str(tmp_path))

    toy_worker()

    eventually(lambda: talk.read(request).state is State.FAILED)
    assert talk.read(request).error == talk.LOST
    assert queue.waiting(client) == []


def test_a_question_that_is_gone_says_so(client: Redis) -> None:
    assert talk.read("t-ffffffffffff").error == talk.GONE
    with pytest.raises(NotFoundError, match="There is no question"):
        talk.read("../../etc")


def test_what_cannot_be_asked_is_refused_at_once(client: Redis, run: str) -> None:
    with pytest.raises(DatasetError, match="The field source is empty"):
        talk.ask(run, {"source": " "}, SHORT)
    with pytest.raises(NotFoundError, match="has no tuned model"):
        talk.ask(f"{run[:-2]}06", TEXT, SHORT)
    assert queue.waiting(client) == []


def test_without_a_job_queue_one_sentence_says_how_to_start_it(run: str) -> None:
    with pytest.raises(StackError, match="No job queue answers"):
        talk.ask(run, TEXT, SHORT)
