"""How much memory a run needs, and the smaller batch with which it fits: one formula for all."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine import machine, space, workload
from engine.catalogue import BaseModel
from engine.generate import POSITIONS, ROWS_PER_BATCH, TOKENS_PER_BATCH
from engine.loading import BFLOAT16_FROM, HALF_PRECISION_FROM
from engine.machine import Memory
from engine.records import Config, Method
from engine.watch import KEPT_WEIGHTS
from engine.workload import Work

PROCESS_BYTES = 700_000_000  # measured: Python with torch, transformers, TRL and PEFT, no GPU
CHECKPOINTED_FROM = 1_000_000_000  # parameters, as in engine.finetune
TYPICAL_TOKENS = 256  # in a row, where there is no dataset yet
ADAPTED = 16  # bytes for each trained weight: itself, its gradient, AdamW's two moments
COPIED = 4  # bytes for each trained weight of the best epoch's copy
# Bytes that autograd keeps of a layer for each token, by the model's width, its inner width, its width of
# keys and values: counted with torch.autograd.graph.saved_tensors_hooks on layers of three shapes.
KEPT = {
    (Method.LORA, False): (24, 16, 8),
    (Method.LORA, True): (24, 8, 4),
    (Method.FULL, False): (34, 16, 8),
    (Method.FULL, True): (32, 8, 4),
}
DROPPED = {False: 5.5, True: 3.65}  # more for each input of a layer's seven matrices, with dropout on them
HELD = 1.06  # times what is asked for: the allocator's, and the products' own buffers; measured
# Times what autograd keeps, for what a step holds beside it: 1.4 at 100 tokens a row and 2.9 at 432,
# measured with SmolLM2; a line through both, its cause not known, and no further than a little above.
BESIDE, BESIDE_TOKENS, BESIDE_MOST = 1.0, 230, 3.0
LOGIT_BYTES = 14  # of a token of the vocabulary at a covered place: logits, softmax, gradient; 2 in bfloat16


@dataclass(frozen=True, slots=True)
class Fit:
    """What a run needs of the memory that it would have, and what there is."""

    needed: int
    memory: Memory

    @property
    def fits(self) -> bool:
        """Whether there is enough."""
        return self.needed <= self.memory.size


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run computes: `half`, in bfloat16 autocast."""

    on_gpu: bool
    half: bool


def place(model: BaseModel, bfloat16: bool) -> Place:
    """This machine's, whose processor multiplies in `bfloat16` or not."""
    on_gpu = machine.memory().of_gpu
    return Place(on_gpu, on_gpu or (bfloat16 and model.parameters >= BFLOAT16_FROM))


def fit(model: BaseModel, method: Method, memory: Memory | None = None, bfloat16: bool = True) -> Fit:
    """Whether the default config, on rows of a typical length, fits the memory (this machine's)."""
    memory = memory or machine.memory()
    where = Place(memory.of_gpu, memory.of_gpu or (bfloat16 and model.parameters >= BFLOAT16_FROM))
    config = space.default_config(model.id, method)
    return Fit(needed(model, config, workload.typical(TYPICAL_TOKENS), where), memory)


def needed(model: BaseModel, config: Config | None, size: Work, where: Place) -> int:
    """Bytes at the peak of a run: weights, and what training or scoring holds beside them, the larger.

    Without a config the model is only scored.
    """
    frozen_half = where.on_gpu and model.parameters >= HALF_PRECISION_FROM
    trains_all = config is not None and config.lora_r is None
    weights = (2 if frozen_half and not trains_all else 4) * model.parameters
    scoring = _scoring(model, size, where)
    training = 0 if config is None else _training(model, config, size, where)
    held = 1.0 if where.on_gpu else HELD
    return PROCESS_BYTES + round(held * (weights + max(scoring + _state(model, config), training)))


def smaller(model: BaseModel, config: Config, size: Work, where: Place, memory: Memory) -> Config | None:
    """The config with the largest batch on the device that fits, its effective batch kept by accumulation;
    None where not even one row at a time fits. A config that fits is returned as it is."""
    batch = config.per_device_train_batch_size
    for rows in (rows for rows in range(batch, 0, -1) if batch % rows == 0):
        steps = config.gradient_accumulation_steps * batch // rows
        tried = replace(config, per_device_train_batch_size=rows, gradient_accumulation_steps=steps)
        if needed(model, tried, size, where) <= memory.size:
            return tried
    return None


def _state(model: BaseModel, config: Config | None) -> int:
    """What a training keeps beside the weights: of full fine-tuning they are trained themselves."""
    if config is None:
        return 0
    if config.lora_r is not None:
        trained = model.shape.adapter_parameters(config.lora_r)
        return (ADAPTED + _copied(trained)) * trained
    return (ADAPTED - 4 + _copied(model.parameters)) * model.parameters


def _copied(trained: int) -> int:
    return COPIED if trained < KEPT_WEIGHTS else 0


def _training(model: BaseModel, config: Config, size: Work, where: Place) -> float:
    shape = model.shape
    again = where.on_gpu and model.parameters >= CHECKPOINTED_FROM
    kept = shape.width * (2 if where.half else 4) if again else _kept(model, config, where.half)
    batch = config.per_device_train_batch_size
    beside = BESIDE * min(BESIDE_MOST, 1 + size.longest / BESIDE_TOKENS)
    activations = beside * batch * size.longest * shape.layers * kept
    covered = batch * min(size.longest, size.room)
    logits = covered * shape.vocabulary(model.parameters) * (LOGIT_BYTES if where.half else LOGIT_BYTES - 2)
    casts = 2 * model.parameters if where.half and not where.on_gpu else 0
    return _state(model, config) + activations + logits + casts


def _kept(model: BaseModel, config: Config, half: bool) -> float:
    """Bytes of a layer for each token."""
    shape = model.shape
    width, inner, narrow = KEPT[config.method, half]
    kept = width * (shape.query_width or shape.width) + inner * shape.inner + narrow * shape.key_value_width
    if not config.lora_dropout:
        return kept
    return kept + DROPPED[half] * (6 * shape.width + shape.inner)


def _scoring(model: BaseModel, size: Work, where: Place) -> float:
    """The cache of a full batch, a layer's tensors while its prompts are read, the logits held at once."""
    shape = model.shape
    rows = max(size.dev_rows, size.test_rows)
    row = size.shared + size.prompt + size.examples + size.room
    tokens = min(rows * row, ROWS_PER_BATCH * row, max(TOKENS_PER_BATCH, row))
    number = 2 if where.half else 4
    cache = 2 * shape.layers * shape.key_value_width * number * tokens
    layer = (3 * shape.inner + 6 * shape.width) * number * tokens * size.prompt / max(row, 1)
    positions = min(POSITIONS, rows * max(size.room, 1))
    return cache + layer + positions * shape.vocabulary(model.parameters) * 12
