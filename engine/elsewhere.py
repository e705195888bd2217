"""What a model would take on common GPUs that this machine does not have: memory, and about how long."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from engine import estimate, footprint, space, workload
from engine.catalogue import BaseModel
from engine.footprint import Place
from engine.machine import Memory
from engine.records import Method

ROWS, TOKENS = 100, 256  # of a training that stands for others, where there is no dataset yet


class Gpu(NamedTuple):
    """A kind of GPU: bytes of memory; FLOP/s that a training reaches of it."""

    title: str
    size: int
    flops: float


# Dense bfloat16 peaks of NVIDIA's data sheets (165, 362, 989 TFLOP/s), as estimate.GPU_FLOPS is to the last.
GPUS = (
    Gpu("24 GB (RTX 4090)", 24 * 10**9, 165 / 989 * estimate.GPU_FLOPS),
    Gpu("48 GB (L40S)", 48 * 10**9, 362 / 989 * estimate.GPU_FLOPS),
    Gpu("80 GB (H100)", 80 * 10**9, estimate.GPU_FLOPS),
)


class Need(NamedTuple):
    """One training there: bytes at its peak; seconds, None: it does not fit, even one row at a time."""

    gpu: Gpu
    needed: int
    seconds: float | None


def needs(model: BaseModel, method: Method) -> list[Need]:
    """The default config on ROWS rows of TOKENS tokens on each of GPUS, with the largest batch that fits."""
    return [_need(model, method, gpu) for gpu in GPUS]


def smallest(model: BaseModel, method: Method) -> Gpu | None:
    """The smallest of GPUS that it fits; None: it fits none of them."""
    return next((need.gpu for need in needs(model, method) if need.seconds is not None), None)


def _need(model: BaseModel, method: Method, gpu: Gpu) -> Need:
    size = replace(workload.typical(TOKENS), train_rows=ROWS)
    config, where = space.default_config(model.id, method), Place(on_gpu=True, half=True)
    fits = footprint.smaller(model, config, size, where, Memory(gpu.size, of_gpu=True))
    least = fits or replace(config, per_device_train_batch_size=1)
    seconds = estimate.training_on_gpu(model, fits, size, gpu.flops) if fits else None
    return Need(gpu, footprint.needed(model, least, size, where), seconds)
