"""A study's end is told to the admin's address once; one that fails is said, not lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.records import RunResult, RunStatus
from jobs import collector, doctor, queue, studies, tasks, webhook
from tests.jobs.conftest import eventually
from tests.studies import RUN, STUDY, study, write

SECOND = study().runs[1]


@dataclass
class Listener:
    """A small server: what it was sent, and how it answers the next requests."""

    address: str = ""
    bodies: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    found = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.paths.append(self.path)
            found.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            code = found.answers.pop(0) if found.answers else 200
            self.send_response(code)
            if code == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            return None

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}/hook/secret-token"
    monkeypatch.setenv("SHORTLIST_WEBHOOK", found.address)
    monkeypatch.setenv("SHORTLIST_URL", "https://pages.example/")
    monkeypatch.setattr(webhook, "PAUSE_SECONDS", 0.01)
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def files(client: Redis) -> Artifacts:
    found = tasks.artifacts(settings.current())
    write(found)
    return found


def end(files: Artifacts, *runs: str, attempt: int = 1) -> None:
    for run in runs:
        files.write_result(RunResult(run, attempt, RunStatus.FAILED, error="The loss is not finite."))


def test_the_end_of_a_study_is_told_once(listener: Listener, files: Artifacts) -> None:
    end(files, RUN)
    assert not webhook.tell(STUDY)
    end(files, SECOND)

    assert webhook.tell(STUDY)
    assert not webhook.tell(STUDY)

    (body,) = listener.bodies
    assert (body["study"], body["name"], body["status"]) == (STUDY, "tickets", "failed")
    assert body["verdict"] == (
        "Unfinished: no training has a score. Not counted: shortlist 1 and shortlist 1 (failed)."
    )
    assert body["link"] == f"https://pages.example/studies?study={STUDY}"
    assert body["text"] == f"tickets: {body['verdict']} {body['link']}"


def test_a_study_that_is_retried_ends_anew(listener: Listener, files: Artifacts) -> None:
    end(files, RUN, SECOND)
    webhook.tell(STUDY)

    end(files, SECOND, attempt=2)

    assert webhook.tell(STUDY)
    assert len(listener.bodies) == 2


def test_a_server_that_fails_for_a_moment_is_asked_again(listener: Listener, files: Artifacts) -> None:
    listener.answers = [500, 503]
    end(files, RUN, SECOND)

    assert webhook.tell(STUDY)

    assert len(listener.bodies) == 3
    assert webhook.last_problem(settings.current()) is None


def test_a_server_that_keeps_failing_is_shown_without_its_secret(
    listener: Listener, files: Artifacts, caplog: pytest.LogCaptureFixture
) -> None:
    listener.answers = [500] * webhook.TRIES
    end(files, RUN, SECOND)

    assert not webhook.tell(STUDY)

    (check,) = [check for check in doctor.checks() if check.name == "Webhook"]
    assert check.status is doctor.Status.WARNING
    assert check.found == "'tickets' was not told: 127.0.0.1 answered 500."
    assert "was not told: 127.0.0.1 answered 500." in caplog.text
    assert "secret-token" not in check.found + check.fix + caplog.text + repr(settings.current())
    end(files, SECOND, attempt=2)
    webhook.tell(STUDY)
    assert webhook.last_problem(settings.current()) is None


def test_an_address_that_nobody_answers_is_named_by_its_machine(
    files: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_WEBHOOK", "http://127.0.0.1:1/hook")
    monkeypatch.setattr(webhook, "PAUSE_SECONDS", 0.01)
    end(files, RUN, SECOND)

    assert not webhook.tell(STUDY)

    assert "127.0.0.1 could not be reached" in (webhook.last_problem(settings.current()) or "")


def test_a_redirect_is_not_followed(listener: Listener, files: Artifacts) -> None:
    listener.answers = [302] * webhook.TRIES
    end(files, RUN, SECOND)

    assert not webhook.tell(STUDY)

    assert set(listener.paths) == {"/hook/secret-token"}


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://example.org", "example.org/hook", "http://", "http://["]
)
def test_only_web_addresses_are_told(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="must be an http"):
        webhook.host(url)

    monkeypatch.setenv("SHORTLIST_WEBHOOK", url)
    (check,) = [check for check in doctor.checks() if check.name == "Webhook"]
    assert check.status is doctor.Status.PROBLEM


def test_deleted_studies_and_studies_that_are_gone_are_not_told(listener: Listener, files: Artifacts) -> None:
    end(files, RUN, SECOND)
    studies.delete(STUDY)

    assert not webhook.tell(STUDY)
    assert not webhook.tell("s-20260131-zzzzzz")
    assert listener.bodies == []


def test_without_a_webhook_nothing_is_sent_or_checked(files: Artifacts) -> None:
    end(files, RUN, SECOND)

    assert not webhook.tell(STUDY)
    assert "Webhook" not in {check.name for check in doctor.checks()}


def test_the_collector_tells_when_the_last_result_came_in(
    listener: Listener, files: Artifacts, client: Redis
) -> None:
    collector.start()
    try:
        tasks.record(client, files, RunResult(RUN, 1, RunStatus.FAILED, error="Out of memory."))
        time.sleep(0.3)
        assert listener.bodies == []
        tasks.record(client, files, RunResult(SECOND, 1, RunStatus.STOPPED))
        eventually(lambda: listener.bodies)
        time.sleep(0.3)
    finally:
        collector.stop()

    assert [body["study"] for body in listener.bodies] == [STUDY]


def test_a_study_that_ended_days_ago_is_no_news(
    listener: Listener, files: Artifacts, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(files, RUN, SECOND)
    old = int((time.time() - 2 * collector.NEWS_SECONDS) * 1000)
    client.xadd(queue.EVENTS, {"changed run": RUN}, id=f"{old}-0")

    collector.start()
    eventually(lambda: [g["last-delivered-id"] for g in client.xinfo_groups(queue.EVENTS)] == [b"%d-0" % old])
    collector.stop()

    assert listener.bodies == []
