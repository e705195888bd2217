"""Answers to new, unlabelled rows by a run of a study: its tuned model, the untuned base or a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from engine import baselines, encode, few_shot, loading, models, scoring
from engine.dataset import Dataset
from engine.errors import NotFoundError
from engine.metrics import as_label
from engine.records import Row, RunKind, RunResult, RunSpec, Task


def predict(
    spec: RunSpec, result: RunResult, attempt: Path, dataset: Dataset, rows: Sequence[Row]
) -> pd.DataFrame:
    """One line per row: its number in the file, its input by role, the prediction; for classification also
    whether that is one of the labels. `attempt` is the folder of the result's attempt."""
    answers = _answers(spec, result, attempt, dataset, rows)
    inputs = {str(role): [row.inputs[role] for row in rows] for role in rows[0].inputs}
    table = pd.DataFrame({"row": [row.number for row in rows], **inputs, "prediction": answers})
    if spec.task is Task.CLASSIFICATION:
        table["valid"] = [as_label(answer, dataset.labels) is not None for answer in answers]
    return table


def _answers(
    spec: RunSpec, result: RunResult, attempt: Path, dataset: Dataset, rows: Sequence[Row]
) -> list[str]:
    train_rows = dataset.train_subset(spec.train_size, spec.seed)
    if spec.kind is RunKind.BASELINE:
        return list(baselines.predict(spec.name, train_rows, rows, spec.task))
    folder = models.path(models.get(spec.model))
    tokenizer = loading.load_tokenizer(folder)
    text = few_shot.restored(encode.of_run(spec, dataset, tokenizer), dataset.rows, result.facts)
    model = tuned(spec, folder, attempt)
    if result.facts.get("answers_by") == "likelihood":
        return scoring.most_likely_labels(model, text, rows, dataset.labels)
    with scoring.merged(model):
        return scoring.answer(model, text, rows)


def tuned(spec: RunSpec, base: Path, attempt: Path) -> Any:
    """The model as the run left it; raises NotFoundError when it kept no weights."""
    if not spec.kind.trains:
        return loading.load_model(base)
    weights = kept_weights(spec, attempt)
    if weights.name == "model":
        return loading.load_model(weights)
    from peft import PeftModel

    return PeftModel.from_pretrained(loading.load_model(base), weights)


def kept_weights(spec: RunSpec, attempt: Path) -> Path:
    """The folder of what the run trained, a whole model or an adapter; raises NotFoundError without one."""
    for name in ("model", "adapter"):
        if (attempt / name).is_dir():
            return attempt / name
    raise NotFoundError(f"Run {spec.run} kept no weights. Train it again to predict with it.")
