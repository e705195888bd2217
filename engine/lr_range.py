"""The learning-rate range test: one short training whose learning rate climbs, and what its loss suggests.

Smith (2017), arXiv 1506.01186, with the numbers of the lesson "Fine-Tuning Hyperparameter Search"
(engineersofai.com): 100 steps over four decades, smoothing 0.05/0.95, stop at 4 x the best smoothed loss,
suggestion a tenth of the rate at which the smoothed loss falls most steeply. The model is thrown away after.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from engine import models, space
from engine.dataset import Dataset
from engine.errors import ConfigError, TrainingError
from engine.records import Config, Method

STEPS = 100
KEPT = 0.95  # of the smoothed loss from step to step
LAG = round(KEPT / (1 - KEPT))  # steps by which the smoothed loss is late: 19
DIVERGED = 4.0  # times the best smoothed loss
BACK = 10.0  # the suggestion is this factor below the steepest descent
BACK_FROM_LEAST = 2.0  # of the embedded models: see LrRange.centre
SURE, LEAST_FALL = 3.0, 0.001  # a fall must exceed so many standard errors and this share of the loss [ours]


@dataclass(frozen=True, slots=True)
class Ramp:
    """Learning rates that climb by the same factor at each step."""

    low: float
    high: float
    steps: int = STEPS

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < 1:
            raise ConfigError(
                f"A ramp climbs from above 0 to below 1, but goes from {self.low:g} to {self.high:g}."
            )
        if self.steps < 2 * LAG:
            raise ConfigError(f"A ramp needs at least {2 * LAG} steps, but has {self.steps}.")

    @property
    def rates(self) -> tuple[float, ...]:
        """One for each step, from `low` on; the step after the last would be at `high`."""
        factor = (self.high / self.low) ** (1 / self.steps)
        return tuple(self.low * factor**step for step in range(self.steps))


def ramp(model: str) -> Ramp:
    """1e-6 to 1e-2 as the lesson has it; for the embedded models ten times as much.

    They are a thousand times smaller than the models it is made for, and train at 1e-3 to 1e-2: a ramp that
    ends there would not show where their loss turns.
    """
    return Ramp(1e-5, 1e-1) if space.is_embedded(model) else Ramp(1e-6, 1e-2)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What a ramp suggests: a tenth of the rate at which the smoothed loss falls most steeply.

    `corrected`: the same on a loss smoothed without a lag; `least`: the rate at which that one is least.
    """

    rate: float
    corrected: float
    least: float


def smooth(losses: Sequence[float]) -> tuple[float, ...]:
    """The exponential mean at each step, from the first loss on; `LAG` steps late."""
    found: list[float] = []
    for loss in losses:
        found.append(KEPT * found[-1] + (1 - KEPT) * loss if found else loss)
    return tuple(found)


def smooth_in_place(losses: Sequence[float]) -> tuple[float, ...]:
    """The same mean taken forward and then backward: nothing is late (Gustafsson 1996 for the ends).

    [ours] Taking `LAG` steps off would not do: so late is the level, but where a loss falls within a few
    steps, its mean falls most steeply at once too. How late the steepest descent is depends on its width.
    """
    from scipy.signal import filtfilt

    found = filtfilt([1 - KEPT], [1, -KEPT], losses, method="gust")
    return tuple(float(loss) for loss in found)


def suggest(learning_rates: Sequence[float], losses: Sequence[float]) -> Suggestion:
    """The suggestion of a ramp; raises TrainingError where the loss does not fall.

    The first `LAG` steps are not looked at: there the smoothed loss leans on the first batch alone. A fall
    counts when it is more than what those steps differ by among themselves [ours].
    """
    if len(losses) < 2 * LAG:
        raise TrainingError(
            f"The loss left its range after {len(losses)} steps: start the ramp at a lower learning rate."
        )
    in_place = smooth_in_place(losses)
    before = np.asarray(losses[:LAG])
    error = float(before.std(ddof=1)) * math.sqrt(1 / LAG + (1 - KEPT) / (1 + KEPT))
    level = float(before.mean())
    if level - min(in_place[LAG:]) <= max(SURE * error, LEAST_FALL * level):
        ends = f"{learning_rates[0]:.1e} and {learning_rates[len(losses) - 1]:.1e}"
        raise TrainingError(
            f"The loss did not fall between learning rates {ends}, so none is suggested. Try another range, "
            "or check that the answers follow from the inputs."
        )
    return Suggestion(
        learning_rates[_steepest(smooth(losses), learning_rates)] / BACK,
        learning_rates[_steepest(in_place, learning_rates)] / BACK,
        learning_rates[LAG + int(np.argmin(in_place[LAG:]))],
    )


def _steepest(smoothed: Sequence[float], learning_rates: Sequence[float]) -> int:
    slopes = np.gradient(np.asarray(smoothed), np.log(learning_rates[: len(smoothed)]))
    return LAG + int(np.argmin(slopes[LAG:]))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. `config` None: the default config's batch size and adapter; its rate is not used."""

    model: str
    method: Method
    config: Config | None = None
    train_size: int | None = None
    max_length: int | None = None
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        config = None if self.config is None else self.config.to_dict()
        return {**asdict(self), "method": str(self.method), "config": config}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Question:
        """Inverse of to_dict."""
        config = None if values["config"] is None else Config.from_dict(values["config"])
        return cls(**{**values, "method": Method(values["method"]), "config": config})


@dataclass(frozen=True, slots=True)
class LrRange:
    """A ramp that was climbed: per step the rate, the loss (nats per answer token) and the smoothed loss.

    `suggestion`, `corrected` and `least` as in Suggestion; None, with the reason in `problem`, where the loss
    does not fall. `stopped`: it left its range before the last step. `conditions`: what the rates hold for.
    """

    model: str
    method: Method
    dataset: str
    conditions: Mapping[str, Any]
    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None
    corrected: float | None
    least: float | None
    problem: str | None
    stopped: bool
    steps: int
    seconds: float

    @property
    def centre(self) -> float | None:
        """The rate to search around: the corrected suggestion, but of the embedded models half of `least`.

        [ours] In the shipped grid the lesson's rule is one and a half to two and a half decades too low for
        them: see docs/lr-range.md. Larger models were not measured.
        """
        if self.least is not None and space.is_embedded(self.model):
            return self.least / BACK_FROM_LEAST
        return self.corrected

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "method": str(self.method), "centre": self.centre}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LrRange:
        """Inverse of to_dict."""
        values = {name: value for name, value in values.items() if name != "centre"}
        curves = {name: tuple(values[name]) for name in ("learning_rates", "losses", "smoothed")}
        return cls(**{**values, **curves, "method": Method(values["method"])})


Tell = Callable[[int, int, float], None]
"""Gets the step, the number of steps and the step's loss."""


def measure(
    dataset: Dataset, question: Question, climb: Ramp, tell: Tell, stopped: Callable[[], bool]
) -> LrRange | None:
    """Climb the ramp on the training rows, over and over while they are few; None: a person stopped it.

    The loss is that of every training: on the answer alone, with clipped gradients, AdamW.
    """
    from engine import finetune, loading
    from engine.encode import encoder
    from engine.prompts import Form, template_for

    began = time.monotonic()
    entry = models.get(question.model)
    rows = dataset.train_subset(question.train_size, question.seed)
    tokenizer = loading.load_tokenizer(models.path(entry))
    form = Form(dataset.task, template_for(dataset, entry.instructed), dataset.labels)
    text = encoder(form, tokenizer, rows, question.max_length)
    config = _config(question)
    with TemporaryDirectory() as unused:
        trainer = finetune.trainer(
            loading.load_model(models.path(entry), question.method),
            tokenizer,
            [text.encode(row) for row in rows],
            config,
            question.seed,
            unused,
        )
        trainer.args.max_steps = climb.steps
        trainer.args.logging_steps = 1
        climber = finetune.callback(Climber, climb, tell, stopped)
        trainer.add_callback(climber)
        trainer.train()
    if climber.unwanted:
        return None
    return _found(dataset, question, config, len(rows), climb, climber, time.monotonic() - began)


class Climber:
    """The callbacks of a transformers TrainerCallback: sets each step's rate and reads its loss."""

    def __init__(self, climb: Ramp, tell: Tell, stopped: Callable[[], bool]) -> None:
        self.rates, self.tell, self.stopped = climb.rates, tell, stopped
        self.losses: list[float] = []
        self.unwanted = self.diverged = False

    def on_step_begin(self, args: Any, state: Any, control: Any, optimizer: Any, **_: Any) -> None:
        """The scheduler is constant and has set its own rate after the step before."""
        for group in optimizer.param_groups:
            group["lr"] = self.rates[state.global_step]

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Asked at each step whether anybody still wants it."""
        self.unwanted = self.unwanted or self.stopped()
        control.should_training_stop = control.should_training_stop or self.unwanted

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
        """The loss of the step's rows before its update."""
        if "loss" not in logs or self.diverged:
            return
        loss = float(logs["loss"])
        if math.isfinite(loss):
            self.losses.append(loss)
            self.tell(len(self.losses), len(self.rates), loss)
            smoothed = smooth(self.losses)
            self.diverged = smoothed[-1] > DIVERGED * min(smoothed)
        else:
            self.diverged = True
        control.should_training_stop = control.should_training_stop or self.diverged


def _config(question: Question) -> Config:
    config = question.config or space.default_config(question.model, question.method)
    return replace(config, lr_scheduler_type="constant", warmup_steps=None, warmup_ratio=None)


def _found(
    dataset: Dataset,
    question: Question,
    config: Config,
    rows: int,
    climb: Ramp,
    climber: Climber,
    seconds: float,
) -> LrRange:
    losses = tuple(climber.losses)
    rates = climb.rates[: len(losses)]
    try:
        found, problem = suggest(rates, losses), None
    except TrainingError as error:
        found, problem = None, str(error)
    known = ("per_device_train_batch_size", "gradient_accumulation_steps", "lora_r", "lora_alpha")
    conditions = {name: value for name, value in config.to_dict().items() if name in known}
    return LrRange(
        model=question.model,
        method=question.method,
        dataset=dataset.id,
        conditions={**conditions, "train_rows": rows, "seed": question.seed},
        learning_rates=rates,
        losses=losses,
        smoothed=smooth(losses),
        suggestion=None if found is None else found.rate,
        corrected=None if found is None else found.corrected,
        least=None if found is None else found.least,
        problem=problem,
        stopped=climber.diverged,
        steps=len(losses),
        seconds=seconds,
    )
