"""Step 3 of Tune, the user's own configs: cloned or edited from one of the plan's, with advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from engine import advice, configfile, space
from engine.advice import Note
from engine.errors import ConfigError
from engine.records import SCHEDULES, Config, RunKind, RunSpec
from jobs import plans
from jobs.plans import Plan
from pages import problems, words

EARLY_STOPPING = "Own configs stop early and keep their best epoch"
EARLY_STOPPING_HELP = (
    "A run ends after {early_stopping_patience} epochs in a row that lower the dev loss by no more than "
    "{early_stopping_threshold}, and keeps the epoch with the lowest. Default and shortlist always train all "
    "their epochs, as in the grid that ranked them."
).format(**space.EARLY_STOPPING)


FILE_HELP = "One config in the names of TRL and PEFT; lr, epochs, lora_rank and the like are understood too."


def configs(scope: str, points: Sequence[Config] = ()) -> tuple[Config, ...]:
    """The user's own configs for this model and method; at first the starting points, where there are any."""
    before = st.session_state.get(f"points_{scope}", ())
    if tuple(points) != before:
        st.session_state[f"points_{scope}"] = tuple(points)
        if configs_now(scope) == before:
            _state("own", scope)[:] = points
    return configs_now(scope)


def configs_now(scope: str) -> tuple[Config, ...]:
    """The user's own configs for this model and method as they are."""
    return tuple(_state("own", scope))


def points(scope: str) -> tuple[Config, ...]:
    """The starting points that stand in for a shortlist; none where there is one."""
    return tuple(st.session_state.get(f"points_{scope}", ()))


def replaced(scope: str) -> tuple[int, ...]:
    """Ranks of the shortlist that an own config took the place of."""
    return tuple(_state("replaced", scope))


def _state(name: str, scope: str) -> list[Any]:
    found: list[Any] = st.session_state.setdefault(f"{name}_{scope}", [])
    return found


def buttons(plan: Plan, scope: str, rows: int) -> bool:
    """Open the form; go back to the shortlist as it is; whether own configs stop early."""
    with st.container(horizontal=True, vertical_alignment="center", key="own_actions"):
        if st.button("Add, edit or clone a config", key="add_config", icon=":material/add:"):
            _form(plan, scope, rows)
        start = points(scope)
        if configs_now(scope) != start or replaced(scope):
            label = "Back to the starting points" if start else "Back to the shortlist alone"
            st.button(label, key="reset_configs", on_click=_reset, args=(scope,))
        if not configs_now(scope):
            return True
    return st.toggle(
        EARLY_STOPPING, True, key="early_stopping", help=EARLY_STOPPING_HELP, persist_state="session"
    )


def _reset(scope: str) -> None:
    _state("own", scope)[:] = points(scope)
    _state("replaced", scope).clear()


@st.dialog("Add, edit or clone a config")
def _form(plan: Plan, scope: str, rows: int) -> None:
    specs = {spec.name: spec for spec in plan.specs if spec.config is not None}
    name = st.selectbox("Start from", specs, key="start_from")
    file = st.file_uploader("Or from a YAML file", ["yaml", "yml"], key="own_file", help=FILE_HELP)
    with problems.shown():
        start = specs[name] if file is None else _read(file, plan)
        assert start.config is not None
        own = Config.from_dict(fields(start))
        with st.container(horizontal=True, key="form_actions"):
            added = st.button("Add as a new config", type="primary", key="add_it")
            changed = specs[name].kind != RunKind.DEFAULT and st.button(f"Replace {name}", key="replace_it")
        if changed:
            _take_out(specs[name], scope)
        if added or changed:
            _state("own", scope).append(own)
            st.rerun()
        _notes(advice.notes(own, plan.model, rows, start.config))


def _read(file: UploadedFile, plan: Plan) -> RunSpec:
    """A start for the form; its name, which keys the fields, is the upload's own."""
    config = configfile.read_config(file.getvalue().decode("utf-8", "replace"))
    config = plans.checked(config, plan.study.method)
    return replace(plan.specs[0], kind=RunKind.CUSTOM, name=file.file_id, config=config)


def _notes(notes: Sequence[Note]) -> None:
    """What sources say of the values above; it stands in nobody's way."""
    for note in notes:
        sign = ":orange[:material/error:]" if note.outside else ":material/check:"
        st.caption(f"{sign} {words.plain(note.text)} Source: {words.plain(note.source)}.")


def _take_out(spec: RunSpec, scope: str) -> None:
    if spec.rank is not None:
        _state("replaced", scope).append(spec.rank)
    else:
        _state("own", scope).remove(spec.config)


def fields(spec: RunSpec) -> dict[str, Any]:
    """The form's values by their TRL/PEFT names; keys carry the start so that another start refills it."""
    start, name = spec.config, spec.name
    assert start is not None
    left, right = st.columns(2)
    rate = left.text_input("Learning rate", words.rate(start.learning_rate), key=f"own_rate_{name}")
    values: dict[str, tuple[DeltaGenerator, str, int, int | None]] = {
        "num_train_epochs": (right, "Epochs", 100, start.num_train_epochs),
        "per_device_train_batch_size": (left, "Batch", 256, start.per_device_train_batch_size),
    }
    if start.lora_r is not None:
        values["lora_r"] = (left, "Rank (r)", 512, start.lora_r)
        values["lora_alpha"] = (right, "Alpha", 1024, start.lora_alpha)
    place = SCHEDULES.index(start.lr_scheduler_type)
    schedule = right.selectbox("Schedule", SCHEDULES, place, key=f"own_schedule_{name}")
    numbers = {
        field: column.number_input(title, 1, max(most, value or 1), value, key=f"own_{field}_{name}")
        for field, (column, title, most, value) in values.items()
    }
    return {**start.to_dict(), "learning_rate": _number(rate), "lr_scheduler_type": schedule, **numbers}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"The learning rate must be a number such as 3e-4, but is {text!r}.") from None
