"""`cli.py validate`: one JSON document by contract, a table for people, one sentence for bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
KEYS = {
    "model", "method", "k", "cbs", "random", "score_only", "best_average", "portfolio", "default", "upper",
    "datasets", "left_out", "recommended_k",
}  # fmt: skip


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), "validate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rows = ["dataset,model,method,lr,score,test_score"]
    for model in ("m1", "m2"):
        for dataset, a, b in (("d1", 0.9, 0.6), ("d2", 0.8, 0.6), ("d3", 0.8, 0.6)):
            rows += [f"{dataset},{model},lora,0.001,{a},0.8", f"{dataset},{model},lora,0.01,{b},0.6"]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(rows))
    return path


def test_one_entry_per_model_and_one_for_all_by_contract(results: Path) -> None:
    found = run(results, "--k", 2, "--default", '{"lr": 0.01}', "--json")

    entries = json.loads(found.stdout)
    assert found.returncode == 0
    assert [entry["model"] for entry in entries] == ["m1", "m2", None]
    assert all(set(entry) >= KEYS for entry in entries)
    assert entries[-1]["k"] == [1, 2]
    assert entries[-1]["cbs"] == {"mean": [1.0, 1.0], "low": [1.0, 1.0], "high": [1.0, 1.0]}
    assert entries[-1]["default"]["mean"] == pytest.approx([0.75, 0.75])
    assert entries[-1]["random"]["mean"] == pytest.approx([0.875, 1.0])
    assert entries[-1]["upper"] == {"dev_selected": 1.0, "oracle": None}
    assert (entries[-1]["datasets"], entries[-1]["left_out"], entries[-1]["recommended_k"]) == (3, 0, 1)


def test_a_default_that_was_not_run_is_null_and_said(results: Path) -> None:
    found = run(results, "--default", '{"lr": 0.5}', "--json")

    assert [entry["default"] for entry in json.loads(found.stdout)] == [None, None, None]
    assert found.stderr.strip() == "No run of the table has the config of --default."


def test_people_get_one_line_for_each_rule(results: Path) -> None:
    found = run(results, "--k", 4)

    lines = found.stdout.splitlines()
    assert "all models, lora: 3 datasets left out in turn." in lines
    assert lines[-7].split() == [
        "%",
        "of",
        "best",
        *(word for k in "124" for word in ("k", "=", k, "(95", "%)")),
    ]
    assert lines[-6].split() == ["CBS", *["100", "100-100"] * 3]
    assert lines[-1] == "Recommended k: 1."


def test_models_with_one_dataset_are_said_not_to_be_judged(tmp_path: Path) -> None:
    rows = ["dataset,model,method,lr,score"]
    rows += [f"d,m{i},lora,{lr},{score}" for i in range(3) for lr, score in ((0.001, 0.5), (0.01, 0.8))]
    (tmp_path / "table.csv").write_text("\n".join(rows))

    found = run(tmp_path / "table.csv")

    assert found.stderr.startswith("3 of 4 cannot be judged, too few datasets that say something: m0, lora;")
    assert "all models, lora: 3 models left out in turn." in found.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("missing.csv",), "missing.csv"),
        (("{table}", "--default", "0.001"), "JSON object"),
        (("{table}", "--tolerance", "1"), "tolerance"),
        (("{table}", "--k", "0"), "--k"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(results: Path, arguments: tuple[str, ...], words: str) -> None:
    found = run(*(argument.format(table=results) for argument in arguments))

    assert (found.returncode, found.stdout) == (2, "")
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
