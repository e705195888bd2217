"""`report` and `continue` from a terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.test_cli import ROOT, run
from tests.tiny import tiny_classification, write_jsonl

SAMPLE = ROOT / "samples" / "study"


@pytest.fixture
def study(home: Path) -> str:
    """The sample study in this home."""
    shutil.copytree(SAMPLE, home / "artifacts")
    return next((SAMPLE / "studies").iterdir()).name


def test_a_report_is_written_in_the_format_of_its_ending(study: str, tmp_path: Path) -> None:
    done = run("report", study, "--out", tmp_path / "report.html")

    assert done.returncode == 0, done.stderr
    assert done.stderr == f"Report written to {tmp_path / 'report.html'}.\n"
    assert (tmp_path / "report.html").read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("report", "{study}", "--out", "report.pdf"), "written as .html or .md"),
        (("report", "s-20260101-zzzzzz", "--out", "report.md"), "There is no study s-20260101-zzzzzz"),
        (("continue", "s-20260101-zzzzzz", "{file}"), "There is no study s-20260101-zzzzzz"),
        (("continue", "{study}", "{file}"), "There is no column 'message'"),
        (("continue", "{study}", "missing.csv"), "missing.csv"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    study: str, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    file = write_jsonl(tmp_path / "other.jsonl", tiny_classification())

    done = run(*(argument.format(study=study, file=file) for argument in arguments))

    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
