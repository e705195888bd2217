"""The terminal's contract: JSON documents on stdout, one sentence on stderr, exit codes 0, 2 and 1."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.shared import shared
from tests.tiny import LABELS, WORDS, write_jsonl

ROOT = Path(__file__).resolve().parents[1]
CONFIG_A, CONFIG_B = "0.001", "0.01"


def run(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    draw = random.Random(0)
    labels = [LABELS[i % len(LABELS)] for i in range(120)]
    rows = [{"text": " ".join([*draw.sample(WORDS, 8), label]), "label": label} for label in labels]
    return write_jsonl(tmp_path / "colours.jsonl", rows)


def test_check_says_what_the_file_holds(colours: Path) -> None:
    found = run("check", colours, "--json")

    facts = json.loads(found.stdout)
    assert found.returncode == 0
    assert facts["task"] == "classification"
    assert facts["roles"] == {"source": "text", "target": "label"}
    assert facts["rows"] == facts["usable_rows"] == 120
    assert facts["splits"] == {"train": 60, "dev": 30, "test": 30}
    assert all(set(issue) == {"severity", "code", "row", "message"} for issue in facts["issues"])


def test_check_counts_the_rows_of_an_own_test_file_apart(colours: Path, tmp_path: Path) -> None:
    own = write_jsonl(tmp_path / "test.jsonl", [{"text": f"a new {LABELS[0]} thing", "label": LABELS[0]}])

    facts = json.loads(run("check", colours, "--test", own, "--json").stdout)

    assert (facts["rows"], facts["usable_rows"], facts["splits"]["test"]) == (120, 120, 1)


def test_check_reads_a_file_as_it_is_told_to(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [f"{' '.join(draw.sample(WORDS, 8))}~{i % 2}" for i in range(40)]
    path = tmp_path / "rows.txt"
    path.write_text("words~label_id\n" + "\n".join(rows))

    found = run(
        "check", path, "--delimiter", "~", "--quoting", "none", "--header", "--map", "target=label_id"
    )

    assert found.returncode == 0, found.stderr
    said = " ".join(found.stdout.split())
    assert "classification, 40 of 40 rows usable (source = words, target = label_id)" in said
    assert "split at: '~', quotation marks belong to the texts, header in the first row, UTF-8" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "{file}", "--delimiter", "tabs"), "tabs"),
        (("check", "missing.csv"), "missing.csv"),
        (("check", "{file}", "--map", "colour=text"), "colour"),
        (("tune", "{file}", "--model", "no-such-model", "--method", "lora"), "no-such-model"),
        (("tune", "{file}", "--model", "shortlist-tiny-4m", "--method", "prefix"), "prefix"),
        (("tune", "{file}", "--model", "shortlist-tiny-4m", "--method", "full", "--train-size", "61"), "61"),
        (("rank", "{file}"), "dataset"),
        (("nonsense",), "nonsense"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(colours: Path, arguments: tuple[str, ...], words: str) -> None:
    found = run(*(argument.format(file=colours) for argument in arguments))

    assert found.returncode == 2
    assert found.stdout == ""
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_rank_prints_one_entry_per_model_and_one_for_all(tmp_path: Path) -> None:
    rows = ["dataset,model,method,lr,score"]
    for model in ("m1", "m2"):
        for dataset, a, b in (("d1", 0.9, 0.5), ("d2", 0.8, 0.6), ("d3", 0.4, 0.7)):
            rows += [f"{dataset},{model},lora,{CONFIG_A},{a}", f"{dataset},{model},lora,{CONFIG_B},{b}"]
    (tmp_path / "table.csv").write_text("\n".join(rows))

    found = run("rank", tmp_path / "table.csv", "--json")

    entries = json.loads(found.stdout)
    assert [entry["model"] for entry in entries] == ["m1", "m2", None]
    assert [entry["cells"] for entry in entries] == [3, 3, 6]
    assert [config["config"] for config in entries[0]["ranking"]] == [
        {"learning_rate": 0.001},
        {"learning_rate": 0.01},
    ]
    assert [config["cumulative_coverage"] for config in entries[0]["ranking"]] == [pytest.approx(2 / 3), 1.0]


def test_the_first_config_of_each_published_model_has_its_least_score() -> None:
    path = shared("published/tinker_sft_sweep.csv")

    entries = json.loads(run("rank", path, "--lower-is-better", "--tolerance", "0.01", "--json").stdout)

    table = pd.read_csv(path)
    least = table.loc[table.groupby("model")["score"].idxmin()].set_index("model")
    own = [entry for entry in entries if entry["model"] is not None]
    assert len(own) == 35
    for entry in own:
        first = entry["ranking"][0]["config"]
        same = table[(table.model == entry["model"]) & (table.learning_rate == first["learning_rate"])]
        assert same[same.lora_r == first["lora_r"]]["score"].min() == least.loc[entry["model"], "score"]


def test_models_lists_the_embedded_ones() -> None:
    models = {model["id"]: model for model in json.loads(run("models", "--json").stdout)}

    assert models["shortlist-tiny-4m"]["embedded"]
    assert models["shortlist-tiny-4m"]["methods"] == ["lora", "full"]
    assert all({"parameters", "shortlist"} <= set(model) for model in models.values())


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tune_then_predict_from_nothing_running(colours: Path, tmp_path: Path) -> None:
    tuned = run(
        *("tune", colours, "--model", "shortlist-tiny-4m", "--method", "lora", "--k", 1, "--json"),
        timeout=200,
    )

    facts = json.loads(tuned.stdout)
    runs = {run["name"]: run for run in facts["runs"]}
    assert tuned.returncode == 0, tuned.stderr
    assert {run["status"] for run in facts["runs"]} == {"finished"}
    assert {"base", "default", "majority", "tfidf_logreg"} <= set(runs)
    assert runs["base"]["config"] is None and runs["base"]["rank"] is None
    assert [run["rank"] for run in facts["runs"] if run["kind"] == "shortlist"] == [1]
    assert facts["winner"] in {run["run"] for run in facts["runs"]}
    assert runs["default"]["test"]["n"] == 30
    assert runs["default"]["number_format"] in {"float32", "bfloat16 autocast"}
    assert runs["default"]["processor"] and runs["majority"]["processor"] is None

    new = write_jsonl(tmp_path / "new.jsonl", [{"text": "a red leaf"}, {"text": "the blue sea"}])
    predicted = run("predict", facts["study"], new, "--out", tmp_path / "answers.csv")

    assert predicted.returncode == 0, predicted.stderr
    assert list(pd.read_csv(tmp_path / "answers.csv")["text"]) == ["a red leaf", "the blue sea"]
