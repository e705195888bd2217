"""The exported scripts: tidy in every variant, the run's own rows and metric, and no text becomes code."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import dataset, evaluate, export_rows, export_script, loading, models, words
from engine.dataset import Dataset
from engine.export_parts import Base, Trained
from engine.metrics import METRICS
from engine.records import Config, Method, Row, RunKind, RunResult, RunStatus, Score, Task
from tests import studies, tiny

FULL = Config(1e-3, 3, 8, warmup_ratio=0.1)
HUB = "Mistral-7B-v0.3"
CHAT = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.tiny_model(tmp_path_factory.mktemp("models") / "model", context=256)


def rows_of(task: Task, folder: Path) -> Dataset:
    make: dict[Task, Callable[[int], list[dict[str, str]]]] = {
        Task.CLASSIFICATION: tiny.tiny_classification,
        Task.MULTILABEL: tiny.tiny_label_sets,
        Task.SUMMARIZATION: tiny.tiny_summaries,
        Task.QA: tiny.tiny_questions,
    }
    if task is Task.GENERATION:
        rows = [{"prompt": f"Name {i}\nand say why", "response": f"It is {i}.\nSo it is."} for i in range(40)]
    else:
        rows = make[task](60)
    return dataset.build(tiny.write_jsonl(folder / f"{task}.jsonl", rows), task=task)


def trained(data: Dataset, metric: str, config: Config = studies.CONFIG, **facts: Any) -> Trained:
    """A run of the study as an export sees it; its scores are of no matter here."""
    spec = replace(studies.spec(), dataset=data.id, task=data.task, metric=metric, config=config)
    spec = replace(spec, method=config.method)
    score = Score(0.5, 0.4, 0.6, 15)
    facts = {"versions": loading.versions(), "steps": 24, **facts}
    result = RunResult(spec.run, 1, RunStatus.FINISHED, score, score, 1.0, facts=facts)
    return Trained(spec, result, Path("nowhere"), data, studies.study(), (), None)


def base_of(weights: Path, name: str = "shortlist-tiny-1m") -> Base:
    return Base(models.get(name), weights)


def script(run: Trained, base: Base) -> str:
    return export_script.training_script(run, base, export_rows.encoder_of(run, base))


def functions(source: str, **constants: Any) -> dict[str, Any]:
    """The functions of a script, without the imports of its training libraries."""
    tree = ast.parse(source)
    defined = ast.Module([node for node in tree.body if isinstance(node, ast.FunctionDef)], [])
    names: dict[str, Any] = {"json": json, "words": words, "Counter": Counter, "Path": Path}
    exec(compile(defined, "train.py", "exec"), names | constants, namespace := {})
    for function in namespace.values():
        function.__globals__.update(names | constants | namespace)
    return namespace


def test_every_variant_is_tidy_python(weights: Path, tmp_path: Path) -> None:
    variants: dict[str, str] = {}
    for task, metrics in METRICS.items():
        data = rows_of(task, tmp_path)
        for metric in metrics:
            for config in (studies.CONFIG, FULL):
                run = trained(data, metric, config, kept_epoch=2 if metric == metrics[0] else 3)
                for name in ("shortlist-tiny-1m", HUB):
                    variants[f"{metric}_{config.method}_{name[:4]}"] = script(run, base_of(weights, name))
    text = export_rows.encoder_of(run, base_of(weights))
    mine = replace(models.get("shortlist-tiny-1m"), id="mine", local=True)
    bases = [base_of(weights), base_of(weights, HUB), Base(mine, weights)]
    variants["train_mine"] = script(run, bases[-1])
    for folders in (("merged", "adapter"), ("merged",), ("adapter",)):
        for base in bases:
            found = export_script.answer_script(base, text, Method.LORA, folders)
            variants[f"answer_{'_'.join(folders)}_{base.entry.id[:4]}"] = found
    for name, source in variants.items():
        compile(source, name, "exec")
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")

    settings = Path(__file__).resolve().parents[2] / "pyproject.toml"
    for check in (["check", "--ignore", "T20"], ["format", "--diff"]):
        command = [sys.executable, "-m", "ruff", *check, "--config", str(settings), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "engine" not in {word for source in variants.values() for word in source.split()}


def test_the_rows_become_the_tokens_that_the_run_trained_on(weights: Path, tmp_path: Path) -> None:
    data = rows_of(Task.SUMMARIZATION, tmp_path)
    stretched = tuple(_longer(row, i % 12) for i, row in enumerate(data.rows))
    run = trained(replace(data, rows=stretched), "rougeL")
    for template in (None, CHAT):
        text = export_rows.encoder_of(run, base_of(weights))
        text.tokenizer.chat_template = template
        source = export_script.training_script(run, base_of(weights), text)
        tokens = functions(source, ADD_SPECIAL_TOKENS=template is None)["tokens"]
        lines = export_rows.split_rows(run, text)
        encoded = [text.encode(row) for row in run.dataset.split("train")]

        assert [tokens(line, text.tokenizer)["input_ids"] for line in lines["train"]] == [
            row.prompt + row.completion for row in encoded
        ]
        assert [tokens(line, text.tokenizer)["labels"].count(-100) for line in lines["train"]] == [
            len(row.prompt) for row in encoded
        ]
        assert {row.truncated for row in encoded} == {True, False}
        asked = [
            text.tokenizer(line["prompt"], add_special_tokens=template is None) for line in lines["test"]
        ]
        assert [found["input_ids"] for found in asked] == [
            text.encode_prompt(row) for row in run.dataset.split("test")
        ]


def _longer(row: Row, times: int) -> Row:
    answer = row.targets[0] + " and on" * (20 * (times == 11))
    return replace(row, inputs={r: f"{t} " * (times + 1) for r, t in row.inputs.items()}, targets=(answer,))


@pytest.mark.parametrize(
    ("task", "metric"), [(t, m) for t, names in METRICS.items() for m in names if m != "loss"]
)
def test_the_script_scores_as_the_study_does(task: Task, metric: str, weights: Path, tmp_path: Path) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    data = rows_of(task, tmp_path)
    rows, draw = data.split("test"), random.Random(0)
    pool = [row.targets[0] for row in rows]
    answers = [
        draw.choice((row.targets[0], row.targets[0].upper(), draw.choice(pool), "?", "")) for row in rows
    ]
    run = trained(data, metric)
    table = evaluate.prediction_table(task, data.labels, {"test": rows}, {"test": answers})
    wanted = evaluate.score(table, metric, "test")

    source = script(run, base_of(weights))
    found = functions(source, LABELS=list(data.labels), RougeScorer=RougeScorer)["score"]

    assert wanted is not None
    assert 0 < wanted.value < 1
    lines = [{"answers": list(row.targets)} for row in rows]
    assert found(lines, answers) == pytest.approx(wanted.value, abs=1e-12)


def test_labels_of_a_file_stay_text(weights: Path, tmp_path: Path) -> None:
    data = rows_of(Task.CLASSIFICATION, tmp_path)
    labels = ('"""\nimport os', "'] + [1", "{{ seed }}", "a\\", "ü\u2028")
    source = script(trained(replace(data, labels=labels), "accuracy"), base_of(weights))

    (found,) = [
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LABELS"
    ]
    assert ast.literal_eval(found) == list(labels)


@pytest.mark.parametrize(
    ("facts", "status", "stops"),
    [
        ({"kept_epoch": 2}, RunStatus.FINISHED, "round(state.epoch) >= 2"),
        ({}, RunStatus.STOPPED, "state.global_step >= 24"),
        ({"kept_epoch": 3}, RunStatus.FINISHED, ""),
        ({}, RunStatus.FINISHED, ""),
    ],
)
def test_a_run_that_kept_an_earlier_state_is_repeated_until_there(
    facts: dict[str, Any], status: RunStatus, stops: str, weights: Path, tmp_path: Path
) -> None:
    run = trained(rows_of(Task.CLASSIFICATION, tmp_path), "accuracy", **facts)
    source = script(replace(run, result=replace(run.result, status=status)), base_of(weights))

    assert stops in source
    assert ("TrainerCallback" in source) == bool(stops)


def test_the_config_stands_in_the_script_in_trls_names(weights: Path, tmp_path: Path) -> None:
    data = rows_of(Task.CLASSIFICATION, tmp_path)
    source = script(trained(data, "accuracy", FULL), base_of(weights))

    assert "learning_rate=0.001," in source
    assert "warmup_steps=0.1,  # below 1: a share of all steps" in source
    assert "LoraConfig" not in source
    assert export_script.requirements(trained(data, "accuracy")).split() == [
        f"{name}=={loading.versions()[name].partition('+')[0]}" for name in loading.PARTS
    ]
    assert "rouge-score==" in export_script.requirements(trained(data, "rougeL"))


def test_an_untuned_base_has_nothing_to_export() -> None:
    from engine.export_parts import PARTS, refusals

    found = refusals(studies.spec(kind=RunKind.BASE, name="base"), studies.result(), set())

    assert set(found) == set(PARTS)
    assert {why for why in found.values() if "no tuned model" not in why} == set()


def test_predictions_of_other_rows_are_no_comparison() -> None:
    from engine.errors import ModelError
    from engine.parity import differing

    study = pd.DataFrame({"row": [3, 7, 9], "prediction": ["a", "b", "c"]})
    export = pd.DataFrame({"row": [9, 3, 7], "prediction": ["c", "a", "x"]})

    assert differing(study, export) == (7,)
    with pytest.raises(ModelError, match="not those of its dataset's test rows"):
        differing(study, export.assign(row=[9, 3, 8]))
