"""A finished study of summaries for tests: the winner repeats the first sentence, the base its first word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine import dataset, evaluate
from engine.artifacts import Artifacts
from engine.records import RunKind, RunResult, RunStatus, Study, Task
from tests import studies
from tests.tiny import tiny_summaries, write_jsonl

KINDS = {RunKind.BASE: "base", RunKind.DEFAULT: "default", RunKind.SHORTLIST: "shortlist 1"}


def write_study(files: Artifacts, tmp_path: Path, rows: int = 80) -> Study:
    """Three runs with their answers to dev and test; one test row of the winner holds an e-mail address."""
    path = write_jsonl(tmp_path / "notes.jsonl", tiny_summaries(rows))
    data = dataset.build(path, task=Task.SUMMARIZATION)
    dataset.save(data, path, files.datasets_root)
    study = replace(
        studies.study(runs=3, dataset=data.id), name="notes", task=Task.SUMMARIZATION, metric="rougeL"
    )
    for run, (kind, name) in zip(study.runs, KINDS.items(), strict=True):
        spec = replace(studies.spec(run, kind, name), dataset=data.id, task=study.task, metric=study.metric)
        files.write_spec(spec)
        files.write_result(_result(files, data, run, kind))
    files.write_study(study)
    return study


def _result(files: Artifacts, data: dataset.Dataset, run: str, kind: RunKind) -> RunResult:
    splits = {name: data.split(name) for name in ("dev", "test")}
    answers = {name: [_answer(r.targets[0], kind) for r in rows] for name, rows in splits.items()}
    if kind is RunKind.SHORTLIST:
        answers["test"][0] += " ada@example.org"
    table = evaluate.prediction_table(Task.SUMMARIZATION, (), splits, answers)
    table.to_parquet(files.attempt_folder(run, 1) / "predictions.parquet")
    metrics = evaluate.scores(table, Task.SUMMARIZATION)
    scores = metrics["rougeL"]
    return RunResult(run, 1, RunStatus.FINISHED, scores["dev"], scores["test"], 5.0, metrics=metrics)


def _answer(gold: str, kind: RunKind) -> str:
    words = gold.split()
    return {RunKind.BASE: words[0], RunKind.DEFAULT: " ".join(words[:3])}.get(kind, gold)
