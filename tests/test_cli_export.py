"""`export` writes a run's files into a new folder; `tune --config` trains a config from a file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.test_cli import ROOT, run

SAMPLE = "s-20261121-5pnsyk"


@pytest.fixture
def sample(home: Path) -> Path:
    """A home with the finished sample study."""
    shutil.copytree(ROOT / "samples" / "study", home / "artifacts")
    return home


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("s-20260101-zzzzzz-01", "--out", "{new}"), "There is no run s-20260101-zzzzzz-01"),
        (("../../etc", "--out", "{new}"), "A study id looks like"),
        ((f"{SAMPLE}-02", "--what", "merged", "--out", "{new}"), "kept no weights"),
        ((f"{SAMPLE}-04", "--out", "{full}"), "must be a new or empty folder"),
        ((f"{SAMPLE}-04", "--out", "{full}/none/x.zip"), "must be a new file in a folder that exists"),
        ((f"{SAMPLE}-04", "--what", "gguf", "--out", "{new}"), "gguf"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_exit_2(
    sample: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "kept.txt").write_text("mine")
    places = {"new": tmp_path / "new", "full": tmp_path / "full"}

    found = run("export", *(argument.format(**places) for argument in arguments))

    assert found.returncode == 2
    assert words in found.stderr and len(found.stderr.strip().splitlines()) == 1
    assert (tmp_path / "full" / "kept.txt").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_winner_of_a_study_is_exported_from_nothing_running(sample: Path, tmp_path: Path) -> None:
    found = run("export", SAMPLE, "--what", "adapter", "--out", tmp_path / "new", "--json", timeout=200)

    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["run"] == f"{SAMPLE}-04"
    assert [(entry["part"], entry["same"], entry["rows"]) for entry in facts["parity"]] == [
        ("adapter", True, 103)
    ]
    assert (tmp_path / "new" / "adapter" / "adapter_model.safetensors").exists()
    assert not (tmp_path / "new" / "data").exists()


def test_a_config_file_that_is_wrong_is_named(sample: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("learning_rate: 1e-3\nlr: 1e-4\n")
    rows = ROOT / "samples" / "support_tickets.csv"
    arguments = (rows, "--model", "shortlist-tiny-1m", "--method", "full", "--config", tmp_path / "mine.yaml")

    found = run("tune", *arguments)

    assert found.returncode == 2
    assert found.stderr.startswith("mine.yaml: Two values mean learning_rate")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_config_file_is_trained_beside_the_default(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("lr: 2e-3\nepochs: 1\nbatch_size: 16\ncutoff_len: 128\n")
    rows = ROOT / "samples" / "support_tickets.csv"

    found = run(
        *("tune", rows, "--model", "shortlist-tiny-1m", "--method", "full", "--k", 0, "--train-size", 40),
        *("--config", tmp_path / "mine.yaml", "--json"),
        timeout=200,
    )

    assert found.returncode == 0, found.stderr
    runs = {entry["name"]: entry for entry in json.loads(found.stdout)["runs"]}
    assert runs["own 1"]["config"]["learning_rate"] == 2e-3
    assert runs["own 1"]["status"] == "finished"
    assert not [name for name in runs if name.startswith("shortlist")]
