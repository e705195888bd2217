"""How long ranking and leave-one-out take, on tables in memory: `python benchmarks/rank.py`.

Targets: 10,000 results (50 configs x 100 datasets x 2 sizes) ranked and validated in 0.5 s; 10 million (5,000
configs x 100 datasets x 20 cells) ranked in 2 s and validated, with k to 8 and every rule, in 30 s.
The ratio compares with the slow way, a loop over the cells in plain Python, on the same 10,000 results.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.coverage import rank_configs  # noqa: E402
from engine.validation import leave_one_out  # noqa: E402

COLUMNS = ["learning_rate", "lora_r", "lora_alpha"]


def table_of(datasets: int, cells: int, configs: int) -> pd.DataFrame:
    """Every config in every cell (training size) of every dataset; a seventh of the configs are good."""
    draw = np.random.default_rng(0)
    dataset, cell, config = (
        axis.ravel() for axis in np.meshgrid(*map(np.arange, (datasets, cells, configs)), indexing="ij")
    )
    good = 0.6 + 0.3 * (config % 7 == 0)
    score, test = (good + 0.1 * draw.random(len(config)) for _ in range(2))
    return pd.DataFrame(
        {
            "dataset": pd.Categorical.from_codes(dataset, [f"dataset {index}" for index in range(datasets)]),
            "model": "m",
            "train_size": 100 * (1 + cell),
            "learning_rate": 1e-5 * (1 + config % 50),
            "lora_r": config // 50 % 20,
            "lora_alpha": config // 1000,
            "score": score,
            "test_score": test,
        }
    )


def rank_slowly(table: pd.DataFrame) -> list[tuple[float, ...]]:
    """The same greedy cover, cell by cell and row by row."""
    table = table.assign(cell=table["dataset"].astype(str) + table["train_size"].astype(str))
    best = table.groupby("cell")["score"].max()
    share: dict[tuple[float, ...], dict[str, float]] = {}
    for row in table.itertuples():
        config = tuple(getattr(row, name) for name in COLUMNS)
        share.setdefault(config, {})[row.cell] = row.score / best[row.cell]
    top = {c: {d: s for d, s in cells.items() if s >= 0.97} for c, cells in share.items()}
    score = {config: sum(cells.values()) for config, cells in top.items()}
    mean = {config: sum(cells.values()) / len(cells) for config, cells in share.items()}
    left, covered, order = set(share), set[str](), []
    while left:
        gain = {c: sum(s for d, s in top[c].items() if d not in covered) for c in left}
        first = max(left, key=lambda c: (round(gain[c], 9), round(score[c], 9), round(mean[c], 9)))
        order.append(first)
        covered |= set(top[first])
        left.remove(first)
    return order


def seconds(work: Callable[[], object], times: int = 3) -> tuple[float, float]:
    """CPU and wall seconds, the best of some."""
    found = []
    for _ in range(times):
        began, clock = time.process_time(), time.perf_counter()
        work()
        found.append((time.process_time() - began, time.perf_counter() - clock))
    return min(found)


def main() -> None:
    """Print one line for each size and work."""
    small = table_of(100, 2, 50)
    quick, _ = seconds(lambda: rank_configs(small, COLUMNS))
    slow, _ = seconds(lambda: rank_slowly(small))
    print(f"{len(small):>10,} results, rank: {slow / quick:.0f} times as fast as a plain loop")
    for table, times in ((small, 3), (table_of(100, 20, 5000), 1)):
        for name, work in (("rank", rank_configs), ("leave one out", leave_one_out)):
            cpu, wall = seconds(lambda: work(table, COLUMNS), times)  # noqa: B023
            print(f"{len(table):>10,} results, {name}: {wall:.3f} s ({cpu:.3f} s of CPU)", flush=True)


if __name__ == "__main__":
    main()
