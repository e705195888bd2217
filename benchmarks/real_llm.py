"""SmolLM2-135M on 14 datasets, 100 training rows each: untuned, few-shot and tuned, beside what is cheaper.

python benchmarks/real_llm.py --source ../shared/datasets     # measures what is missing; goes on after a stop
python benchmarks/real_llm.py --table rivals | prompts        # tables of what is measured

Needs the grid's datasets, which are not ours to ship. Scores by row, no texts, are kept in real_llm.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from engine import (  # noqa: E402
    baselines,
    evaluate,
    few_shot,
    finetune,
    gridsource,
    gridspec,
    loading,
    models,
    prompts,
    scoring,
)
from engine.encode import Encoder, encoder  # noqa: E402
from engine.kept import Dataset  # noqa: E402
from engine.metrics import METRICS, TITLES, points  # noqa: E402
from engine.prompts import Form  # noqa: E402
from engine.records import Config, Score  # noqa: E402
from engine.watch import Hooks  # noqa: E402

TWO_OF_EACH_TASK = ("trec", "xquad_en", "mts_dialog", "sentence_polarity", "pubmedqa", "scitldr")
DATASETS = (
    *TWO_OF_EACH_TASK,
    *("banking77", "clapnq", "dialogsum", "cuad_clauses", "head_qa", "cfpb_complaints", "fairytale_qa"),
    "medical_abstracts",
)
MODEL = "smollm2-135m"
LENGTH = 192  # tokens of prompt and answer
ROWS, DEV, TEST = 100, 60, 100
SCORED_DEV = 24  # rows: they only choose between generation and likelihood
CONFIG = Config(
    learning_rate=1e-3,
    num_train_epochs=3,
    per_device_train_batch_size=8,
    lr_scheduler_type="linear",
    lora_r=16,
    lora_alpha=32,
    lora_dropout=0.0,
)
BARE, INSTRUCTED = "bare", "instructed"
UNTUNED, FEW_SHOT, TUNED = "untuned", "few-shot", "tuned"
CELLS = (
    *((name, BARE, what) for name in DATASETS for what in (TUNED, UNTUNED, FEW_SHOT)),
    *((name, INSTRUCTED, what) for name in TWO_OF_EACH_TASK for what in (TUNED, UNTUNED)),
)
Lines = dict[tuple[str, str, str], dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path("../shared/datasets"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".jsonl"))
    parser.add_argument(
        "--data", type=Path, default=Path("real_llm_data"), help="folder for the cut datasets"
    )
    parser.add_argument("--table", choices=("rivals", "prompts"))
    parser.add_argument("--only", nargs="*", default=DATASETS, help="datasets to measure")
    asked = parser.parse_args()
    if asked.table == "prompts":
        print("\n".join(prompts_table(read(asked.out))))
        return
    datasets = cut(asked.source, asked.data)
    if asked.table == "rivals":
        print("\n".join(rivals_table(read(asked.out), datasets)))
        return
    folder = models.path(models.get(MODEL))
    for name, template, what in CELLS:
        if name in asked.only and (name, template, what) not in read(asked.out):
            line = {"dataset": name, "template": template, "what": what}
            line |= measured(datasets[name], folder, template == INSTRUCTED, what)
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            print(name, template, what, points(Score.from_dict(line["score"]), loss=False), flush=True)


def cut(source: Path, root: Path) -> dict[str, Dataset]:
    """The training rows, a few dev rows and the test rows of each dataset."""
    spec = gridspec.GridSpec.model_validate(
        {
            "version": "templates",
            "dev_rows": DEV,
            "test_rows": TEST,
            "datasets": list(DATASETS),
            "models": ["shortlist-tiny-1m"],
            "methods": ["full"],
            "train_sizes": [ROWS],
        }
    )
    found = gridsource.prepare(spec, source, root)
    return {
        name: replace(data, splits={**data.splits, "dev": data.splits["dev"][:SCORED_DEV]})
        for name, data in found.items()
    }


def measured(data: Dataset, folder: Path, instructed: bool, what: str) -> dict[str, Any]:
    """The test score; of labels that the untuned model gives the better of generation and likelihood."""
    metric = METRICS[data.task][0]
    tokenizer = loading.load_tokenizer(folder)
    rows = data.train_subset(ROWS, 0)
    form = Form(data.task, prompts.default_template(data.task, instructed), data.labels)
    text = encoder(form, tokenizer, rows, LENGTH)
    model = loading.load_model(folder)
    if what == TUNED:
        found = scoring.score_model(_tuned(model, text, data), text, data, metric, lambda stage: None)
    else:
        text = few_shot.added(text, model, rows, 0) if what == FEW_SHOT else text
        found = scoring.score_untuned(model, text, data, metric, lambda stage: None)
    return {
        "metric": metric,
        "score": found.metrics[metric]["test"].to_dict(),
        "answers_by": found.answers_by,
        "rows": evaluate.row_scores(found.table, metric, "test"),
    }


def _tuned(model: Any, text: Encoder, data: Dataset) -> Any:
    hooks = Hooks(lambda kind, values: None, lambda: None, lambda model, epoch: None)
    rows = [text.encode(row) for row in data.train_subset(ROWS, 0)]
    return finetune.finetune(model, text.tokenizer, rows, CONFIG, 0, hooks).model


def read(path: Path) -> Lines:
    """What is measured already."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {(line["dataset"], line["template"], line["what"]): line for line in lines}


def prompts_table(lines: Lines) -> Iterator[str]:
    """Markdown: bare against instructed, the difference paired row by row."""
    head = ("dataset (metric)", "untuned, bare", "untuned, instructed", "tuned, bare", "tuned, instructed")
    yield from _head(*head, "tuned, instructed - bare")
    for name in TWO_OF_EACH_TASK:
        four = [
            lines.get((name, template, what)) for what in (UNTUNED, TUNED) for template in (BARE, INSTRUCTED)
        ]
        bare, instructed = four[2:]
        gain = "not measured yet"
        if bare is not None and instructed is not None:
            gain = points(_difference(instructed["rows"], bare["rows"]), loss=False)
        yield f"| {_title(name, lines)} | {' | '.join(map(_cell, four))} | {gain} |"


def rivals_table(lines: Lines, datasets: dict[str, Dataset]) -> Iterator[str]:
    """Markdown: a line for each dataset, and on how many the tuned model is ahead of all rivals."""
    yield from _head(
        "dataset (metric)", "constant", "best baseline", UNTUNED, FEW_SHOT, TUNED, "tuned - best rival"
    )
    ahead: list[float] = []
    clear = 0
    for name in DATASETS:
        of_model = {what: lines.get((name, BARE, what)) for what in (UNTUNED, FEW_SHOT, TUNED)}
        without = {title: _baseline(title, datasets[name]) for title in baselines.names(datasets[name].task)}
        constant = [one for title, one in without.items() if title in baselines.CONSTANT]
        title, best = max(
            ((t, one) for t, one in without.items() if t not in baselines.CONSTANT),
            key=lambda pair: _mean(pair[1]),
        )
        cells = [
            _cell(constant[0] if constant else None, "none"),
            f"{_cell(best)}, {baselines.TITLES[title]}",
        ]
        gain = "not measured yet"
        if all(line is not None and line["rows"] for line in of_model.values()):
            rival = max([*constant, best, of_model[UNTUNED], of_model[FEW_SHOT]], key=_mean)
            found = _difference(of_model[TUNED]["rows"], rival["rows"])
            ahead.append(found.value)
            clear += found.low > 0
            gain = points(found, loss=False)
        yield f"| {_title(name, lines)} | {' | '.join([*cells, *map(_cell, of_model.values())])} | {gain} |"
    yield ""
    won = sum(value > 0 for value in ahead)
    yield f"The tuned model is ahead of every rival on {won} of {len(ahead)} datasets, clearly on {clear}."


def _baseline(name: str, data: Dataset) -> dict[str, Any]:
    rows, metric = data.split("test"), METRICS[data.task][0]
    said = baselines.predict(name, data.train_subset(ROWS, 0), rows, data.task)
    table = evaluate.prediction_table(data.task, data.labels, {"test": rows}, {"test": said})
    score = evaluate.score(table, metric, "test")
    assert score is not None
    return {"score": score.to_dict(), "rows": evaluate.row_scores(table, metric, "test")}


def _difference(a: Sequence[float], b: Sequence[float]) -> Score:
    return evaluate.interval([one - other for one, other in zip(a, b, strict=True)])


def _head(*titles: str) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"


def _title(name: str, lines: Lines) -> str:
    metric = next((line["metric"] for (dataset, _, _), line in lines.items() if dataset == name), None)
    return f"{name} ({TITLES[metric]})" if metric else name


def _mean(line: dict[str, Any]) -> float:
    return float(line["score"]["value"])


def _cell(line: dict[str, Any] | None, missing: str = "not measured yet") -> str:
    return missing if line is None else points(Score.from_dict(line["score"]), loss=False)


if __name__ == "__main__":
    main()
