"""What a measured grid says about its own rule: how complete it is, and what k configs reach on new data.

    .venv/bin/python benchmarks/grid_evidence.py [--version v2] [--seed 0]

Prints docs/grid.md's numbers; with --seed, those of one seed alone. Share: of the test score of the config
that dev picks among all of the cell, in per cent, with the 95 % interval over datasets; each dataset is left
out of the ranking that is judged on it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import exploration, grids
from engine.curves import Curve
from engine.exploration import Filters
from engine.rules import TITLES, Rule
from engine.validation import LeaveOneOut

RIVALS = (Rule.RANDOM, Rule.BEST_AVERAGE, Rule.DEFAULT)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--version", default=grids.current())
    arguments.add_argument("--seed", type=int)
    chosen = arguments.parse_args()
    version = str(chosen.version)
    facts = grids.get(version).manifest
    print(
        f"{version}: {facts['present']} of {facts['expected']} results, {facts['failed']} failed, "
        f"{facts['trainings']} trainings, {facts['hours']:.1f} h with {facts['workers']} workers\n"
    )
    lines(_completeness(pd.DataFrame(facts["cells"])))
    searched = grids.load(version)
    print(f"\n{_luck(searched)}")
    table = pd.concat((searched, grids.load_defaults(version)))
    if chosen.seed is not None:
        table = table[table["seed"] == chosen.seed]
    for (model, method, size), part in table.groupby(["model", "method", "train_size"]):
        print(f"\n{model}, {method}, {size} rows\n")
        filters = Filters(str(model), str(method), int(str(size)))
        lines(_shares(exploration.leave_one_out(part, filters)))


def lines(rows: Iterator[Sequence[str]]) -> None:
    """Rows of a Markdown table, the first its head."""
    for number, row in enumerate(rows):
        print(f"| {' | '.join(row)} |")
        if number == 0:
            print("|---" * len(row) + "|")


def _completeness(cells: pd.DataFrame) -> Iterator[Sequence[str]]:
    yield (
        "model",
        "method",
        "rows",
        "configs from",
        "seed",
        "datasets",
        "trainings",
        "results",
        "complete cells",
    )
    by = ["model", "method", "train_size", "origin", "seed"]
    for where, part in cells.groupby(by, sort=False):
        whole = int((part["expected"] == part["present"]).sum())
        sums = part[["ended", "trainings", "present", "expected"]].sum()
        yield (
            *map(str, where), str(part["dataset"].nunique()), f"{sums['ended']} of {sums['trainings']}",
            f"{sums['present']} of {sums['expected']}", f"{whole} of {len(part)}",
        )  # fmt: skip


def _luck(searched: pd.DataFrame) -> str:
    """What the configs with the best dev score of a cell lose when they are trained with another seed."""
    cell = ["dataset", "model", "method", "train_size"]
    first, again = (searched[searched["seed"] == seed] for seed in (0, 1))
    best = first[first["score"] == first.groupby(cell)["score"].transform("max")]
    both = best.merge(again, on=[*cell, *grids.config_columns(searched)]).set_index(cell)
    of_cell = [
        (both[f"{name}_x"] - both[f"{name}_y"]).groupby(cell).mean() for name in ("score", "test_score")
    ]
    dev, test = (f"{100 * lost.mean():.1f} (sd {100 * lost.std():.1f})" for lost in of_cell)
    count = len(of_cell[0])
    return f"Trained again, the best by dev of {count} cells loses {dev} points on dev, {test} on test."


def _shares(found: LeaveOneOut) -> Iterator[Sequence[str]]:
    yield "rule", *(f"k = {k}" for k in found.k)
    for rule in Rule:
        if rule in found.rules:
            yield TITLES[rule], *_curve(found.rules[rule])
    for rule, ahead in found.ahead.items():
        if rule in RIVALS:
            yield f"CBS minus {TITLES[rule]}, paired", *_curve(ahead)
    if found.of_oracle is not None:
        yield "CBS, of the corrected oracle", *_curve(found.of_oracle)
    judged = f"{found.datasets} datasets, {found.cells - found.left_out} of {found.cells} cells say something"
    yield f"recommended k: {found.recommended_k or 'none'}; {judged}", *("" for _ in found.k)


def _curve(curve: Curve) -> Iterator[str]:
    for mean, low, high in zip(curve.mean, curve.low, curve.high, strict=True):
        interval = "" if low is None or high is None else f" ({100 * low:.1f} to {100 * high:.1f})"
        yield "" if mean is None else f"{100 * mean:.1f}{interval}"


if __name__ == "__main__":
    main()
