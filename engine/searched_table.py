"""The trainings of a study as a table that can be taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from engine.metrics import lower_is_better
from engine.records import RunSpec
from engine.search import Trial


def table(trials: Sequence[Trial], specs: Mapping[str, RunSpec], metric: str) -> pd.DataFrame:
    """A row per training, oldest first: who proposed it and why, how it ended, its dev values, its config.

    Losses in nats per token, other scores as shares; a value that was not measured is empty.
    """
    sign = -1.0 if lower_is_better(metric) else 1.0
    rows = []
    for trial in trials:
        spec = specs[trial.run]
        rows.append(
            {
                "run": trial.run,
                "name": spec.name,
                "kind": str(spec.kind),
                "search": spec.search,
                "status": str(trial.status),
                "paused_at": trial.pause_at if trial.is_paused else None,
                "dev_loss": trial.loss,
                **({} if metric == "loss" else {f"dev_{metric}": _times(trial.score, sign)}),
                "seconds": trial.seconds,
                **trial.config.to_dict(),
                "why": spec.why,
            }
        )
    return pd.DataFrame(rows)


def _times(value: float | None, sign: float) -> float | None:
    return None if value is None else sign * value
