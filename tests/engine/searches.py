"""Searches for tests: pure functions in place of trainings, and what a search knows after each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine import mads, proposals
from engine.records import Config, Method, RunStatus
from engine.search import Objective, Search, SearchMethod, Start, Trial
from engine.searchspace import Space, space_of

LORA = space_of("shortlist-tiny-4m", Method.LORA)
FULL = space_of("shortlist-tiny-4m", Method.FULL)

Value = Callable[[Config], float | None]


def bowl(config: Config) -> float:
    """Least, 0, at a learning rate of 1.5e-3 and 5 epochs."""
    return (2 * math.log10(config.learning_rate / 1.5e-3)) ** 2 + 0.1 * abs(config.num_train_epochs - 5)


def search_of(
    method: SearchMethod,
    space: Space = LORA,
    objective: Objective = Objective.LOSS,
    cold: bool = False,
    seed: int = 0,
) -> Search:
    return Search(
        "01", "study", method, objective, runs=30, space=space, began=0.0, earlier=(), cold=cold, seed=seed
    )


def trial_of(number: int, config: Config, loss: float | None = None, **facts: object) -> Trial:
    """A finished training with a loss, or a failed one without."""
    status = RunStatus.FAILED if loss is None else RunStatus.FINISHED
    score = None if loss is None else -loss
    values: dict[str, object] = {"status": status, "ours": True, "loss": loss, "score": score, **facts}
    return Trial(f"{number:03d}", config, **values)  # type: ignore[arg-type]


def propose(search: Search, trials: Sequence[Trial], n: int = 1) -> list[Start]:
    module = mads if search.method is SearchMethod.MADS else proposals
    return module.propose(search, trials, n)


def run(search: Search, value: Value, runs: int, earlier: Sequence[Trial] = ()) -> list[Trial]:
    """The trials after so many proposals, one at a time, each asked for anew; None of `value`: it failed."""
    trials = list(earlier)
    for _ in range(runs):
        trials += [trial_of(len(trials), s.config, value(s.config)) for s in propose(search, trials)]
    return trials
