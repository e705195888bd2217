"""How long a study will take and how much memory it needs, and how far these numbers can be trusted."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from statistics import median

import numpy as np

from engine import footprint, grids, machine, models, settings, speed
from engine.dataset import Dataset
from engine.footprint import Fit
from engine.generate import ROWS_PER_BATCH, TOKENS_PER_BATCH
from engine.loading import BFLOAT16_FROM, HALF_PRECISION_FROM
from engine.machine import Memory
from engine.models import BaseModel
from engine.processor import AMX
from engine.records import Config, Method, RunKind, RunResult, RunSpec, Task
from engine.speed import Rates, Speed
from engine.train import CURVE_ROWS, DECIDING_ROWS
from engine.workload import Work, of_run

START_SECONDS = 1.0  # measured: 0.3 s until the first step, the rest is loading and saving
LOADING = 8e-9  # seconds a weight; measured with SmolLM2-135M
GPU_FLOPS = 1e14  # a quarter of what NeMo AutoModel's summary states for Llama-3-8B with LoRA on one H100
GPU_PASS = 1e-12  # seconds a weight to go through all of them once: 2 bytes at 2 TB/s
LAYER_SECONDS = 3e-4  # of calls, for each layer and pass, whatever its size; a training step is three passes
DROPOUT_SLOWS = 1.35  # measured on SmolLM2's layers: LoRA's step with dropout 1.34 (float32), 1.55 (bfloat16)
OPTIMIZER_PASSES = 4  # over the trained weights for each step of AdamW
STEP_PASSES = 5  # over all weights for each batch; measured: a batch of SmolLM2 0.42 s beside its tokens
LABEL_PASSES = 2  # measured: a label's tokens, its likelihood and the cache as it was before
UNMERGED = 1.2  # times as long with the adapter beside the weights, as in the losses between epochs
THREADS_GAIN = 0.85  # threads to this power: two are 1.8 times as fast as one
PREPARING_SECONDS, PREPARED_AT = 27.0, 7.4e8  # SmolLM2-135M from its package, at this machine_speed()
BEHIND_EXAMPLES = 1.4  # measured: times as long as with the bare prompt, 371 tokens of examples read once
TUNED, BARE, EXAMPLES = "tuned", "bare", "examples"  # the ways in which rows are answered


@dataclass(frozen=True, slots=True)
class Crew:
    """Worker processes side by side, and the threads of each."""

    workers: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a worker trains and scores. `rows_per_second`: answered rows, by way, where that was measured;
    else, and for training where `tokens_per_second` is None, it follows from the speed of the processor.

    `spread`: how many times less and more it may take than said.
    """

    speed: Speed
    basis: str
    spread: tuple[float, float]
    gain: float = 1.0
    tokens_per_second: float | None = None
    rows_per_second: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of all runs together, from `low` to `high` seconds, and of each alone; memory of the largest.

    `basis` says in one sentence what was measured and what is a guess.
    """

    seconds: float
    memory_bytes: int
    basis: str
    low: float
    high: float
    each: tuple[float, ...] = ()


def estimate_study(
    specs: Sequence[RunSpec], dataset: Dataset, past: Iterable[RunResult] = (), crew: Crew | None = None
) -> Estimate:
    """All runs of a study; `past`: finished runs on this machine of the same model, method and task."""
    crew = crew or Crew()
    model = models.get(specs[0].model)
    found = pace(model, specs[0].method, dataset, past, crew.threads)
    sizes = works(specs, dataset)
    each = [seconds_of_run(model, spec, size, found) for spec, size in zip(specs, sizes, strict=True)]
    needs = [memory_of_run(model, spec, size, found.speed) for spec, size in zip(specs, sizes, strict=True)]
    seconds, before = side_by_side(each, crew.workers), preparing_seconds(model)
    low, high = found.spread
    low, high = seconds * low + before, seconds * high + before
    return Estimate(seconds + before, max(needs), found.basis, low, high, tuple(each))


def works(specs: Sequence[RunSpec], dataset: Dataset) -> list[Work]:
    """The size of each run; runs that read the same rows in the same way are counted once."""
    counted: dict[tuple[object, ...], Work] = {}
    for spec in specs:
        if (key := _reads(spec)) not in counted:
            counted[key] = of_run(spec, dataset)
    return [counted[_reads(spec)] for spec in specs]


def _reads(spec: RunSpec) -> tuple[object, ...]:
    return (spec.model, spec.train_size, spec.seed, spec.template, spec.max_length, spec.folds,
            spec.assistant_only_loss)  # fmt: skip


def preparing_seconds(model: BaseModel) -> float:
    """What the first run of a model that comes in a package takes longer; 0 for any other, and afterwards."""
    if model.package is None or models.is_here(model):
        return 0.0
    return PREPARING_SECONDS * PREPARED_AT / machine_speed()


def side_by_side(seconds: Sequence[float], workers: int) -> float:
    """Until the last ends, when each worker takes the next run as soon as it is free."""
    free = [0.0] * max(1, workers)
    for one in seconds:
        heapq.heappush(free, heapq.heappop(free) + one)
    return max(free)


def seconds_of_run(model: BaseModel, spec: RunSpec, size: Work, found: Pace) -> float:
    """One run alone; a baseline without a model takes about a second."""
    if spec.kind is RunKind.BASELINE:
        return START_SECONDS
    begin = START_SECONDS + LOADING * model.parameters
    reader = _Reader(model, found)
    score = _scoring(reader, spec, size)
    if spec.config is None:
        return begin + score
    trained = _training(reader, spec.config, size)
    times = 1 + (spec.folds or 0)  # the usual split, and one training for each fold
    return begin + times * trained + _curve(reader, spec, size) + score


def memory_of_run(model: BaseModel, spec: RunSpec, size: Work, known: Speed) -> int:
    """Bytes at its peak."""
    if spec.kind is RunKind.BASELINE:
        return footprint.PROCESS_BYTES
    few = spec.kind is RunKind.FEW_SHOT
    size = size if few else replace(size, examples=0.0)
    return footprint.needed(model, spec.config, size, footprint.place(model, known.bfloat16 is not None))


@dataclass(frozen=True, slots=True)
class TooLarge:
    """A run that does not fit; `instead`: its config with a smaller batch, None where none fits."""

    spec: RunSpec
    fit: Fit
    instead: Config | None


def too_large(specs: Sequence[RunSpec], dataset: Dataset, memory: Memory) -> list[TooLarge]:
    """The runs that need more than the memory that each has."""
    known = speed.known(settings.current().home)
    found = []
    for spec, size in zip(specs, works(specs, dataset), strict=True):
        model = models.get(spec.model)
        fit = Fit(memory_of_run(model, spec, size, known), memory)
        if not fit.fits:
            where = footprint.place(model, known.bfloat16 is not None)
            config = spec.config and footprint.smaller(model, spec.config, size, where, memory)
            found.append(TooLarge(spec, fit, config))
    return found


def pace(
    model: BaseModel, method: Method, dataset: Dataset, past: Iterable[RunResult] = (), threads: int = 1
) -> Pace:
    """From runs on this machine; else from the grid, scaled to it; else from its processor's speed."""
    known = speed.known(settings.current().home)
    plain = Pace(known, _basis(known), (0.8, 1.3) if known.measured else (0.6, 1.7), threads**THREADS_GAIN)
    if machine.memory().of_gpu:
        plain = _of_gpu(GPU_FLOPS)
    own = [result for result in past if training_pace(result) > 0]
    if own:
        return _of_past(plain, model, own, list(past), dataset)
    return _of_grid(plain, model, method, dataset.task) or plain


def training_on_gpu(model: BaseModel, config: Config, size: Work, flops: float) -> float:
    """Seconds of loading and one training on a GPU that reaches so many FLOP/s; a guess."""
    trained = _training(_Reader(model, _of_gpu(flops)), config, size)
    return START_SECONDS + LOADING * model.parameters + trained


def _of_gpu(flops: float) -> Pace:
    rates = Rates(flops, flops, flops)
    fast = Speed("GPU", "", rates, rates, GPU_PASS, measured=False)
    return Pace(fast, "A guess from the size of the model and a common GPU; nothing measured.", (0.5, 2.5))


def _basis(known: Speed) -> str:
    if known.measured:
        return "From the speed of this machine's processor, measured, and the tokens of your rows."
    kind = known.instruction_set
    return f"From what processors of this kind ({kind}) usually reach and the tokens of your rows; a guess."


def _of_past(
    plain: Pace, model: BaseModel, own: Sequence[RunResult], past: Sequence[RunResult], dataset: Dataset
) -> Pace:
    """Training as measured; scoring too, of the same rows, or of any where a model is so small that its rows
    hardly matter."""
    alike = [result for result in own if result.facts.get("dataset") == dataset.id]
    used = alike or (own if model.parameters < HALF_PRECISION_FROM else [])
    rates = _ways(median(map(scoring_pace, used)), dataset.task) if used else {}
    return replace(
        plain,
        basis=f"Measured in {len(own)} earlier runs on this machine.",
        spread=(0.85, 1.25),
        tokens_per_second=median(map(training_pace, own)),
        rows_per_second=rates,
    )


def _of_grid(plain: Pace, model: BaseModel, method: Method, task: Task) -> Pace | None:
    version = grids.current()
    known = {} if version is None else grids.get(version).manifest.get("pace", {})
    of_model = known.get("by_model", {}).get(model.id) or known  # the first grid has one model and no names
    measured = of_model.get(str(method), {}).get(str(task))
    if version is None or measured is None or not grids.has_results(version, model.id, method):
        return None
    factor = machine_speed() / known["machine_speed"]
    return replace(
        plain,
        basis=f"Measured in grid {version}, scaled to this machine ({factor:.1f} times as fast); "
        "a rough guess.",
        spread=(0.6, 1.7),
        tokens_per_second=factor * measured["tokens_per_second"],
        rows_per_second=_ways(factor * measured["rows_per_second"], task),
    )


def _ways(tuned: float, task: Task) -> dict[str, float]:
    """The untuned model classifies in two ways, by generation and by label likelihood."""
    bare = tuned / 2 if task is Task.CLASSIFICATION else tuned
    return {TUNED: tuned, BARE: bare, EXAMPLES: bare / BEHIND_EXAMPLES}


def training_pace(result: RunResult) -> float:
    """Tokens per second of a training, had the machine done nothing else; 0 where not measured."""
    return float(result.facts.get("tokens_per_second", 0.0)) / _share(result)


def scoring_pace(result: RunResult) -> float:
    """Rows scored per second in a finished run: what was neither training nor start, over its rows."""
    rows = sum(score.n for score in (result.dev, result.test) if score is not None)
    times = max(1, len(result.facts.get("epochs", ())))
    spent = (result.seconds or 0.0) - float(result.facts.get("training_seconds", 0.0))
    return times * rows / max(spent * _share(result) - START_SECONDS, 0.1)


def _share(result: RunResult) -> float:
    """Of the processor that the run could have used, how much it had; 1 where that was not measured."""
    facts, seconds = result.facts, result.seconds
    if not seconds or "cpu_seconds" not in facts or not str(facts.get("device", "")).startswith("CPU"):
        return 1.0
    could = float(seconds * facts.get("threads", 1) ** THREADS_GAIN)
    return min(1.0, max(0.05, float(facts["cpu_seconds"]) / could))


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


@dataclass(frozen=True, slots=True)
class _Reader:
    """A model at a pace: seconds of each piece of work."""

    model: BaseModel
    pace: Pace

    @property
    def rates(self) -> Rates:
        """Of the number format that the model uses here (engine.loading.computes_in_bfloat16)."""
        known, size = self.pace.speed, self.model.parameters
        pays = size >= BFLOAT16_FROM or known.instruction_set == AMX
        return known.bfloat16 if known.bfloat16 is not None and pays else known.float32

    def read(self, tokens: float, context: float) -> float:
        """A forward pass of so many tokens behind `context` others each."""
        shape = self.model.shape
        attention = 4 * shape.layers * (shape.query_width or shape.width) * context
        return tokens * (2 * shape.layer_parameters + attention) / self.rates.forward / self.pace.gain

    def place(self, tokens: float) -> float:
        """The output layer at so many tokens, in the weights' own precision."""
        shape = self.model.shape
        flops = 2 * shape.vocabulary(self.model.parameters) * shape.width
        return tokens * flops / self.pace.speed.float32.forward / self.pace.gain

    def passes(self, number: float) -> float:
        """What each pass through all layers takes beside its tokens."""
        shape = self.model.shape
        through = shape.layer_parameters * self.pace.speed.cast_seconds / self.pace.gain
        return number * (through + LAYER_SECONDS * shape.layers)


def _training(reader: _Reader, config: Config, size: Work) -> float:
    tokens = config.num_train_epochs * size.train_rows * size.tokens_per_row
    if reader.pace.tokens_per_second is not None:
        return tokens / reader.pace.tokens_per_second
    shape, parameters = reader.model.shape, reader.model.parameters
    lora = config.lora_r is not None
    rate = reader.rates.lora if lora else reader.rates.full
    flops = 4 if lora else 6
    attention = 2 * flops * shape.layers * shape.width * size.tokens_per_row
    covered = size.answer / size.tokens_per_row * shape.vocabulary(parameters) * shape.width
    a_token = flops * (shape.layer_parameters + covered) + attention
    slower = DROPOUT_SLOWS if config.lora_dropout else 1.0
    steps = config.num_train_epochs * math.ceil(size.train_rows / config.effective_batch_size)
    trained = shape.adapter_parameters(config.lora_r) if config.lora_r is not None else parameters
    update = OPTIMIZER_PASSES * trained * reader.pace.speed.cast_seconds
    batches = steps * config.gradient_accumulation_steps
    computed = tokens * a_token * slower / rate + steps * update
    return computed / reader.pace.gain + reader.passes(STEP_PASSES * batches)


def _curve(reader: _Reader, spec: RunSpec, size: Work) -> float:
    """The losses of dev rows before the first epoch and after each but the last (engine.train)."""
    if spec.config is None or spec.score_epochs or reader.pace.rows_per_second:
        return 0.0  # measured scoring has them in it
    patient = spec.early_stopping_patience is not None
    most, times = (DECIDING_ROWS, 1) if patient else (CURVE_ROWS, 0)
    rows = size.dev_rows / max(1, math.ceil(size.dev_rows / most))
    tokens = size.shared + rows * (_padded(size, 1) + size.answer)
    once = reader.read(tokens, size.shared + size.prompt) + reader.place(rows * size.answer)
    return (spec.config.num_train_epochs + times) * UNMERGED * (once + reader.passes(3))


def _scoring(reader: _Reader, spec: RunSpec, size: Work) -> float:
    way = TUNED if spec.kind.trains else EXAMPLES if spec.kind is RunKind.FEW_SHOT else BARE
    if way in reader.pace.rows_per_second:
        return size.scored_rows / reader.pace.rows_per_second[way]
    examples = size.examples if way == EXAMPLES else 0.0
    labels = () if way == TUNED else size.labels
    splits = [rows for rows in (size.dev_rows, size.test_rows) if rows]
    prompts = sum(_prompts(reader, rows, size, examples) for rows in splits)
    answers = sum(_answers(reader, rows, size, examples, rambles=way == BARE) for rows in splits)
    return prompts + answers + _likelihoods(reader, size, examples, labels)


def _prompts(reader: _Reader, rows: int, size: Work, examples: float) -> float:
    """The common beginning once, then each row's own part."""
    common, batches = size.shared + examples, _batches(rows, size, examples)
    behind = reader.read(rows * _padded(size, batches), common + size.prompt)
    once = reader.read(common, common / 2) + reader.passes(1)
    return once + behind + reader.passes(batches)


def _padded(size: Work, batches: int) -> float:
    """A row's own part as it is read, padded to the longest of its batch; many batches hold like rows."""
    longest = max(size.prompt, size.longest - size.answer - size.shared)
    return size.prompt + (longest - size.prompt) / max(1, batches)


def _answers(reader: _Reader, rows: int, size: Work, examples: float, rambles: bool) -> float:
    """Token by token for all rows that go on; the untuned model seldom ends by itself, so that its rows go on
    for as long as they may."""
    said = size.room if rambles else size.answer
    behind = size.shared + examples + size.prompt
    steps = _batches(rows, size, examples) * max(0, size.room - 1)
    return reader.read(rows * max(0.0, said - 1), behind) + reader.place(rows * said) + reader.passes(steps)


def _likelihoods(reader: _Reader, size: Work, examples: float, labels: Sequence[int]) -> float:
    """The right answer of rows whose loss counts, and of every row each label."""
    behind = size.shared + examples + size.prompt
    answers = [(size.lossy_rows, size.answer), *((size.scored_rows, label) for label in labels)]
    batches = LABEL_PASSES * sum(_batches(rows, size, examples) for rows in (size.dev_rows, size.test_rows))
    return sum(
        reader.read(rows * max(0.0, tokens - 1), behind)
        + reader.place(rows * tokens)
        + reader.passes(batches)
        for rows, tokens in answers
    )


def _batches(rows: int, size: Work, examples: float) -> int:
    row = size.shared + examples + size.prompt + size.room
    return math.ceil(rows / max(1, min(ROWS_PER_BATCH, TOKENS_PER_BATCH // max(1, row))))
