"""What lives beside the pages: the first start, uploads, what people read when something fails."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from engine import settings
from engine.records import Score
from jobs import tasks
from pages import live, tune_file, words


def test_the_sample_study_is_copied_into_a_home_without_studies_only(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "sample"
    (source / "studies" / "s-20260101-sample").mkdir(parents=True)
    (source / "studies" / "s-20260101-sample" / "study.json").write_text("{}")
    monkeypatch.setattr(live, "SAMPLE_STUDY", source)
    files = tasks.artifacts(settings.current())

    live.ensure_sample_study(files)
    (home / "artifacts" / "studies" / "s-20260101-sample" / "study.json").unlink()
    live.ensure_sample_study(files)

    assert files.studies() == ["s-20260101-sample"]
    assert not (home / "artifacts" / "studies" / "s-20260101-sample" / "study.json").exists()


def test_an_upload_never_leaves_its_folder(home: Path) -> None:
    path = tune_file.keep("../../../etc/passwd.csv", b"text,label")

    assert path.parent.parent == home.resolve() / "uploads"
    assert path.name == "passwd.csv"


def test_old_uploads_are_forgotten(home: Path) -> None:
    old, new = tune_file.keep("a.csv", b"1"), tune_file.keep("b.csv", b"2")
    long_ago = time.time() - live.UPLOADS_KEPT_SECONDS - 10
    os.utime(old.parent, (long_ago, long_ago))

    live._forget_old_uploads(home / "uploads")

    assert not old.exists()
    assert new.exists()


def test_without_a_stack_nothing_can_be_started_and_the_reason_says_what_to_do() -> None:
    assert "cli.py serve" in (live.problem() or "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(8, "8 s"), (89, "89 s"), (180, "3 min"), (5400, "1.5 h"), (None, "")]
)
def test_durations_are_in_the_unit_that_a_person_would_choose(seconds: float | None, text: str) -> None:
    assert words.duration(seconds) == text


def test_scores_are_in_points_with_their_interval() -> None:
    assert words.points(Score(0.712, 0.65, 0.768, 200)) == "71.2 (65.0 to 76.8)"


@pytest.mark.parametrize(("number", "text"), [(3e-4, "3e-4"), (1e-2, "1e-2"), (2.5e-5, "2.5e-5")])
def test_learning_rates_are_short(number: float, text: str) -> None:
    assert words.rate(number) == text


def test_every_sign_of_markdown_is_escaped() -> None:
    assert words.plain("**a** [b](c) :red[d] <e> $f$") == r"\*\*a\*\* \[b\]\(c\) \:red\[d\] \<e\> \$f\$"
