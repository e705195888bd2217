"""A search space as rows that a person edits: one per hyperparameter, with what was typed checked.

A row is searched or not; a searched one has a range ("3e-4" to "1e-2") or a few values ("8, 16, 32").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from engine.errors import ConfigError
from engine.figures import setting
from engine.searchspace import ALPHA_MULTIPLE, REGISTRY, SCHEDULE, Axis, Scale, Space, value_of
from engine.space import WHOLE_NUMBERS

OTHER_NAMES = {"lora_alpha": ALPHA_MULTIPLE, "warmup_steps": "warmup_ratio"}  # each decides the other


def rows(space: Space) -> list[dict[str, Any]]:
    """The axes of the space, then what could be searched as well."""
    names = {axis.name for axis in space.axes}
    taken = names | {OTHER_NAMES.get(name, name) for name in names}
    others = [axis for axis in REGISTRY[space.fixed.method] if axis.name not in taken]
    return [_row(axis, space, True) for axis in space.axes] + [_row(axis, space, False) for axis in others]


def _row(axis: Axis, space: Space, searched: bool) -> dict[str, Any]:
    low, high = (setting(bound) for bound in axis.bounds) if axis.is_range else ("", "")
    return {
        "searched": searched,
        "name": axis.name,
        "low": low,
        "high": high,
        "values": ", ".join(setting(value) for value in axis.values),
        "fixed": setting(value_of(space.fixed, axis.name)),
    }


def space_from(edited: Iterable[Mapping[str, Any]], before: Space) -> Space:
    """The space of edited rows; raises ConfigError naming the row that cannot be searched so.

    What is not searched keeps the value that it has in the space before.
    """
    axes = tuple(_axis(row, before) for row in edited if row["searched"])
    return replace(before, axes=axes)


def _axis(row: Mapping[str, Any], before: Space) -> Axis:
    name = row["name"]
    low, high, values = (str(row[key] or "").strip() for key in ("low", "high", "values"))
    if values and (low or high):
        raise ConfigError(f"{name} has a range and values. Clear the values, or low and high.")
    if name == SCHEDULE:
        return Axis(name, Scale.CHOICE, values=tuple(_parts(values)))
    if values:
        return Axis(name, Scale.STEPS, values=tuple(_number(name, part) for part in _parts(values)))
    if not low or not high:
        raise ConfigError(f"{name} needs low and high, such as 3e-4 and 1e-2, or values, such as 8, 16, 32.")
    return Axis(name, _scale(name, before), _number(name, low), _number(name, high))


def _scale(name: str, before: Space) -> Scale:
    """As it was walked before; a rate by its logarithm, all else evenly."""
    known = {axis.name: axis.scale for axis in (*REGISTRY[before.fixed.method], *before.axes)}
    if known.get(name) in (Scale.LOG, Scale.LINEAR):
        return known[name]
    return Scale.LOG if name in ("lora_r", ALPHA_MULTIPLE, "per_device_train_batch_size") else Scale.LINEAR


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _number(name: str, text: str) -> float | int:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{name} must be a number such as 3e-4 or 16, but is {text!r}.") from None
    whole = name in WHOLE_NUMBERS or "." not in text and "e" not in text.lower()
    return int(value) if whole and value.is_integer() else value
