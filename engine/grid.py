"""The offline experiment: from a spec that a person wrote to the trainings that must be run.

Configs that differ in epochs alone share one training, scored along the way: the schedule is constant.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine import dataset as dataset_files
from engine import models, space
from engine.dataset import Dataset
from engine.errors import ConfigError
from engine.metrics import METRICS
from engine.records import Config, Method, RunKind, RunSpec

Names = Annotated[tuple[str, ...], Field(min_length=1)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]


class GridSpec(BaseModel):
    """What a grid declares before it starts; everything that decides its results."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    datasets: Names
    models: Names
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    train_sizes: Sizes = (100,)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    max_length: Annotated[int, Field(ge=32)] = 256
    dev_rows: Annotated[int, Field(ge=10)] = 150
    test_rows: Annotated[int, Field(ge=10)] = 150


@dataclass(frozen=True, slots=True)
class Cell:
    """What the runs of one grid cell have in common."""

    name: str
    dataset: Dataset
    model: str
    method: Method
    train_size: int
    seed: int


def read_spec(path: Path) -> GridSpec:
    """The spec in a YAML file; raises ConfigError naming the field that is wrong."""
    try:
        return GridSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as a grid spec: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path.name}: {field}: {first['msg']}.") from error


def prepare(spec: GridSpec, source: Path, root: Path) -> dict[str, Dataset]:
    """Cut each dataset of `source` to size and keep it under `root`; the same every time.

    A folder of `source` holds train, validation and test.jsonl: train and dev are drawn from the first two
    (a third of them is dev), test from the last.
    """
    found = {}
    for name in spec.datasets:
        pool = _sample(source / name, ("train", "validation"), 3 * spec.dev_rows, f"{name} pool")
        test = _sample(source / name, ("test",), spec.test_rows, f"{name} test")
        folder = root / "sources" / name
        folder.mkdir(parents=True, exist_ok=True)
        pool_path, test_path = folder / f"{name}.jsonl", folder / "test.jsonl"
        pool_path.write_bytes(b"".join(pool))
        test_path.write_bytes(b"".join(test))
        built = dataset_files.build(pool_path, name=name, test_path=test_path)
        dataset_files.save(built, pool_path, root)
        found[name] = built
    return found


def row_hashes(datasets: Mapping[str, Dataset], source: Path) -> dict[str, frozenset[str]]:
    """The hashes of all rows that each dataset was drawn from, so that an upload that shares one is known."""
    return {
        name: frozenset(
            dataset_files.input_hash(row)
            for path in _files(source / name)
            for row in dataset_files.read_unlabelled(path, found)
        )
        for name, found in datasets.items()
    }


def cells(spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[Cell]:
    """Every (dataset, model, method, size, seed), datasets changing fastest."""
    return [
        Cell(name, found, model, method, size, seed)
        for seed in spec.seeds
        for model in spec.models
        for size in spec.train_sizes
        for method in spec.methods
        for name, found in datasets.items()
    ]


def trainings(cell: Cell, max_length: int) -> list[RunSpec]:
    """The runs of a cell, by rising learning rate and so on; each scored at all epochs that share it."""
    configs = space.search_space(cell.model, cell.method)
    runs = []
    for index, (shared, members) in enumerate(groupby(configs, _without_epochs), start=1):
        epochs = tuple(sorted(config.num_train_epochs for config in members))
        longest = replace(shared, num_train_epochs=epochs[-1])
        runs.append(_run(cell, RunKind.CUSTOM, index, max_length, longest, epochs))
    return runs


def untuned(cell: Cell, max_length: int) -> RunSpec:
    """The run that scores the base model, for the floor; the same for both methods."""
    return _run(replace(cell, method=Method.FULL), RunKind.BASE, 99, max_length)


def expand(spec: GridSpec, datasets: Mapping[str, Dataset]) -> list[RunSpec]:
    """All runs in the order in which they should be done: whenever it stops, all cells are equally far."""
    every = cells(spec, datasets)
    by_cell = [trainings(cell, spec.max_length) for cell in every]
    most = max(len(runs) for runs in by_cell)
    order = [runs[index] for index in range(most) for runs in by_cell if index < len(runs)]
    base = {run.run: run for run in (untuned(cell, spec.max_length) for cell in every)}
    return [*base.values(), *order]


def configs_of(run: RunSpec) -> list[Config]:
    """The configs that a training stands for, one for each epoch that it is scored at."""
    assert run.config is not None
    return [replace(run.config, num_train_epochs=epochs) for epochs in run.score_epochs]


def digests(spec: GridSpec, source: Path) -> dict[str, dict[str, str]]:
    """The sha256 of every file that the datasets were drawn from."""
    return {
        name: {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(source / name)}
        for name in spec.datasets
    }


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def _without_epochs(config: Config) -> Config:
    return replace(config, num_train_epochs=1)


def _run(
    cell: Cell,
    kind: RunKind,
    number: int,
    max_length: int,
    config: Config | None = None,
    epochs: tuple[int, ...] = (),
) -> RunSpec:
    study = _study_id(cell, max_length, config)
    label = "untuned" if config is None else config.label
    return RunSpec(
        run=f"{study}-{number:02d}",
        study=study,
        kind=kind,
        name=f"{cell.name}, {cell.method}, {label}",
        dataset=cell.dataset.id,
        task=cell.dataset.task,
        model=cell.model,
        method=cell.method,
        metric=METRICS[cell.dataset.task][0],
        seed=cell.seed,
        config=config,
        train_size=cell.train_size,
        max_length=max_length,
        score_epochs=epochs,
    )


def _study_id(cell: Cell, max_length: int, config: Config | None) -> str:
    """Like a study's id, but made from everything that decides the result: what changes is run anew."""
    weights = models.sha256(models.get(cell.model))
    facts = (cell.dataset.id, cell.model, weights, cell.method, cell.train_size, cell.seed, max_length)
    text = repr((*facts, None if config is None else config.to_json()))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"s-{int(digest[:12], 16) % 10**8:08d}-{digest[12:18]}"


def _sample(folder: Path, files: Sequence[str], most: int, seed: str) -> list[bytes]:
    """At most so many lines of the files together, in file order."""
    lines = [
        line.rstrip(b"\n") + b"\n"
        for name in files
        if (folder / f"{name}.jsonl").exists()
        for line in (folder / f"{name}.jsonl").read_bytes().splitlines()
        if line.strip()
    ]
    if not lines:
        raise ConfigError(f"There is no dataset {folder.name!r} in {folder.parent}.")
    chosen = random.Random(seed).sample(range(len(lines)), min(most, len(lines)))
    return [lines[index] for index in sorted(chosen)]
