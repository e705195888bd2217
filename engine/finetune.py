"""One training with TRL and PEFT: the same steps for LoRA and full fine-tuning, for studies and the grid."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from engine import loading, tracking
from engine.encode import Encoded
from engine.generate import decoder
from engine.records import Config
from engine.watch import Hooks, Training, Watch

LOGGED_STEPS = 400
PLAIN_ATTENTION_TO = 512  # tokens; its memory grows with their square
CHECKPOINT_FROM = 1_000_000_000  # parameters; from here GPUs recompute activations to save memory

Watcher = TypeVar("Watcher")


def finetune(
    model: Any, tokenizer: Any, rows: Sequence[Encoded], config: Config, seed: int, hooks: Hooks
) -> Training:
    """Train the model (for LoRA a new adapter on it) on the rows.

    A training that goes on from a checkpoint ends as one that never stood still: the same schedule, the same
    rows at each step (tested on CPUs).
    """
    pauses = hooks.pauses
    with TemporaryDirectory() as unused:
        folder = str(pauses.folder or unused)
        made = trainer(model, tokenizer, rows, config, seed, folder)
        watch = callback(Watch, hooks, made.model, sum(len(row.prompt) + len(row.completion) for row in rows))
        made.add_callback(watch)
        earlier = None if pauses.earlier is None else str(pauses.earlier.folder)
        with loading.quiet(), _attention(model, rows):
            made.train(resume_from_checkpoint=earlier)
    return watch.outcome(made)


@contextmanager
def _attention(model: Any, rows: Sequence[Encoded]) -> Iterator[None]:
    """Plain attention for an LLM on a CPU whose rows are short, then back as it was.

    torch's fused attention goes backward slowly there: SmolLM2-135M, 8 rows of 100 tokens, bfloat16 on AMX,
    one thread: 31 % of a step; plain attention takes 0.72 of the step's time.
    """
    longest = max(len(row.prompt) + len(row.completion) for row in rows)
    was = model.config._attn_implementation
    short = model.device.type == "cpu" and longest <= PLAIN_ATTENTION_TO
    if not short or model.num_parameters() < loading.BFLOAT16_FROM:
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(was)


def trainer(
    model: Any, tokenizer: Any, rows: Sequence[Encoded], config: Config, seed: int, folder: str
) -> Any:
    """TRL's trainer of a config with our loss; it writes into the folder only when told to save."""
    from transformers import PrinterCallback
    from trl.trainer.sft_trainer import SFTTrainer

    steps = math.ceil(len(rows) / config.effective_batch_size) * config.num_train_epochs
    made: Any = type("CompletionTrainer", (CompletionLoss, SFTTrainer), {})(
        model=model,
        args=_arguments(config, seed, folder, steps, model.num_parameters()),
        train_dataset=_table(rows),
        processing_class=tokenizer,
        peft_config=_adapter(config),
        callbacks=tracking.callbacks(),
    )
    made.remove_callback(PrinterCallback)
    return made


def callback(kind: type[Watcher], *args: Any) -> Watcher:
    """One of our classes as a callback of transformers, which is imported only where a model is trained."""
    from transformers import TrainerCallback

    made: Watcher = type(f"{kind.__name__}Callback", (kind, TrainerCallback), {})(*args)
    return made


class CompletionLoss:
    """The loss of SFTTrainer, to be mixed into one, with an output layer that runs only where the loss is.

    TRL does so on GPUs; on CPUs it computes the logits of the whole prompt. Padding is on the right, so a
    causal model needs no attention mask for it.
    """

    args: Any

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """As in Trainer: the summed loss of the covered tokens over their number in the whole step."""
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


def _table(rows: Sequence[Encoded]) -> Any:
    """Rows in tokens already, so that TRL neither maps nor truncates them."""
    import datasets

    return datasets.Dataset.from_dict(
        {
            "input_ids": [r.prompt + r.completion for r in rows],
            "labels": [r.labels for r in rows],
            "length": [len(r.prompt) + len(r.completion) for r in rows],
        }
    )


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
        bf16=loading.computes_in_bfloat16(parameters),
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
