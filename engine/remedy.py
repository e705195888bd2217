"""The next config to try after a diagnosis, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from engine.advice import Rates
from engine.diagnose import Diagnosis, Label
from engine.records import Config, RunSpec, short_rate

Number = TypeVar("Number", int, float)
EPOCHS = (1, 3, 5, 10, 20, 50, 100)
RANKS = (4, 8, 16, 32, 64, 128)
DROPOUTS = (0.05, 0.1, 0.2)
DECAYS = (0.01, 0.1)
WARM_UP = 0.1  # of the steps
LARGEST_BATCH = 256


@dataclass(frozen=True, slots=True)
class Proposal:
    """A config that differs from the run's in one thing, named in `reason`; `label` shows also that thing."""

    config: Config
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Case:
    """A diagnosed training, and the learning rates that are usual for its model."""

    config: Config
    diagnosis: Diagnosis
    rates: Rates
    stops_early: bool


Change = tuple[dict[str, Any], str]
Fix = Callable[[_Case], Change | None]


def propose(spec: RunSpec, diagnosis: Diagnosis, rates: Rates, taken: Collection[Config]) -> Proposal | None:
    """The first fix for the worst finding whose config is not among those taken; None: no fix is left.

    The order of fixes is that of the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com); early
    stopping with the best epoch, its first one, is on for every config that is added by hand.
    """
    assert spec.config is not None
    case = _Case(spec.config, diagnosis, rates, spec.early_stopping_patience is not None)
    for fix in _fixes(case):
        changes, reason = fix(case) or ({}, "")
        config = replace(spec.config, **changes)
        if config != spec.config and config not in taken:
            return Proposal(config, _label(config, changes), reason)
    return None


def _fixes(case: _Case) -> Iterator[Fix]:
    for label in case.diagnosis.labels:
        if label is Label.OVERFIT and case.config.learning_rate >= case.rates.high:
            yield _lower_rate
        yield from FIXES[label]


def _label(config: Config, changes: Mapping[str, Any]) -> str:
    """The config's label, with what was changed of that which labels leave out."""
    told = {"lora_dropout": "dropout", "weight_decay": "weight decay", "warmup_ratio": "warm-up"}
    extra = [f"{title} {changes[name]:g}" for name, title in told.items() if name in changes]
    return ", ".join((config.label, *extra))


def _lower_rate(case: _Case) -> Change | None:
    """One value down; from far above all usual ones to their middle, from the lowest to a third of it."""
    rate, values = case.config.learning_rate, case.rates.values
    lower = values[len(values) // 2] if rate > 3 * values[-1] else _below(values, rate) or rate / 3
    reason = f"Lower the learning rate from {short_rate(rate)} to {short_rate(lower)}."
    return {"learning_rate": lower}, reason


def _higher_rate(case: _Case) -> Change | None:
    """One value up, at most to the highest; from far below all usual ones to their middle."""
    rate, values = case.config.learning_rate, case.rates.values
    higher = values[len(values) // 2] if rate < values[0] / 3 else _above(values, rate)
    if higher is None:
        return None
    reason = f"Raise the learning rate from {short_rate(rate)} to {short_rate(higher)}."
    return {"learning_rate": higher}, reason


def _lower_if_high(case: _Case) -> Change | None:
    return _lower_rate(case) if case.config.learning_rate > 1.001 * case.rates.values[-1] else None


def _raise_if_low(case: _Case) -> Change | None:
    return _higher_rate(case) if case.config.learning_rate < 0.999 * case.rates.values[0] else None


def _warm_up(case: _Case) -> Change | None:
    config = case.config
    if config.warmup_ratio is not None and config.warmup_ratio >= WARM_UP:
        return None
    schedule = {"constant": "constant_with_warmup"}.get(config.lr_scheduler_type, config.lr_scheduler_type)
    changes = {"warmup_ratio": WARM_UP, "warmup_steps": None, "lr_scheduler_type": schedule}
    return changes, f"Let the learning rate rise over the first {100 * WARM_UP:.0f} % of the steps."


def _larger_batch(case: _Case) -> Change | None:
    config = case.config
    batch = 2 * config.effective_batch_size
    if batch > LARGEST_BATCH:
        return None
    more = 2 * config.gradient_accumulation_steps
    return {"gradient_accumulation_steps": more}, f"Average over {batch} rows at each step, twice as many."


def _fewer_epochs(case: _Case) -> Change | None:
    """As many as the best; with a constant schedule that changes nothing for a run that kept its best."""
    best = int(case.diagnosis.losses.best[0])
    constant = case.config.lr_scheduler_type.startswith("constant")
    if best >= case.config.num_train_epochs or (case.stops_early and constant):
        return None
    return {"num_train_epochs": best}, f"Train no longer than epoch {best}, after which dev loss was lowest."


def _more_epochs(case: _Case) -> Change | None:
    now = case.config.num_train_epochs
    more = _above(EPOCHS, now)
    return None if more is None else ({"num_train_epochs": more}, f"Train {more} epochs instead of {now}.")


def _lower_rank(case: _Case) -> Change | None:
    return _rank(case.config, _below(RANKS, case.config.lora_r or 0), "Lower")


def _higher_rank(case: _Case) -> Change | None:
    return _rank(case.config, _above(RANKS, case.config.lora_r or 0), "Raise")


def _rank(config: Config, rank: int | None, verb: str) -> Change | None:
    """Alpha goes with the rank, so that LoRA's steps keep their size."""
    if config.lora_r is None or config.lora_alpha is None or rank is None:
        return None
    alpha = max(1, round(config.lora_alpha * rank / config.lora_r))
    reason = f"{verb} the rank from {config.lora_r} to {rank}, and alpha with it."
    return {"lora_r": rank, "lora_alpha": alpha}, reason


def _more_dropout(case: _Case) -> Change | None:
    more = _above(DROPOUTS, case.config.lora_dropout or 0.0)
    if case.config.lora_r is None or more is None:
        return None
    reason = f"Leave out {100 * more:.0f} % of the adapter's inputs at each step (dropout)."
    return {"lora_dropout": more}, reason


def _more_decay(case: _Case) -> Change | None:
    more = _above(DECAYS, case.config.weight_decay)
    return None if more is None else ({"weight_decay": more}, f"Raise the weight decay to {more:g}.")


FIXES: Mapping[Label, tuple[Fix, ...]] = {
    Label.DIVERGED: (_lower_rate, _warm_up),
    Label.UNSTABLE: (_lower_rate, _warm_up, _larger_batch),
    Label.OVERFIT: (_fewer_epochs, _lower_rank, _more_dropout, _more_decay, _lower_rate),
    Label.MINIMAL: (_lower_if_high, _higher_rate, _more_epochs, _higher_rank),
    Label.UNDERFIT: (_raise_if_low, _more_epochs, _higher_rate, _higher_rank),
    Label.HEALTHY: (),
}


def _above(values: Sequence[Number], now: float) -> Number | None:
    """The next larger of ascending values."""
    return next((value for value in values if value > 1.001 * now), None)


def _below(values: Sequence[Number], now: float) -> Number | None:
    """The next smaller of ascending values."""
    return next((value for value in reversed(values) if value < 0.999 * now), None)
