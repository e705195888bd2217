"""A search space as a YAML file, in TRL's and PEFT's names or the other usual ones.

learning_rate: {low: 1e-4, high: 1e-3}   # a range; learning rates on a log scale, all else linear
lora_r: [8, 32, 128]                     # a few values
lora_alpha/lora_r: [0.5, 1, 2]           # alpha as a multiple of the rank
lr_scheduler_type: [cosine, linear]
num_train_epochs: 3                      # a single value is not searched
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.configfile import mapping, typed
from engine.errors import ConfigError
from engine.records import Config
from engine.searchspace import ALPHA_MULTIPLE, SCHEDULE, SEARCHABLE, Axis, Scale, Space
from engine.space import normalize_names

RANGE = frozenset({"low", "high", "scale"})


def read_path(path: Path, fixed: Config) -> Space:
    """The space in a YAML file (see read); raises ConfigError naming the file."""
    try:
        return read(path.read_text(encoding="utf-8"), fixed)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a search space: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from error


def read(text: str, fixed: Config) -> Space:
    """The space of a YAML text; what it does not name is as in `fixed`. Raises ConfigError."""
    named = normalize_names(mapping(text, "A search space"))
    for name in named:
        if name not in SEARCHABLE:
            raise ConfigError(
                f"{name} cannot be searched: take it out. What can be: {', '.join(SEARCHABLE)}."
            )
    single = {
        name: typed(name, value) for name, value in named.items() if not isinstance(value, (dict, list))
    }
    if ALPHA_MULTIPLE in single:
        raise ConfigError(f"{ALPHA_MULTIPLE} needs several values. For a single one, write lora_alpha.")
    axes = tuple(_axis(name, value) for name, value in named.items() if name not in single)
    return Space(axes, replace(fixed, **_without_rivals(single)))


def _axis(name: str, value: dict[str, Any] | list[Any]) -> Axis:
    if isinstance(value, list):
        scale = Scale.CHOICE if name == SCHEDULE else Scale.STEPS
        return Axis(name, scale, values=tuple(typed(name, one) for one in value))
    if not {"low", "high"} <= set(value) <= RANGE:
        raise ConfigError(f"{name}: a range is written {{low: ..., high: ...}}, and scale: log or linear.")
    scale = value.get("scale", "log" if name == "learning_rate" else "linear")
    if scale not in (Scale.LOG, Scale.LINEAR):
        raise ConfigError(f"{name}: the scale of a range is log or linear, not {scale!r}.")
    return Axis(name, Scale(scale), typed(name, value["low"]), typed(name, value["high"]))


def _without_rivals(single: dict[str, Any]) -> dict[str, Any]:
    """Whoever writes one kind of warm-up does not want the other."""
    rivals = {"warmup_steps": "warmup_ratio", "warmup_ratio": "warmup_steps"}
    return {**{rivals[name]: None for name in single if name in rivals}, **single}
