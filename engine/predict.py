"""Answers to new, unlabelled rows by a run of a study: its tuned model, the untuned base or a baseline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from engine import baselines, confidence, encode, few_shot, loading, models, scoring
from engine.dataset import Dataset
from engine.errors import NotFoundError
from engine.metrics import as_answer
from engine.records import Row, RunKind, RunResult, RunSpec, Task

Likelihoods = Callable[[Sequence[Row]], confidence.Array]

SETS_WITHOUT = "Rows have several labels, which the model writes one after the other: there is no confidence."


class Predicted(NamedTuple):
    """One line per row: its number in the file, the prediction, whether it is valid and, for classification,
    a confidence (0 to 1); `note` says how that is made and what it was measured to be."""

    table: pd.DataFrame
    note: str


def predict(
    spec: RunSpec, result: RunResult, attempt: Path, dataset: Dataset, rows: Sequence[Row]
) -> Predicted:
    """The answers to new rows. `attempt` is the folder of the result's attempt."""
    run = _opened(spec, result, attempt, dataset)
    judged = [as_answer(spec.task, said, dataset.labels) for said in run.answers(rows)]
    answers = [said for said, _ in judged]
    table = pd.DataFrame({"row": [row.number for row in rows], "prediction": answers})
    table["valid"] = [valid for _, valid in judged]
    if spec.task is not Task.CLASSIFICATION or run.likelihoods is None:
        return Predicted(table, SETS_WITHOUT if spec.task is Task.MULTILABEL else "")
    found = confidence.kept(attempt) or _calibrated(run.likelihoods, dataset)
    if found is None:
        return Predicted(table, "Neither dev nor test has rows to calibrate a confidence on.")
    confidence.keep(attempt, found)
    likely = run.likelihoods(rows)
    table["confidence"] = confidence.of_answers(likely, dataset.labels, answers, found.temperature)
    return Predicted(table, found.sentence())


def _calibrated(likelihoods: Likelihoods, dataset: Dataset) -> confidence.Calibration | None:
    parts = [dataset.split(name)[: confidence.MOST_ROWS] for name in scoring.SPLITS]
    if not all(parts):
        return None
    dev, test = ((likelihoods(part), part) for part in parts)
    return confidence.calibrated(dataset.labels, dev, test)


class _Run(NamedTuple):
    """A run's model at hand; `likelihoods`: rows x labels, None for a baseline that has none."""

    answers: Callable[[Sequence[Row]], list[str]]
    likelihoods: Likelihoods | None


def _opened(spec: RunSpec, result: RunResult, attempt: Path, dataset: Dataset) -> _Run:
    if spec.kind is RunKind.BASELINE:
        fitted = baselines.fit(spec.name, dataset.train_subset(spec.train_size, spec.seed), spec.task)
        if not isinstance(fitted, baselines.TextClassifier):
            return _Run(fitted.answers, None)
        return _Run(fitted.answers, partial(fitted.likelihoods, labels=dataset.labels))
    folder = models.path(models.get(spec.model))
    tokenizer = loading.load_tokenizer(folder)
    text = few_shot.restored(encode.of_run(spec, dataset, tokenizer), dataset.rows, result.facts)
    model = tuned(spec, folder, attempt)

    def likelihoods(rows: Sequence[Row]) -> confidence.Array:
        with scoring.merged(model):
            return np.array(scoring.label_likelihoods(model, text, rows, dataset.labels))

    def answers(rows: Sequence[Row]) -> list[str]:
        if result.facts.get("answers_by") == "likelihood":
            return scoring.most_likely_labels(model, text, rows, dataset.labels)
        with scoring.merged(model):
            return scoring.answer(model, text, rows)

    return _Run(answers, likelihoods)


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
