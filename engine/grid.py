"""The offline experiment: from its spec and its data to the trainings that must be run.

Configs that differ in epochs alone share one training, scored along the way, where the schedule is constant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby, zip_longest

from engine import models, peers, prompts, space
from engine.dataset import Dataset
from engine.grids import SEARCHED
from engine.gridsource import available, digests, prepare, row_hashes
from engine.gridspec import GridSpec, Part, parse_spec, read_spec
from engine.metrics import METRICS, lower_is_better
from engine.records import Config, Method, RunKind, RunResult, RunSpec

__all__ = [
    "SEARCHED",
    "Cell",
    "Count",
    "GridSpec",
    "available",
    "cells",
    "configs_of",
    "count",
    "digests",
    "expand",
    "few_shot",
    "parse_spec",
    "prepare",
    "read_spec",
    "repeats",
    "row_hashes",
    "trainings",
    "trainings_per_cell",
    "untuned",
]

CONSTANT = ("constant", "constant_with_warmup")

Read = Callable[[str], RunResult | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """What the runs of one grid cell have in common; `origin` says where its configs come from."""

    name: str
    dataset: Dataset
    model: str
    method: Method
    train_size: int
    seed: int
    configs: tuple[Config, ...]
    max_length: int
    origin: str = SEARCHED


@dataclass(frozen=True, slots=True)
class Count:
    """The size of a grid before it starts; `repeats` is the most that second seeds can add to `trainings`."""

    cells: int
    trainings: int
    results: int
    repeats: int


def cells(spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[Cell]:
    """Every (dataset, model, method, size, seed) of every part, datasets changing fastest."""
    return [cell for part in spec.parts for cell in _cells(spec, part, datasets)]


def count(spec: GridSpec) -> Count:
    """How much there is to do, without a look at the data."""
    trainings_ = results = again = 0
    for part in spec.parts:
        for _, model, method, _ in part.places:
            trainings_ += trainings_per_cell(spec, part, model, method) * len(part.seeds)
            results += sum(map(len, _configs(spec, part, model, method).values())) * len(part.seeds)
            if spec.repeat and not part.defaults:
                again += spec.repeat.top * len(spec.repeat.seeds)
    places = {place for part in spec.parts for place in part.places}
    return Count(len(places), trainings_, results, again)


def scorings(spec: GridSpec) -> int:
    """How many runs score a base model without training it, beside the trainings of `count`."""
    places = {(data, model, size) for part in spec.parts for data, model, _, size in part.places}
    return len(places) * (1 + spec.few_shot)


def trainings_per_cell(spec: GridSpec, part: Part, model: str, method: Method) -> int:
    """How many trainings a part asks of each of its cells, for one seed."""
    return sum(len(list(_shared(configs))) for configs in _configs(spec, part, model, method).values())


def trainings(cell: Cell) -> list[RunSpec]:
    """The runs of a cell; each is scored at all epochs that share it."""
    runs = []
    for members in _shared(cell.configs):
        epochs = tuple(sorted(config.num_train_epochs for config in members))
        longest = replace(members[0], num_train_epochs=epochs[-1])
        runs.append(_run(cell, RunKind.CUSTOM, longest, epochs))
    return runs


def untuned(cell: Cell) -> RunSpec:
    """The run that scores the base model, for the floor; the same for all methods and seeds."""
    return _run(replace(cell, method=Method.FULL, seed=0), RunKind.BASE)


def few_shot(cell: Cell) -> RunSpec:
    """The run that scores the base model with examples in its prompt; the same for all methods and seeds."""
    return _run(replace(cell, method=Method.FULL, seed=0), RunKind.FEW_SHOT)


def expand(spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[RunSpec]:
    """All runs in the order in which they should be done, each once.

    Parts follow one another; within a part, whenever it stops, all cells are equally far.
    """
    found = cells(spec, datasets)
    base = [untuned(cell) for cell in found] + [few_shot(cell) for cell in found if spec.few_shot]
    order = []
    for part in spec.parts:
        by_cell = [trainings(cell) for cell in _cells(spec, part, datasets)]
        order += [run for runs in zip_longest(*by_cell) for run in runs if run is not None]
    return list({run.run: run for run in [*base, *order]}.values())


def repeats(spec: GridSpec, datasets: Mapping[str, Dataset], read: Read) -> list[RunSpec]:
    """The second seeds that are known by now: of the best trainings of each complete searched cell."""
    if spec.repeat is None:
        return []
    found = []
    for cell in cells(spec, datasets):
        runs = trainings(cell)
        results = [read(run.run) for run in runs]
        if cell.origin == SEARCHED and all(result is not None for result in results):
            best = _best(zip(runs, results, strict=True), spec.repeat.top)
            again = [replace(cell, seed=seed) for seed in spec.repeat.seeds if seed != cell.seed]
            found += [run for other in again for run in trainings(other) if run.config in best]
    return list({run.run: run for run in found}.values())


def configs_of(run: RunSpec) -> list[Config]:
    """The configs that a training stands for, one for each epoch that it is scored at."""
    assert run.config is not None
    return [replace(run.config, num_train_epochs=epochs) for epochs in run.score_epochs]


def _cells(spec: GridSpec, part: Part, datasets: Mapping[str, Dataset]) -> list[Cell]:
    return [
        Cell(name, datasets[name], model, method, size, seed, configs, spec.max_length, origin)
        for seed in part.seeds
        for model in part.models
        for size in part.train_sizes
        for method in part.methods
        for origin, configs in _configs(spec, part, model, method, size).items()
        for name in part.datasets
    ]


def _configs(
    spec: GridSpec, part: Part, model: str, method: Method, size: int | None = None
) -> dict[str, tuple[Config, ...]]:
    """The configs of a part by their origin: the search space, or each default by its name."""
    if not part.defaults:
        return {SEARCHED: spec.configs(model, method, part)}
    return {name: (_default(name, model, method, size),) for name in part.defaults}


def _default(name: str, model: str, method: Method, size: int | None) -> Config:
    """A config that is run as it is: our default, the library's own, or a peer's."""
    if name == "default":
        return space.default_config(model, method, size)
    return space.library_default(method) if name == "library" else peers.named(name, method).config


def _shared(configs: Iterable[Config]) -> Iterable[list[Config]]:
    """The configs of each training."""
    for _, members in groupby(configs, _training):
        yield list(members)


def _training(config: Config) -> Config:
    """What the configs of one training have in common: with a constant schedule all but the epochs."""
    return replace(config, num_train_epochs=1) if config.lr_scheduler_type in CONSTANT else config


def _best(ended: Iterable[tuple[RunSpec, RunResult | None]], top: int) -> list[Config | None]:
    """The trainings that hold the `top` configs with the best dev score, by their longest config."""
    scored = [
        (-entry["dev"]["value"] if lower_is_better(run.metric) else entry["dev"]["value"], run)
        for run, result in ended
        for entry in (result.facts.get("epochs", ()) if result is not None else ())
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].run))
    return [run.config for _, run in scored[:top]]


def _run(cell: Cell, kind: RunKind, config: Config | None = None, epochs: tuple[int, ...] = ()) -> RunSpec:
    study = _study_id(cell, config, epochs)
    numbers = {RunKind.BASE: 99, RunKind.FEW_SHOT: 98}
    labels = {RunKind.BASE: "untuned", RunKind.FEW_SHOT: "few-shot"}
    return RunSpec(
        run=f"{study}-{numbers.get(kind, 1):02d}",
        study=study,
        kind=kind,
        name=f"{cell.name}, {cell.method}, {config.label if config else labels[kind]}",
        dataset=cell.dataset.id,
        task=cell.dataset.task,
        model=cell.model,
        method=cell.method,
        metric=METRICS[cell.dataset.task][0],
        seed=cell.seed,
        config=config,
        train_size=cell.train_size,
        template=_template(cell),
        max_length=cell.max_length,
        score_epochs=epochs,
    )


def _template(cell: Cell) -> str | None:
    """The template that a study of this model has unless a person changes it."""
    return prompts.chosen_template(None, cell.dataset, models.get(cell.model))


def _study_id(cell: Cell, config: Config | None, epochs: tuple[int, ...]) -> str:
    """Like a study's id, but made from everything that decides the result: what changes is run anew."""
    weights = models.sha256(models.get(cell.model))
    facts = (cell.dataset.id, cell.model, weights, cell.method, cell.train_size, cell.seed, cell.max_length)
    template = _template(cell)
    text = repr(
        (*facts, *([template] if template else []), None if config is None else config.to_json(), epochs)
    )
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"s-{int(digest[:12], 16) % 10**8:08d}-{digest[12:18]}"
