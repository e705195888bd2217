"""Which hyperparameter configs are worth trying, and what the hyperparameters are called."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from engine import peers
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


class Origin(NamedTuple):
    """Where a default comes from: a name for tables, and a sentence with its source."""

    title: str
    sentence: str


def default_config(model: str, method: Method, train_rows: int | None = None) -> Config:
    """What most people run who choose nothing: the rival of every training.

    LoRA: Unsloth's notebooks, of the published defaults the one that trains small data the longest: 60 steps,
    or one epoch where that is more or `train_rows` is not known. Full: TRL's. Embedded models, which need
    larger rates: TRL's and PEFT's but for the learning rate.
    """
    if is_embedded(model):
        return replace(library_default(method), learning_rate=EMBEDDED_DEFAULT_RATE[method])
    if method is Method.FULL:
        return library_default(method)
    config = peers.UNSLOTH_NOTEBOOK.config
    if train_rows is None:
        return config
    steps = math.ceil(train_rows / config.effective_batch_size)
    return replace(config, num_train_epochs=math.ceil(peers.NOTEBOOK_STEPS / steps))


def default_origin(model: str, config: Config) -> Origin | None:
    """Where a study's default config comes from; None for one that no version of ours calls so today."""
    library = library_default(config.method)
    names = "TRL's" if config.method is Method.FULL else "TRL's and PEFT's"
    if is_embedded(model) and config == default_config(model, config.method):
        return Origin(
            "TRL's default", f"{names} defaults, but for a learning rate that suits models of this size"
        )
    if config == library:
        return Origin("TRL's default", f"{names} defaults (trl 1.16.0, peft 0.21.2)")
    peer = peers.UNSLOTH_NOTEBOOK
    if replace(config, num_train_epochs=1) == peer.config:
        source = f"{peer.source.repository}, {peer.source.path}, commit {peer.source.commit[:7]}"
        steps = f"{peers.NOTEBOOK_STEPS} steps, or one epoch where that is more"
        return Origin(peer.project, f"what {peer.project} run unless edited: {steps} ({source})")
    return None


def library_default(method: Method) -> Config:
    """What TRL and PEFT do unless told otherwise, made for models a thousand times larger than ours.

    For LoRA it is no rival: at 2e-5 an adapter hardly learns (Explore shows what it reaches).
    """
    return LIBRARY_DEFAULT if method is Method.FULL else replace(LIBRARY_DEFAULT, **LIBRARY_ADAPTER)


def starting_points(method: Method) -> tuple[Config, ...]:
    """Four configs for an LLM of about 0.1 to 1 billion parameters that no grid has measured.

    The likeliest first [ours]: after 100 rows of trec SmolLM2-135M has 81, 86, 77 and, at 3e-4, 73 points
    with these rates, rank 16 and alpha 32. Full fine-tuning takes a tenth of LoRA's (the ratio of
    thinking-machines-lab/tinker-cookbook).
    """
    rates = (1e-3, 2e-3, 5e-4, 2e-4)
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
