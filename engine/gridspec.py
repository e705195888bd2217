"""What a grid declares before it starts: a file that a person writes, checked field by field.

A spec has one or more parts, each a product of datasets, models, methods, sizes and seeds; the short form
of a spec with a single part has the part's fields at the top.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import yaml  # type: ignore[import-untyped]
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from engine import space
from engine.errors import ConfigError, ShortlistError
from engine.records import SCHEDULES, Config, Method
from engine.space import SearchSpace


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("a value stands there twice")
    return values


def _known_schedules(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in SCHEDULES:
            raise ValueError(f"{value!r} is none of {', '.join(SCHEDULES)}")
    return values


MUST = {
    "greater_than": "must be above {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be below {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    **dict.fromkeys(("float_parsing", "float_type"), "must be a number such as 3e-4"),
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "must be a whole number"),
    "string_pattern_mismatch": "must be lower-case letters, digits and hyphens, at most 31 of them",
    "too_short": "must not be empty",
    "missing": "is missing",
    "extra_forbidden": "is no name of a field",
    "enum": "must be {expected}",
}
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Several = AfterValidator(_distinct)
Names = Annotated[tuple[str, ...], Field(min_length=1), Several]
Counts = Annotated[tuple[Count, ...], Field(min_length=1), Several]
Rates = Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1), Several]
Adapters = Annotated[tuple[tuple[Count, Count], ...], Field(min_length=1), Several]
Schedules = Annotated[tuple[str, ...], Field(min_length=1), Several, AfterValidator(_known_schedules)]
Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), Several]
Methods = Annotated[tuple[Method, ...], Field(min_length=1), Several]


class Axes(BaseModel):
    """The values of a search space, by TRL/PEFT names; `adapters` holds pairs of lora_r and lora_alpha."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: Rates
    per_device_train_batch_size: Counts = (8,)
    num_train_epochs: Counts = (1, 3, 5)
    lr_scheduler_type: Schedules = ("constant_with_warmup",)
    adapters: Adapters | None = None

    def space(self) -> SearchSpace:
        """The same as a search space; without adapters it is one of full fine-tuning."""
        return SearchSpace(
            learning_rates=self.learning_rate,
            batch_sizes=self.per_device_train_batch_size,
            epochs=self.num_train_epochs,
            adapters=self.adapters or (None,),
            schedules=self.lr_scheduler_type,
        )


def _fitting(spaces: Mapping[Method, Axes]) -> Mapping[Method, Axes]:
    for method, axes in spaces.items():
        if (axes.adapters is None) == (method is Method.LORA):
            raise ValueError(f"space.{method}: adapters are for lora, and lora needs them")
    return spaces


Spaces = Annotated[Mapping[Method, Axes], AfterValidator(_fitting)]


class Part(BaseModel):
    """A full product; `defaults` names configs to run as they are, in place of the space.

    They are `default` and `library` (see engine.space) and the names of engine.peers. A part whose runs are
    dear can have a smaller `space` than the grid's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: Names
    models: Names
    methods: Methods
    train_sizes: Counts = (100,)
    seeds: Seeds = (0,)
    defaults: Annotated[tuple[str, ...], Several] = ()
    space: Spaces = {}

    @property
    def places(self) -> tuple[tuple[str, str, Method, int], ...]:
        """Every (dataset, model, method, size): the cells, seeds and origins not counted."""
        return tuple(product(self.datasets, self.models, self.methods, self.train_sizes))


class Repeat(BaseModel):
    """More seeds for the trainings that hold the `top` best configs by dev of a cell, once it is complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    top: Count
    seeds: Seeds


class GridSpec(BaseModel):
    """Everything that decides the results of a grid; the space of a method is engine.space's unless given.

    With `few_shot` each cell's base model is also scored with examples in its prompt, beside the untuned one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    space: Spaces = {}
    repeat: Repeat | None = None
    few_shot: bool = False
    max_length: Annotated[int, Field(ge=32)] = 256
    dev_rows: Annotated[int, Field(ge=10, le=200)] = 150
    test_rows: Annotated[int, Field(ge=10, le=300)] = 150

    @model_validator(mode="before")
    @classmethod
    def _one_part(cls, values: Any) -> Any:
        """The short form: the fields of the only part at the top."""
        if not isinstance(values, dict) or "parts" in values:
            return values
        part = {n: v for n, v in values.items() if n in Part.model_fields and n != "space"}
        return {**{n: v for n, v in values.items() if n not in part}, "parts": [part]}

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of all datasets, in the order in which they are first named."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.datasets))

    @property
    def models(self) -> tuple[str, ...]:
        """Ids of all models."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.models))

    @property
    def methods(self) -> tuple[Method, ...]:
        """All methods."""
        return tuple(dict.fromkeys(method for part in self.parts for method in part.methods))

    @property
    def train_sizes(self) -> tuple[int, ...]:
        """All training sizes, rising."""
        return tuple(sorted({size for part in self.parts for size in part.train_sizes}))

    def configs(self, model: str, method: Method, part: Part | None = None) -> tuple[Config, ...]:
        """The points of the search space of a cell of a part, or of the grid's own."""
        spaces = {**self.space, **(part.space if part else {})}
        if method in spaces:
            return spaces[method].space().configs()
        return space.search_space(model, method)

    def largest(self, dataset: str) -> int:
        """The most training rows that a part asks of a dataset."""
        return max(max(part.train_sizes) for part in self.parts if dataset in part.datasets)


def read_spec(path: Path) -> GridSpec:
    """The spec in a YAML file; raises ConfigError naming the field that is wrong."""
    try:
        return parse_spec(path.read_text(encoding="utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a grid spec: {error}") from error


def parse_spec(text: str, name: str = "the spec") -> GridSpec:
    """The spec that a text holds; raises ConfigError naming the field that is wrong."""
    try:
        return GridSpec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} cannot be read as a grid spec: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{name}: {_field(first['loc'])}: {_said(first)}.") from error
    except ShortlistError as error:
        raise ConfigError(f"{name}: {error}") from error


def _said(error: ErrorDetails) -> str:
    """What must hold and what stands there, in our words; pydantic's for what a spec seldom has."""
    if error["type"] == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] not in MUST:
        return str(error["msg"])
    must = MUST[error["type"]].format(**error.get("ctx", {}))
    shown = not isinstance(error["input"], dict | list | tuple)
    return f"{must}, but is {error['input']!r}" if shown else must


def _field(where: tuple[int | str, ...]) -> str:
    """The place of an error; the only part of a short spec is not mentioned."""
    steps = [str(step) for step in where]
    if steps[:2] == ["parts", "0"]:
        steps = steps[2:]
    return ".".join(steps) or "the file"
