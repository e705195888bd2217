"""The data of a grid: cuts each dataset of a folder to size, the same every time, and remembers its rows."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from engine import dataset as dataset_files
from engine.dataset import Dataset
from engine.errors import ConfigError
from engine.gridspec import GridSpec

SPARE = 1.2  # rows drawn for each training row asked for, because some are duplicates or unusable


def available(source: Path) -> tuple[str, ...]:
    """Names of the datasets in a folder: its folders with a train.jsonl."""
    return tuple(sorted(path.parent.name for path in source.glob("*/train.jsonl")))


def prepare(spec: GridSpec, source: Path, root: Path) -> dict[str, Dataset]:
    """Cut each dataset of `source` to size and keep it under `root`.

    A folder of `source` holds train, test and perhaps validation.jsonl: train and dev are drawn from the
    first and last (a third of them is dev, at most `dev_rows`), test from the other.
    Raises ConfigError for a dataset that is missing or too small.
    """
    return {name: _prepare(spec, name, source, root) for name in spec.datasets}


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


def digests(spec: GridSpec, source: Path) -> dict[str, dict[str, str]]:
    """The sha256 of every file that the datasets were drawn from."""
    return {
        name: {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(source / name)}
        for name in spec.datasets
    }


def _prepare(spec: GridSpec, name: str, source: Path, root: Path) -> Dataset:
    wanted = max(3 * spec.dev_rows, math.ceil(SPARE * spec.largest(name)) + spec.dev_rows)
    pool = _sample(source / name, ("train", "validation"), wanted, f"{name} pool")
    test = _sample(source / name, ("test",), spec.test_rows, f"{name} test")
    folder = root / "sources" / name
    folder.mkdir(parents=True, exist_ok=True)
    pool_path, test_path = folder / f"{name}.jsonl", folder / "test.jsonl"
    pool_path.write_bytes(b"".join(pool))
    test_path.write_bytes(b"".join(test))
    built = _cut_dev(dataset_files.build(pool_path, name=name, test_path=test_path), spec.dev_rows)
    if len(built.splits["train"]) < spec.largest(name):
        raise ConfigError(
            f"Dataset {name!r} has {len(built.splits['train'])} training rows, but train_sizes asks for "
            f"{spec.largest(name)}. Lower train_sizes or leave the dataset out."
        )
    dataset_files.save(built, pool_path, root)
    return built


def _cut_dev(built: Dataset, most: int) -> Dataset:
    """Keep so many dev rows; the others are not used."""
    dev = built.splits["dev"]
    if len(dev) <= most:
        return built
    kept = tuple(sorted(random.Random(built.id).sample(dev, most)))
    digest = hashlib.sha256(f"{built.id} with {most} dev rows".encode()).hexdigest()
    return replace(built, id=digest[: len(built.id)], splits={**built.splits, "dev": kept})


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


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
