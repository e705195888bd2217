"""One training with TRL and PEFT: the same steps for LoRA and full fine-tuning, for studies and the grid."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from tempfile import TemporaryDirectory
from typing import Any

from engine.encode import Encoded
from engine.errors import TrainingError
from engine.generate import decoder
from engine.loading import computes_in_bfloat16
from engine.records import Config

PROGRESS_SECONDS = 0.25
LOGGED_STEPS = 400
CHECKPOINT_FROM = 1_000_000_000  # parameters; from here activations are recomputed on GPUs to save memory
KEPT_STATE_LIMIT = 1_000_000_000  # trainable parameters; above, no copy of the best epoch is held in memory

Emit = Callable[[str, dict[str, Any]], None]


class StopMode(StrEnum):
    """What a person wants when they stop a run."""

    DISCARD = "discard"
    KEEP_BEST = "keep_best"


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a training reports to and asks while it runs.

    `stop` is asked at each step. `epoch_ended` gets the epoch's number and may return the loss on dev.
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


def finetune(
    model: Any, tokenizer: Any, rows: Sequence[Encoded], config: Config, seed: int, hooks: Hooks
) -> Training:
    """Train the model (for LoRA a new adapter on it) on the rows; raises TrainingError if it diverges."""
    import datasets
    from transformers import PrinterCallback

    steps = math.ceil(len(rows) / config.effective_batch_size) * config.num_train_epochs
    table = datasets.Dataset.from_dict(
        {
            "input_ids": [r.prompt + r.completion for r in rows],
            "labels": [[-100] * len(r.prompt) + r.completion for r in rows],
            "length": [len(r.prompt) + len(r.completion) for r in rows],
        }
    )
    with TemporaryDirectory() as unused:
        trainer = _trainer_class()(
            model=model,
            args=_arguments(config, seed, unused, steps, model.num_parameters()),
            train_dataset=table,
            processing_class=tokenizer,
            peft_config=_adapter(config),
        )
        trainer.remove_callback(PrinterCallback)
        watch = _watch(hooks, trainer.model, sum(table["length"]))
        trainer.add_callback(watch)
        trainer.train()
    outcome: Training = watch.outcome(trainer)
    return outcome


def _arguments(config: Config, seed: int, folder: str, steps: int, parameters: int) -> Any:
    import torch
    from trl.trainer.sft_config import SFTConfig

    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=folder,
        learning_rate=config.learning_rate,
        num_train_epochs=config.num_train_epochs,
        per_device_train_batch_size=config.per_device_train_batch_size,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        lr_scheduler_type=config.lr_scheduler_type,
        warmup_steps=config.warmup_steps or config.warmup_ratio or 0,
        weight_decay=config.weight_decay,
        optim="adamw_torch_fused",
        max_grad_norm=1.0,
        max_length=None,
        packing=False,
        train_sampling_strategy="group_by_length",
        dataset_kwargs={"skip_prepare_dataset": True},
        seed=seed,
        use_cpu=not gpu,
        bf16=computes_in_bfloat16(),
        gradient_checkpointing=None,  # type: ignore[arg-type]  # deprecated alias of the next
        activation_checkpointing=gpu and parameters >= CHECKPOINT_FROM,
        dataloader_pin_memory=gpu,
        logging_steps=max(1, steps // LOGGED_STEPS),
        logging_nan_inf_filter=False,
        logging_first_step=True,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _adapter(config: Config) -> Any:
    """The only step in which LoRA and full fine-tuning differ (Hu et al., arXiv 2106.09685)."""
    from peft import LoraConfig

    if config.lora_r is None:
        return None
    return LoraConfig(
        r=config.lora_r,
        lora_alpha=config.lora_alpha or config.lora_r,
        lora_dropout=config.lora_dropout or 0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def _trainer_class() -> type[Any]:
    from trl.trainer.sft_trainer import SFTTrainer

    class CompletionTrainer(SFTTrainer):
        """SFTTrainer whose output layer runs only where the loss is.

        TRL does so on GPUs; on CPUs it computes the logits of the whole prompt. Padding is on the right,
        so a causal model needs no attention mask for it.
        """

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            import torch
            from torch.nn import functional

            if return_outputs or inputs["input_ids"].is_cuda:
                whole: Any = super()
                return whole.compute_loss(model, inputs, return_outputs, num_items_in_batch)
            labels = inputs["labels"][:, 1:]
            where = labels != -100
            with torch.autocast("cpu", torch.bfloat16, enabled=self.args.bf16):
                states = decoder(model)(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state
                logits = model.get_output_embeddings()(states[:, :-1][where])
            total = functional.cross_entropy(logits.float(), labels[where], reduction="sum")
            return total / (where.sum() if num_items_in_batch is None else num_items_in_batch)

    return CompletionTrainer


def _watch(hooks: Hooks, model: Any, tokens_per_epoch: int) -> Any:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Reports progress, obeys stop and deadline, notices divergence, keeps the best epoch's weights."""

        def __init__(self) -> None:
            self.training = Training(model)
            self.scoring_seconds = 0.0
            self.emitted = 0.0
            self.emitted_step = 0
            self.logs: dict[str, Any] = {}

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.began = time.monotonic()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            now = time.monotonic()
            if self.training.first_step_seconds is None:
                self.training.first_step_seconds = now - self.began
            self.training.stopped = self.training.stopped or hooks.stop()
            self.training.out_of_time = hooks.deadline is not None and now >= hooks.deadline
            if self.training.stopped or self.training.out_of_time:
                control.should_training_stop = True

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" not in logs:
                return
            _check_finite(logs, state.global_step)
            self.logs, now = logs, time.monotonic()
            if state.global_step == 1 or now - self.emitted >= PROGRESS_SECONDS:
                self.emitted = now
                hooks.emit("progress", self.progress(state))

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step != self.emitted_step:
                hooks.emit("progress", self.progress(state))

        def progress(self, state: Any) -> dict[str, Any]:
            logs, self.emitted_step = self.logs, state.global_step
            seconds = time.monotonic() - self.began - self.scoring_seconds
            return {
                "step": state.global_step,
                "total_steps": state.max_steps,
                "epoch": state.epoch,
                "loss": logs.get("loss"),
                "learning_rate": logs.get("learning_rate"),
                "grad_norm": logs.get("grad_norm"),
                "tokens_per_second": tokens_per_epoch * (state.epoch or 0) / seconds,
                "eta_seconds": seconds / max(1, state.global_step) * (state.max_steps - state.global_step),
            }

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if self.training.stopped is StopMode.DISCARD:
                return
            began, epoch = time.monotonic(), round(state.epoch)
            loss = hooks.epoch_ended(model, epoch) if abs(state.epoch - epoch) < 1e-6 else None
            if loss is not None:
                state.log_history.append({"epoch": epoch, "step": state.global_step, "eval_loss": loss})
                self.keep(loss, epoch)
            self.scoring_seconds += time.monotonic() - began

        def keep(self, loss: float, epoch: int) -> None:
            best = self.training.best
            if (best is None or loss < best.loss) and trainable(model) <= KEPT_STATE_LIMIT:
                self.training.best = Kept(loss, epoch, _trained_weights(model))

        def outcome(self, trainer: Any) -> Training:
            result = self.training
            result.steps = trainer.state.global_step
            result.seconds = time.monotonic() - self.began - self.scoring_seconds
            result.tokens = round(tokens_per_epoch * (trainer.state.epoch or 0))
            result.model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
            result.log_history = [e for e in trainer.state.log_history if "loss" in e or "eval_loss" in e]
            return result

    return Watch()


def _check_finite(logs: dict[str, Any], step: int) -> None:
    if not math.isfinite(float(logs["loss"])):
        raise TrainingError(
            f"The loss became {float(logs['loss'])} at step {step}: the training diverged. "
            "Lower learning_rate."
        )


def trainable(model: Any) -> int:
    """The number of weights that training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def _trained_weights(model: Any) -> dict[str, Any]:
    return {n: p.detach().cpu().clone() for n, p in model.named_parameters() if p.requires_grad}
