"""From finished grid runs to a published version: the results table, its manifest and the row hashes."""

from __future__ import annotations

import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from engine import estimate, evaluate, grid, grids, models
from engine.artifacts import write_whole
from engine.dataset import Dataset
from engine.errors import ConfigError
from engine.grid import Cell, GridSpec, Read
from engine.records import Config, RunResult, RunSpec, RunStatus

KEYS = ("dataset", "model", "method", "train_size", "origin", "seed")


@dataclass(frozen=True, slots=True)
class Floor:
    """What a cell must beat: the better on dev of the untuned model and a constant answer.

    `few_shot` stands beside it and is no part of it: the run with examples in the prompt, where there is one.
    """

    base: float | None
    constant: float
    rows: list[float]
    few_shot: RunResult | None = None

    @property
    def score(self) -> float:
        """Its dev score."""
        return self.constant if self.base is None else max(self.base, self.constant)


def collect(spec: GridSpec, datasets: Mapping[str, Dataset], read: Read) -> pd.DataFrame:
    """One row for each config that was run in a cell; its score is NaN where it failed."""
    rows: list[dict[str, Any]] = []
    for cell, runs in declared(spec, datasets, read):
        floor = _floor(cell, read)
        for run in runs:
            result = read(run.run)
            if result is not None and result.status is not RunStatus.STOPPED:
                rows += [_row(cell, run, config, result, floor) for config in grid.configs_of(run)]
    if not rows:
        raise ConfigError("No training of this grid has finished yet.")
    return pd.DataFrame(rows).sort_values([*KEYS, "run", "num_train_epochs"], ignore_index=True)


def declared(
    spec: GridSpec, datasets: Mapping[str, Dataset], read: Read
) -> Iterable[tuple[Cell, list[RunSpec]]]:
    """Every cell with its trainings; second seeds, as far as they are known, are cells of their own."""
    again = {run.run for run in grid.repeats(spec, datasets, read)}
    for cell in grid.cells(spec, datasets):
        yield cell, grid.trainings(cell)
        for seed in spec.repeat.seeds if spec.repeat and cell.origin == grid.SEARCHED else ():
            other = replace(cell, seed=seed)
            if runs := [run for run in grid.trainings(other) if run.run in again]:
                yield other, runs


def completeness(spec: GridSpec, datasets: Mapping[str, Dataset], read: Read) -> pd.DataFrame:
    """How far each cell is: dataset, model, method, train_size, origin, seed; trainings and results."""
    rows = []
    for cell, runs in declared(spec, datasets, read):
        ended = {run.run: result for run in runs if (result := read(run.run)) is not None}
        present = [run for run in runs if run.run in ended]
        rows.append(
            {
                **_place(cell),
                "origin": cell.origin,
                "trainings": len(runs),
                "ended": len(present),
                "failed": sum(result.error is not None for result in ended.values()),
                "expected": sum(len(run.score_epochs) for run in runs),
                "present": sum(len(run.score_epochs) for run in present),
            }
        )
    return pd.DataFrame(rows)


def manifest(
    spec: GridSpec,
    datasets: Mapping[str, Dataset],
    table: pd.DataFrame,
    read: Read,
    *,
    digests: Mapping[str, Mapping[str, str]],
    created: float,
    workers: int,
    cores: int,
) -> dict[str, Any]:
    """What the version is, how it was made and what it lacks."""
    cells = completeness(spec, datasets, read)
    results = list(_results(spec, datasets, read))
    expected, present = int(cells["expected"].sum()), int(cells["present"].sum())
    facts = results[-1].facts
    return {
        "version": spec.version,
        "provenance": "measured",
        "created": created,
        "spec": spec.model_dump(mode="json"),
        "models": {name: models.sha256(models.get(name)) for name in spec.models},
        "methods": [str(method) for method in spec.methods],
        "datasets": [
            {**_dataset_entry(name, found), "sha256": digests[name]} for name, found in datasets.items()
        ],
        "scope": f"English, texts cut to {spec.max_length} tokens; configs that differ in epochs alone share "
        "a training and are correlated",
        "cells": cells.to_dict("records"),
        "configs": {m: _configs(part) for m, part in table.groupby("method")},
        "expected": expected,
        "present": present,
        "failed": int(table["score"].isna().sum()),
        "complete": present == expected,
        "trainings": int(cells["ended"].sum()),
        "versions": facts.get("versions", {}),
        **{name: facts.get(name) for name in ("device", "processor", "number_format")},
        "cores": cores,
        "workers": workers,
        "hours": round(sum(r.seconds or 0 for r in results) / workers / 3600, 3),
        "seconds_per_run": _quantiles(r.seconds for r in results),
        "seconds_by_cell": _seconds_by_cell(spec, datasets, read),
        "pace": {"machine_speed": estimate.machine_speed(), "by_model": _pace(table)},
    }


def publish(
    folder: Path, table: pd.DataFrame, facts: Mapping[str, Any], hashes: Mapping[str, Iterable[str]]
) -> Path:
    """Write the version's folder; the manifest comes last, for without it nothing is published."""
    target = folder / str(facts["version"])
    rows = [{"dataset": n, "hash": bytes.fromhex(h)} for n, found in hashes.items() for h in sorted(found)]
    write_whole(target / grids.RESULTS, _parquet(table))
    write_whole(target / grids.ROW_HASHES, _parquet(pd.DataFrame(rows)))
    write_whole(target / grids.MANIFEST, (json.dumps(facts, indent=1) + "\n").encode())
    return target


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def _row(cell: Cell, run: RunSpec, config: Config, result: RunResult, floor: Floor) -> dict[str, Any]:
    epochs = {entry["epoch"]: entry for entry in result.facts.get("epochs", ())}
    scored = epochs.get(config.num_train_epochs)
    dev, test = (None, None) if scored is None else (scored["dev"], scored["test"])
    values, facts = config.to_dict(), result.facts
    for name in ("lora_r", "lora_alpha", "lora_dropout"):
        values[name] = values.get(name, math.nan)
    return {
        **_place(cell),
        "origin": cell.origin,
        "task": str(cell.dataset.task),
        "run": run.run,
        **values,
        "metric": run.metric,
        **_score_columns("score", dev),
        **_score_columns("test_score", test),
        "dev_loss": math.nan if scored is None else scored["dev_loss"],
        "seconds": math.nan if scored is None else scored["seconds"],
        "tokens": facts.get("tokens", math.nan) * config.num_train_epochs / run.score_epochs[-1],
        "tokens_per_second": facts.get("tokens_per_second", math.nan),
        "peak_memory_mb": facts.get("peak_memory_mb", math.nan),
        "rows_per_second": estimate.scoring_pace(result),
        "error": result.error,
        "base_score": floor.base,
        "constant_score": floor.constant,
        "floor_score": floor.score,
        "few_shot_score": _value(floor.few_shot, "dev"),
        "few_shot_test_score": _value(floor.few_shot, "test"),
        "dev_rows": None if scored is None else scored["per_row_dev"],
        "test_rows": None if scored is None else scored["per_row_test"],
        "floor_rows": floor.rows,
        "row_groups": _groups(cell.dataset, "dev"),
        "test_groups": _groups(cell.dataset, "test"),
    }


def _place(cell: Cell) -> dict[str, Any]:
    return {
        "dataset": cell.name,
        "model": cell.model,
        "method": str(cell.method),
        "train_size": cell.train_size,
        "seed": cell.seed,
    }


def _score_columns(name: str, score: Mapping[str, Any] | None) -> dict[str, Any]:
    if score is None:
        return {name: math.nan, f"{name}_low": math.nan, f"{name}_high": math.nan, f"{name}_n": 0}
    return {name: score["value"], **{f"{name}_{part}": score[part] for part in ("low", "high", "n")}}


def _floor(cell: Cell, read: Read) -> Floor:
    """The untuned model's rows, unless it was not scored or a constant answer is better."""
    run = grid.untuned(cell)
    constant = _constant_rows(cell, run.metric)
    mean = sum(constant) / len(constant)
    result = read(run.run)
    if result is None or result.dev is None:
        return Floor(None, mean, constant, read(grid.few_shot(cell).run))
    base: list[float] = result.facts["per_row_dev"]
    rows = base if result.dev.value > mean else constant
    return Floor(result.dev.value, mean, rows, read(grid.few_shot(cell).run))


def _value(result: RunResult | None, split: str) -> float:
    score = None if result is None else result.dev if split == "dev" else result.test
    return math.nan if score is None else score.value


def _constant_rows(cell: Cell, metric: str) -> list[float]:
    """The dev rows' values when each gets the training rows' most common answer, of equals the first."""
    found = cell.dataset
    answers = [row.targets[0] for row in found.train_subset(cell.train_size, cell.seed)]
    counts = Counter(answers)
    most = max(counts, key=lambda answer: counts[answer])
    rows = {"dev": found.split("dev")}
    table = evaluate.prediction_table(found.task, found.labels, rows, {"dev": [most] * len(rows["dev"])})
    return evaluate.row_scores(table, metric, "dev")


def _groups(found: Dataset, split: str) -> list[int]:
    """A number for each row of a split; rows of one document share it."""
    numbers: dict[str, int] = {}
    names = [row.group or f"row {row.number}" for row in found.split(split)]
    return [numbers.setdefault(name, len(numbers)) for name in names]


def _results(spec: GridSpec, datasets: Mapping[str, Dataset], read: Read) -> Iterable[RunResult]:
    for run in [*grid.expand(spec, datasets), *grid.repeats(spec, datasets, read)]:
        if (result := read(run.run)) is not None:
            yield result


def _seconds_by_cell(
    spec: GridSpec, datasets: Mapping[str, Dataset], read: Read
) -> list[dict[str, str | int | float]]:
    """What the middle training took, by task and model and so on: what a later grid is estimated from.

    The middle, because a training that had to share its machine can take ten times as long as the others.
    """
    found = [
        {
            "task": str(cell.dataset.task),
            "model": cell.model,
            "method": str(cell.method),
            "train_size": cell.train_size,
            "seconds": result.seconds,
        }
        for cell, runs in declared(spec, datasets, read)
        for run in runs
        if (result := read(run.run)) is not None
        and result.seconds is not None
        and cell.origin == grid.SEARCHED
    ]
    by = ["task", "model", "method", "train_size"]
    middle = pd.DataFrame(found, columns=[*by, "seconds"]).groupby(by, as_index=False)["seconds"].median()
    return [{str(name): value for name, value in row.items()} for row in middle.round(1).to_dict("records")]


def _dataset_entry(name: str, found: Dataset) -> dict[str, Any]:
    counts = {split: len(rows) for split, rows in found.splits.items()}
    return {"name": name, "task": str(found.task), "id": found.id, "rows": counts, "grouped": found.grouped}


def _configs(part: pd.DataFrame) -> int:
    return len(part[grids.config_columns(part)].drop_duplicates())


def _quantiles(values: Iterable[float | None]) -> dict[str, float]:
    known = pd.Series([value for value in values if value is not None], dtype="float64")
    return {name: round(float(known.quantile(at)), 1) for name, at in (("median", 0.5), ("longest", 1.0))}


def _pace(table: pd.DataFrame) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """By model, method and task; near the fastest, because other work on the machine only slows it down."""
    columns = ["tokens_per_second", "rows_per_second"]
    quick = table.groupby(["model", "method", "task"])[columns].quantile(0.9).round(2)
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for (model, method, task), row in quick.iterrows():
        of_method = found.setdefault(str(model), {}).setdefault(str(method), {})
        of_method[str(task)] = {name: float(row[name]) for name in columns}
    return found
