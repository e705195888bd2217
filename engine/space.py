"""Which hyperparameter configs are worth trying, and what the hyperparameters are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from engine.errors import ConfigError
from engine.records import Config, Method

# Names that people arrive with, and the TRL/PEFT name of the same thing.
ALIASES: Mapping[str, str] = {
    "lora_rank": "lora_r",
    "lr": "learning_rate",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "micro_batch_size": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "max_seq_length": "max_length",
    "cutoff_len": "max_length",
    "block_size": "max_length",
    "sequence_len": "max_length",
    "scheduler": "lr_scheduler_type",
}

WHOLE_NUMBERS = frozenset(
    {
        "num_train_epochs",
        "max_steps",
        "per_device_train_batch_size",
        "gradient_accumulation_steps",
        "warmup_steps",
        "max_length",
        "lora_r",
        "lora_alpha",
    }
)
DECIMALS = frozenset(
    {
        "learning_rate",
        "warmup_ratio",
        "weight_decay",
        "lora_dropout",
        "max_grad_norm",
        "adam_beta1",
        "adam_beta2",
        "adam_epsilon",
        "label_smoothing_factor",
        "neftune_noise_alpha",
    }
)
CHOICES = frozenset(
    {"lr_scheduler_type", "optim", "packing", "use_rslora", "use_dora", "target_modules", "bias"}
)
HYPERPARAMETERS = WHOLE_NUMBERS | DECIMALS | CHOICES


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The values of each axis; LoRA's rank and alpha are chosen together."""

    learning_rates: tuple[float, ...]
    batch_sizes: tuple[int, ...]
    epochs: tuple[int, ...]
    adapters: tuple[tuple[int, int] | None, ...] = (None,)
    schedules: tuple[str, ...] = ("constant_with_warmup",)
    warmup_steps: int = 5

    def configs(self) -> tuple[Config, ...]:
        """Every point; those that differ in epochs alone stand together and can share one training."""
        axes = product(self.schedules, self.adapters, self.batch_sizes, self.learning_rates, self.epochs)
        return tuple(self._config(*point) for point in axes)

    def _config(
        self, schedule: str, adapter: tuple[int, int] | None, batch: int, learning_rate: float, epochs: int
    ) -> Config:
        rank, alpha = adapter or (None, None)
        return Config(
            learning_rate=learning_rate,
            num_train_epochs=epochs,
            per_device_train_batch_size=batch,
            lr_scheduler_type=schedule,
            warmup_steps=self.warmup_steps,
            lora_r=rank,
            lora_alpha=alpha,
            lora_dropout=None if adapter is None else 0.0,
        )


# Models of a few million weights need larger learning rates than 8B models: full 1e-4 to 3e-3, LoRA
# 3e-4 to 1e-2 [ours, measured]. A constant schedule lets one training stand for several numbers of epochs.
# The likeliest values come first: a grid that is stopped early has those in every cell.
EMBEDDED_SPACE: Mapping[Method, SearchSpace] = {
    Method.FULL: SearchSpace(
        learning_rates=(1e-3, 3e-3, 3e-4),
        batch_sizes=(8, 16),
        epochs=(1, 3, 5),
    ),
    Method.LORA: SearchSpace(
        learning_rates=(3e-3, 1e-2, 1e-3),
        batch_sizes=(8,),
        epochs=(1, 3, 5),
        adapters=((8, 16), (32, 32)),
    ),
}

# The lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com): 3 evaluations, here of one epoch each.
EARLY_STOPPING: Mapping[str, Any] = {"early_stopping_patience": 3, "early_stopping_threshold": 0.001}

# The defaults of trl 1.16.0 SFTConfig and peft 0.21.2 LoraConfig, by value.
LIBRARY_DEFAULT = Config(
    learning_rate=2e-5,
    num_train_epochs=3,
    per_device_train_batch_size=8,
    gradient_accumulation_steps=1,
    lr_scheduler_type="linear",
    warmup_steps=0,
    weight_decay=0.0,
)
LIBRARY_ADAPTER: Mapping[str, Any] = {"lora_r": 8, "lora_alpha": 8, "lora_dropout": 0.0}
EMBEDDED_DEFAULT_RATE: Mapping[Method, float] = {Method.FULL: 1e-3, Method.LORA: 3e-3}


def is_embedded(model: str) -> bool:
    """Whether this is one of the project's own tiny models."""
    return model.startswith("shortlist-tiny-")


def search_space(model: str, method: Method) -> tuple[Config, ...]:
    """The grid of configs for this model and method; raises ConfigError for a model without one."""
    if not is_embedded(model):
        raise ConfigError(f"There is no search space for {model} yet; choose an embedded model.")
    return EMBEDDED_SPACE[method].configs()


def default_config(model: str, method: Method) -> Config:
    """What TRL and PEFT do unless told otherwise; embedded models keep all of it but the learning rate."""
    config = library_default(method)
    if is_embedded(model):
        return replace(config, learning_rate=EMBEDDED_DEFAULT_RATE[method])
    return config


def library_default(method: Method) -> Config:
    """What TRL and PEFT do unless told otherwise, made for models a thousand times larger than ours."""
    return LIBRARY_DEFAULT if method is Method.FULL else replace(LIBRARY_DEFAULT, **LIBRARY_ADAPTER)


def starting_points(method: Method) -> tuple[Config, ...]:
    """Four configs for an LLM of about 0.1 to 1 billion parameters that no grid has measured.

    [ours] Rank 16, alpha 32 and about 1e-3 did well in one trial of SmolLM2-135M on 100 rows; full
    fine-tuning takes a tenth of LoRA's learning rates (the ratio of thinking-machines-lab/tinker-cookbook).
    """
    rates = (5e-4, 1e-3, 2e-3, 2e-4)
    start = replace(LIBRARY_DEFAULT, num_train_epochs=5)
    if method is Method.FULL:
        return tuple(replace(start, learning_rate=rate / 10) for rate in rates)
    adapter: dict[str, Any] = {"lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.0}
    return tuple(replace(start, learning_rate=rate, **adapter) for rate in rates)


def normalize_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values under TRL/PEFT names; raises ConfigError when two names mean one thing."""
    named: dict[str, Any] = {}
    for name, value in values.items():
        target = ALIASES.get(name, name)
        if target in named:
            raise ConfigError(f"Two values mean {target}: {name!r} is another name for it. Keep one.")
        named[target] = value
    return named
