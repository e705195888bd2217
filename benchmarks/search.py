"""Which search finds a good config in the fewest runs: replays on the measured results of a grid version.

    .venv/bin/python benchmarks/search.py [--version v1] [--seeds 20] [--runs 16] [--objective loss]

Every cell in which all configs finished is searched as if nothing of it were known; its shortlist is ranked
without its dataset. A proposal becomes the nearest config of the cell, and one that was proposed before costs
nothing. Dev selects; reported is the test score of what dev selects among the runs so far, as a share of what
dev selects from the whole cell, so that a share may exceed 100 %. Runs are counted in whole trainings: one
that stood at 20 % of its schedule costs 0.2, and is judged there by its loss between the scored epochs (see
Cell.loss_at). Datasets are the unit: cells of one are averaged, the interval is bootstrapped over datasets.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine import decide, grids, halving, mads
from engine.coverage import rank_configs
from engine.records import Config, RunStatus
from engine.search import Continue, Objective, Search, SearchMethod, Start, Trial
from engine.searchspace import ALPHA_MULTIPLE, Axis, Scale, Space

Array = NDArray[np.float64]
WARM = 4  # the shortlist's first runs, which a warm search knows; they count as runs
STUCK = 60  # proposals in a row that are known already: the search has nothing new
CELL = ["dataset", "model", "method", "train_size"]
RESAMPLES = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A cell's configs with what was measured; `shortlist` numbers them as ranked on the other datasets."""

    name: tuple[Any, ...]
    configs: tuple[Config, ...]
    dev: Array
    test: Array
    loss: Array
    seconds: Array
    shortlist: tuple[int, ...]
    space: Space

    @property
    def best(self) -> float:
        """The test score of what dev selects from all configs."""
        return float(self.test[int(np.argmax(self.dev))])

    def nearest(self, config: Config) -> int:
        """The config at the least distance, axes scaled to the cell's range."""
        wanted = self._place(config)
        return int(np.argmin(np.linalg.norm(self._places - wanted, axis=1)))

    @property
    def _places(self) -> Array:
        return np.array([self._place(config) for config in self.configs])

    def _place(self, config: Config) -> Array:
        point = self.space.point(config)
        return np.array([_position(axis, point[axis.name]) for axis in self.space.axes])

    def loss_at(self, index: int, share: float) -> float | None:
        """The loss on dev at a share of the config's schedule; None where its curve has a single point.

        Linear in the logarithm of epochs between those scored, and before the first; there it never falls
        below that of the first.
        """
        config = self.configs[index]
        curve = sorted(
            (other.num_train_epochs, float(self.loss[place]))
            for place, other in enumerate(self.configs)
            if replace(other, num_train_epochs=config.num_train_epochs) == config
        )
        if len(curve) < 2:
            return None
        epochs, losses = np.log([e for e, _ in curve]), [loss for _, loss in curve]
        at = float(np.log(share * config.num_train_epochs))
        if at >= epochs[0]:
            return float(np.interp(at, epochs, losses))
        slope = max(0.0, (losses[0] - losses[1]) / (epochs[1] - epochs[0]))
        return float(losses[0] + slope * (epochs[0] - at))


def cells(version: str) -> list[Cell]:
    """Every cell in which all configs of its model and method finished."""
    table = grids.load(version)
    columns = grids.config_columns(table)
    found = []
    for _, part in table.groupby(["model", "method"]):
        sizes = part.groupby(CELL)["score"].agg(lambda scores: int(scores.notna().sum()))
        for name, rows in part.groupby(CELL):
            asked = part[part["train_size"] == name[3]].groupby(columns, dropna=False).ngroups
            one_seed = rows[rows["seed"] == rows["seed"].min()]
            if sizes[name] < asked or one_seed["dev_loss"].isna().any():
                continue
            found.append(_cell(name, one_seed, part[part["dataset"] != name[0]], columns))
    return found


def _cell(name: tuple[Any, ...], rows: pd.DataFrame, others: pd.DataFrame, columns: list[str]) -> Cell:
    configs = [_config(record) for record in rows[columns].to_dict("records")]
    ranked = rank_configs(others, columns).entries if len(others) else ()
    place = {config: index for index, config in enumerate(configs)}
    order = [place[c] for entry in ranked if (c := _config(entry.config)) in place]
    return Cell(
        name, tuple(configs), rows["score"].to_numpy(float), rows["test_score"].to_numpy(float),
        rows["dev_loss"].to_numpy(float), rows["seconds"].to_numpy(float), tuple(order), _space(configs),
    )  # fmt: skip


def _config(record: Mapping[str, Any]) -> Config:
    whole = ("num_train_epochs", "per_device_train_batch_size", "gradient_accumulation_steps", "warmup_steps",
             "lora_r", "lora_alpha")  # fmt: skip
    known = {name: value for name, value in record.items() if not pd.isna(value)}
    return Config.from_dict({name: int(v) if name in whole else v for name, v in known.items()})


def _space(configs: Sequence[Config]) -> Space:
    """The learning rate between the cell's least and greatest, the rest as the cell's values."""
    rates = sorted({config.learning_rate for config in configs})
    axes = [Axis("learning_rate", Scale.LOG, rates[0], rates[-1])]
    for name in ("num_train_epochs", "per_device_train_batch_size", "lora_r", ALPHA_MULTIPLE):
        values = sorted({value for config in configs if (value := _value(config, name)) is not None})
        if len(values) > 1:
            axes.append(Axis(name, Scale.STEPS, values=tuple(values)))
    return Space(tuple(axes), configs[0])


def _value(config: Config, name: str) -> float | None:
    if name != ALPHA_MULTIPLE:
        value: float | None = getattr(config, name)
        return value
    return None if config.lora_r is None or config.lora_alpha is None else config.lora_alpha / config.lora_r


def _position(axis: Axis, value: Any) -> float:
    if axis.values:
        return axis.values.index(value) / (len(axis.values) - 1)
    assert axis.low is not None and axis.high is not None
    return float(np.log(value / axis.low) / np.log(axis.high / axis.low))


@dataclass(slots=True)
class Replay:
    """One search of a cell: what was trained, at which cost, and what was trained to its end."""

    cell: Cell
    trials: list[Trial] = field(default_factory=list)
    cost: float = 0.0
    ended: list[tuple[float, int]] = field(default_factory=list)

    def train(self, index: int, *, ours: bool, pause_at: float | None = None, already: float = 0.0) -> Trial:
        """Train a config to its end, or to a share of its schedule."""
        cell = self.cell
        at = None if pause_at is None else cell.loss_at(index, pause_at)
        run = f"s-20260101-replay-{index:02d}"
        if pause_at is not None and at is not None:
            self.cost += pause_at - already
            return Trial(
                run, cell.configs[index], RunStatus.STOPPED, ours, loss=at, pause_at=pause_at,
                row_losses=(at,), seconds=float(pause_at * cell.seconds[index]),
            )  # fmt: skip
        self.cost += 1.0 - already
        self.ended.append((self.cost, index))
        return Trial(
            run, cell.configs[index], RunStatus.FINISHED, ours, loss=float(cell.loss[index]),
            score=float(cell.dev[index]), pause_at=pause_at, row_losses=(float(cell.loss[index]),),
            seconds=float(cell.seconds[index]),
        )  # fmt: skip

    def reached(self, most: int) -> list[float]:
        """After 1, 2, ... whole trainings: the share of the cell's best; NaN before the first one ended."""
        found = []
        for budget in range(1, most + 1):
            known = [index for cost, index in self.ended if cost <= budget + 1e-9]
            if not known:
                found.append(float("nan"))
                continue
            chosen = max(known, key=lambda index: self.cell.dev[index])
            found.append(float(self.cell.test[chosen]) / self.cell.best)
        return found


def in_order(cell: Cell, order: Sequence[int], most: int) -> Replay:
    """Train configs in a given order."""
    replay = Replay(cell)
    for index in order[:most]:
        replay.trials.append(replay.train(index, ours=False))
    return replay


def searched(cell: Cell, search: Search, most: float, *, warm: bool) -> Replay:
    """Let a search decide, one worker, until so many whole trainings are spent."""
    replay = in_order(cell, cell.shortlist, WARM) if warm else Replay(cell)
    stuck = 0
    while replay.cost < most and stuck < STUCK:
        decision = decide.decide(search, replay.trials, 1)
        if not decision.actions:
            break
        for action in decision.actions:
            stuck = 0 if _act(replay, action) else stuck + 1
    return replay


def meshed(cell: Cell, objective: Objective, most: int, seed: int, *, warm: bool) -> Replay:
    """MADS, in one go: as engine.mads proposes, without a process for each proposal."""
    replay = in_order(cell, cell.shortlist, WARM) if warm else Replay(cell)

    def value(index: int) -> float:
        return float(cell.loss[index] if objective is Objective.LOSS else -cell.dev[index])

    def evaluate(config: Config) -> float:
        index = cell.nearest(config)
        if all(trial.config != cell.configs[index] for trial in replay.trials):
            if replay.cost >= most:
                raise mads.Enough
            replay.trials.append(replay.train(index, ours=True))
        return value(index)

    known = sorted((cell.configs.index(t.config) for t in replay.trials), key=value)
    mads.minimise(
        cell.space, evaluate, most + STUCK, seed,
        starts=[cell.configs[index] for index in known],
        known={cell.configs[index]: value(index) for index in known},
    )  # fmt: skip
    return replay


def _act(replay: Replay, action: Start | Continue) -> bool:
    """Whether it trained anything."""
    if isinstance(action, Continue):
        place = next(i for i, trial in enumerate(replay.trials) if trial.run == action.run)
        before = replay.trials[place]
        index = replay.cell.configs.index(before.config)
        replay.trials[place] = replay.train(
            index, ours=True, pause_at=action.pause_at, already=before.pause_at or 0.0
        )
        return True
    index = replay.cell.nearest(action.config)
    known = next((t for t in replay.trials if t.config == replay.cell.configs[index]), None)
    if known is None:
        replay.trials.append(replay.train(index, ours=True, pause_at=action.pause_at))
        return True
    if known.config != action.config:  # the search asked for a neighbour of what is known: that is its answer
        replay.trials.append(replace(known, config=action.config, ours=True, run=f"{known.run}-again"))
    return False


def race(cell: Cell, most: int) -> list[float]:
    """The shortlist with early stopping, for each budget with the k that it allows."""
    return _for_each_budget(cell, SearchMethod.SHORTLIST, cell.shortlist, halving.PAUSE_AT, most)


def halved(cell: Cell, most: int, seed: int) -> list[float]:
    """Successive halving of random configs, for each budget with as many as it allows."""
    order = np.random.default_rng(seed).permutation(len(cell.configs)).tolist()
    return _for_each_budget(cell, SearchMethod.HALVING, order, halving.RUNGS[0], most)


def _for_each_budget(
    cell: Cell, method: SearchMethod, order: Sequence[int], pause_at: float, most: int
) -> list[float]:
    """With too small a budget for two, the first of the order are trained to their end."""
    found: list[float] = []
    replays: dict[int, Replay] = {}
    for budget in range(1, most + 1):
        best = in_order(cell, order, budget)
        for k in range(budget + 1, len(order) + 1):
            replay = replays.get(k) or _raced(cell, method, order[:k], pause_at)
            replays[k] = replay
            if replay.cost > budget + 1e-9:
                break
            best = replay
        found.append(best.reached(budget)[-1])
    return found


def _raced(cell: Cell, method: SearchMethod, order: Sequence[int], pause_at: float) -> Replay:
    replay = Replay(cell)
    replay.trials = [replay.train(index, ours=True, pause_at=pause_at) for index in order]
    search = _search(cell, method, Objective.LOSS, len(order), 0)
    while actions := decide.decide(search, replay.trials, 1).actions:
        for action in actions:
            _act(replay, action)
    return replay


def _search(cell: Cell, method: SearchMethod, objective: Objective, runs: int, seed: int) -> Search:
    return Search("01", "s-20260101-replay", method, objective, runs, cell.space, 0.0, (), seed=seed)


Rule = Callable[[Cell, int, int], list[float]]


def rules(objective: Objective) -> dict[str, tuple[Rule, bool]]:
    """By title: how it is replayed, and whether it depends on the seed."""

    def by(method: SearchMethod, warm: bool) -> tuple[Rule, bool]:
        def run(cell: Cell, most: int, seed: int) -> list[float]:
            if method is SearchMethod.MADS:
                return meshed(cell, objective, most, seed, warm=warm).reached(most)
            search = replace(_search(cell, method, objective, most + STUCK, seed), cold=not warm)
            return searched(cell, search, most, warm=warm).reached(most)

        return run, True

    return {
        "shortlist": (lambda cell, most, _: in_order(cell, cell.shortlist, most).reached(most), False),
        "shortlist, early stopping": (lambda cell, most, _: race(cell, most), False),
        "TPE cold": by(SearchMethod.TPE, False),
        "TPE warm": by(SearchMethod.TPE, True),
        "MADS cold": by(SearchMethod.MADS, False),
        "MADS warm": by(SearchMethod.MADS, True),
        "random": by(SearchMethod.RANDOM, False),
        "halving": (halved, True),
    }


def main() -> None:
    """Replay, print the table, write it as Markdown and JSON when asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", default=grids.current())
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument(
        "--objective", type=Objective, choices=[Objective.LOSS, Objective.METRIC], default="metric"
    )
    parser.add_argument("--rules", nargs="*")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = cells(args.version)
    chosen = {t: r for t, r in rules(args.objective).items() if not args.rules or t in args.rules}
    shares = {}
    for title, (rule, seeded) in chosen.items():
        began = time.monotonic()
        shares[title] = np.array(
            [_mean(rule, cell, args.runs, args.seeds if seeded else 1) for cell in found]
        )
        print(f"{title}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    units = [str(cell.name[0]) for cell in found]
    print(
        f"{args.version}: {len(found)} complete cells, {len(set(units))} datasets, objective {args.objective}"
    )
    for line in table(shares, units, [n for n in (1, 2, 4, 8, 16) if n <= args.runs]):
        print(line)
    if args.json:
        cells_of = [list(map(str, cell.name)) for cell in found]
        args.json.write_text(json.dumps({"cells": cells_of, **{t: s.tolist() for t, s in shares.items()}}))


def _mean(rule: Rule, cell: Cell, runs: int, seeds: int) -> Array:
    found = np.array([rule(cell, runs, seed) for seed in range(seeds)])
    mean: Array = np.nanmean(found, axis=0) if np.isfinite(found).any() else found.mean(axis=0)
    return mean


def table(shares: Mapping[str, Array], units: Sequence[str], at: Sequence[int]) -> Iterator[str]:
    """Markdown: a line for each rule, mean over datasets with its interval."""
    yield "| share of the cell's best, % | " + " | ".join(f"{n} run{'s' if n > 1 else ''}" for n in at) + " |"
    yield "|---" * (len(at) + 1) + "|"
    for title, values in shares.items():
        yield f"| {title} | " + " | ".join(_interval(values[:, n - 1], units) for n in at) + " |"


def _interval(values: Array, units: Sequence[str]) -> str:
    by_unit = pd.Series(values).groupby(list(units)).mean().dropna().to_numpy()
    if not len(by_unit):
        return "-"
    draws = np.random.default_rng(0).integers(len(by_unit), size=(RESAMPLES, len(by_unit)))
    low, high = np.percentile(by_unit[draws].mean(axis=1), [2.5, 97.5])
    return f"{100 * by_unit.mean():.1f} ({100 * low:.1f}-{100 * high:.1f})"


if __name__ == "__main__":
    main()
