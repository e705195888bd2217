"""How far off "the best of k" is, and how far the headline that corrects for picking, with known truth.

    .venv/bin/python benchmarks/headline.py [--repeats 2000] [--rows 50 100 200 1000]

Each of n rows is right or wrong under each of k configs, whose true accuracies lie evenly between 70 % and 1
or 3 points below; rows are correlated between configs, because they share what is hard. Off: the mean of
shown minus true, in points; for the naive number, the best of k on the rows that pick it, true is that
config's accuracy; for the headline it is the accuracy of what the halves pick, averaged over them. Covered:
how often the 95 % interval holds the truth. In brackets: the Monte-Carlo error. Ends with 1 where a headline
is 0.5 points off or more, or its interval covers less than 93 % or more than 97 %, by more than that error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import headline, intervals
from engine.intervals import Array

BEST = 0.7
MOST_OFF = 0.5  # points
COVERED = (0.93, 0.97)
LINE = "{:>5} {:>2} {:>5} {:>7}   {:>13} {:>13}   {:>13} {:>13}"


class Cell(NamedTuple):
    """One situation: rows, configs, correlation between configs, points from the best to the worst config."""

    n: int
    k: int
    correlation: float
    spread: float


class Found(NamedTuple):
    """Over the repeats: shown minus true in points and the share of intervals that hold the truth."""

    off: Array
    covered: Array


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=2000)
    arguments.add_argument("--rows", type=int, nargs="+", default=[50, 100, 200, 1000])
    chosen = arguments.parse_args()
    print(LINE.format("n", "k", "corr.", "spread", "naive off", "covered", "headline off", "covered"))
    failed = 0
    for cell in (Cell(*values) for values in product(chosen.rows, (4, 8), (0.5, 0.7), (1.0, 3.0))):
        naive, ours = measure(cell, chosen.repeats)
        right = holds(ours)
        failed += not right
        print(line(cell, naive, ours) + ("" if right else "   outside"), flush=True)
    print(f"{failed} cells outside." if failed else "All cells within the bounds.")
    return 1 if failed else 0


def measure(cell: Cell, repeats: int) -> tuple[Found, Found]:
    """The naive number and the headline on the same simulated rows."""
    results = np.array([(*_naive(*study), *_headline(*study)) for study in studies(cell, repeats)])
    return Found(results[:, 0], results[:, 1]), Found(results[:, 2], results[:, 3])


def studies(cell: Cell, repeats: int) -> Iterator[tuple[Array, Array]]:
    """Right and wrong answers, rows x configs, and the true accuracies.

    Every config takes the row's own draw with probability sqrt(correlation), else one of its own.
    """
    draw = np.random.default_rng([cell.n, cell.k, round(10 * cell.correlation), round(cell.spread)])
    truth = BEST - np.linspace(0, cell.spread / 100, cell.k)
    for _ in range(repeats):
        own, row = draw.random((cell.n, cell.k)), draw.random((cell.n, 1))
        shared = draw.random((cell.n, cell.k)) < np.sqrt(cell.correlation)
        yield (np.where(shared, row, own) < truth).astype(float), truth


def _naive(right: Array, truth: Array) -> tuple[float, float]:
    shown = right.mean(axis=0)
    best = int(shown.argmax())
    low, high = intervals.wilson(float(right[:, best].sum()), len(right))
    return 100 * float(shown[best] - truth[best]), float(low <= truth[best] <= high)


def _headline(right: Array, truth: Array) -> tuple[float, float]:
    found = headline.of_values(right)
    assert found is not None
    target = float(truth[headline.picks(right)].mean())
    return 100 * (found.value - target), float(found.low <= target <= found.high)


def holds(found: Found) -> bool:
    """Whether the bounds are kept, but for the Monte-Carlo error (two standard errors)."""
    off, share = abs(found.off.mean()), found.covered.mean()
    off_error, share_error = (2 * _standard_error(values) for values in found)
    within = COVERED[0] - share_error <= share <= COVERED[1] + share_error
    return bool(off < MOST_OFF + off_error and within)


def line(cell: Cell, naive: Found, ours: Found) -> str:
    """A line of the table."""
    numbers = [
        text
        for found in (naive, ours)
        for text in (
            f"{found.off.mean():.2f} ({_standard_error(found.off):.2f})",
            f"{100 * found.covered.mean():.1f} ({100 * _standard_error(found.covered):.1f})",
        )
    ]
    return LINE.format(cell.n, cell.k, cell.correlation, cell.spread, *numbers)


def _standard_error(values: Array) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    sys.exit(main())
