"""What a model scores: its answers on dev and test, and its loss on the right ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from engine import evaluate, generate
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.generate import Answered, Asked, Limits
from engine.metrics import METRICS
from engine.records import Row, Score, Task

SPLITS = ("dev", "test")


@dataclass(frozen=True, slots=True)
class Scored:
    """Predictions with all that follows from them; `answers_by` is generation, likelihood or baseline.

    `dev_loss` is the mean over dev rows of each answer's loss per token; None without a model.
    """

    table: pd.DataFrame
    metrics: dict[str, dict[str, Score]]
    dev_loss: float | None
    answers_by: str
    seconds: float


def score_model(
    model: Any, encoder: Encoder, dataset: Dataset, metric: str, stage: Callable[[str], None]
) -> Scored:
    """Generate and judge an answer to each dev and test row; `stage` is told which split is next."""
    return _scored(model, encoder, dataset, stage, labels=())[0]


def score_untuned(
    model: Any, encoder: Encoder, dataset: Dataset, metric: str, stage: Callable[[str], None]
) -> Scored:
    """As score_model; for classification the better on dev of generation and label likelihood.

    An untuned model often knows the answer but not the format, so that generation alone would flatter tuning.
    """
    labels = dataset.labels if dataset.task is Task.CLASSIFICATION else ()
    said, likely = _scored(model, encoder, dataset, stage, labels)
    if not labels:
        return said
    rows = {split: dataset.split(split) for split in SPLITS}
    table = evaluate.prediction_table(dataset.task, dataset.labels, rows, likely)
    table["loss"] = said.table["loss"]
    metrics = evaluate.scores(table, dataset.task)
    by_likelihood = metrics[metric]["dev"].value > said.metrics[metric]["dev"].value
    best = table if by_likelihood else said.table
    best["likelihood_prediction"] = table["prediction"]
    other = {f"generation_{m}": said.metrics[m] for m in METRICS[dataset.task]}
    other |= {f"likelihood_{m}": metrics[m] for m in METRICS[dataset.task]}
    chosen = metrics if by_likelihood else said.metrics
    way = "likelihood" if by_likelihood else "generation"
    return Scored(best, {**chosen, **other}, said.dev_loss, way, said.seconds)


def answer(model: Any, encoder: Encoder, rows: Sequence[Row]) -> list[str]:
    """The model's generated answer to each row."""
    asked = [Asked(encoder.encode_prompt(row)) for row in rows]
    return [encoder.decode(found.tokens) for found in generate.answer(model, asked, _limits(model, encoder))]


def most_likely_labels(model: Any, encoder: Encoder, rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    """For each row the label with the highest log-probability, its end mark counted; the first of equals."""
    found = label_likelihoods(model, encoder, rows, labels)
    return [labels[max(range(len(labels)), key=one.__getitem__)] for one in found]


def label_likelihoods(
    model: Any, encoder: Encoder, rows: Sequence[Row], labels: Sequence[str]
) -> list[list[float]]:
    """For each row the log-probability of each label, its end mark counted."""
    asked = [Asked(encoder.encode_prompt(row)) for row in rows]
    limits = replace(_limits(model, encoder), most=0)
    found = generate.answer(model, asked, limits, _choices(encoder, rows, labels))
    return [one.labels for one in found]


def mean_loss(model: Any, encoder: Encoder, rows: Sequence[Row]) -> float:
    """The mean over rows of the right answer's loss in nats per token."""
    losses = row_losses(model, encoder, rows)
    return sum(losses) / len(losses)


def row_losses(model: Any, encoder: Encoder, rows: Sequence[Row]) -> list[float]:
    """The mean loss in nats per token of each row's right answer."""
    return [float(one.loss or 0.0) for one in _read(model, encoder, rows, losses=True, most=0)]


def dev_losses(model: Any, encoder: Encoder, dataset: Dataset) -> list[float]:
    """The loss of every dev row, as score_model measures it."""
    with merged(model):
        return row_losses(model, encoder, dataset.split("dev"))


def _scored(
    model: Any, encoder: Encoder, dataset: Dataset, stage: Callable[[str], None], labels: Sequence[str]
) -> tuple[Scored, dict[str, list[str]]]:
    """Scores by generation, and each split's most likely labels."""
    began = time.monotonic()
    rows = {split: dataset.split(split) for split in SPLITS if dataset.splits[split]}
    answers, losses, likely = {}, {}, {}
    with merged(model):
        for split, members in rows.items():
            stage(f"scoring {split}")
            lossy = split == "dev" or "loss" in METRICS[dataset.task]
            found = _read(model, encoder, members, lossy, labels)
            answers[split] = [encoder.decode(one.tokens) for one in found]
            likely[split] = [_likeliest(one, labels) for one in found] if labels else []
            if lossy:
                losses[split] = [float(one.loss or 0.0) for one in found]
    table = evaluate.prediction_table(dataset.task, dataset.labels, rows, answers, losses)
    dev_loss = sum(losses["dev"]) / len(losses["dev"])
    metrics = evaluate.scores(table, dataset.task)
    return Scored(table, metrics, dev_loss, "generation", time.monotonic() - began), likely


def _read(
    model: Any,
    encoder: Encoder,
    rows: Sequence[Row],
    losses: bool,
    labels: Sequence[str] = (),
    most: int | None = None,
) -> list[Answered]:
    """Answers, losses and label likelihoods in one pass over the prompts. A row that is cut to fit its own
    answer has another prompt in training than in answering: its loss is taken apart."""
    limits = _limits(model, encoder)
    limits = limits if most is None else replace(limits, most=most)
    prompts = [encoder.encode_prompt(row) for row in rows]
    encoded = [encoder.encode(row) for row in rows] if losses else []
    same = {i for i, one in enumerate(encoded) if one.prompt == prompts[i]}
    asked = [Asked(p, encoded[i].completion if i in same else ()) for i, p in enumerate(prompts)]
    found = generate.answer(model, asked, limits, _choices(encoder, rows, labels))
    others = [i for i in range(len(encoded)) if i not in same]
    training = [Asked(encoded[i].prompt, encoded[i].completion) for i in others]
    for i, apart in zip(others, generate.answer(model, training, replace(limits, most=0)), strict=True):
        found[i] = replace(found[i], loss=apart.loss)
    return found


def _limits(model: Any, encoder: Encoder) -> Limits:
    ends = generate.ends(model, encoder.ends)
    return Limits(ends, encoder.tokenizer.pad_token_id, encoder.answer_tokens)


def _choices(encoder: Encoder, rows: Sequence[Row], labels: Sequence[str]) -> list[list[int]]:
    """The tokens of each label; they do not depend on the row, only on how its prompt ends."""
    return [encoder.encode_answer(label, rows[0]) for label in labels]


def _likeliest(one: Answered, labels: Sequence[str]) -> str:
    return labels[max(range(len(labels)), key=one.labels.__getitem__)]


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """A 32-bit LoRA model answers faster with its adapter added into the weights; taken out again after."""
    import torch

    if not hasattr(model, "merge_adapter") or model.dtype != torch.float32:
        yield
        return
    model.merge_adapter()
    try:
        yield
    finally:
        model.unmerge_adapter()
