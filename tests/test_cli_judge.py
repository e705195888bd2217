"""The `judge` command: nothing is sent before somebody agreed; one JSON document, counts on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import settings
from engine.records import Study
from jobs import tasks
from tests import judgeserver, summaries
from tests.judgeserver import FakeJudge
from tests.test_cli import run


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return summaries.write_study(tasks.artifacts(settings.current()), tmp_path)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJudge]:
    with judgeserver.serve() as running:
        monkeypatch.setenv("SHORTLIST_JUDGE_URL", running.url)
        monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", judgeserver.MODEL)
        yield running


def test_without_a_judge_one_sentence_says_what_to_set(study: Study) -> None:
    found = run("judge", study.study)

    assert found.returncode == 2
    assert "SHORTLIST_JUDGE_URL" in found.stderr


def test_without_consent_nothing_is_sent(study: Study, server: FakeJudge) -> None:
    found = run("judge", study.study)

    assert found.returncode == 2
    assert "Will be sent to 127.0.0.1" in found.stderr
    assert "add --yes" in found.stderr
    assert server.asked == []


@pytest.mark.slow
def test_with_consent_winner_and_base_are_compared(study: Study, server: FakeJudge) -> None:
    found = run("judge", study.study, "--rows", 10, "--yes", "--json")

    facts = json.loads(found.stdout)
    assert found.returncode == 0, found.stderr
    assert (facts["first"], facts["second"]) == (study.runs[2], study.runs[0])
    assert (facts["rows"], facts["judged"], facts["wins"], facts["failed"]) == (10, 10, 10, 0)
    assert facts["agreement"]["value"] == 1.0
    assert len(server.asked) == 20
