"""The searches of benchmarks/search.py with real trainings, through the product's own queue and workers.

    .venv/bin/python benchmarks/search_real.py ../shared/datasets/trec/train.jsonl --out trec.json [--runs 16]

Each rule has a study of its own on the same split, so that none learns from another. Dev selects among the
runs that ended so far; reported is the test score of what it selects, as a share of what dev selects from all
runs of all rules. A training that stood still counts as its share of the schedule. What --out holds is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import dataset as datasets
from engine import settings
from engine.dataset import Dataset
from engine.records import Method
from engine.search import SearchMethod
from jobs import plans, search, stack, studies, tasks, views
from jobs.plans import PlanRequest
from jobs.search import SearchRequest

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "support_tickets.csv"
WARM = 4
AT = (4, 8, 16)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--out", type=Path, help="JSON that keeps what has run")
    parser.add_argument("--model", default="shortlist-tiny-4m")
    parser.add_argument("--method", type=Method, default=Method.FULL)
    parser.add_argument("--train-size", type=int, default=100)
    parser.add_argument("--runs", type=int, default=16)
    args = parser.parse_args()
    kept = args.out is not None and args.out.exists()
    done: dict[str, list[dict[str, Any]]] = json.loads(args.out.read_text()) if kept else {}
    with stack.start(user="benchmark"):
        data = datasets.build(args.file)
        studies.save_dataset(data, args.file)
        for title, (k, early, request) in rules(args.runs).items():
            if title not in done:
                began = time.monotonic()
                done[title] = _run(data, args, k, early, request)
                if args.out is not None:
                    args.out.write_text(json.dumps(done))
                print(f"{title}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n".join(table(done, args.runs)))


def rules(runs: int) -> Mapping[str, tuple[int, bool, SearchRequest | None]]:
    """By title: the shortlist's k, whether it stops early, and the search that follows."""

    def of(method: SearchMethod, number: int, cold: bool) -> SearchRequest:
        return SearchRequest(method, number, cold=cold)

    warm = runs - WARM
    return {
        "shortlist": (min(runs, 16), False, None),
        "shortlist, early stopping": (min(runs, 16), True, None),
        "TPE cold": (0, False, of(SearchMethod.TPE, runs, True)),
        "TPE warm": (WARM, False, of(SearchMethod.TPE, warm, False)),
        "MADS cold": (0, False, of(SearchMethod.MADS, runs, True)),
        "MADS warm": (WARM, False, of(SearchMethod.MADS, warm, False)),
        "random": (0, False, of(SearchMethod.RANDOM, runs, True)),
        "halving": (0, False, of(SearchMethod.HALVING, 2 * runs, True)),
    }


def _run(
    data: Dataset, args: argparse.Namespace, k: int, early: bool, request: SearchRequest | None
) -> list[dict[str, Any]]:
    """The trainings of a rule, in the order in which they ended."""
    plan = plans.make(
        PlanRequest(data, args.model, args.method, k=k, train_size=args.train_size, early_shortlist=early)
    )
    study = studies.create(plan).study
    studies.launch(study)
    _wait(study)
    if request is not None:
        search.start(study, request)
        _wait(study)
    files = tasks.artifacts(settings.current())
    found = []
    for run in files.read_study(study).runs:
        spec, result = files.read_spec(run), files.read_result(run)
        if spec.config is None or spec.name == "default" or result is None:
            continue
        ended = max(files.events(run, attempt)[-1].time for attempt in files.attempts(run))
        paused = (result.facts.get("paused") or {}).get("at")
        found.append(
            {
                "name": spec.name,
                "config": spec.config.to_dict(),
                "ended": ended,
                "cost": paused or 1.0,
                "dev": None if result.dev is None else result.dev.value,
                "test": None if result.test is None else result.test.value,
                "seconds": result.seconds,
            }
        )
    return sorted(found, key=lambda one: one["ended"])


def _wait(study: str) -> None:
    while search.advance(study) or not views.study(study).is_over:
        time.sleep(0.3)


def table(done: Mapping[str, list[dict[str, Any]]], runs: int) -> list[str]:
    """Markdown: the share of the best after so many whole trainings."""
    everything = [one for rule in done.values() for one in rule if one["dev"] is not None]
    best = max(everything, key=lambda one: one["dev"])["test"]
    at = [n for n in AT if n <= runs]
    lines = ["| share of the best, % | " + " | ".join(f"{n} runs" for n in at) + " | trainings | minutes |"]
    lines.append("|---" * (len(at) + 3) + "|")
    for title, ended in done.items():
        minutes = sum(one["seconds"] or 0.0 for one in ended) / 60
        shares = " | ".join(_share(ended, n, best) for n in at)
        cost = sum(one["cost"] for one in ended)
        lines.append(f"| {title} | {shares} | {len(ended)} ({cost:.1f} whole) | {minutes:.1f} |")
    return lines


def _share(ended: list[dict[str, Any]], budget: int, best: float) -> str:
    spent, known = 0.0, []
    for one in ended:
        spent += one["cost"]
        if spent > budget + 1e-9:
            break
        if one["dev"] is not None:
            known.append(one)
    return f"{100 * max(known, key=lambda one: one['dev'])['test'] / best:.1f}" if known else "-"


if __name__ == "__main__":
    main()
