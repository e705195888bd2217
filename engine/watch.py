"""Watches a training: reports its progress, obeys a stop or a deadline, keeps the best epoch's weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from engine.errors import TrainingError

PROGRESS_SECONDS = 0.25
KEPT_WEIGHTS = 1_000_000_000  # trainable; above, no copy of the best epoch is held in memory

Emit = Callable[[str, dict[str, Any]], None]


class StopMode(StrEnum):
    """What a person wants when they stop a run."""

    DISCARD = "discard"
    KEEP_BEST = "keep_best"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a training reports to and asks while it runs.

    `stop` is asked at each step; `epoch_ended` gets the model and the epoch, and may return the loss on dev;
    at `deadline` (of the monotonic clock) the training ends.
    """

    emit: Emit
    stop: Callable[[], StopMode | None]
    epoch_ended: Callable[[Any, int], float | None]
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """The trained weights as they were at the end of the best epoch so far, by loss on dev."""

    loss: float
    epoch: int
    weights: dict[str, Any]

    def restore(self, model: Any) -> None:
        """Put the weights back."""
        model.load_state_dict(self.weights, strict=False)


@dataclass(slots=True)
class Training:
    """How a training went; `model` is in the state that it ended in."""

    model: Any
    steps: int = 0
    seconds: float = 0.0
    tokens: int = 0
    first_step_seconds: float | None = None
    stopped: StopMode | None = None
    out_of_time: bool = False
    best: Kept | None = None
    log_history: list[dict[str, float]] = field(default_factory=list)


class Watch:
    """The callbacks of a transformers TrainerCallback, to be mixed into one where transformers is loaded."""

    def __init__(self, hooks: Hooks, model: Any, tokens_per_epoch: int) -> None:
        self.hooks = hooks
        self.training = Training(model)
        self.tokens_per_epoch = tokens_per_epoch
        self.other_seconds = 0.0
        self.began = self.emitted = time.monotonic()
        self.emitted_step = 0
        self.logs: dict[str, Any] = {}

    @property
    def seconds(self) -> float:
        """Time spent on training, without the scoring and the waiting in between."""
        return time.monotonic() - self.began - self.other_seconds

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The clock starts when everything is loaded."""
        self.began = time.monotonic()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The only place where a training ends early."""
        training, deadline = self.training, self.hooks.deadline
        if training.first_step_seconds is None:
            training.first_step_seconds = self.seconds
        began = time.monotonic()
        training.stopped = training.stopped or self.hooks.stop()
        self.other_seconds += time.monotonic() - began
        training.out_of_time = deadline is not None and time.monotonic() >= deadline
        if training.stopped or training.out_of_time:
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """A few progress events per second, the first step among them."""
        if "loss" not in logs:
            return
        check_finite(float(logs["loss"]), state.global_step)
        self.logs = logs
        if self.emitted_step == 0 or time.monotonic() - self.emitted >= PROGRESS_SECONDS:
            self._emit_progress(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last step's progress, if it was not told yet."""
        if state.global_step != self.emitted_step:
            self._emit_progress(state)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Scoring between epochs; a stop in the middle of one also ends up here."""
        began, epoch = time.monotonic(), round(state.epoch)
        if self.training.stopped is StopMode.DISCARD or abs(state.epoch - epoch) > 1e-6:
            return
        loss = self.hooks.epoch_ended(self.training.model, epoch)
        if loss is not None:
            state.log_history.append({"epoch": epoch, "step": state.global_step, "eval_loss": loss})
            self._keep(loss, epoch)
        self.other_seconds += time.monotonic() - began

    def outcome(self, trainer: Any) -> Training:
        """What is known at the end; the model comes out of its mixed-precision wrapper."""
        training, state = self.training, trainer.state
        training.steps = state.global_step
        training.seconds = self.seconds
        training.tokens = round(self.tokens_per_epoch * (state.epoch or 0))
        training.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        training.log_history = [e for e in state.log_history if "loss" in e or "eval_loss" in e]
        return training

    def _emit_progress(self, state: Any) -> None:
        self.emitted, self.emitted_step = time.monotonic(), state.global_step
        left = state.max_steps - state.global_step
        progress = {
            "step": state.global_step,
            "total_steps": state.max_steps,
            "epoch": state.epoch,
            "loss": self.logs.get("loss"),
            "learning_rate": self.logs.get("learning_rate"),
            "grad_norm": self.logs.get("grad_norm"),
            "tokens_per_second": self.tokens_per_epoch * (state.epoch or 0) / self.seconds,
            "eta_seconds": self.seconds / max(1, state.global_step) * left,
        }
        self.hooks.emit("progress", progress)

    def _keep(self, loss: float, epoch: int) -> None:
        model, best = self.training.model, self.training.best
        if (best is None or loss < best.loss) and trainable(model) <= KEPT_WEIGHTS:
            weights = {n: p.detach().cpu().clone() for n, p in model.named_parameters() if p.requires_grad}
            self.training.best = Kept(loss, epoch, weights)


def check_finite(loss: float, step: int) -> None:
    """Raises TrainingError for a loss that is not a number."""
    if not math.isfinite(loss):
        raise TrainingError(
            f"The loss became {loss} at step {step}: the training diverged. Lower learning_rate."
        )


def trainable(model: Any) -> int:
    """The number of weights that training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
