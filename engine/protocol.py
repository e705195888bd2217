"""The minimum viable protocol: four short trainings that decide how a full one is trained.

After the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com): three learning rates over a decade,
judged by the smoothest fall of the training loss at 20 % of the steps; the rank against its double; a longer
warm-up if the first steps are spiky; the rest at its defaults. The lesson leaves open what "smooth" and
"spiky" are; our measures of them are in engine.descent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from engine import descent
from engine.descent import Fall
from engine.errors import ConfigError
from engine.halving import mean_loss
from engine.records import Config, Method, RunStatus, short_rate
from engine.search import Continue, Decision, Search, Start, Trial
from engine.searchspace import DECADE

PAUSE_AT = 0.2
GAIN = 0.02  # of dev loss, that a double rank must lower it by
WARM_UP, LONG_WARM_UP = 0.05, 0.1
SPIKY_UNTIL = 0.1  # of the steps
# Of the second grid's first 87 trainings, 3 of the 28 with a cell's highest learning rate are above it, and
# no other is.
SPIKE = 1.2
WEIGHT_DECAY, DROPOUT, ALPHA = 0.01, 0.05, 2  # alpha: times the rank


class State(StrEnum):
    """How far a step is."""

    WAITING = "waiting"
    RUNNING = "running"
    DECIDED = "decided"


@dataclass(frozen=True, slots=True)
class Step:
    """What it decides and, once it has, the decision in one sentence with its numbers."""

    title: str
    decides: str
    state: State
    decision: str | None = None


def runs_needed(method: Method) -> int:
    """The most runs that it starts: the short ones, and the full one if its warm-up is the longer one."""
    return 5 if method is Method.LORA else 4


def decide(search: Search, trials: Sequence[Trial], free: int) -> Decision:
    """What to start or continue; raises ConfigError for a search with fewer runs than it needs."""
    needed = runs_needed(search.space.fixed.method)
    if search.runs < needed:
        raise ConfigError(f"The protocol needs {needed} runs, but has {search.runs}. Give it {needed}.")
    return _Protocol.of(search, trials).next(max(0, free))


def plan(search: Search, trials: Sequence[Trial]) -> list[Step]:
    """The steps as they stand."""
    return list(_Protocol.of(search, trials).steps())


@dataclass(frozen=True)
class _Protocol:
    """What the search's own trainings decide so far.

    One that goes on to its end is the full one, whoever let it, and its config is the decision: what was
    measured where it stood is not kept.
    """

    rates: tuple[Config, ...]
    ours: tuple[Trial, ...]

    @classmethod
    def of(cls, search: Search, trials: Sequence[Trial]) -> _Protocol:
        """Its three configs lie around the start of the search space."""
        fixed = search.space.fixed
        base = replace(fixed, warmup_steps=None, warmup_ratio=WARM_UP, weight_decay=WEIGHT_DECAY)
        if fixed.lr_scheduler_type == "constant":
            base = replace(base, lr_scheduler_type="constant_with_warmup")
        if fixed.lora_r is not None:
            base = replace(base, lora_alpha=ALPHA * fixed.lora_r, lora_dropout=DROPOUT)
        rates = (fixed.learning_rate / DECADE, fixed.learning_rate, fixed.learning_rate * DECADE)
        configs = tuple(replace(base, learning_rate=float(f"{rate:.3g}")) for rate in rates)
        return cls(configs, tuple(trial for trial in trials if trial.ours))

    @cached_property
    def tried(self) -> tuple[Trial | None, ...]:
        """The trainings of the three; None: not started."""
        return tuple(map(self._of, self.rates))

    @cached_property
    def final(self) -> Trial | None:
        """The full training."""
        return next((trial for trial in self.ours if trial.pause_at is None), None)

    @cached_property
    def rate(self) -> Trial | None:
        """The short training whose learning rate is kept; None: undecided, or none of the three can be."""
        if self.final is not None:
            return self._of(replace(self.rates[0], learning_rate=self.final.config.learning_rate))
        if any(trial is None or trial.is_open for trial in self.tried):
            return None
        return min(self._usable, key=self._order, default=None)

    @cached_property
    def double(self) -> Config | None:
        """The kept learning rate at twice the rank; None: undecided, or no LoRA."""
        if self.rate is None or self.rate.config.lora_r is None:
            return None
        rank = 2 * self.rate.config.lora_r
        return replace(self.rate.config, lora_r=rank, lora_alpha=ALPHA * rank)

    @cached_property
    def chosen(self) -> Trial | None:
        """The short training of the kept learning rate and rank; None: undecided."""
        if self.final is not None:
            return self._of(replace(self.final.config, warmup_ratio=WARM_UP))
        if self.rate is None or self.double is None:
            return self.rate
        other = self._of(self.double)
        if other is None or other.is_open:
            return None
        better = _got_there(other) and mean_loss(other) < (1 - GAIN) * mean_loss(self.rate)
        return other if better else self.rate

    @cached_property
    def config(self) -> Config | None:
        """Of the full training, with all decisions; None: undecided."""
        if self.final is not None:
            return self.final.config
        if self.chosen is None:
            return None
        spiky = (self._peak(self.chosen) or 0.0) > SPIKE
        return replace(self.chosen.config, warmup_ratio=LONG_WARM_UP) if spiky else self.chosen.config

    def next(self, free: int) -> Decision:
        """What to do now."""
        is_open = any(trial.is_open for trial in self.ours)
        if self.final is not None:
            return Decision() if is_open else Decision(over=_ending(self.final))
        missing = [config for config, trial in zip(self.rates, self.tried, strict=True) if trial is None]
        if missing or is_open or free == 0:
            return Decision(tuple(_short(config, "a learning rate") for config in missing[:free]))
        if self.rate is None:
            return Decision(over=self._rate_decision())
        if self.chosen is None:
            assert self.double is not None
            return Decision((_short(self.double, "twice the rank"),))
        if self.chosen.status is RunStatus.FINISHED:
            return Decision(over=_ending(self.chosen))
        return Decision((self._full(self.chosen),))

    def steps(self) -> Iterator[Step]:
        """Each with its decision as soon as there is one."""
        rank = self.rates[0].lora_r
        values = ", ".join(short_rate(config.learning_rate) for config in self.rates)
        settled = not any(trial is None or trial.is_open for trial in self.tried)
        yield _step(
            "Learning rate",
            f"With which of {values} the loss falls most smoothly, at {_percent(PAUSE_AT)} of the steps.",
            any(trial is not None for trial in self.tried),
            self._rate_decision() if self.rate is not None or settled else None,
        )
        if rank is None:
            yield _step("Rank", "Nothing here.", False, "Full fine-tuning has no rank.")
        else:
            yield _step(
                "Rank",
                f"Whether rank {2 * rank} lowers dev loss by more than {_percent(GAIN)} against rank {rank}.",
                self.double is not None and self._of(self.double) is not None,
                None if self.chosen is None else self._rank_decision(self.chosen),
            )
        yield _step(
            "Warm-up",
            f"{WARM_UP:g} of the steps, or {LONG_WARM_UP:g} if the first {_percent(SPIKY_UNTIL)} is spiky.",
            False,
            None if self.chosen is None else self._warm_up_decision(self.chosen),
        )
        yield _step("The rest", "Nothing: it stays at its defaults.", False, _rest(rank))
        yield _step(
            "Full training",
            "Nothing: it is trained with all decisions.",
            self.final is not None,
            None if self.final is None or self.final.is_open else _ending(self.final),
        )

    def _full(self, chosen: Trial) -> Start | Continue:
        assert self.config is not None
        rank = [] if self.double is None else [self._rank_decision(chosen)]
        decisions = (
            self._rate_decision(),
            *rank,
            self._warm_up_decision(chosen),
            _rest(chosen.config.lora_r),
        )
        why = " ".join(decisions)
        return Continue(chosen.run, why) if self.config == chosen.config else Start(self.config, why)

    def _of(self, config: Config) -> Trial | None:
        return next((trial for trial in self.ours if trial.config == config), None)

    @property
    def _usable(self) -> list[Trial]:
        return [trial for trial in self.tried if trial is not None and _got_there(trial)]

    @cached_property
    def _limit(self) -> float:
        """The step at which the short trainings stand."""
        logged = [trial for trial in self.ours if trial.losses_by_step]
        standing = [trial.losses_by_step[-1][0] for trial in logged if trial.is_paused]
        whole = [PAUSE_AT * t.losses_by_step[-1][0] for t in logged if t.status is RunStatus.FINISHED]
        return max(standing or whole, default=math.inf)

    def _fall(self, trial: Trial) -> Fall | None:
        return descent.fall(trial.losses_by_step, self._limit)

    @cached_property
    def _by_fall(self) -> bool:
        """Whether it is known of every learning rate that got there."""
        return all(self._fall(trial) is not None for trial in self._usable)

    def _order(self, trial: Trial) -> tuple[float, float, str]:
        """Best first; equal falls by dev loss, then by the config's JSON."""
        found = self._fall(trial) if self._by_fall else None
        return (-found.smoothness if found else 0.0, mean_loss(trial), trial.config.to_json())

    @cached_property
    def _gentlest(self) -> Trial | None:
        return next((trial for trial in self.tried if trial is not None and trial.losses_by_step), None)

    def _peak(self, trial: Trial) -> float | None:
        """See descent.peak; None where no gentler training is known."""
        gentle = self._gentlest
        if gentle is None or gentle.config.learning_rate >= trial.config.learning_rate:
            return None
        until = self._limit * SPIKY_UNTIL / PAUSE_AT
        return descent.peak(trial.losses_by_step, gentle.losses_by_step, until)

    def _rate_decision(self) -> str:
        told = [
            f"{short_rate(config.learning_rate)} {self._told(trial)}"
            for config, trial in zip(self.rates, self.tried, strict=True)
            if trial is not None
        ]
        if self.rate is None:
            return f"No learning rate can be kept: {', '.join(told)}."
        by = "smoothness of the fall" if self._by_fall else "dev loss (too few logged losses to judge a fall)"
        kept = short_rate(self.rate.config.learning_rate)
        return f"Learning rate {kept}, by {by} at {_percent(PAUSE_AT)} of the steps: {', '.join(told)}."

    def _told(self, trial: Trial) -> str:
        if trial is self.final and (trial.is_open or not self._by_fall):
            return "goes on"
        if not _got_there(trial):
            return "failed" if trial.status is RunStatus.FAILED else "was stopped"
        found = self._fall(trial) if self._by_fall else None
        if found is None:
            return f"{mean_loss(trial):.3f}"
        fell = f"fell {_percent(found.share)}" if found.share >= 0 else f"rose {_percent(-found.share)}"
        return f"{found.smoothness:.2f} ({fell}, roughness {found.roughness:.2f})"

    def _rank_decision(self, chosen: Trial) -> str:
        kept = f"Rank {chosen.config.lora_r}"
        other = None if self.double is None else self._of(self.double)
        if other is None or self.rate is None:
            return f"{kept}: no other was tried."
        if not _got_there(other) and other is not self.final:
            return f"{kept}: the training with rank {other.config.lora_r} did not get so far."
        if self.final in (self.rate, other):
            return f"{kept}: its training is the one that goes on."
        before, after = mean_loss(self.rate), mean_loss(other)
        change = 100 * (before - after) / before
        side = "below" if change >= 0 else "above"
        return (
            f"{kept}: dev loss {after:.3f} at rank {other.config.lora_r} is {abs(change):.1f} % {side} the "
            f"{before:.3f} at rank {self.rate.config.lora_r}; the double "
            f"must be more than {_percent(GAIN)} below."
        )

    def _warm_up_decision(self, chosen: Trial) -> str:
        assert self.config is not None
        kept = f"Warm-up {self.config.warmup_ratio:g}"
        if not chosen.losses_by_step:
            return f"{kept}: its training is the one that goes on."
        found = self._peak(chosen)
        if found is None or self._gentlest is None:
            return f"{kept}: there is no gentler training to compare its first steps with."
        gentle = short_rate(self._gentlest.config.learning_rate)
        return (
            f"{kept}: a loss of the first {_percent(SPIKY_UNTIL)} of the steps reached {found:.2f} times the "
            f"larger of the first step's and that of the same rows at {gentle}; above {SPIKE:g} is spiky."
        )


def _got_there(trial: Trial) -> bool:
    """Whether it was measured where it should stand, or at its end."""
    return (trial.is_paused or trial.status is RunStatus.FINISHED) and bool(trial.row_losses)


def _short(config: Config, what: str) -> Start:
    return Start(config, f"Tries {what} for {_percent(PAUSE_AT)} of the steps: {config.label}.", PAUSE_AT)


def _rest(rank: int | None) -> str:
    adapter = "" if rank is None else f", dropout {DROPOUT:g}, alpha {ALPHA} x rank"
    return f"Weight decay {WEIGHT_DECAY:g}{adapter}: the lesson's defaults, not tried."


def _ending(trial: Trial) -> str:
    words = {RunStatus.FAILED: "failed", RunStatus.STOPPED: "was stopped"}
    return f"The full training {words.get(trial.status, 'has ended')}: {trial.config.label}."


def _step(title: str, decides: str, began: bool, decision: str | None) -> Step:
    state = State.DECIDED if decision else State.RUNNING if began else State.WAITING
    return Step(title, decides, state, decision)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
