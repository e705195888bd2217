"""Step 3 of Tune, the user's own configs: added from nothing, cloned or edited from one of the plan's."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine.errors import ConfigError
from engine.records import SCHEDULES, Config
from jobs.plans import Plan
from pages import problems, words


def configs(scope: str) -> tuple[Config, ...]:
    """The user's own configs for this model and method."""
    return tuple(st.session_state.get("own", {}).get(scope, ()))


def add(plan: Plan, scope: str) -> None:
    """Buttons that open the form, and one that takes an own config away."""
    with st.container(horizontal=True, key="own_actions"):
        if st.button("Add a config", key="add_config", icon=":material/add:"):
            _form(plan, scope)
        for number, config in enumerate(configs(scope)):
            st.button(
                f"Remove own {number + 1}", key=f"remove_{number}", help=config.label,
                on_click=_remove, args=(scope, number),
            )  # fmt: skip


def _remove(scope: str, number: int) -> None:
    st.session_state.own[scope].pop(number)


@st.dialog("Add a config")
def _form(plan: Plan, scope: str) -> None:
    starts = {spec.name: spec.config for spec in plan.specs if spec.config is not None}
    name = st.selectbox("Start from a copy of", starts, key="start_from")
    with problems.shown():
        own = Config.from_dict(_fields(starts[name], name))
        if st.button("Add it", type="primary", key="add_it"):
            st.session_state.setdefault("own", {}).setdefault(scope, []).append(own)
            st.rerun()


def _fields(start: Config, name: str) -> dict[str, Any]:
    """The form's values by their TRL/PEFT names; keys carry the start so that another start refills it."""
    left, right = st.columns(2)
    rate = left.text_input("Learning rate", words.rate(start.learning_rate), key=f"own_rate_{name}")
    values: dict[str, Any] = {
        **start.to_dict(),
        "learning_rate": _number(rate),
        "num_train_epochs": right.number_input(
            "Epochs", 1, 100, start.num_train_epochs, key=f"own_epochs_{name}"
        ),
        "per_device_train_batch_size": left.number_input(
            "Batch", 1, 256, start.per_device_train_batch_size, key=f"own_batch_{name}"
        ),
        "lr_scheduler_type": right.selectbox(
            "Schedule", SCHEDULES, SCHEDULES.index(start.lr_scheduler_type), key=f"own_schedule_{name}"
        ),
    }
    if start.lora_r is not None:
        values["lora_r"] = left.number_input("Rank (r)", 1, 512, start.lora_r, key=f"own_r_{name}")
        values["lora_alpha"] = right.number_input("Alpha", 1, 1024, start.lora_alpha, key=f"own_alpha_{name}")
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"The learning rate must be a number such as 3e-4, but is {text!r}.") from None
