"""How long a study will take and how much memory it needs, and how far these numbers can be trusted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np

from engine import grids, machine, models, prompts, space
from engine.dataset import Dataset
from engine.machine import Memory
from engine.models import BaseModel
from engine.prompts import Form
from engine.records import Config, Method, RunKind, RunResult, RunSpec, Task
from engine.tokens import Tokenizer

START_SECONDS = 1.0  # measured: 0.3 s until the first step, the rest is loading and saving
PROCESS_BYTES = 700_000_000  # measured: Python with torch, transformers, TRL and PEFT, no GPU
HALF_PRECISION_FROM = 100_000_000  # parameters, as in engine.loading
CHECKPOINTED_FROM = 1_000_000_000  # parameters, as in engine.finetune
GUESSED_FLOPS = 2e10  # of one training process on an ordinary CPU
GPU_FLOPS = 1e14  # a quarter of what NeMo AutoModel's summary states for Llama-3-8B with LoRA on one H100
GUESSED_GENERATION = 12  # tokens scored in the time that one is trained on takes; a guess
PREPARING_SECONDS, PREPARED_AT = 27.0, 7.4e8  # SmolLM2-135M from its package, at this machine_speed()
BEHIND_EXAMPLES = 1.4  # measured: times as long as with the bare prompt, 371 tokens of examples read once
SAMPLE_ROWS = 64
LETTERS_PER_TOKEN = 4  # of English text, in the vocabularies of real LLMs; a guess
TYPICAL_TOKENS = 256  # in a row, where there is no dataset yet


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed of training and of scoring (both splits, answers generated), and where it was measured."""

    tokens_per_second: float
    rows_per_second: float
    basis: str


@dataclass(frozen=True, slots=True)
class Work:
    """The size of a run: rows to train on, rows to score, tokens in a row and its answer."""

    train_rows: int
    eval_rows: int
    tokens_per_row: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """`basis` says in one sentence what was measured and what is a guess."""

    seconds: float
    memory_bytes: int
    basis: str


def estimate_study(
    specs: Sequence[RunSpec], dataset: Dataset, past: Iterable[RunResult] = (), workers: int = 1
) -> Estimate:
    """All runs of a study; `past`: finished runs on this machine of the same model, method and task."""
    model = models.get(specs[0].model)
    speed = pace(model, specs[0].method, dataset.task, past)
    found = [estimate_run(model, spec, work(spec, dataset), speed) for spec in specs]
    seconds = max(sum(one.seconds for one in found) / workers, max(one.seconds for one in found))
    return Estimate(seconds + preparing_seconds(model), max(one.memory_bytes for one in found), speed.basis)


def preparing_seconds(model: BaseModel) -> float:
    """What the first run of a model that comes in a package takes longer; 0 for any other, and afterwards."""
    if model.package is None or models.is_here(model):
        return 0.0
    return PREPARING_SECONDS * PREPARED_AT / machine_speed()


def estimate_run(model: BaseModel, spec: RunSpec, size: Work, speed: Pace) -> Estimate:
    """One run; a baseline without a model takes about a second."""
    on_gpu = machine.memory().of_gpu
    if spec.kind is RunKind.BASELINE:
        return Estimate(START_SECONDS, PROCESS_BYTES, speed.basis)
    score = size.eval_rows / speed.rows_per_second
    if spec.config is None:
        twice = 2 if spec.task is Task.CLASSIFICATION else 1  # by generation and by label likelihood
        score *= twice * (BEHIND_EXAMPLES if spec.kind is RunKind.FEW_SHOT else 1)
        return Estimate(START_SECONDS + score, _memory(model, None, size, on_gpu), speed.basis)
    trained = spec.config.num_train_epochs * size.train_rows * size.tokens_per_row / speed.tokens_per_second
    times = 1 + (spec.folds or 0)  # the usual split, and one training for each fold
    return Estimate(
        START_SECONDS + times * trained + score, _memory(model, spec.config, size, on_gpu), speed.basis
    )


@dataclass(frozen=True, slots=True)
class Fit:
    """What a training needs of the memory that it would run in, and what there is."""

    needed: int
    memory: Memory

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.needed <= self.memory.size


def fit(model: BaseModel, method: Method, memory: Memory | None = None) -> Fit:
    """Whether the default config, on rows of a typical length, fits the memory (this machine's)."""
    memory = memory or machine.memory()
    size = Work(0, 0, TYPICAL_TOKENS)
    return Fit(_memory(model, space.default_config(model.id, method), size, memory.of_gpu), memory)


def work(spec: RunSpec, dataset: Dataset) -> Work:
    """The size of a run; tokens are counted with the model's own tokenizer in a few of the training rows."""
    counts = {name: len(rows) for name, rows in dataset.splits.items()}
    train = counts["train"] if spec.train_size is None else spec.train_size
    model = models.get(spec.model)
    tokens = tokens_per_row(dataset, model, spec.template)
    scored = counts["dev"] + counts["test"]
    if spec.folds is not None:
        scored += counts["train"] + counts["dev"]
    return Work(train, scored, min(tokens, spec.max_length or model.context_length))


def tokens_per_row(dataset: Dataset, model: BaseModel, template: str | None = None) -> float:
    """Mean tokens of prompt and answer; a guess from their letters while the model is not here."""
    rows = dataset.split("train")[:SAMPLE_ROWS]
    tokenizer = Tokenizer(models.path(model)) if models.is_here(model) else None
    form = Form(dataset.task, template, dataset.labels)
    rendered = [prompts.render(row, form, tokenizer) for row in rows]
    texts = [f"{text.prompt}{text.completion}" for text in rendered]
    if tokenizer is None:
        return sum(map(len, texts)) / len(texts) / LETTERS_PER_TOKEN
    return sum(prompts.count(text, tokenizer) for text in texts) / len(texts)


def pace(model: BaseModel, method: Method, task: Task, past: Iterable[RunResult] = ()) -> Pace:
    """From runs on this machine; else from the grid, scaled to this machine; else a guess."""
    own = [result for result in past if _tokens_per_second(result) > 0]
    if own:
        training, scoring = median(map(_tokens_per_second, own)), median(map(scoring_pace, own))
        return Pace(training, scoring, f"Measured in {len(own)} earlier runs on this machine.")
    version = grids.current()
    known = {} if version is None else grids.get(version).manifest.get("pace", {})
    of_model = known.get("by_model", {}).get(model.id) or known  # the first grid has one model and no names
    measured = of_model.get(str(method), {}).get(str(task))
    if measured is not None and grids.has_results(version, model.id, method):
        factor = machine_speed() / known["machine_speed"]
        basis = (
            f"Measured in grid {version}, scaled to this machine ({factor:.1f} times as fast); a rough guess."
        )
        training, scoring = measured["tokens_per_second"], measured["rows_per_second"]
        return Pace(factor * training, factor * scoring, basis)
    flops = GPU_FLOPS if machine.memory().of_gpu else GUESSED_FLOPS
    tokens = flops / (6 * model.parameters)
    return Pace(
        tokens, tokens / GUESSED_GENERATION / 10, "A guess from the size of the model; nothing measured."
    )


def scoring_pace(result: RunResult) -> float:
    """Rows scored per second in a finished run: what was neither training nor start, over its rows."""
    rows = sum(score.n for score in (result.dev, result.test) if score is not None)
    times = max(1, len(result.facts.get("epochs", ())))
    spent = (result.seconds or 0.0) - float(result.facts.get("training_seconds", 0.0)) - START_SECONDS
    return times * rows / max(spent, 0.1)


@cache
def machine_speed() -> float:
    """Exponentials per second of one core's own time, so that other work does not count."""
    values = np.linspace(0, 1, 200_000)
    times = []
    for _ in range(8):
        began = time.thread_time()
        np.exp(values)
        times.append(time.thread_time() - began)
    return float(len(values) / max(min(times), 1e-6))


def _tokens_per_second(result: RunResult) -> float:
    return float(result.facts.get("tokens_per_second", 0.0))


def _memory(model: BaseModel, config: Config | None, size: Work, on_gpu: bool) -> int:
    """Weights, gradients, AdamW's two moments and activations beside the process itself.

    In bytes for each parameter: full fine-tuning 16; LoRA 2 for a base in half precision (small models, and
    all of them without a GPU, stay in full: 4) and 16 for the adapter. Activations are a guess from a Llama
    layer's own tensors; on a GPU those of large models are computed again instead of kept.
    """
    half = on_gpu and model.parameters >= HALF_PRECISION_FROM
    frozen = (2 if half else 4) * model.parameters
    if config is None:
        return PROCESS_BYTES + frozen
    state = 16 * model.parameters
    if config.lora_r is not None:
        state = frozen + 16 * model.shape.adapter_parameters(config.lora_r)
    shape = model.shape
    again = on_gpu and model.parameters >= CHECKPOINTED_FROM
    tensors = shape.width if again else 14 * shape.width + 4 * shape.inner
    tokens = config.per_device_train_batch_size * size.tokens_per_row
    return PROCESS_BYTES + state + round(tokens * shape.layers * tensors * (2 if half else 4))
