"""A search that is driven as jobs.search does it, on trainings of the test's own making."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from engine import decide
from engine.records import Config, Method, RunStatus
from engine.search import Continue, Decision, Objective, Search, SearchMethod, Start, Trial
from engine.searchspace import space_of

CONFIG = Config(3e-3, 3, 8, warmup_steps=5, lora_r=8, lora_alpha=16, lora_dropout=0.0)
Trained = Callable[[Trial], Trial]


def search(method: SearchMethod, runs: int = 4, of: Method = Method.LORA, seed: int = 0) -> Search:
    """A search of an embedded model."""
    space = space_of("shortlist-tiny-4m", of)
    return Search("01", "s-20260101-abcdef", method, Objective.LOSS, runs, space, 0.0, (), seed=seed)


def standing(run: str, loss: float, pause_at: float, config: Config = CONFIG, rows: int = 4) -> Trial:
    """A training of this search that stands, with this mean loss on dev."""
    losses = tuple(loss + (0.1 if row % 2 else -0.1) for row in range(rows))
    return Trial(
        run, config, RunStatus.STOPPED, True, loss=loss, pause_at=pause_at, row_losses=losses, seconds=10.0
    )


def act(trials: Sequence[Trial], decision: Decision) -> list[Trial]:
    """The trainings after their actions: new ones at the end, those that go on without a result."""
    continued = {action.run: action for action in decision.actions if isinstance(action, Continue)}
    after = [
        Trial(t.run, t.config, RunStatus.QUEUED, True, pause_at=continued[t.run].pause_at)
        if t.run in continued
        else t
        for t in trials
    ]
    starts = [action for action in decision.actions if isinstance(action, Start)]
    new = [
        Trial(f"run-{number:02d}", start.config, RunStatus.QUEUED, True, pause_at=start.pause_at)
        for number, start in enumerate(starts, len(after))
    ]
    return [*after, *new]


def drive(
    what: Search, trained: Trained, trials: Sequence[Trial] = (), workers: int = 2
) -> tuple[list[Trial], str]:
    """To its end: `trained` says how an open training ends or stands; the trainings then, and why it ended.

    After each decision a single training ends, so that decisions are made while others go on.
    """
    now = list(trials)
    for _ in range(400):
        free = workers - sum(trial.is_open for trial in now)
        decision = decide.decide(what, now, free)
        assert decide.decide(what, now, free) == decision, "asked again, it said something else"
        if decision.over is not None:
            assert not any(trial.is_open for trial in now)
            return now, decision.over
        assert len(decision.actions) <= max(0, free)
        now = act(now, decision)
        first = next((place for place, trial in enumerate(now) if trial.is_open), None)
        assert first is not None, "it wants nothing, and is not over"
        now[first] = trained(now[first])
    raise AssertionError("the search does not end")


def ended(trial: Trial, loss: float) -> Trial:
    """How a training of this loss stands, or ends if it has no pause."""
    if trial.pause_at is not None:
        return replace(standing(trial.run, loss, trial.pause_at, trial.config))
    rows = (loss, loss)
    return replace(trial, status=RunStatus.FINISHED, loss=loss, score=-loss, row_losses=rows, seconds=40.0)


def failed(trial: Trial) -> Trial:
    """The same training, failed."""
    return replace(trial, status=RunStatus.FAILED, seconds=5.0)
