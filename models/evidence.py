"""Is the pre-training worth it? python models/evidence.py MODEL_ID --source ../shared/datasets

Tunes the model, and the same architecture from random weights, on 100 rows of each dataset of
grids/first.yaml through the product's engine, each with the learning rate and epochs that its own dev rows
choose; writes models/MODEL_ID/evidence.json and evidence.md with the scores on the test rows, the floor,
the plain baselines and paired differences with 95 % intervals. What is there already is not run again.
"""

# ruff: noqa: E402  (the engine lies beside this folder and must be put on the path first)

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

MODELS = Path(__file__).resolve().parent
sys.path.insert(0, str(MODELS.parent))

import export
import pandas as pd
from architecture import initial_weights
from pretrain import SHAPES

from engine import baselines, evaluate, grid, metrics, train
from engine import models as registry
from engine.dataset import Dataset
from engine.records import Config, Method, RunKind, RunResult, RunSpec, Score

GRID = MODELS.parent / "grids" / "first.yaml"
CONFIGS = tuple(
    Config(learning_rate=rate, num_train_epochs=10, per_device_train_batch_size=8, warmup_steps=5)
    for rate in (3e-4, 1e-3, 3e-3)
)
EPOCHS = (3, 10)
RANDOM_SEED = 1
EVERY = ("tuned", "random", "untuned")


@dataclass(frozen=True, slots=True)
class Case:
    """One dataset, the model under test, and where the runs are kept."""

    name: str
    dataset: Dataset
    model: str
    max_length: int
    folder: Path

    @property
    def metric(self) -> str:
        """The task's first metric."""
        return next(iter(metrics.METRICS[self.dataset.task]))


def measure(case: Case, random_home: Path) -> dict[str, Any]:
    """All scores on the test rows of a dataset, and how far the tuned model is ahead."""
    plain = baselines.names(case.dataset.task)
    tuned, label = _tuned(case, "tuned")
    tables = {
        "tuned": tuned,
        "untuned": _run(case, "untuned", RunKind.BASE)[1],
        **{name: _run(case, name, RunKind.BASELINE)[1] for name in plain},
    }
    home, registry.FOLDER = registry.FOLDER, random_home
    try:
        tables["random"], random_label = _tuned(case, "random")
    finally:
        registry.FOLDER = home
    scores = {name: evaluate.score(table, case.metric, "test") for name, table in tables.items()}
    ahead = {
        name: evaluate.paired_difference(tables["tuned"], table, case.metric, "test")
        for name, table in tables.items()
        if name != "tuned"
    }
    return {
        "dataset": case.name,
        "task": str(case.dataset.task),
        "metric": case.metric,
        "chosen": {"tuned": label, "random": random_label},
        "scores": {name: score.to_dict() for name, score in scores.items() if score},
        "tuned_is_ahead_of": {name: gain.to_dict() for name, gain in ahead.items() if gain},
    }


def _tuned(case: Case, name: str) -> tuple[pd.DataFrame, str]:
    """The predictions of the config and epochs with the best dev score, and which these are."""
    found = [
        (result.dev.value, table, replace(config, num_train_epochs=epochs).label)
        for config in CONFIGS
        for epochs in EPOCHS
        for result, table in [_run(case, name, RunKind.CUSTOM, replace(config, num_train_epochs=epochs))]
        if result.dev is not None
    ]
    _, table, label = max(found, key=lambda entry: entry[0])
    return table, label


def _run(
    case: Case, name: str, kind: RunKind, config: Config | None = None
) -> tuple[RunResult, pd.DataFrame]:
    folder = case.folder / case.name / (name if config is None else f"{name} {config.label}")
    spec = RunSpec(
        run=f"{case.name}-{name}",
        study="evidence",
        kind=kind,
        name=name,
        dataset=case.dataset.id,
        task=case.dataset.task,
        model=case.model,
        method=Method.FULL,
        metric=case.metric,
        config=config,
        train_size=100,
        max_length=case.max_length,
    )
    result: RunResult = train.run(spec, case.dataset, folder, 1, lambda *_: None, lambda: None)
    if result.error is not None and config is None:
        raise SystemExit(f"{spec.run} failed: {result.error}")
    ended = result.error is None
    return result, pd.read_parquet(folder / "predictions.parquet") if ended else pd.DataFrame()


def make_random(model_id: str, home: Path) -> None:
    """A folder like that of the models, whose weights are the ones that the pre-training starts from."""
    shutil.copytree(MODELS / model_id, home / model_id)
    export.save_weights(initial_weights(SHAPES[model_id], RANDOM_SEED), home / model_id)


def table(found: list[dict[str, Any]]) -> str:
    """The evidence in Markdown: the test score of each model, and the lead over random weights."""
    lines = [
        "| Dataset | Metric | Pre-trained, tuned | Random weights, tuned | Lead over random | Untuned "
        "| Plain baselines |",
        "|---|---|---|---|---|---|---|",
    ]
    for case in found:
        scores = {name: Score.from_dict(score) for name, score in case["scores"].items()}
        lead = Score.from_dict(case["tuned_is_ahead_of"]["random"])
        plain = [
            f"{baselines.TITLES.get(name, name)} {_percent(score)}"
            for name, score in scores.items()
            if name not in EVERY
        ]
        lines.append(
            f"| {case['dataset']} | {case['metric']} | {_percent(scores['tuned'])} "
            f"| {_percent(scores['random'])} | {_percent(lead)} | {_percent(scores['untuned'])} "
            f"| {'; '.join(plain)} |"
        )
    return "\n".join(lines) + "\n"


def _percent(score: Score) -> str:
    return f"{100 * score.value:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model_id", choices=sorted(SHAPES), help="which model to judge")
    parser.add_argument("--source", type=Path, required=True, help="folder of the grid's datasets")
    given = parser.parse_args()
    spec = grid.read_spec(GRID)
    found = _known(given.model_id)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        make_random(given.model_id, home / "random")
        for name, dataset in grid.prepare(spec, given.source, home).items():
            if name in [case["dataset"] for case in found]:
                continue
            case = Case(name, dataset, given.model_id, spec.max_length, home / "runs")
            found.append(measure(case, home / "random"))
            _write(given.model_id, found)


def _facts(model_id: str) -> dict[str, Any]:
    weights = registry.sha256(registry.get(model_id))
    tried = [replace(config, num_train_epochs=epochs).label for config in CONFIGS for epochs in EPOCHS]
    return {"model_sha256": weights, "tried": tried, "train_rows": 100}


def _known(model_id: str) -> list[dict[str, Any]]:
    """What an earlier, unfinished call has found for the same weights and configs."""
    path = MODELS / model_id / "evidence.json"
    facts = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found: list[dict[str, Any]] = facts.pop("datasets", [])
    return found if facts == _facts(model_id) else []


def _write(model_id: str, found: list[dict[str, Any]]) -> None:
    """After each dataset, so that a run that is cut short leaves what it has."""
    facts = {**_facts(model_id), "datasets": found}
    (MODELS / model_id / "evidence.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    intro = (
        "Full fine-tuning on 100 rows, test rows of the first grid, in percent with 95 % intervals; the lead "
        f"is paired by row. Learning rate and epochs: each model's best of {len(facts['tried'])} by its dev "
        "rows.\n\n"
    )
    (MODELS / model_id / "evidence.md").write_text(intro + table(found), encoding="utf-8")


if __name__ == "__main__":
    main()
