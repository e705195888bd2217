from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from engine import settings


def test_everything_lives_under_the_home(home: Path) -> None:
    found = settings.current()

    assert found.home == home
    assert found.artifact_root == str(home / "artifacts")
    assert found.database == home / "shortlist.duckdb"


def test_without_a_variable_the_home_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHORTLIST_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere/data")

    assert settings.current().home == Path("/somewhere/data/shortlist")


def test_an_artifact_url_is_left_alone_and_a_path_becomes_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTLIST_ARTIFACTS", "s3://bucket/shortlist")
    assert settings.current().artifact_root == "s3://bucket/shortlist"

    monkeypatch.setenv("SHORTLIST_ARTIFACTS", "relative/folder")
    assert settings.current().artifact_root == str(Path.cwd() / "relative/folder")


def test_the_usual_redis_variable_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://queue:6379/0")

    assert settings.current().redis_url == "redis://queue:6379/0"


def test_a_number_of_workers_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTLIST_WORKERS", "-1")

    with pytest.raises(ValidationError, match="workers"):
        settings.current()
