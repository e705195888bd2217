"""What a model scores: its answers on dev and test, and its loss on the right ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from engine import evaluate
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.generate import completion_losses, generate, label_log_likelihoods
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
    began = time.monotonic()
    rows = {split: dataset.split(split) for split in SPLITS if dataset.splits[split]}
    answers, losses = {}, {}
    with merged(model):
        for split, members in rows.items():
            stage(f"scoring {split}")
            answers[split] = answer(model, encoder, members)
            if split == "dev" or "loss" in METRICS[dataset.task]:
                losses[split] = row_losses(model, encoder, members)
    table = evaluate.prediction_table(dataset.task, dataset.labels, rows, answers, losses)
    dev_loss = sum(losses["dev"]) / len(losses["dev"])
    metrics = evaluate.scores(table, dataset.task)
    return Scored(table, metrics, dev_loss, "generation", time.monotonic() - began)


def score_untuned(
    model: Any, encoder: Encoder, dataset: Dataset, metric: str, stage: Callable[[str], None]
) -> Scored:
    """As score_model; for classification the better on dev of generation and label likelihood.

    An untuned model often knows the answer but not the format, so that generation alone would flatter tuning.
    """
    began = time.monotonic()
    said = score_model(model, encoder, dataset, metric, stage)
    if dataset.task is not Task.CLASSIFICATION:
        return said
    rows = {split: dataset.split(split) for split in SPLITS}
    likely = {
        split: most_likely_labels(model, encoder, members, dataset.labels) for split, members in rows.items()
    }
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
    return Scored(best, {**chosen, **other}, said.dev_loss, way, time.monotonic() - began)


def answer(model: Any, encoder: Encoder, rows: Sequence[Row]) -> list[str]:
    """The model's generated answer to each row."""
    tokenizer = encoder.tokenizer
    ids = generate(
        model,
        [encoder.encode_prompt(row) for row in rows],
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
        encoder.answer_tokens,
    )
    return [encoder.decode(found) for found in ids]


def most_likely_labels(model: Any, encoder: Encoder, rows: Sequence[Row], labels: Sequence[str]) -> list[str]:
    """For each row the label with the highest log-probability; the first of equals."""
    prompts = [encoder.encode_prompt(row) for row in rows]
    choices = [encoder.encode_answer(label) for label in labels]
    found = label_log_likelihoods(model, prompts, choices, encoder.tokenizer.pad_token_id)
    return [labels[max(range(len(labels)), key=scores.__getitem__)] for scores in found]


def row_losses(model: Any, encoder: Encoder, rows: Sequence[Row]) -> list[float]:
    """The mean loss in nats per token of each row's right answer."""
    return completion_losses(model, [encoder.encode(row) for row in rows], encoder.tokenizer.pad_token_id)


def mean_loss(model: Any, encoder: Encoder, rows: Sequence[Row]) -> float:
    """The mean of the rows' losses."""
    losses = row_losses(model, encoder, rows)
    return sum(losses) / len(losses)


def dev_losses(model: Any, encoder: Encoder, dataset: Dataset) -> list[float]:
    """The loss of every dev row, as score_model measures it."""
    with merged(model):
        return row_losses(model, encoder, dataset.split("dev"))


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
