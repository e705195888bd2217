"""What a tuned real LLM is worth on 14 datasets at 100 rows, beside everything that is cheaper: a table.

python benchmarks/rivals.py --source ../shared/datasets   # scores from grids/third.parquet

Needs the grid's datasets, which are not ours to ship.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import baselines, evaluate, grid, gridsource, gridspec  # noqa: E402
from engine.dataset import Dataset  # noqa: E402
from engine.grid import Cell  # noqa: E402
from engine.metrics import TITLES  # noqa: E402
from engine.records import Method, RunResult, Score  # noqa: E402

LEARNING_RATE, EPOCHS, RANK = 1e-3, 5, 16
COLUMNS = ("constant", "baseline", "untuned", "few-shot", "tuned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=Path("../shared/datasets"))
    parser.add_argument("--results", type=Path, default=ROOT / "grids" / "third.parquet")
    asked = parser.parse_args()
    spec = gridspec.parse_spec((ROOT / "grids" / "third.yaml").read_text())
    found = pd.read_parquet(asked.results)
    results = {
        run: RunResult.from_dict(json.loads(text))
        for run, text in zip(found["run"], found["result"], strict=True)
    }
    with tempfile.TemporaryDirectory() as folder:
        datasets = gridsource.prepare(spec, asked.source, Path(folder))
        lines = {
            cell.name: scores(cell, results)
            for cell in grid.cells(spec, datasets)
            if (cell.method, cell.train_size, cell.seed, cell.origin) == (Method.LORA, 100, 0, grid.SEARCHED)
        }
    print("\n".join(table(lines)))


def scores(cell: Cell, results: dict[str, RunResult]) -> dict[str, Any]:
    """The test score of each column that is measured, and the title of the best baseline that learns."""
    metric = grid.untuned(cell).metric
    data = cell.dataset
    said = {name: _baseline(name, data, metric) for name in baselines.names(data.task)}
    constants = [score for name, score in said.items() if name in baselines.CONSTANT]
    learnt = {name: score for name, score in said.items() if name not in baselines.CONSTANT}
    best = max(learnt, key=lambda name: learnt[name].value)
    runs = {"untuned": grid.untuned(cell), "few-shot": grid.few_shot(cell)}
    line: dict[str, Any] = {"metric": metric, "title": baselines.TITLES[best], "baseline": learnt[best]}
    line["constant"] = constants[0] if constants else None
    line |= {name: results[run.run].test if run.run in results else None for name, run in runs.items()}
    return line | {"tuned": _tuned(cell, results)}


def _baseline(name: str, data: Dataset, metric: str) -> Score:
    rows = data.split("test")
    said = baselines.predict(name, data.train_subset(100, 0), rows, data.task)
    frame = evaluate.prediction_table(data.task, data.labels, {"test": rows}, {"test": said})
    score = evaluate.score(frame, metric, "test")
    assert score is not None
    return score


def _tuned(cell: Cell, results: dict[str, RunResult]) -> Score | None:
    """Of the one config for all datasets, fixed before any result was seen."""
    for run in grid.trainings(cell):
        if run.config is None or run.run not in results:
            continue
        if (run.config.learning_rate, run.config.lora_r) != (LEARNING_RATE, RANK):
            continue
        ends = {entry["epoch"]: entry for entry in results[run.run].facts["epochs"]}
        return Score.from_dict(ends[EPOCHS]["test"])
    return None


def table(lines: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Markdown, a line for each dataset, and on how many the tuned model is ahead."""
    titles = ("dataset (metric)", "constant", "best baseline", *COLUMNS[2:], "tuned - best rival")
    yield f"| {' | '.join(titles)} |"
    yield "|---" * len(titles) + "|"
    ahead, clearly, counted = 0, 0, 0
    for name, line in lines.items():
        rivals = [line[what] for what in COLUMNS[:-1] if line[what] is not None]
        best = max(rivals, key=lambda score: score.value)
        cells = [_points(line[what]) for what in COLUMNS]
        cells[1] += f", {line['title']}"
        gap = _gap(line["tuned"], best)
        cells.append("not measured yet" if gap is None else "{:+.1f} ({:+.1f} to {:+.1f})".format(*gap))
        if gap is not None:
            counted, ahead, clearly = counted + 1, ahead + (gap[0] > 0), clearly + (gap[1] > 0)
        yield f"| {name} ({TITLES[line['metric']]}) | {' | '.join(cells)} |"
    yield ""
    yield f"The tuned model is ahead on {ahead} of {counted} datasets, clearly on {clearly}."


def _gap(tuned: Score | None, rival: Score) -> tuple[float, float, float] | None:
    """The difference in points with 95 %, as of different rows: wider than that of the same rows is."""
    if tuned is None:
        return None
    half = math.hypot(tuned.high - tuned.low, rival.high - rival.low) / 2
    value = tuned.value - rival.value
    return 100 * value, 100 * (value - half), 100 * (value + half)


def _points(score: Score | None) -> str:
    if score is None:
        return "not measured yet"
    return f"{100 * score.value:.1f} ({100 * score.low:.1f} to {100 * score.high:.1f})"


if __name__ == "__main__":
    main()
