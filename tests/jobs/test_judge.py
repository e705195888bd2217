"""The judge over a real endpoint on this machine: a good one, a biased one, and ones that fail on purpose."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from engine import judge as arithmetic
from engine import settings
from engine.artifacts import Artifacts
from engine.errors import ConfigError, NotFoundError
from engine.judge import Choice, Endpoint, Found, Verdict
from engine.records import RunStatus, Study
from jobs import judge, judgeclient, queue, stack, studies, tasks, views
from jobs.judge import Comparison
from tests import judgeserver, summaries
from tests.jobs.conftest import eventually
from tests.judgeserver import MODEL, FakeJudge

KEY = "sk-never-to-be-seen"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJudge]:
    """A judge that is configured; tries again at once."""
    with judgeserver.serve() as running:
        running.headers["retry-after-ms"] = "1"
        monkeypatch.setenv("SHORTLIST_JUDGE_URL", running.url)
        monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", MODEL)
        monkeypatch.setenv("SHORTLIST_JUDGE_KEY", KEY)
        yield running


@pytest.fixture
def files() -> Artifacts:
    return tasks.artifacts(settings.current())


@pytest.fixture
def study(files: Artifacts, tmp_path: Path) -> Study:
    return summaries.write_study(files, tmp_path)


@pytest.fixture
def comparison(client: Redis, server: FakeJudge, study: Study) -> Comparison:
    """The winner against the base, with a job queue beside."""
    return judge.compare(study.study, study.runs[2], study.runs[0], Endpoint(server.url, MODEL))


def work(comparison: Comparison, rows: int = 8) -> Found:
    """What a worker does with the first rows, and what there is afterwards."""
    by = comparison.endpoint
    judge.ask_all(comparison.study, comparison.first, comparison.second, str(rows), by.url, by.model)
    return arithmetic.summarize(comparison.pairs[:rows], judge.state(comparison).answers)


def test_the_winner_meets_the_base_unless_a_person_chooses(study: Study) -> None:
    view = views.study(study.study)

    first, second = judge.opponents(view, study.runs[2]) or (None, None)

    assert first is not None and second is not None
    assert (first.name, second.name) == ("shortlist 1", "base")


def test_each_pair_is_asked_in_both_orders_and_the_longer_answer_wins(
    comparison: Comparison, server: FakeJudge
) -> None:
    found = work(comparison)

    assert (found.judged, found.wins, found.failed) == (8, 8, 0)
    assert found.agreement is not None and found.agreement.value == 1.0
    assert len(server.asked) == 16
    shown = {(pair["A"], pair["B"]) for pair in server.asked}
    assert shown == {(b, a) for a, b in shown}
    assert server.keys == {f"Bearer {KEY}"}


def test_what_was_judged_is_not_asked_again_and_more_rows_ask_only_the_new_ones(
    comparison: Comparison, server: FakeJudge
) -> None:
    work(comparison, 5)
    work(comparison, 5)
    found = work(comparison, 8)

    assert found.judged == 8
    assert len(server.asked) == 16


def test_a_judge_that_always_takes_the_first_is_inconsistent_everywhere(
    comparison: Comparison, server: FakeJudge
) -> None:
    server.reply = judgeserver.always_first

    found = work(comparison)

    assert (found.inconsistent, found.wins, found.losses) == (8, 0, 0)
    assert found.preferred is None
    assert found.agreement is not None and found.agreement.value == 0.0


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (500, "status 500"),
        (404, "SHORTLIST_JUDGE_MODEL"),
        (401, "SHORTLIST_JUDGE_KEY"),
        (302, "status 302"),
        ("Both have their merits.", "neither A, B nor tie, but 'Both have their merits.'"),
        ("", "neither A, B nor tie"),
    ],
)
def test_a_failed_call_is_missing_never_a_loss_and_is_asked_again(
    comparison: Comparison, server: FakeJudge, reply: str | int, why: str
) -> None:
    broken = comparison.pairs[0].text
    server.error = {"message": f"Wrong key {KEY}"}
    server.headers["Location"] = server.url
    server.reply = lambda pair, n: reply if pair["input"] == broken else judgeserver.prefers_longer(pair, n)

    found = work(comparison)

    answer = judge.state(comparison).answers[comparison.pairs[0].row]
    assert (found.judged, found.failed, found.losses) == (7, 1, 0)
    assert answer.forward is None and answer.problem is not None
    assert why in answer.problem and KEY not in answer.problem

    server.reply = judgeserver.prefers_longer
    assert work(comparison).judged == 8


def test_too_many_requests_are_tried_again(comparison: Comparison, server: FakeJudge) -> None:
    server.reply = lambda pair, n: 429 if n < 3 else judgeserver.prefers_longer(pair, n)

    assert work(comparison).judged == 8
    assert len(server.asked) == 19


def test_a_judge_that_hangs_is_given_up_in_time(
    comparison: Comparison, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judgeclient, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(judgeclient, "RETRIES", 0)
    server.reply = lambda pair, n: None

    found = work(comparison, 2)

    assert (found.judged, found.failed) == (0, 2)
    assert {a.problem for a in judge.state(comparison).answers.values()} == {
        "The judge did not answer in time."
    }


def test_one_order_that_is_known_is_not_asked_again(comparison: Comparison, server: FakeJudge) -> None:
    pair = comparison.pairs[0]
    server.reply = lambda asked, n: "?" if n else "A"
    assert work(comparison, 1).failed == 1
    assert judge.state(comparison).answers[pair.row].forward is Choice.A

    server.reply = judgeserver.prefers_longer
    assert work(comparison, 1).wins == 1
    assert len(server.asked) == 3


def test_an_endpoint_that_is_down_is_not_asked_for_ever(
    comparison: Comparison, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "AT_ONCE", 1)
    server.reply = lambda pair, n: 400

    found = work(comparison, 20)

    assert judge.MOST_FAILURES <= len(server.asked) <= judge.MOST_FAILURES + 1
    assert found.failed == judge.MOST_FAILURES
    assert "failed 8 times in a row" in str(judge.state(comparison).problem)


def test_a_model_that_takes_no_temperature_is_asked_without(
    comparison: Comparison, server: FakeJudge
) -> None:
    server.error = {"message": "Unsupported value", "param": "temperature"}
    server.reply = lambda pair, n: (
        400 if "temperature" in server.bodies[n] else judgeserver.prefers_longer(pair, n)
    )

    assert work(comparison).judged == 8


def test_equal_answers_are_a_tie_and_are_sent_to_nobody(comparison: Comparison, server: FakeJudge) -> None:
    same = replace(comparison.pairs[0], second=comparison.pairs[0].first)
    alone = replace(comparison, pairs=(same,))

    assert arithmetic.unanswered(alone.pairs, {}) == []
    assert arithmetic.verdict(same, {}) is Verdict.TIE


def test_nothing_is_asked_of_an_endpoint_that_nobody_agreed_to(
    comparison: Comparison, server: FakeJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="changed after you agreed"):
        judge.ask(comparison, 5, Endpoint("https://elsewhere.example.org/v1", MODEL))

    monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", "another")
    with pytest.raises(ConfigError, match="changed after you agreed"):
        judge.ask(comparison, 5, comparison.endpoint)

    work(comparison, 5)
    assert "configured for another judge" in str(judge.state(comparison).problem)
    assert server.asked == []


def test_the_key_reaches_neither_the_queue_nor_the_files(
    comparison: Comparison, files: Artifacts, client: Redis, home: Path
) -> None:
    judge.ask(comparison, 5, comparison.endpoint)
    arguments = queue.arguments(client, comparison.job)
    work(comparison, 5)

    assert KEY not in json.dumps(arguments)
    assert KEY not in repr(settings.current())
    written = [path for path in home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert written == []


def test_stopping_keeps_what_was_judged(comparison: Comparison, server: FakeJudge) -> None:
    server.pause_seconds = 0.1
    timer = threading.Thread(target=lambda: (time.sleep(0.5), judge.cancel(comparison)))
    timer.start()

    found = work(comparison, 20)

    timer.join()
    assert 0 < found.judged < 20 and found.failed == 0
    assert "was stopped" in str(judge.state(comparison).problem)
    asked = len(server.asked)
    time.sleep(0.5)
    assert len(server.asked) <= asked + 2 * judge.AT_ONCE


def test_a_waiting_judging_can_be_taken_back(comparison: Comparison, client: Redis) -> None:
    judge.ask(comparison, 5, comparison.endpoint)
    judge.ask(comparison, 5, comparison.endpoint)
    assert judge.state(comparison).status is RunStatus.QUEUED
    assert queue.waiting(client) == [comparison.job]

    judge.cancel(comparison)

    assert judge.state(comparison).status is None
    assert queue.waiting(client) == []


def test_a_deleted_study_sends_nothing_more(comparison: Comparison, server: FakeJudge) -> None:
    studies.delete(comparison.study)

    work(comparison, 20)

    assert server.asked == []
    assert judge.state(comparison).answers == {}


def test_only_free_texts_and_finished_runs_are_compared(study: Study, files: Artifacts) -> None:
    by = Endpoint("http://localhost/v1", MODEL)
    with pytest.raises(ConfigError, match="two different runs"):
        judge.compare(study.study, study.runs[0], study.runs[0], by)

    files.delete_result(study.runs[0])
    with pytest.raises(NotFoundError, match="no answers to compare"):
        judge.compare(study.study, study.runs[0], study.runs[1], by)


@pytest.mark.slow
def test_a_worker_asks_and_a_person_sees_how_far_it_is(server: FakeJudge, study: Study) -> None:
    server.pause_seconds = 0.05
    comparison = judge.compare(study.study, study.runs[2], study.runs[0], Endpoint(server.url, MODEL))
    with stack.start(workers=1) as running:
        running.wait_until_ready()
        judge.ask(comparison, 20, comparison.endpoint)
        eventually(lambda: judge.state(comparison).status is RunStatus.RUNNING)
        eventually(lambda: judge.state(comparison).status is None, seconds=60)

    found = arithmetic.summarize(comparison.pairs, judge.state(comparison).answers)
    assert (found.judged, found.wins, judge.state(comparison).problem) == (20, 20, None)
