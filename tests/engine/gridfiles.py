"""A small published grid for tests: three datasets, one model, results chosen by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

MODEL = "shortlist-tiny-4m"

# learning rate -> score on trec, dialogsum, clapnq
SCORES: Mapping[float, Sequence[float]] = {
    1e-3: (0.80, 0.20, 0.05),
    3e-3: (0.50, 0.40, 0.10),
    3e-4: (0.2, 0.3, 0.3),
}
DATASETS = ("trec", "dialogsum", "clapnq")


def publish(
    folder: Path,
    version: str = "v1",
    *,
    created: float = 1.0,
    floors: Mapping[str, float] | None = None,
    scores_by_rate: Mapping[float, Sequence[float]] = SCORES,
) -> Path:
    """Write grids/<version>/ as engine.grid does; `floors`: datasets' floor score on every dev row."""
    rows = [
        {
            "dataset": name,
            "model": MODEL,
            "method": "full",
            "train_size": 100,
            "seed": 0,
            "learning_rate": rate,
            "num_train_epochs": 3,
            "per_device_train_batch_size": 8,
            "lora_r": None,
            "score": score,
            "test_score": score,
            "dev_rows": [score] * 20,
            "floor_rows": [(floors or {}).get(name, 0.0)] * 20,
        }
        for rate, scores in scores_by_rate.items()
        for name, score in zip(DATASETS, scores, strict=True)
    ]
    target = folder / version
    target.mkdir(parents=True)
    pd.DataFrame(rows).astype({"lora_r": "float64"}).to_parquet(target / "results.parquet")
    hashes = [{"dataset": name, "hash": bytes([index] * 8)} for index, name in enumerate(DATASETS)]
    pd.DataFrame(hashes).to_parquet(target / "row_hashes.parquet")
    manifest: dict[str, Any] = {
        "version": version,
        "created": created,
        "models": {MODEL: "0" * 64},
        "methods": ["full"],
        "datasets": [{"name": name} for name in DATASETS],
    }
    (target / "manifest.json").write_text(json.dumps(manifest))
    return target
