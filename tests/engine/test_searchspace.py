"""Search spaces: what they take, what they refuse, and the way from points to configs and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import spacefile
from engine.errors import ConfigError
from engine.records import Config, Method
from engine.searchspace import ALPHA_MULTIPLE, Axis, Edge, Scale, Side, Space, space_of
from engine.space import EMBEDDED_SPACE
from tests.engine.searches import FULL, LORA

MODELS = ("shortlist-tiny-4m", "Meta-Llama-3-8B")


def points(space: Space) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            axis.name: st.floats(*axis.bounds) if axis.is_range else st.sampled_from(axis.values)
            for axis in space.axes
        }
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("method", Method)
def test_a_space_starts_at_a_config_of_its_own_and_survives_json(model: str, method: Method) -> None:
    space = space_of(model, method)

    assert space.config(space.start) == space.fixed
    assert space.fixed.method is method
    assert Space.from_dict(space.to_dict()) == space


@pytest.mark.parametrize("method", Method)
def test_the_space_of_an_embedded_model_has_every_config_of_its_first_grid(method: Method) -> None:
    space = space_of(MODELS[0], method)

    assert all(space.has(config) for config in EMBEDDED_SPACE[method].configs())


@given(points(LORA))
def test_a_config_leads_back_to_its_point(point: dict[str, Any]) -> None:
    config = LORA.config(point)

    assert LORA.has(config)
    assert LORA.config(LORA.point(config)) == config


def test_alpha_is_the_multiple_of_the_rank_rounded_to_at_least_1() -> None:
    space = Space(
        (
            Axis("lora_r", Scale.STEPS, values=(1, 3, 8)),
            Axis(ALPHA_MULTIPLE, Scale.STEPS, values=(0.25, 0.5)),
        ),
        LORA.fixed,
    )

    alphas = [
        space.config({"lora_r": rank, ALPHA_MULTIPLE: multiple}).lora_alpha
        for rank, multiple in ((8, 0.5), (3, 0.5), (1, 0.25))
    ]

    assert alphas == [4, 2, 1]


def test_a_config_outside_becomes_the_nearest_point() -> None:
    outside = replace(
        LORA.fixed, learning_rate=0.1, num_train_epochs=20, lora_r=16, lora_alpha=64, lora_dropout=None
    )

    assert not LORA.covers(outside)
    assert LORA.point(outside) == {
        "learning_rate": 1e-2,
        "num_train_epochs": 10,
        "per_device_train_batch_size": 8,
        "lora_r": 8,
        ALPHA_MULTIPLE: 2,
        "lora_dropout": 0.0,
    }


def test_ranges_keep_three_digits() -> None:
    config = FULL.config({**FULL.start, "learning_rate": 0.00123456})

    assert config.learning_rate == 0.00123


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ({"learning_rate": 1e-3}, "no num_train_epochs"),
        ({**FULL.start, "num_train_epochs": 2}, "num_train_epochs is 2, but the space has 1, 3, 5"),
        ({**FULL.start, "learning_rate": 0.02}, "learning_rate is 0.02, but the space has 0.0001 to 0.003"),
        ({**FULL.start, "lora_r": 8}, "lora_r is no axis"),
    ],
)
def test_a_point_outside_is_refused_by_name(point: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        FULL.config(point)


@pytest.mark.parametrize(
    ("build", "problem"),
    [
        (lambda: Axis("lora_dropout", Scale.LINEAR, 0, 0.5), "lora_dropout must be a number from 0 to 0.2"),
        (lambda: Axis("learning_rate", Scale.LOG, 1e-3, 1e-4), "low must be below high"),
        (lambda: Axis("weight_decay", Scale.LOG, 0, 0.1), "a log axis starts above 0"),
        (lambda: Axis("learning_rate", Scale.LOG, values=(1e-3, 1e-4)), "has a low and a high"),
        (lambda: Axis("lora_r", Scale.STEPS, values=(32, 8)), "values must rise, but are 32, 8"),
        (lambda: Axis("lora_r", Scale.STEPS, values=(8,)), "needs two values"),
        (lambda: Axis("lora_r", Scale.STEPS, values=(8, 12.5)), "must be a whole number, such as 12"),
        (lambda: Axis("lora_r", Scale.CHOICE, values=(8, 32)), "lora_r: scale choice"),
        (lambda: Axis("lr_scheduler_type", Scale.CHOICE, values=("cosine", "round")), "'round' is none of"),
        (lambda: Axis("bias", Scale.CHOICE, values=("none", "all")), "bias cannot be searched"),
        (lambda: Space((), FULL.fixed), "at least one axis"),
        (lambda: Space(FULL.axes + FULL.axes[:1], FULL.fixed), "learning_rate has two axes"),
        (lambda: Space(LORA.axes, FULL.fixed), "lora_r is for LoRA"),
        (
            lambda: Space((*LORA.axes, Axis("lora_alpha", Scale.LINEAR, 1, 64)), LORA.fixed),
            "cannot both be searched",
        ),
        (lambda: Space.from_dict({"axes": [{"name": "lora_r"}], "fixed": {}}), "no search space"),
    ],
)
def test_what_is_no_space_is_refused_by_name(build: Callable[[], object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        build()


def test_a_space_is_centred_by_one_decade_around_a_learning_rate() -> None:
    space = FULL.centred(2e-4)

    assert space.axis("learning_rate").bounds == (6.32e-5, 6.32e-4)
    assert space.start["learning_rate"] == 2e-4
    assert space.axes[1:] == FULL.axes[1:]


def best(**values: Any) -> Config:
    return replace(LORA.fixed, **{"lora_r": 32, "lora_alpha": 32, **values})


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (best(), []),
        (best(learning_rate=1e-2), [Edge("learning_rate", Side.HIGH, 1e-2)]),
        (best(learning_rate=3.1e-4), [Edge("learning_rate", Side.LOW, 3.1e-4)]),
        (best(learning_rate=9e-3), []),
        (best(lora_r=128, lora_alpha=128), [Edge("lora_r", Side.HIGH, 128)]),
        (best(lora_alpha=64), [Edge(ALPHA_MULTIPLE, Side.HIGH, 2)]),
        (best(lora_dropout=0.15), [Edge("lora_dropout", Side.HIGH, 0.15)]),
        (best(per_device_train_batch_size=16), []),  # one of two values is always at an end
        (best(num_train_epochs=1), []),  # nothing lies beyond
        (best(lora_dropout=0.0), []),
    ],
)
def test_a_best_value_at_an_end_that_could_be_widened_is_named(config: Config, found: list[Edge]) -> None:
    assert list(LORA.edges(config)) == found


@pytest.mark.parametrize(
    ("name", "side", "values"),
    [
        ("learning_rate", Side.LOW, (1e-4, 1e-2)),
        ("learning_rate", Side.HIGH, (3e-4, 3e-2)),
        ("num_train_epochs", Side.HIGH, (1, 3, 5, 10, 20)),
        ("lora_r", Side.LOW, (4, 8, 32, 128)),
        ("lora_r", Side.HIGH, (8, 32, 128, 256)),
        (ALPHA_MULTIPLE, Side.LOW, (0.25, 0.5, 1, 2)),
        ("lora_dropout", Side.HIGH, (0, 0.2)),
    ],
)
def test_a_space_is_widened_by_a_factor_or_the_next_value(
    name: str, side: Side, values: tuple[float, ...]
) -> None:
    axis = LORA.widened(name, side).axis(name)

    assert (axis.bounds if axis.is_range else axis.values) == values


@pytest.mark.parametrize(
    ("space", "name", "side"),
    [
        (LORA.widened("lora_dropout", Side.HIGH), "lora_dropout", Side.HIGH),
        (LORA, "lora_dropout", Side.LOW),
        (LORA, "num_train_epochs", Side.LOW),
        (space_of(MODELS[1], Method.FULL), "lr_scheduler_type", Side.HIGH),
        (FULL, "lora_r", Side.HIGH),
    ],
)
def test_what_makes_no_sense_beyond_is_not_widened(space: Space, name: str, side: Side) -> None:
    with pytest.raises(ConfigError, match=name):
        space.widened(name, side)


WRITTEN = """
lr: {low: 1e-4, high: 1e-3}
lora_rank: [8, 32, 128]
lora_alpha/lora_r: [0.5, 1, 2]
lora_dropout: {low: 0, high: 0.1}
scheduler: [cosine, linear]
warmup_ratio: 0.05
epochs: 3
"""


def test_a_space_is_read_under_the_usual_names() -> None:
    space = spacefile.read(WRITTEN, LORA.fixed)

    assert [(axis.name, axis.scale, axis.bounds) for axis in space.axes] == [
        ("learning_rate", Scale.LOG, (1e-4, 1e-3)),
        ("lora_r", Scale.STEPS, (8, 128)),
        (ALPHA_MULTIPLE, Scale.STEPS, (0.5, 2)),
        ("lora_dropout", Scale.LINEAR, (0, 0.1)),
        ("lr_scheduler_type", Scale.CHOICE, ("cosine", "linear")),
    ]
    assert (space.fixed.warmup_ratio, space.fixed.warmup_steps, space.fixed.num_train_epochs) == (
        0.05,
        None,
        3,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lora_r: 8", "at least one axis"),
        ("learning_rate: {from: 1, to: 2}", "learning_rate: a range is written"),
        ("learning_rate: {low: 1e-4, high: 1e-3, scale: cubic}", "log or linear, not 'cubic'"),
        ("learning_rate: [low, high]", "learning_rate must be a number such as 3e-4"),
        ("lora_r: [8, 8]", "values must rise"),
        ("optim: [adamw_torch, lion]", "optim cannot be searched"),
        ("lr: [1e-4, 1e-3]\nlearning_rate: 1e-3", "Two values mean learning_rate"),
        ("lora_alpha/lora_r: 2", "write lora_alpha"),
        ("- 1", "A search space must be lines"),
    ],
)
def test_a_file_that_is_no_space_is_refused_in_one_sentence(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        spacefile.read(text, LORA.fixed)
