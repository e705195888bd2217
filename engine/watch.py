"""Watches a training: reports its progress, ends it in time, keeps the best epoch's weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import pausing
from engine.pausing import Pauses

PROGRESS_SECONDS = 0.25
KEPT_WEIGHTS = 1_000_000_000  # trainable; above, no copy of the best epoch is held in memory

ORDER = "random state that the epoch's order was drawn from"

Emit = Callable[[str, dict[str, Any]], None]


class StopMode(StrEnum):
    """What a person wants when they stop a run."""

    DISCARD = "discard"
    KEEP_BEST = "keep_best"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a training reports to and asks while it runs.

    `stop` is asked at each step; `epoch_ended` gets the model and the epoch (0: before the first step), and
    may return the loss on dev; at `deadline` (of the monotonic clock) the training ends, and after `patience`
    epochs in a row that lower the loss by no more than `least_gain` (None: never). `pauses`: where it goes on
    from, and where it stands still.
    """

    emit: Emit
    stop: Callable[[], StopMode | None]
    epoch_ended: Callable[[Any, int], float | None]
    deadline: float | None = None
    patience: int | None = None
    least_gain: float = 0.0
    pauses: Pauses = field(default_factory=Pauses)


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
    """How a training went; `model` is in the state that it ended in.

    `stopped_epoch`: the epoch after which patience ended it; `diverged_at`: the step at which a loss was no
    number; `paused`: it stands still with a checkpoint. One that went on from a checkpoint counts both parts.
    """

    model: Any
    steps: int = 0
    seconds: float = 0.0
    tokens: int = 0
    first_step_seconds: float | None = None
    stopped: StopMode | None = None
    out_of_time: bool = False
    paused: bool = False
    stopped_epoch: int | None = None
    diverged_at: int | None = None
    best: Kept | None = None
    log_history: list[dict[str, float]] = field(default_factory=list)


class Watch:
    """The callbacks of a transformers TrainerCallback, to be mixed into one where transformers is loaded."""

    def __init__(self, hooks: Hooks, model: Any, tokens_per_epoch: int) -> None:
        self.hooks = hooks
        self.pauses = hooks.pauses
        self.training = Training(model)
        self.tokens_per_epoch = tokens_per_epoch
        self.other_seconds = 0.0
        self.began = self.emitted = time.monotonic()
        self.emitted_step = 0
        self.logs: dict[str, Any] = {}
        self.least_loss = math.inf
        self.epochs_without_gain = 0
        self.order: Any = None
        self.earlier_seconds = self.stood_still = 0.0

    @property
    def seconds(self) -> float:
        """Time spent on training, without the scoring and the waiting in between."""
        return self.earlier_seconds + time.monotonic() - self.began - self.other_seconds

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The untuned model's loss, or what was known at the pause; then the clock starts: all is loaded."""
        if self.pauses.earlier is None:
            self._measure(state, 0)
        else:
            self._remember()
        self.began = time.monotonic()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The rows' order is drawn right after this: one that goes on within an epoch draws the same."""
        import torch

        if self.pauses.earlier is not None and state.global_step == self.pauses.earlier.step:
            torch.set_rng_state(self.order)
        self.order = torch.get_rng_state()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The only place where a training ends early, or stands still."""
        training, deadline = self.training, self.hooks.deadline
        if training.first_step_seconds is None:
            training.first_step_seconds = self.seconds
        began = time.monotonic()
        training.stopped = training.stopped or self.hooks.stop()
        self.other_seconds += time.monotonic() - began
        training.out_of_time = deadline is not None and time.monotonic() >= deadline
        stopped = bool(training.stopped or training.out_of_time)
        training.paused = not stopped and state.global_step == self.pauses.step(state.max_steps)
        if stopped or training.paused:
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
        """A few progress events per second, the first step among them."""
        if "loss" not in logs:
            return
        if not math.isfinite(float(logs["loss"])):
            self._diverge(state, control)
            return
        self.logs = logs
        if self.emitted_step == 0 or time.monotonic() - self.emitted >= PROGRESS_SECONDS:
            self._emit_progress(state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The last step's progress, if it was not told yet."""
        if state.global_step != self.emitted_step:
            self._emit_progress(state)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Scoring between epochs; a stop or a pause in the middle of one also ends up here."""
        began, training = time.monotonic(), self.training
        unwanted = training.stopped is StopMode.DISCARD or training.diverged_at is not None
        if _is_whole(state.epoch) and not unwanted:
            self._score(args, state, control)
        self.other_seconds += time.monotonic() - began
        ended = training.diverged_at is not None or training.stopped_epoch is not None
        training.paused = training.paused and not ended
        control.should_save = training.paused
        self.stood_still = time.monotonic()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The trainer has written its checkpoint: put beside it what is known here alone."""
        import torch

        self.other_seconds += time.monotonic() - self.stood_still
        best = self.training.best
        numbers = {
            "seconds": self.seconds,
            "first_step_seconds": self.training.first_step_seconds,
            "least_loss": self.least_loss,
            "epochs_without_gain": self.epochs_without_gain,
            "best": None if best is None else [best.loss, best.epoch],
        }
        order = torch.get_rng_state() if _is_whole(state.epoch) else self.order
        weights = {} if best is None else best.weights
        draft = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        pausing.write_memory(draft, numbers, {ORDER: order, **weights})

    def outcome(self, trainer: Any) -> Training:
        """What is known at the end; the model comes out of its mixed-precision wrapper."""
        training, state = self.training, trainer.state
        training.steps = state.global_step
        training.seconds = self.seconds
        training.tokens = round(self.tokens_per_epoch * (state.epoch or 0))
        training.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
        finite = [{k: v for k, v in e.items() if math.isfinite(v)} for e in state.log_history]
        training.log_history = [entry for entry in finite if "loss" in entry or "eval_loss" in entry]
        return training

    def _remember(self) -> None:
        assert self.pauses.earlier is not None
        numbers, weights = pausing.read_memory(self.pauses.earlier)
        self.order = weights.pop(ORDER)
        self.earlier_seconds = numbers["seconds"]
        self.training.first_step_seconds = numbers["first_step_seconds"]
        self.least_loss = numbers["least_loss"]
        self.epochs_without_gain = numbers["epochs_without_gain"]
        if numbers["best"] is not None:
            loss, epoch = numbers["best"]
            self.training.best = Kept(loss, epoch, weights)

    def _score(self, args: Any, state: Any, control: Any) -> None:
        epoch = round(state.epoch)
        loss = self._measure(state, epoch)
        if loss is not None and not math.isfinite(loss):
            self._diverge(state, control)
        elif loss is not None:
            self._keep(loss, epoch)
            if self._is_out_of_patience(loss) and epoch < args.num_train_epochs:
                self.training.stopped_epoch = epoch
                control.should_training_stop = True

    def _measure(self, state: Any, epoch: int) -> float | None:
        loss = self.hooks.epoch_ended(self.training.model, epoch)
        if loss is not None:
            state.log_history.append({"epoch": epoch, "step": state.global_step, "eval_loss": loss})
        return loss

    def _diverge(self, state: Any, control: Any) -> None:
        self.training.diverged_at = state.global_step
        control.should_training_stop = True

    def _is_out_of_patience(self, loss: float) -> bool:
        """Counted as transformers' EarlyStoppingCallback does."""
        gained = self.least_loss - loss > self.hooks.least_gain
        self.epochs_without_gain = 0 if gained else self.epochs_without_gain + 1
        self.least_loss = min(self.least_loss, loss)
        return self.hooks.patience is not None and self.epochs_without_gain >= self.hooks.patience

    def _emit_progress(self, state: Any) -> None:
        self.emitted, self.emitted_step = time.monotonic(), state.global_step
        left = (self.pauses.step(state.max_steps) or state.max_steps) - state.global_step
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


def _is_whole(epoch: float) -> bool:
    return abs(epoch - round(epoch)) <= 1e-6


def trainable(model: Any) -> int:
    """The number of weights that training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
