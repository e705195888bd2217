"""Bare against instructed prompts of a real LLM: untuned and after 100 rows, on the same test rows.

python benchmarks/templates.py --source ../shared/datasets --out templates.jsonl   # goes on after a stop
python benchmarks/templates.py --out templates.jsonl --table                       # the table

Needs the grid's datasets, which are not ours to ship.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from engine import evaluate, finetune, gridsource, gridspec, loading, models, prompts, scoring  # noqa: E402
from engine.encode import Encoder, encoder  # noqa: E402
from engine.kept import Dataset  # noqa: E402
from engine.metrics import METRICS, TITLES  # noqa: E402
from engine.prompts import Form  # noqa: E402
from engine.records import Config, Score  # noqa: E402
from engine.watch import Hooks  # noqa: E402

DATASETS = ("trec", "xquad_en", "mts_dialog", "sentence_polarity", "pubmedqa", "scitldr")  # two of each task
MODEL = "smollm2-135m"
LENGTH = 192  # tokens of prompt and answer
DEV, TEST = 60, 100
CONFIG = Config(
    learning_rate=1e-3,
    num_train_epochs=3,
    per_device_train_batch_size=8,
    lr_scheduler_type="linear",
    lora_r=16,
    lora_alpha=32,
    lora_dropout=0.0,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path("../shared/datasets"))
    parser.add_argument("--out", type=Path, default=Path("templates.jsonl"))
    parser.add_argument("--model", type=Path, help="folder of the model; else the home's")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    if asked.table:
        print("\n".join(table(read(asked.out))))
        return
    done = {(line["dataset"], line["template"]) for line in read(asked.out)}
    folder = asked.model or models.path(models.get(MODEL))
    for name, data in cut(asked.source, asked.out.parent / "templates_data").items():
        for instructed in (False, True):
            kind = "instructed" if instructed else "bare"
            if (name, kind) in done:
                continue
            line = {"dataset": name, "template": kind, **measured(data, folder, instructed)}
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(name, kind, line["untuned"], line["tuned"], flush=True)


def cut(source: Path, root: Path) -> dict[str, Dataset]:
    """100 training rows, a few dev rows and 100 test rows of each dataset."""
    spec = gridspec.GridSpec.model_validate(
        {
            "version": "templates",
            "dev_rows": DEV,
            "test_rows": TEST,
            "datasets": list(DATASETS),
            "models": ["shortlist-tiny-1m"],
            "methods": ["full"],
            "train_sizes": [100],
        }
    )
    return gridsource.prepare(spec, source, root)


def measured(data: Dataset, folder: Path, instructed: bool) -> dict[str, Any]:
    """The test scores of the untuned model (for labels the better of generation and likelihood) and of the
    tuned one."""
    metric = METRICS[data.task][0]
    tokenizer = loading.load_tokenizer(folder)
    rows = data.train_subset(100, 0)
    form = Form(data.task, prompts.default_template(data.task, instructed), data.labels)
    text = encoder(form, tokenizer, rows, LENGTH)
    untuned = scoring.score_untuned(loading.load_model(folder), text, data, metric, lambda stage: None)
    tuned = _tuned(data, folder, text, metric)
    return {
        "metric": metric,
        "untuned": untuned.metrics[metric]["test"].to_dict(),
        "untuned_by": untuned.answers_by,
        "tuned": tuned.metrics[metric]["test"].to_dict(),
        "rows": evaluate.row_scores(tuned.table, metric, "test"),
    }


def _tuned(data: Dataset, folder: Path, text: Encoder, metric: str) -> scoring.Scored:
    model = loading.load_model(folder)
    hooks = Hooks(lambda kind, values: None, lambda: None, lambda model, epoch: None)
    rows = [text.encode(row) for row in data.train_subset(100, 0)]
    training = finetune.finetune(model, text.tokenizer, rows, replace(CONFIG), 0, hooks)
    return scoring.score_model(training.model, text, data, metric, lambda stage: None)


def read(path: Path) -> list[dict[str, Any]]:
    """What is measured already."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Markdown: a line for each dataset; the difference is paired row by row."""
    by = {(line["dataset"], line["template"]): line for line in lines}
    yield (
        "| dataset | metric | untuned, bare | untuned, instructed | tuned, bare | tuned, instructed "
        "| instructed - bare |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(line["dataset"] for line in lines):
        bare, instructed = by.get((name, "bare")), by.get((name, "instructed"))
        if bare is None or instructed is None:
            continue
        cells = [_points(line[what]) for what in ("untuned", "tuned") for line in (bare, instructed)]
        gains = [a - b for a, b in zip(instructed["rows"], bare["rows"], strict=True)]
        gain = _points(evaluate.interval(gains).to_dict())
        yield f"| {name} | {TITLES[bare['metric']]} | {' | '.join(cells)} | {gain} |"


def _points(score: dict[str, Any]) -> str:
    found = Score.from_dict(score)
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


if __name__ == "__main__":
    main()
