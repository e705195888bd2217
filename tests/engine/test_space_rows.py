"""A search space that a person edits: what is typed becomes axes, or one sentence that names the row."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ConfigError
from engine.records import Method
from engine.searchspace import Scale, space_of
from engine.space_rows import rows, space_from

LORA = space_of("shortlist-tiny-4m", Method.LORA)


def edited(name: str, **changes: Any) -> list[dict[str, Any]]:
    return [{**row, **changes} if row["name"] == name else row for row in rows(LORA)]


@pytest.mark.parametrize("model", ["shortlist-tiny-4m", "llama"])
@pytest.mark.parametrize("method", Method)
def test_rows_that_nobody_changed_give_the_same_space(model: str, method: Method) -> None:
    space = space_of(model, method)

    assert space_from(rows(space), space) == space


def test_people_read_rates_and_steps_as_they_write_them() -> None:
    found = {row["name"]: row for row in rows(LORA)}

    assert (found["learning_rate"]["low"], found["learning_rate"]["high"]) == ("3e-4", "1e-2")
    assert found["lora_r"]["values"] == "8, 32, 128"
    assert not found["weight_decay"]["searched"]


def test_what_else_could_be_searched_becomes_an_axis_when_it_is_ticked() -> None:
    space = space_from(edited("weight_decay", searched=True), LORA)

    assert space.axis("weight_decay").scale is Scale.LINEAR
    assert space.axis("weight_decay").bounds == (0, 0.1)


def test_what_is_unticked_keeps_its_value() -> None:
    space = space_from(edited("lora_r", searched=False), LORA)

    assert "lora_r" not in [axis.name for axis in space.axes]
    assert space.fixed.lora_r == LORA.fixed.lora_r


def test_a_range_may_become_values() -> None:
    space = space_from(edited("learning_rate", low="", high="", values="1e-3, 3e-3"), LORA)

    assert space.axis("learning_rate").values == (1e-3, 3e-3)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (
            "learning_rate",
            {"low": "fast"},
            "learning_rate must be a number such as 3e-4 or 16, but is 'fast'.",
        ),
        ("learning_rate", {"low": ""}, "learning_rate needs low and high"),
        ("learning_rate", {"values": "1e-3"}, "learning_rate has a range and values."),
        ("learning_rate", {"low": "1e-2", "high": "3e-4"}, "learning_rate: low must be below high"),
        ("lora_r", {"values": "8, 2.5"}, "lora_r must be a whole number"),
        ("lora_dropout", {"high": "0.9"}, "lora_dropout must be a number from 0 to 0.2"),
    ],
)
def test_a_wrong_cell_is_named(name: str, changes: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        space_from(edited(name, **changes), LORA)


def test_nothing_ticked_is_no_space() -> None:
    with pytest.raises(ConfigError, match="at least one axis"):
        space_from([{**row, "searched": False} for row in rows(LORA)], LORA)
