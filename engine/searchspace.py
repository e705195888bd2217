"""The one definition of what may be searched: axes over TRL/PEFT names, and points of them as configs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, NamedTuple

from engine.errors import ConfigError
from engine.records import SCHEDULES, Config, Method
from engine.space import WHOLE_NUMBERS, is_embedded

ALPHA_MULTIPLE = "lora_alpha/lora_r"  # searched in place of alpha: the LoRA step goes with lr x alpha / r

# The widest range of each numeric axis [ours]. HPO (Tribes et al., arXiv 2312.00949) let dropout reach 1,
# where nothing can be learned.
LIMITS: Mapping[str, tuple[float, float]] = {
    "learning_rate": (1e-7, 0.1),
    "num_train_epochs": (1, 100),
    "per_device_train_batch_size": (1, 512),
    "gradient_accumulation_steps": (1, 512),
    "warmup_steps": (0, 10_000),
    "warmup_ratio": (0, 0.5),
    "weight_decay": (0, 0.5),
    "lora_r": (1, 1024),
    "lora_alpha": (1, 4096),
    ALPHA_MULTIPLE: (1 / 64, 64),
    "lora_dropout": (0, 0.2),
}
SCHEDULE = "lr_scheduler_type"
SEARCHABLE = (*LIMITS, SCHEDULE)
ADAPTER = frozenset({"lora_r", "lora_alpha", ALPHA_MULTIPLE, "lora_dropout"})

NEAR = 0.02  # this share of a range is "on its edge"
DECADE = math.sqrt(10)  # a range of one decade reaches this factor down and up


class Scale(StrEnum):
    """How an axis is walked."""

    LOG = "log"
    LINEAR = "linear"
    STEPS = "steps"
    """A few ordered values, such as powers of two."""
    CHOICE = "choice"
    """Values without an order, such as schedules."""


class Side(StrEnum):
    """An end of an axis."""

    LOW = "low"
    HIGH = "high"


class Edge(NamedTuple):
    """A best value at an end of its range: whether it goes on beyond, nobody has looked."""

    axis: str
    side: Side
    value: float


@dataclass(frozen=True, slots=True)
class Axis:
    """One hyperparameter and its range: `low` to `high` (LOG, LINEAR), or its `values` (STEPS, CHOICE).

    Raises ConfigError naming the axis for a range that is empty, unordered or beyond LIMITS.
    """

    name: str
    scale: Scale
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.name not in SEARCHABLE:
            raise ConfigError(f"{self.name} cannot be searched; what can be: {', '.join(SEARCHABLE)}.")
        if (self.name == SCHEDULE) != (self.scale is Scale.CHOICE):
            raise ConfigError(f"{self.name}: scale {self.scale} is for {_kind(self.scale)}. Choose another.")
        if self.is_range:
            self._check_range()
        else:
            self._check_values()

    @property
    def is_range(self) -> bool:
        """Whether it has every value from low to high, rather than a few."""
        return self.scale in (Scale.LOG, Scale.LINEAR)

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.name in WHOLE_NUMBERS

    @property
    def bounds(self) -> tuple[Any, Any]:
        """The least and the largest value; of a CHOICE the first and the last."""
        return (self.low, self.high) if self.is_range else (self.values[0], self.values[-1])

    def _check_range(self) -> None:
        if self.values or self.low is None or self.high is None:
            raise ConfigError(f"{self.name}: a {self.scale} axis has a low and a high, and no values.")
        for value in (self.low, self.high):
            self._check_number(value)
        if self.low >= self.high:
            raise ConfigError(
                f"{self.name}: low must be below high, but the range is {self.low:g} to {self.high:g}."
            )
        if self.scale is Scale.LOG and self.low <= 0:
            raise ConfigError(f"{self.name}: a log axis starts above 0. Use a linear one, or a larger low.")

    def _check_values(self) -> None:
        if self.low is not None or self.high is not None:
            raise ConfigError(f"{self.name}: a {self.scale} axis has values, and no low or high.")
        if len(self.values) < 2:
            raise ConfigError(f"{self.name} needs two values or more to be searched. Add one, or fix it.")
        if self.scale is Scale.CHOICE:
            self._check_schedules()
            return
        for value in self.values:
            self._check_number(value)
        if any(first >= second for first, second in pairwise(self.values)):
            raise ConfigError(f"{self.name}: values must rise, but are {_list(self.values)}. Sort them.")

    def _check_number(self, value: Any) -> None:
        low, high = LIMITS[self.name]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise ConfigError(f"{self.name} must be a number from {low:g} to {high:g}, but is {value!r}.")
        if self.is_whole and not isinstance(value, int):
            raise ConfigError(f"{self.name} must be a whole number, such as {round(value)}, but is {value}.")

    def _check_schedules(self) -> None:
        for value in self.values:
            if value not in SCHEDULES:
                raise ConfigError(f"{self.name}: {value!r} is none of {', '.join(SCHEDULES)}.")
        if len(set(self.values)) < len(self.values):
            raise ConfigError(f"{self.name}: a value stands there twice: {_list(self.values)}. Keep one.")

    def covers(self, value: Any) -> bool:
        """Whether a value lies in the range, or between the least and the largest of the values."""
        if self.scale is Scale.CHOICE:
            return value in self.values
        low, high = self.bounds
        return bool(low <= value <= high)

    def nearest(self, value: Any) -> Any:
        """The value of the axis that is nearest to this one: three digits are enough of a range.

        A value that a CHOICE does not have becomes its first one.
        """
        if self.scale is Scale.CHOICE:
            return value if value in self.values else self.values[0]
        if self.scale is Scale.STEPS:
            return min(self.values, key=lambda step: abs(self._place(step) - self._place(value)))
        low, high = self.bounds
        inside = min(max(value, low), high)
        tidy = float(f"{inside:.3g}") + 0.0  # no -0.0
        return round(inside) if self.is_whole else min(max(tidy, low), high)

    def edge(self, value: Any) -> Edge | None:
        """The end of the axis that a value lies on, if the axis could go on there."""
        if self.scale is Scale.CHOICE or (self.scale is Scale.STEPS and len(self.values) < 3):
            return None  # one of two values is always at an end
        low, high = (self._place(bound) for bound in self.bounds)
        near = NEAR * (high - low) if self.is_range else 0.0
        place = self._place(self.nearest(value))
        for side, distance in ((Side.LOW, place - low), (Side.HIGH, high - place)):
            if distance <= near and self._beyond(side) is not None:
                return Edge(self.name, side, self.nearest(value))
        return None

    def widened(self, side: Side) -> Axis:
        """The axis, longer at one end: a log range and learning rates by a factor of 3, all else by 2.

        Raises ConfigError where there is nothing beyond, as for dropout above 0.2.
        """
        if self.scale is Scale.CHOICE:
            raise ConfigError(f"{self.name} has no order to be widened by: add a value to it.")
        bound = self._beyond(side)
        if bound is None:
            end = self.bounds[side is Side.HIGH]
            raise ConfigError(f"{self.name} cannot be searched beyond {end}: leave its range as it is.")
        if self.is_range:
            return replace(self, low=bound) if side is Side.LOW else replace(self, high=bound)
        values = (bound, *self.values) if side is Side.LOW else (*self.values, bound)
        return replace(self, values=values)

    def _beyond(self, side: Side) -> float | None:
        """The next bound on a side; None where none makes sense."""
        end = float(self.bounds[side is Side.HIGH])
        if end == 0:
            return None
        low, high = LIMITS[self.name]
        factor = 3 if self.scale is Scale.LOG or self.name == "learning_rate" else 2
        value = end * factor if side is Side.HIGH else end / factor
        value = math.floor(value) if self.is_whole else float(f"{value:.3g}")
        value = min(max(value, low), high)
        return None if value == end else value

    def _place(self, value: float) -> float:
        """Where a value lies: by its logarithm, unless the axis is linear or starts at 0."""
        if self.scale is Scale.LINEAR or self.bounds[0] <= 0:
            return value
        return math.log(max(value, 1e-12))


@dataclass(frozen=True, slots=True)
class Space:
    """What a search may change, and the config that gives every other value and the point to start from.

    Raises ConfigError naming an axis that stands there twice, does not go with another or with the method.
    """

    axes: tuple[Axis, ...]
    fixed: Config

    def __post_init__(self) -> None:
        names = [axis.name for axis in self.axes]
        if not names:
            raise ConfigError("A search space needs at least one axis, such as learning_rate: 1e-4 to 1e-3.")
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"{name} has two axes. Keep one.")
            if name in ADAPTER and self.fixed.method is not Method.LORA:
                raise ConfigError(f"{name} is for LoRA, but this space is of full fine-tuning. Take it out.")
        for one, other in (("lora_alpha", ALPHA_MULTIPLE), ("warmup_steps", "warmup_ratio")):
            if one in names and other in names:
                raise ConfigError(f"{one} and {other} cannot both be searched: each decides the other.")

    @property
    def start(self) -> dict[str, Any]:
        """The point nearest to `fixed`."""
        return self.point(self.fixed)

    def axis(self, name: str) -> Axis:
        """The axis of this name; raises ConfigError where there is none."""
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise ConfigError(f"{name} is not searched here; what is: {', '.join(a.name for a in self.axes)}.")

    def config(self, point: Mapping[str, Any]) -> Config:
        """The config of a point (axis name -> value); raises ConfigError for a point outside the space.

        Values of a range keep three digits; alpha is a whole number, at least 1.
        """
        values = {axis.name: self._checked(axis, point) for axis in self.axes}
        if len(point) > len(values):
            raise ConfigError(f"{next(n for n in point if n not in values)} is no axis of this space.")
        multiple = values.pop(ALPHA_MULTIPLE, None)
        if multiple is not None:
            rank = values.get("lora_r", self.fixed.lora_r)
            values["lora_alpha"] = max(1, round(multiple * rank))
        if "warmup_ratio" in values:
            values["warmup_steps"] = None
        elif "warmup_steps" in values:
            values["warmup_ratio"] = None
        return replace(self.fixed, **values)

    def point(self, config: Config) -> dict[str, Any]:
        """The nearest point of the space to a config; raises ConfigError for one of the other method."""
        if config.method is not self.fixed.method:
            raise ConfigError(f"A config of {config.method} is no point of a space of {self.fixed.method}.")
        return {axis.name: axis.nearest(value_of(config, axis.name)) for axis in self.axes}

    def covers(self, config: Config) -> bool:
        """Whether each searched value of a config lies within its axis; the others may differ."""
        return config.method is self.fixed.method and all(
            axis.covers(value_of(config, axis.name)) for axis in self.axes
        )

    def has(self, config: Config) -> bool:
        """Whether a config is the very config of a point."""
        return self.covers(config) and self.config(self.point(config)) == config

    def centred(self, learning_rate: float) -> Space:
        """The same space with one decade of learning rates around a suggestion, and its start there."""
        around = Axis(
            self.axis("learning_rate").name,
            Scale.LOG,
            float(f"{learning_rate / DECADE:.3g}"),
            float(f"{learning_rate * DECADE:.3g}"),
        )
        return replace(self._with(around), fixed=replace(self.fixed, learning_rate=learning_rate))

    def edges(self, best: Config) -> tuple[Edge, ...]:
        """Where the best config lies on the end of a range that could be widened there.

        HPO's 100 evaluations of LLaMA-2-7B have their best on the largest alpha and rank.
        """
        found = (axis.edge(value_of(best, axis.name)) for axis in self.axes)
        return tuple(edge for edge in found if edge is not None)

    def widened(self, name: str, side: Side) -> Space:
        """The same space with an axis longer at one end (see Axis.widened)."""
        return self._with(self.axis(name).widened(side))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"axes": [_axis_dict(axis) for axis in self.axes], "fixed": self.fixed.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Space:
        """Inverse of to_dict; raises ConfigError for what is no space."""
        try:
            axes = tuple(_axis(axis) for axis in values["axes"])
            return cls(axes, Config.from_dict(values["fixed"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"This is no search space: it needs axes and fixed ({error}).") from error

    def _with(self, axis: Axis) -> Space:
        return replace(self, axes=tuple(axis if a.name == axis.name else a for a in self.axes))

    @staticmethod
    def _checked(axis: Axis, point: Mapping[str, Any]) -> Any:
        if axis.name not in point:
            raise ConfigError(f"The point has no {axis.name}. Add it.")
        value = point[axis.name]
        if not (axis.covers(value) if axis.is_range else value in axis.values):
            allowed = " to ".join(f"{b:g}" for b in axis.bounds) if axis.is_range else _list(axis.values)
            raise ConfigError(f"{axis.name} is {value}, but the space has {allowed}.")
        return axis.nearest(value)


def space_of(model: str, method: Method) -> Space:
    """The space that a search of this model starts from."""
    axes = EMBEDDED[method] if is_embedded(model) else REGISTRY[method]
    start = EMBEDDED_START if is_embedded(model) else REGISTRY_START
    return Space(axes, start[method])


def _steps(name: str, *values: float) -> Axis:
    return Axis(name, Scale.STEPS, values=values)


# Around the values of engine.space.EMBEDDED_SPACE and the second grid, a step wider [ours].
_BATCHES = _steps("per_device_train_batch_size", 8, 16)
EMBEDDED: Mapping[Method, tuple[Axis, ...]] = {
    Method.FULL: (
        Axis("learning_rate", Scale.LOG, 1e-4, 3e-3),
        _steps("num_train_epochs", 1, 3, 5),
        _BATCHES,
    ),
    Method.LORA: (
        Axis("learning_rate", Scale.LOG, 3e-4, 1e-2),
        _steps("num_train_epochs", 1, 3, 5, 10),
        _BATCHES,
        _steps("lora_r", 8, 32, 128),
        _steps(ALPHA_MULTIPLE, 0.5, 1, 2),
        Axis("lora_dropout", Scale.LINEAR, 0, 0.15),
    ),
}
EMBEDDED_START: Mapping[Method, Config] = {
    Method.FULL: Config(1e-3, 3, 8, warmup_steps=5),
    Method.LORA: Config(3e-3, 3, 8, warmup_steps=5, lora_r=8, lora_alpha=16, lora_dropout=0.0),
}

# Real LLMs: rates, batches, epochs, schedules and ranks [ours]; dropout, warm-up, weight decay and the ranks
# 4 and 16 are of the TPE space of the lesson "Fine-Tuning Hyperparameter Search" (engineersofai.com).
_REGULARIZING = (
    _steps("num_train_epochs", 1, 3, 5, 10),
    _steps("per_device_train_batch_size", 8, 16, 32),
    Axis(SCHEDULE, Scale.CHOICE, values=("cosine", "linear", "constant_with_warmup")),
    Axis("warmup_ratio", Scale.LINEAR, 0.01, 0.1),
    Axis("weight_decay", Scale.LINEAR, 0, 0.1),
)
REGISTRY: Mapping[Method, tuple[Axis, ...]] = {
    Method.FULL: (Axis("learning_rate", Scale.LOG, 5e-6, 5e-5), *_REGULARIZING),
    Method.LORA: (
        Axis("learning_rate", Scale.LOG, 2e-5, 5e-4),
        *_REGULARIZING,
        _steps("lora_r", 4, 8, 16, 32, 128),
        _steps(ALPHA_MULTIPLE, 0.25, 1, 2),
        Axis("lora_dropout", Scale.LINEAR, 0, 0.15),
    ),
}
_START = Config(1e-5, 3, 8, lr_scheduler_type="cosine", warmup_ratio=0.05, weight_decay=0.01)
REGISTRY_START: Mapping[Method, Config] = {
    Method.FULL: _START,
    Method.LORA: replace(_START, learning_rate=1e-4, lora_r=8, lora_alpha=16, lora_dropout=0.05),
}


def value_of(config: Config, name: str) -> Any:
    """The value of a config on an axis; what is not set does nothing, so 0."""
    if name == ALPHA_MULTIPLE:
        assert config.lora_alpha is not None
        assert config.lora_r is not None
        return config.lora_alpha / config.lora_r
    value = getattr(config, name)
    return 0 if value is None else value


def _axis_dict(axis: Axis) -> dict[str, Any]:
    values = {f.name: getattr(axis, f.name) for f in fields(axis)}
    values["values"] = list(axis.values)
    return {name: value for name, value in values.items() if value not in (None, [])}


def _axis(values: Mapping[str, Any]) -> Axis:
    scale = Scale(values["scale"])
    return Axis(**{**values, "scale": scale, "values": tuple(values.get("values", ()))})


def _kind(scale: Scale) -> str:
    return "values without an order" if scale is Scale.CHOICE else "numbers"


def _list(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values))
