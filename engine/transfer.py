"""A config carried from a small model to a larger one, or to another effective batch.

The rules are those of the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com); whether the
learning rate goes along is measured in engine.rate_transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine import advice
from engine.advice import LESSON, Note
from engine.errors import ConfigError
from engine.pareto import costs
from engine.records import Config, RunStatus
from engine.search import Objective, Trial

RANK_CAP = 64


@dataclass(frozen=True, slots=True)
class RateFactor:
    """What the learning rate is multiplied by, and who says so."""

    value: float
    source: str


# The source contradicts itself, so it is a choice.
RATE_FACTORS = (
    RateFactor(1.0, f"{LESSON}, in its code"),
    RateFactor(1 / 2, f"{LESSON}: halved from 7 B to 70 B"),
    RateFactor(1 / 3, f"{LESSON}: divided by 3 to 5 from 7 B to 70 B"),
    RateFactor(1 / 5, f"{LESSON}: divided by 3 to 5 from 7 B to 70 B"),
)


def top(trials: Sequence[Trial], n: int = 3, objective: Objective = Objective.LOSS) -> list[Trial]:
    """The best n trainings that went to their end, each config once; of both objectives the loss decides."""
    ended = [trial for trial in trials if trial.status is RunStatus.FINISHED]
    measured = [(found, trial) for trial in ended if (found := costs(trial, objective)) is not None]
    best: dict[Config, Trial] = {}
    for _, trial in sorted(measured, key=lambda one: (one[0], one[1].config.to_json(), one[1].run)):
        best.setdefault(trial.config, trial)
    return list(best.values())[:n]


def carry(config: Config, *, learning_rate_factor: float, rank_cap: int = RANK_CAP) -> Config:
    """The config for a larger model: rank doubled up to its cap, alpha / rank kept, learning rate x factor.

    A rank above the cap stays. All else is kept. Raises ConfigError for a factor that is not above 0.
    """
    if not learning_rate_factor > 0:
        raise ConfigError(f"The learning-rate factor must be above 0, but is {learning_rate_factor:g}.")
    carried = replace(config, learning_rate=_three_digits(config.learning_rate * learning_rate_factor))
    if config.lora_r is None or config.lora_alpha is None:
        return carried
    rank = max(config.lora_r, min(2 * config.lora_r, rank_cap))
    return replace(carried, lora_r=rank, lora_alpha=max(1, round(config.lora_alpha * rank / config.lora_r)))


def scaled_for_batch(config: Config, old_effective: int, new_effective: int) -> tuple[Config, Note | None]:
    """The learning rate that goes with another effective batch (per device x accumulation x GPUs).

    The note gives the rule, and says where a batch lies beyond 16 to 256; None where the batch stays.
    Raises ConfigError for a batch below 1.
    """
    if min(old_effective, new_effective) < 1:
        raise ConfigError("An effective batch has at least 1 row: give two whole numbers above 0.")
    if old_effective == new_effective:
        return config, None
    rate = advice.scaled_rate(config.learning_rate, old_effective, new_effective)
    note = advice.batch_note(config.learning_rate, old_effective, new_effective)
    return replace(config, learning_rate=_three_digits(rate)), note


def _three_digits(rate: float) -> float:
    return float(f"{rate:.3g}")
