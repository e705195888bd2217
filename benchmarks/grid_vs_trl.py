"""A small grid through the queue against one plain TRL process per config: same rows, same configs.

`python benchmarks/grid_vs_trl.py [--source FOLDER --dataset NAME] [--workers 2]` (nothing else should be
running). Without --source the sample tickets are used. Two trainings of each method, scored at epochs 1, 3
and 5, are twelve configs; the plain way trains and scores each of the twelve in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import study_vs_trl  # noqa: E402

MODEL = "shortlist-tiny-4m"
RATES = {"full": [1e-3, 3e-4], "lora": [3e-3, 1e-3]}


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = options.source or samples(folder / "source")
        text = spec(options.dataset)
        (folder / "spec.yaml").write_text(text)
        wall = through_the_grid(folder, source, options.workers)
        jobs = plain_jobs(text, source, folder)
    scripts = [study_vs_trl.as_script(job) for job in jobs]
    print(f"grid of {len(jobs)} configs, {options.workers} workers, all set-up counted: {wall:.1f} s")
    print(f"{len(jobs)} plain TRL processes in turn: {sum(scripts):.1f} s")
    print(f"plain / grid = {sum(scripts) / wall:.2f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, help="a folder with a folder for each dataset")
    parser.add_argument("--dataset", default="tickets")
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def samples(source: Path) -> Path:
    """The sample tickets as a grid wants them."""
    import pandas as pd

    rows = pd.read_csv(study_vs_trl.SAMPLE).sample(frac=1, random_state=0)
    (source / "tickets").mkdir(parents=True)
    rows[100:].to_json(source / "tickets" / "train.jsonl", orient="records", lines=True)
    rows[:100].to_json(source / "tickets" / "test.jsonl", orient="records", lines=True)
    return source


def spec(dataset: str) -> str:
    axes: dict[str, Any] = {
        method: {"learning_rate": rates, "num_train_epochs": [1, 3, 5]} for method, rates in RATES.items()
    }
    axes["lora"]["adapters"] = [[8, 16]]
    facts = {"version": "bench", "datasets": [dataset], "models": [MODEL], "methods": list(RATES)}
    return json.dumps({**facts, "space": axes, "dev_rows": 100, "test_rows": 100})


def through_the_grid(folder: Path, source: Path, workers: int) -> float:
    """Seconds from the command to the last result, on a new home."""
    command = [sys.executable, "cli.py", "grid", "run", str(folder / "spec.yaml"), "--source", str(source)]
    began = time.monotonic()
    subprocess.run(
        [*command, "--workers", str(workers)],
        cwd=ROOT,
        env={**os.environ, "SHORTLIST_HOME": str(folder / "home")},
        check=True,
    )
    return time.monotonic() - began


def plain_jobs(text: str, source: Path, scratch: Path) -> list[dict[str, Any]]:
    """What the plain script needs, for each config of the grid."""
    from engine import grid, loading, models
    from engine.encode import encoder
    from engine.prompts import Form

    parsed = grid.parse_spec(text)
    (data,) = grid.prepare(parsed, source, scratch / "plain").values()
    folder = models.path(models.get(MODEL))
    rows = data.train_subset(100, 0)
    reader = encoder(
        Form(data.task, labels=data.labels), loading.load_tokenizer(folder), rows, parsed.max_length
    )
    decode = reader.tokenizer.decode
    job = {
        "model": str(folder),
        "answer_tokens": reader.answer_tokens,
        "train": [
            {"prompt": decode(e.prompt), "completion": decode(e.completion, skip_special_tokens=True)}
            for e in map(reader.encode, rows)
        ],
        "asked": [decode(reader.encode_prompt(r)) for split in ("dev", "test") for r in data.split(split)],
    }
    return [
        {**job, "config": config.to_dict()}
        for cell in grid.cells(parsed, {parsed.datasets[0]: data})
        for config in cell.configs
    ]


if __name__ == "__main__":
    main()
