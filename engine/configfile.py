"""A config as a YAML file: written in TRL's and PEFT's own names, read with the other usual names too."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from engine.errors import ConfigError
from engine.records import Config
from engine.space import ALIASES, DECIMALS, WHOLE_NUMBERS, normalize_names

LARGEST = 64 * 1024  # characters; a config has a few hundred
NAMES = tuple(field.name for field in fields(Config))


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file asks for: one config and, for the whole study, the most tokens of a row."""

    config: Config
    max_length: int | None = None


def write_config(config: Config, comment: str = "") -> str:
    """The config as YAML, one TRL/PEFT name a line; `comment` stands above it."""
    lines = "".join(f"# {line}\n" for line in comment.splitlines())
    text: str = yaml.safe_dump(config.to_dict(), sort_keys=False)
    return lines + text


def read_config(text: str) -> Config:
    """The config of a YAML text; raises ConfigError in one sentence, also for a max_length."""
    found = read(text)
    if found.max_length is not None:
        raise ConfigError(
            "max_length is a setting of the whole study, not of one config: take it out of the file."
        )
    return found.config


def read_path(path: Path) -> ConfigFile:
    """The config in a YAML file; raises ConfigError naming the file."""
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a config: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path.name}: {error}") from error


def read(text: str) -> ConfigFile:
    """The config of a YAML text and its max_length; raises ConfigError in one sentence."""
    named = normalize_names(mapping(text))
    values = {name: typed(name, value) for name, value in named.items() if value is not None}
    length = values.pop("max_length", None)
    unknown = [name for name in values if name not in NAMES]
    if unknown:
        others = ", ".join(f"{alias} for {name}" for alias, name in ALIASES.items() if name in NAMES)
        raise ConfigError(
            f"{unknown[0]} is no hyperparameter that can be set here: take it out of the file. Known: "
            f"{', '.join(NAMES)}; also {others}."
        )
    if length is not None and length < 1:
        raise ConfigError(f"max_length must be above 0, but is {length}.")
    return ConfigFile(Config.from_dict(values), length)


def mapping(text: str, what: str = "A config") -> dict[str, Any]:
    """The names and values of a YAML text that a person wrote; raises ConfigError about `what`."""
    if len(text) > LARGEST:
        raise ConfigError(f"{what} has at most {LARGEST // 1024} kB of YAML, but this text is longer.")
    try:
        # An anchor that is used again and again makes gigabytes of a few lines; a config needs none.
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ConfigError(f"{what} must not repeat a part by *name: write its values out.")
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" (line {mark.line + 1})"
        raise ConfigError(f"The text is not YAML{where}: write one 'name: value' a line.") from error
    except RecursionError as error:
        raise ConfigError("The text is nested too deeply: write one 'name: value' a line.") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ConfigError(f"{what} must be lines of 'name: value', such as 'learning_rate: 3e-4'.")
    return found


def typed(name: str, value: Any) -> Any:
    """Numbers as numbers: YAML takes 3e-4 for a text, and 8.0 for no whole number. Raises ConfigError."""
    if name not in WHOLE_NUMBERS | DECIMALS:
        return value
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if name in WHOLE_NUMBERS and number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        kind = "a whole number" if name in WHOLE_NUMBERS else "a number such as 3e-4"
        raise ConfigError(f"{name} must be {kind}, but is {value!r}.") from None
    return int(number) if name in WHOLE_NUMBERS else number
