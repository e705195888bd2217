"""A baseline as files of its own: it answers as in the study, without this project and without pickle."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine import baselines, dataset, evaluate, export
from engine.errors import ModelError
from engine.export_parts import Hooks, Trained, What, refusals
from engine.records import Role, RunKind, RunResult, RunStatus, Task
from tests import studies, tiny

QUIET = Hooks(lambda text: None, lambda: False)


def baseline(folder: Path, name: str, task: Task, rows: list[dict[str, str]]) -> Trained:
    """The run of a baseline with its predictions, as a study leaves it."""
    data = dataset.build(tiny.write_jsonl(folder / "rows.jsonl", rows), task=task)
    splits = {split: data.split(split) for split in ("dev", "test")}
    fitted = baselines.fit(name, data.split("train"), task)
    table = evaluate.prediction_table(
        task, data.labels, splits, {split: fitted.answers(members) for split, members in splits.items()}
    )
    (folder / "attempt").mkdir()
    table.to_parquet(folder / "attempt" / "predictions.parquet")
    metrics = evaluate.scores(table, task)
    metric = evaluate.METRICS[task][0]
    spec = replace(studies.spec(kind=RunKind.BASELINE, name=name), dataset=data.id, task=task, metric=metric)
    dev, test = metrics[metric]["dev"], metrics[metric]["test"]
    result = RunResult(spec.run, 1, RunStatus.FINISHED, dev, test, 1.0, metrics=metrics)
    of_model = studies.spec(f"{studies.STUDY}-02", name="shortlist 1"), studies.result(f"{studies.STUDY}-02")
    return Trained(spec, result, folder / "attempt", data, studies.study(), (of_model,), "f" * 64)


def written(run: Trained, folder: Path, what: What = What.ALL) -> export.Written:
    folder.mkdir()
    return export.write(run, what, folder, QUIET)


PROMPTS = [
    {"prompt": f"Name {n} in {['红', 'blue'][n % 2]} and say why", "response": f"It is {n}.\nSo it is."}
    for n in range(60)
]
CASES = [
    ("tfidf_logreg", Task.CLASSIFICATION, tiny.tiny_classification(120)),
    ("majority", Task.CLASSIFICATION, tiny.tiny_classification(60)),
    ("tfidf_one_vs_rest", Task.MULTILABEL, tiny.tiny_label_sets(120)),
    ("nearest_answer", Task.GENERATION, PROMPTS),
    ("most_common_answer", Task.QA, tiny.tiny_questions(60)),
]


@pytest.mark.parametrize(("name", "task", "rows"), CASES, ids=[case[0] for case in CASES])
def test_an_exported_baseline_answers_every_test_row_as_in_the_study(
    name: str, task: Task, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    run = baseline(tmp_path, name, task, rows)

    found = written(run, tmp_path / "out")

    (entry,) = found.parity
    assert entry.same and entry.rows == len(run.dataset.split("test")) and entry.study == entry.export
    assert (found.parts, found.left_out) == ((What.BASELINE, What.CARD), {})
    files = {path.name for path in (tmp_path / "out").iterdir()}
    model = "model.skops" if name in ("tfidf_logreg", "tfidf_one_vs_rest", "nearest_answer") else "model.json"
    labels = {"labels.json"} if task.has_labels else set()
    assert files == labels | {
        model, "predict.py", "requirements.txt", "README.md", "metrics.json", "parity.json"
    }  # fmt: skip


def test_the_script_answers_a_csv_and_the_model_is_no_pickle(tmp_path: Path) -> None:
    run = baseline(tmp_path, "tfidf_logreg", Task.CLASSIFICATION, tiny.tiny_classification(120))
    written(run, tmp_path / "out")
    rows = run.dataset.split("test")
    with (tmp_path / "new.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["id", "text"], *([row.number, row.inputs[Role.SOURCE]] for row in rows)])

    done = _run(tmp_path, "new.csv", "--out", "said.csv")

    assert done.returncode == 0, done.stderr
    with (tmp_path / "said.csv").open(encoding="utf-8", newline="") as file:
        said = list(csv.DictReader(file))
    fitted = baselines.fit("tfidf_logreg", run.dataset.split("train"), run.dataset.task)
    assert [line["prediction"] for line in said] == fitted.answers(rows)
    assert [int(line["id"]) for line in said] == [row.number for row in rows]
    with zipfile.ZipFile(tmp_path / "out" / "model.skops") as archive:
        assert all(name.endswith((".json", ".npy", ".npz")) for name in archive.namelist())


def test_a_row_without_text_is_named(tmp_path: Path) -> None:
    written(
        baseline(tmp_path, "majority", Task.CLASSIFICATION, tiny.tiny_classification(60)), tmp_path / "out"
    )
    (tmp_path / "new.jsonl").write_text('{"text": "x"}\n{"text": " "}\n')

    done = _run(tmp_path, "new.jsonl", "--out", "said.jsonl")

    assert done.stderr.strip() == "Row 2 has no text in 'text'. Fill it in, or leave the row out."


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(folder / "out" / "predict.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_scripts_are_tidy_python(tmp_path: Path) -> None:
    for name, task, rows in CASES[:3]:
        (tmp_path / name).mkdir()
        written(baseline(tmp_path / name, name, task, rows), tmp_path / name / "out")

    settings = Path(__file__).resolve().parents[2] / "pyproject.toml"
    for check in (["check", "--ignore", "T20"], ["format", "--diff"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", str(settings), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_card_tells_the_scores_beside_and_what_the_files_hold(tmp_path: Path) -> None:
    run = baseline(tmp_path, "tfidf_logreg", Task.CLASSIFICATION, tiny.tiny_classification(120))
    written(run, tmp_path / "out")

    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")

    assert "# TF-IDF + logistic regression on" in card
    assert "| shortlist 1 | 70.0 |" in card
    assert "Same answers on 29 of 29 test rows" in card
    assert "do not publish what is not yours" in card
    labels = json.loads((tmp_path / "out" / "labels.json").read_text(encoding="utf-8"))
    assert labels == list(run.dataset.labels)


def test_what_cannot_stand_alone_says_so_and_its_card_can_be_had(tmp_path: Path) -> None:
    run = baseline(tmp_path, "lead_sentence", Task.SUMMARIZATION, tiny.tiny_summaries(60))

    found = written(run, tmp_path / "out")

    assert (found.parts, found.parity) == ((What.CARD,), ())
    assert set(found.left_out) == {What.BASELINE}
    with pytest.raises(ModelError, match="up to its first full stop"):
        export.write(run, What.BASELINE, tmp_path / "out", QUIET)
    with pytest.raises(ModelError, match="has no language model: take baseline"):
        export.write(run, What.MERGED, tmp_path / "out", QUIET)


def test_a_tuned_model_is_no_baseline() -> None:
    refused = refusals(studies.spec(), studies.result(), {"adapter"})

    assert set(refused) == {What.BASELINE}
    assert export.left_out(What.ALL, studies.spec(), refused) == {}
