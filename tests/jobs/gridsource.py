"""A folder of tiny datasets and a spec of a grid over them, for tests of everything that runs grids."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tiny import tiny_classification, write_jsonl

MODEL = "shortlist-tiny-4m"


def write(folder: Path, *names: str) -> Path:
    """Datasets of 60 + 20 rows."""
    for seed, name in enumerate(names or ("colours",), start=1):
        (folder / name).mkdir(parents=True)
        write_jsonl(folder / name / "train.jsonl", tiny_classification(60, seed=seed))
        test = [{**row, "text": f"{row['text']} t"} for row in tiny_classification(20, seed=seed)]
        write_jsonl(folder / name / "test.jsonl", test)
    return folder


def spec(version: str = "t1", **changes: object) -> str:
    """One dataset, full fine-tuning, two trainings of two epochs: four results of three runs."""
    rates = {"full": {"learning_rate": [1e-3, 3e-3], "num_train_epochs": [1, 2]}}
    given = {
        "version": version,
        "datasets": ["colours"],
        "models": [MODEL],
        "methods": ["full"],
        "train_sizes": [16],
        "space": rates,
        "dev_rows": 20,
        "test_rows": 10,
        "max_length": 64,
    }
    return json.dumps({**given, **changes})
