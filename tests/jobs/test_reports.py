from __future__ import annotations

from pathlib import Path

import pytest

from engine import settings
from engine.errors import ConfigError, NotFoundError
from jobs import reports, tasks
from tests.studies import STUDY, result, study, write


@pytest.fixture(autouse=True)
def files() -> None:
    write(tasks.artifacts(settings.current()), study(runs=1))


def test_the_ending_of_the_file_chooses_the_format(tmp_path: Path) -> None:
    reports.write(STUDY, tmp_path / "a.md")
    reports.write(STUDY, tmp_path / "a.HTML")

    assert (tmp_path / "a.md").read_text().startswith("# tickets\n")
    assert (tmp_path / "a.HTML").read_text().startswith("<!DOCTYPE html>")


def test_what_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="written as .html or .md, but the file is 'a.pdf'"):
        reports.write(STUDY, tmp_path / "a.pdf")
    with pytest.raises(ConfigError, match="There is no folder"):
        reports.write(STUDY, tmp_path / "missing" / "a.md")
    with pytest.raises(NotFoundError):
        reports.write("s-20260131-zzzzzz", tmp_path / "a.md")


def test_the_link_is_where_the_settings_say_the_pages_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reports.facts(STUDY).link is None
    assert reports.facts(STUDY, "http://here/").link == "http://here/"

    monkeypatch.setenv("SHORTLIST_URL", "https://pages.example/")

    assert reports.facts(STUDY, "http://here/").link == f"https://pages.example/studies?study={STUDY}"


def test_a_study_whose_dataset_and_model_are_gone_still_has_a_report(tmp_path: Path) -> None:
    from dataclasses import replace

    files = tasks.artifacts(settings.current())
    files.write_study(replace(study(runs=1), model="removed"))
    files.write_result(replace(result(), test=None, dev=None, metrics={}))

    reports.write(STUDY, tmp_path / "a.html")

    text = (tmp_path / "a.html").read_text()
    assert "deleted since" in text and "removed" in text
