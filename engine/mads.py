"""New configs by mesh adaptive direct search (MADS), as NOMAD does it through PyNomadBBO.

Audet and Dennis 2006; NOMAD 4: Audet et al. 2022; for LoRA: Tribes et al., arXiv 2312.00949. NOMAD calls a
function and waits for its value, but a training takes minutes and the search may be killed meanwhile. So it
is run from its start each time: seeded, it asks for the same points in the same order, is answered from what
is known, and the first points that nobody knows are the proposals.

    python -m engine.mads < request   # one proposal; see propose
"""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.errors import ConfigError, StackError
from engine.pareto import costs
from engine.records import Config
from engine.search import Objective, Search, Start, Trial
from engine.searchspace import Axis, Scale, Space

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 120.0
"""A proposal takes well below one; a NOMAD that hangs is ended."""
FINEST = 0.01  # the least mesh: of a range, or of log10; a learning rate that differs by 2 % is the same
MOST_STARTS = 20  # if the start fails, so many random ones are tried
NO_START = -3  # NOMAD's flag: no starting point could be evaluated

_nomad_is_one = threading.Lock()  # NOMAD keeps its state in globals, and leaves Python's lock while it runs


class Enough(Exception):
    """Raised by what minimise calls, to end it."""


def check(objective: Objective) -> None:
    """Raises ConfigError for two objectives: NOMAD is asked for the least of one."""
    if objective is Objective.BOTH:
        raise ConfigError("MADS improves one objective: choose loss or metric, or TPE for both.")


def propose(search: Search, trials: Sequence[Trial], n: int) -> list[Start]:
    """Up to `n` new configs; fewer when the mesh has become as fine as FINEST around the best.

    A warm search starts from every earlier run that is a point of the space, and from the point nearest to
    the best of them; a cold one from the start of the space. What failed is told as failed; what waits is
    taken for no success, which is what NOMAD finds most of the time. Raises ConfigError for two objectives.
    """
    check(search.objective)
    values = {trial.run: costs(trial, search.objective) for trial in trials}
    measured = {t.config: cost[0] for t in trials if (cost := values[t.run]) is not None}
    known = {**dict.fromkeys(trial.config for trial in trials), **measured}
    starts = [] if search.cold else _warm(search.space, trials, measured)
    start = search.space.config(search.space.start)
    if not starts and start in {trial.config for trial in trials if trial.is_open}:
        # Taken for the worst, not for failed: the points around it are asked for meanwhile.
        known[start] = max(measured.values(), default=0.0)
    configs = _in_child(search.space, known, n, search.seed, starts)
    told = {trial.config for trial in trials if trial.ours or not search.cold} & measured.keys()
    best = min(told, key=lambda config: (measured[config], config.to_json()), default=None)
    return [Start(config, _why(best)) for config in configs]


def minimise(
    space: Space,
    evaluate: Callable[[Config], float | None],
    budget: int,
    seed: int = 0,
    starts: Sequence[Config] = (),
    known: Mapping[Config, float | None] | None = None,
) -> list[Config]:
    """The configs that were evaluated, in order: at most `budget`, each once, none that is `known`.

    `evaluate` gives what is to be small, None for a failure, or raises Enough to end the search; what else it
    raises comes out. `starts`: configs to begin from (the nearest points of them), in place of the space's.
    """
    walk = _Walk(space, evaluate, budget, dict(known or {}))
    points = [space.point(config) for config in starts] or [space.start]
    chance = random.Random(seed)
    for _ in range(MOST_STARTS):
        if walk.run(points, seed) != NO_START or walk.is_over:
            break
        points = [*points, {axis.name: _anywhere(axis, chance) for axis in space.axes}]
    return walk.evaluated


class _Walk:
    """One search by NOMAD: what it asks, what it is answered, and when it has to end."""

    def __init__(
        self,
        space: Space,
        evaluate: Callable[[Config], float | None],
        budget: int,
        known: dict[Config, float | None],
    ) -> None:
        self.space, self.evaluate, self.budget, self.known = space, evaluate, budget, known
        self.evaluated: list[Config] = []
        self.error: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self.error is not None or len(self.evaluated) >= self.budget

    def run(self, points: Sequence[Mapping[str, Any]], seed: int) -> int:
        """NOMAD from these points; its flag of why it ended."""
        import PyNomad  # type: ignore[import-not-found]

        def ends(_: object) -> bool:
            return self.is_over

        axes = self.space.axes
        low, high = zip(*(_range(axis) for axis in axes), strict=True)
        with _nomad_is_one:
            interrupt = signal.getsignal(signal.SIGINT)
            PyNomad.setCustomMegaIterEndCallback(ends)  # keeps no reference: `ends` has to outlive the run
            found = PyNomad.optimize(self.answer, [], low, high, _parameters(axes, points, seed, self.most))
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, interrupt)  # NOMAD takes Ctrl-C for itself
        if self.error is not None and not isinstance(self.error, Enough):
            raise self.error
        return int(found["run_flag"])

    @property
    def most(self) -> int:
        """Evaluations after which NOMAD gives up, known ones included: it walks over them again and again."""
        return 200 + 20 * (len(self.known) + self.budget)

    def answer(self, asked: Any) -> int:
        """NOMAD's callback: 1 with a value, 0 for a failure; after the end everything fails, at no cost."""
        place = [asked.get_coord(n) for n in range(len(self.space.axes))]
        try:
            config = self.space.config(
                {a.name: _value(a, x) for a, x in zip(self.space.axes, place, strict=True)}
            )
            if config not in self.known:
                if self.is_over:
                    return 0
                self.known[config] = self.evaluate(config)
                self.evaluated.append(config)
        except Exception as error:  # out of here it would be lost: PyNomad drops it
            self.error = error
            return 0
        value = self.known[config]
        if value is None or not math.isfinite(value):
            return 0
        asked.setBBO(repr(value).encode())
        return 1


def _parameters(axes: Sequence[Axis], points: Sequence[Mapping[str, Any]], seed: int, most: int) -> list[str]:
    """NOMAD's settings, all but these at their defaults."""
    starts = list(dict.fromkeys(_line(_place(a, point[a.name]) for a in axes) for point in points))
    return [
        f"DIMENSION {len(axes)}",
        "BB_OUTPUT_TYPE OBJ",
        f"BB_INPUT_TYPE {_line('I' if _is_integer(axis) else 'R' for axis in axes)}",
        f"MIN_MESH_SIZE {_line(_finest(axis) for axis in axes)}",
        f"MAX_BB_EVAL {most}",
        f"SEED {seed}",
        "DISPLAY_DEGREE 0",
        *(f"X0 {n} {start}" for n, start in enumerate(starts)),
    ]


def _line(values: Iterable[object]) -> str:
    return f"( {' '.join(map(str, values))} )"


def _is_integer(axis: Axis) -> bool:
    """Values by their place, schedules too: NOMAD has no categories, so they have an order here."""
    return not axis.is_range or (axis.is_whole and axis.scale is Scale.LINEAR)


def _place(axis: Axis, value: Any) -> float:
    """A value as NOMAD's variable: its place among the values, log10 on a log axis, else itself."""
    if not axis.is_range:
        return axis.values.index(value)
    low, high = _range(axis)
    return min(max(math.log10(value), low), high) if axis.scale is Scale.LOG else value


def _value(axis: Axis, place: float) -> Any:
    if not axis.is_range:
        return axis.values[round(place)]
    return axis.nearest(10**place if axis.scale is Scale.LOG else place)


def _range(axis: Axis) -> tuple[float, float]:
    if not axis.is_range:
        return 0, len(axis.values) - 1
    low, high = axis.bounds
    return (math.log10(low), math.log10(high)) if axis.scale is Scale.LOG else (low, high)


def _finest(axis: Axis) -> float:
    if _is_integer(axis):
        return 1
    low, high = _range(axis)
    return FINEST if axis.scale is Scale.LOG else FINEST * (high - low)


def _anywhere(axis: Axis, chance: random.Random) -> Any:
    low, high = _range(axis)
    return _value(
        axis, chance.randint(round(low), round(high)) if _is_integer(axis) else chance.uniform(low, high)
    )


def _warm(space: Space, trials: Sequence[Trial], measured: Mapping[Config, float]) -> list[Config]:
    """The earlier runs to start from, the best first, even if it is only near the space."""
    before = {t.config for t in trials if not t.ours and t.config.method is space.fixed.method}
    ranked = sorted(before & measured.keys(), key=lambda config: (measured[config], config.to_json()))
    return [config for n, config in enumerate(ranked) if n == 0 or space.has(config)]


def _why(best: Config | None) -> str:
    if best is None:
        return "Nothing is measured yet: MADS begins at the start of the search space and looks around it."
    return f"MADS polls the mesh around the best that it knows ({best.label})."


def _in_child(
    space: Space, known: Mapping[Config, float | None], n: int, seed: int, starts: Sequence[Config]
) -> list[Config]:
    """The proposals of a process of its own: NOMAD is native code, and takes Ctrl-C for itself."""
    request = {
        "space": space.to_dict(),
        "known": [[config.to_dict(), value] for config, value in known.items()],
        "n": n,
        "seed": seed,
        "starts": [config.to_dict() for config in starts],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "engine.mads"],
            cwd=ROOT,
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return [Config.from_dict(values) for values in json.loads(done.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise StackError(f"NOMAD ended without a proposal ({error}). Search with TPE instead.") from error


def _main() -> None:
    request = json.load(sys.stdin)
    known = {Config.from_dict(values): value for values, value in request["known"]}
    starts = [Config.from_dict(values) for values in request["starts"]]
    space = Space.from_dict(request["space"])
    found = minimise(space, lambda config: None, request["n"], request["seed"], starts, known)
    print("\n" + json.dumps([config.to_dict() for config in found]))  # noqa: T201


if __name__ == "__main__":
    _main()
