"""The `grid` commands: what they print, and that a grid survives being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine import grids, models
from tests.jobs import gridsource

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = [1, 2, 3]
SPACE = {
    "full": {"learning_rate": [1e-3, 3e-3], "num_train_epochs": EPOCHS},
    "lora": {"learning_rate": [3e-3, 1e-2], "num_train_epochs": EPOCHS, "adapters": [[8, 16]]},
}
needs_weights = pytest.mark.skipif(
    not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
)


def run(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), "grid", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return gridsource.write(tmp_path / "source", "colours", "more-colours")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """Two datasets x six configs x two methods: 24 results."""
    path = tmp_path / "grid.yaml"
    path.write_text(
        gridsource.spec("k1", datasets=["colours", "more-colours"], methods=["full", "lora"], space=SPACE)
    )
    return path


def results(home: Path) -> list[Path]:
    return sorted(home.glob("artifacts/grids/k1/studies/*/runs/*/result.json"))


def test_a_dry_run_counts_without_data_or_workers(spec: Path, home: Path) -> None:
    size = json.loads(run("run", spec, "--dry-run", "--workers", 2, "--json").stdout)

    assert (size["version"], size["trainings"], size["results"], size["cells"]) == ("k1", 8, 24, 4)
    assert size["workers"] == 2
    assert set(size) >= {"repeats", "hours"}
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "missing.yaml"), "missing.yaml"),
        (("run", "{spec}", "--source", "/nowhere"), "/nowhere"),
        (("status", "v9"), "v9"),
        (("status",), "No grid was started here yet"),
        (("publish", "k1"), "k1"),
        (("use", "v9"), "v9"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(spec: Path, arguments: tuple[str, ...], words: str) -> None:
    found = run(*(argument.format(spec=spec) for argument in arguments))

    assert found.returncode == 2
    assert found.stdout == ""
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_versions_have_the_fields_of_the_contract() -> None:
    entries = {entry["version"]: entry for entry in json.loads(run("versions", "--json").stdout)}

    first = entries["v1"]
    assert set(entries) >= {found.version for found in grids.versions()}
    assert (first["provenance"], first["results"], first["trainings"]) == ("measured", 216, 72)
    assert (first["cells"], first["complete_cells"]) == (12, 12)
    assert first["file"] == "grids/v1/results.parquet"
    assert sum(entry["current"] for entry in entries.values()) == 1
    assert all(isinstance(entry["models"], list) and entry["datasets"] for entry in entries.values())


@needs_weights
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_grid_that_was_killed_half_way_ends_with_exactly_its_results(
    spec: Path, source: Path, home: Path
) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "grid", "run", str(spec), "--source", str(source)]
    with (home.parent / "first.log").open("wb") as log:
        first = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 250
    while len(results(home)) < 4:
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    for process in [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]:
        os.kill(process.pid, signal.SIGKILL)
    first.wait()
    kept = {path: path.stat().st_mtime_ns for path in results(home)}

    again = run("run", spec, "--source", source, "--json", timeout=300)

    facts = json.loads(again.stdout)
    assert again.returncode == 0, again.stderr
    assert 4 <= len(kept) < 10
    assert (facts["state"], facts["runs"], facts["finished"], facts["failed"]) == ("finished", 10, 10, 0)
    assert facts["results"] == 24
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for path in results(home):
        assert json.loads(path.read_text())["status"] == "finished"
        assert len(list(path.parent.glob("attempt-*"))) == 1
    published = json.loads(run("publish", "k1", "--json").stdout)
    assert (published["results"], published["complete_cells"]) == (24, 4)
    changes = json.loads(run("diff", "v1", "k1", "--json").stdout)
    assert [(change["method"], change["after"]["configs"]) for change in changes] == [
        ("full", 6),
        ("lora", 6),
    ]
    assert run("export", "k1", "--out", home / "k1.zip").returncode == 0
    assert "There is a version 'k1' already" in run("import", home / "k1.zip").stderr
