"""What other fine-tuning tools do unless told otherwise, by value and with where it is written.

Facts only, read from each project's public files at the commit given, under TRL/PEFT names. Optimizer,
quantization, packing and target modules differ too and are not part of a config here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.errors import ConfigError
from engine.records import Config, Method

CAVEAT = (
    "These defaults are made for models a thousand times larger than the embedded ones, so being better than "
    "they are here proves little."
)


class Source(NamedTuple):
    """A file of a public GitHub repository at a commit."""

    repository: str
    path: str
    commit: str


@dataclass(frozen=True, slots=True)
class PeerDefault:
    """One tool's config for one method; `note` says what the source leaves open and how it was filled."""

    name: str
    project: str
    config: Config
    source: Source
    note: str = ""

    @property
    def method(self) -> Method:
        """What the config adapts."""
        return self.config.method


def defaults(method: Method) -> tuple[PeerDefault, ...]:
    """The peers' defaults for a method."""
    return tuple(peer for peer in PEERS if peer.method is method)


def named(name: str, method: Method) -> PeerDefault:
    """Raises ConfigError for a name that is none of a peer's."""
    for peer in defaults(method):
        if peer.name == name:
            return peer
    raise ConfigError(f"There is no peer called {name!r}; choose {', '.join(_names(defaults(method)))}.")


def _names(peers: Sequence[PeerDefault]) -> list[str]:
    return [peer.name for peer in peers]


def _lora(config: Config, rank: int, alpha: int, dropout: float) -> Config:
    return replace(config, lora_r=rank, lora_alpha=alpha, lora_dropout=dropout)


# Its own pages' form; the same values whichever method is chosen.
LLAMA_FACTORY = Source(
    "hiyouga/LLaMA-Factory",
    "src/llamafactory/webui/components/train.py",
    "36932ddb5596c3cb2ee722a2c1fce5855e893133",
)
LLAMA_FACTORY_CONFIG = Config(
    learning_rate=5e-5,
    num_train_epochs=3,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=8,
    lr_scheduler_type="cosine",
    warmup_steps=0,
)
# The field defaults; `lora` is on unless switched off. Warm-up 0 epochs.
H2O = Source(
    "h2oai/h2o-llmstudio",
    "llm_studio/python_configs/text_causal_language_modeling_config.py",
    "017e2ad0f8750ae6d5ef75f8b3c3d4479630535a",
)
H2O_CONFIG = Config(
    learning_rate=1e-4,
    num_train_epochs=1,
    per_device_train_batch_size=2,
    lr_scheduler_type="cosine",
    warmup_steps=0,
)
# The field defaults; `peft` is off unless switched on.
AUTOTRAIN = Source(
    "huggingface/autotrain-advanced",
    "src/autotrain/trainers/clm/params.py",
    "080363469de6e7a4226251dd246e27de63960b38",
)
AUTOTRAIN_CONFIG = Config(
    learning_rate=3e-5,
    num_train_epochs=1,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=4,
    lr_scheduler_type="linear",
    warmup_ratio=0.1,
)
UNSLOTH = "unslothai/unsloth"
UNSLOTH_NOTE = (
    "The schedule is not stated in this file: linear, as in default.yaml beside it and in transformers."
)
UNSLOTH_CONFIG = Config(
    learning_rate=2e-4,
    num_train_epochs=1,
    per_device_train_batch_size=2,
    gradient_accumulation_steps=4,
    lr_scheduler_type="linear",
    warmup_steps=5,
    weight_decay=0.001,
)
# What Unsloth's notebooks run unless edited; not the defaults of its Studio, which are among PEERS.
NOTEBOOK_STEPS = 60
UNSLOTH_NOTEBOOK = PeerDefault(
    "unsloth-notebook",
    "Unsloth's notebooks",
    Config(
        learning_rate=2e-4,
        num_train_epochs=1,
        per_device_train_batch_size=8,
        lr_scheduler_type="linear",
        warmup_steps=5,
        weight_decay=0.01,
        lora_r=16,
        lora_alpha=16,
        lora_dropout=0.0,
    ),
    Source(
        "unslothai/notebooks",
        "nb/Llama3.2_(1B_and_3B)-Conversational.ipynb",
        "016b8dce8bee9ec8d94efc84863d5c327aa8956c",
    ),
    f"It trains {NOTEBOOK_STEPS} steps, one epoch where a comment is followed; a batch of 8 is 4 of 2 there.",
)
AXOLOTL = "axolotl-ai-cloud/axolotl"
AXOLOTL_NOTE = "Its schema demands a learning rate and has no default: these are its Llama-3 8B example."

PEERS = (
    PeerDefault("llama-factory", "LLaMA-Factory", LLAMA_FACTORY_CONFIG, LLAMA_FACTORY),
    PeerDefault("llama-factory", "LLaMA-Factory", _lora(LLAMA_FACTORY_CONFIG, 8, 16, 0.0), LLAMA_FACTORY),
    PeerDefault("h2o-llm-studio", "H2O LLM Studio", H2O_CONFIG, H2O, "LoRA is on unless switched off."),
    PeerDefault("h2o-llm-studio", "H2O LLM Studio", _lora(H2O_CONFIG, 4, 16, 0.05), H2O),
    PeerDefault("autotrain", "AutoTrain", AUTOTRAIN_CONFIG, AUTOTRAIN),
    PeerDefault(
        "autotrain",
        "AutoTrain",
        _lora(AUTOTRAIN_CONFIG, 16, 32, 0.05),
        AUTOTRAIN,
        "LoRA is off unless switched on.",
    ),
    PeerDefault(
        "unsloth",
        "Unsloth Studio",
        replace(UNSLOTH_CONFIG, learning_rate=2e-5, per_device_train_batch_size=1),
        Source(
            UNSLOTH,
            "studio/backend/assets/configs/full_finetune.yaml",
            "3e606aefe559e8fe2d1602fbb437673490cc90e2",
        ),
        UNSLOTH_NOTE,
    ),
    PeerDefault(
        "unsloth",
        "Unsloth Studio",
        _lora(UNSLOTH_CONFIG, 64, 16, 0.0),
        Source(
            UNSLOTH,
            "studio/backend/assets/configs/lora_text.yaml",
            "1cf4b0882c2dd3b45eb25e4dbb05786588958cc2",
        ),
        UNSLOTH_NOTE,
    ),
    PeerDefault(
        "axolotl",
        "Axolotl",
        Config(
            learning_rate=2e-5,
            num_train_epochs=1,
            per_device_train_batch_size=1,
            gradient_accumulation_steps=8,
            lr_scheduler_type="cosine",
            warmup_steps=100,
        ),
        Source(AXOLOTL, "examples/llama-3/fft-8b.yaml", "b3b93e64dbef4ea2a3dcd080e921ffe21d916605"),
        AXOLOTL_NOTE,
    ),
    PeerDefault(
        "axolotl",
        "Axolotl",
        Config(
            learning_rate=2e-4,
            num_train_epochs=4,
            per_device_train_batch_size=2,
            gradient_accumulation_steps=4,
            lr_scheduler_type="cosine",
            warmup_steps=10,
            lora_r=32,
            lora_alpha=16,
            lora_dropout=0.05,
        ),
        Source(AXOLOTL, "examples/llama-3/lora-8b.yml", "9f824ef76af48eff9f69f3a93ede03a6a2b4313a"),
        AXOLOTL_NOTE,
    ),
)
