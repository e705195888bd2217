"""Make a plan fit the memory of this machine: smaller batches first, then shorter texts in every run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine import estimate, machine, settings
from engine.dataset import Dataset
from engine.estimate import Crew, TooLarge
from engine.findings import counted
from engine.machine import Memory
from engine.records import RunSpec
from jobs import process, stack
from jobs.plans import Plan

SHORTEST, STEP = 128, 64  # tokens of prompt and answer: no shorter than this, and tried at this distance


@dataclass(frozen=True, slots=True)
class Fitting:
    """The plan as it fits.

    `batches`: runs that read fewer rows at a time and learn from as many as before. `max_length`: tokens to
    which texts are cut, None: they are not. `too_large`: what fits in no way; nothing is changed then.
    """

    plan: Plan
    batches: tuple[RunSpec, ...] = ()
    max_length: int | None = None
    too_large: tuple[TooLarge, ...] = ()


def crew() -> Crew:
    """The workers of this machine and the threads of each, as jobs.supervisor starts them."""
    workers = max(1, stack.worker_count(settings.current()))
    return Crew(workers, max(1, process.cores() // workers))


def fitted(plan: Plan, data: Dataset) -> Fitting:
    """The plan with what makes its runs fit beside each other; unchanged where workers may be elsewhere."""
    if settings.current().redis_url is not None:
        return Fitting(plan)
    room = _room(len(plan.specs))
    specs, left = _batched(plan.specs, data, room)
    length = _longest(plan.specs, data, room) if left else None
    if left:
        specs, left = _batched(_cut(plan.specs, length or SHORTEST), data, room)
    if left:
        return Fitting(plan, too_large=tuple(left))
    smaller = tuple(new for new, old in zip(specs, plan.specs, strict=True) if new.config != old.config)
    return Fitting(replace(plan, specs=tuple(specs)), smaller, length)


def _room(runs: int) -> Memory:
    """Of each of so many runs: each GPU has a worker of its own, the processor's workers share the memory."""
    whole = machine.memory()
    return whole if whole.of_gpu else Memory(whole.size // max(1, min(crew().workers, runs)), of_gpu=False)


def _batched(specs: Sequence[RunSpec], data: Dataset, room: Memory) -> tuple[list[RunSpec], list[TooLarge]]:
    """The runs with batches that fit, and those for which no batch does."""
    found = {one.spec.run: one for one in estimate.too_large(specs, data, room)}
    small = {run: one.instead for run, one in found.items() if one.instead is not None}
    with_small = [replace(spec, config=small.get(spec.run, spec.config)) for spec in specs]
    return with_small, [one for run, one in found.items() if run not in small]


def _cut(specs: Sequence[RunSpec], length: int) -> list[RunSpec]:
    return [replace(spec, max_length=min(length, spec.max_length or length)) for spec in specs]


def _longest(specs: Sequence[RunSpec], data: Dataset, room: Memory) -> int | None:
    """The most tokens with which every run fits, None where not even the fewest do."""
    lengths = range(SHORTEST, max(work.longest for work in estimate.works(specs, data)), STEP)
    fits = bisect_left(lengths, True, key=lambda most: bool(_batched(_cut(specs, most), data, room)[1]))
    return lengths[fits - 1] if fits else None


def changes(fitting: Fitting) -> list[str]:
    """What was changed to fit, in sentences; empty where nothing was."""
    said = []
    if fitting.batches:
        names = ", ".join(f"{spec.name} ({_rows_at_a_time(spec)})" for spec in fitting.batches)
        said.append(f"Fewer rows at a time, learned from as many as before: {names}.")
    if fitting.max_length is not None:
        said.append(f"Texts are cut to {fitting.max_length:,} tokens in every run.")
    return said


def refusal(found: Sequence[TooLarge]) -> str:
    """Which runs do not fit in any way, what the largest takes, and what a run has here."""
    names = ", ".join(one.spec.name for one in found)
    most, room = max(one.fit.needed for one in found), found[0].fit.memory.size
    return (
        f"Too large for this machine, even one row at a time and cut to {SHORTEST} tokens: {names}. "
        f"It takes up to {most / 1e9:.1f} GB, and a run has {room / 1e9:.1f} GB here."
    )


def _rows_at_a_time(spec: RunSpec) -> str:
    return counted(spec.config.per_device_train_batch_size, "row") if spec.config else ""
