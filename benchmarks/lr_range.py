"""Where the learning-rate range test's suggestion lies among the learning rates of the shipped grid's cells.

    .venv/bin/python benchmarks/lr_range.py --source ../shared/datasets [--datasets trec ...] [--kept FILE]

For each dataset of the grid and both methods the ramp is climbed on the cell's own 100 training rows, with
batch size 8 and, for LoRA, r 8 and alpha 16. Beside it stands what each learning rate reached at best on dev
with that adapter, over batch sizes and epochs. What was climbed before is taken from FILE.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine import grids, gridsource, gridspec, lr_range  # noqa: E402
from engine.lr_range import LrRange, Question  # noqa: E402
from engine.metrics import lower_is_better  # noqa: E402
from engine.records import Config, Method, short_rate  # noqa: E402
from engine.searchspace import DECADE  # noqa: E402

MODEL = "shortlist-tiny-4m"
CONFIGS = {
    Method.FULL: Config(1e-3, 1, 8),
    Method.LORA: Config(1e-3, 1, 8, lora_r=8, lora_alpha=16, lora_dropout=0.0),
}


def main() -> None:
    options = arguments()
    spec = gridspec.read_spec(options.grid)
    kept = json.loads(options.kept.read_text()) if options.kept.exists() else {}
    table = grids.load(spec.version) if options.results is None else pd.read_parquet(options.results)
    table = table[(table["model"] == MODEL) & (table["train_size"] == 100) & (table["seed"] == 0)]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.datasets or spec.datasets:
            for method in options.methods or Method:
                if f"{name} {method}" not in kept:
                    kept[f"{name} {method}"] = climb(spec, name, method, options.source, Path(folder))
                    options.kept.write_text(json.dumps(kept))
    found = {key: LrRange.from_dict(values) for key, values in kept.items()}
    report(table, found)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, required=True, help="the folder of the grid's datasets")
    parser.add_argument("--grid", type=Path, default=ROOT / "grids" / "first.yaml", help="the grid's spec")
    parser.add_argument("--results", type=Path, help="its results, where it is not published")
    parser.add_argument("--datasets", nargs="*", help="only these")
    parser.add_argument("--methods", nargs="*", type=Method, help="only these")
    parser.add_argument("--kept", type=Path, default=Path("lr-range.json"), help="what was climbed before")
    return parser.parse_args()


def climb(
    spec: gridspec.GridSpec, name: str, method: Method, source: Path, folder: Path
) -> dict[str, object]:
    parts = [part.model_copy(update={"datasets": (name,)}) for part in spec.parts if name in part.datasets]
    only = spec.model_copy(update={"parts": tuple(parts)})
    data = gridsource.prepare(only, source, folder)[name]
    question = Question(MODEL, method, CONFIGS[method], train_size=100, max_length=spec.max_length)
    found = lr_range.measure(data, question, lr_range.ramp(MODEL), lambda *_: None, lambda: False)
    assert found is not None
    return found.to_dict()


def report(table: pd.DataFrame, found: dict[str, LrRange]) -> None:
    print("| cell | as smoothed | corrected | least loss | centre | best on dev by learning rate | best |")
    print("|" + "---|" * 7)
    off: dict[str, list[float]] = {}
    for key, ramp in found.items():
        name, method = key.split()
        reached = by_rate(table, name, method)
        best = [float(rate) for rate in reached.index[reached == reached.max()]]
        if ramp.problem is not None:
            print(f"| {name}, {method} | refused: {ramp.problem.partition(',')[0]} |" + " |" * 5)
            continue
        rules = {
            "as smoothed": ramp.suggestion,
            "corrected": ramp.corrected,
            "least loss": ramp.least,
            "centre": ramp.centre,
        }
        for rule, rate in rules.items():
            nearest = min((equal / rate for equal in best), key=lambda factor: abs(math.log(factor)))
            off.setdefault(f"{rule}, {method}", []).append(nearest)
        scores = ", ".join(f"{short_rate(rate)}: {100 * score:.1f}" for rate, score in reached.items())
        rates = " | ".join(short_rate(float(f"{rate:.1e}")) for rate in rules.values())
        print(f"| {name}, {method} | {rates} | {scores} | {', '.join(map(short_rate, best))} |")
    for rule, factors in sorted(off.items()):
        within = sum(1 / DECADE <= factor <= DECADE for factor in factors)
        ends = f"{min(factors):.2g} to {max(factors):.2g}"
        print(
            f"{rule}: the best rate is {np.median(factors):.2g} times it at the median ({ends}), within the "
            f"decade around it in {within} of {len(factors)} cells"
        )


def by_rate(table: pd.DataFrame, name: str, method: str) -> pd.Series:
    """The best dev score (higher is better) that each learning rate reached in a cell of one seed."""
    part = table[(table["dataset"] == name) & (table["method"] == method)]
    if method == Method.LORA:
        part = part[part["lora_r"] == CONFIGS[Method.LORA].lora_r]
    sign = -1 if lower_is_better(part["metric"].iloc[0]) else 1
    return (sign * part["score"]).groupby(part["learning_rate"]).max()


if __name__ == "__main__":
    main()
