"""Admin, Grids: define a grid, see how much it is before it starts, start it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st
import yaml  # type: ignore[import-untyped]

from engine import grid as grids_engine
from engine import gridcost, grids, models, settings, space
from engine.errors import ShortlistError
from engine.findings import counted
from engine.gridspec import GridSpec, parse_spec
from engine.records import Method
from jobs import grid, gridfiles, stack
from pages import admin_access, words

SIZES = (50, 100, 200, 500, 1000)
NEXT = "admin_grid_next"


def show(active: str | None) -> None:
    """The form; behind the door. `active`: the grid that must be stopped before another one starts."""
    st.subheader("New grid", anchor=False)
    folder = settings.current().grid_source
    names = grids_engine.available(folder) if folder.is_dir() else ()
    if not names:
        st.caption(
            words.plain(
                f"No dataset is in {folder}. Put a folder with train.jsonl and test.jsonl there for each "
                "dataset, or start the pages with SHORTLIST_GRID_DATASETS=FOLDER; then reload."
            )
        )
        return
    how = st.segmented_control(
        "Define by", ["Form", "YAML"], default="Form", key="grid_how", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    text = _form(names) if how == "Form" else _yaml(names)
    if text is not None:
        _launch(text, active)


def _form(names: Sequence[str]) -> str | None:
    """The spec of what the widgets say, as YAML; None: something is not filled in yet."""
    left, right = st.columns(2, gap="large")
    with left:
        version = st.text_input("Name", _free_name(), key="grid_version", max_chars=31)
        datasets = st.multiselect("Datasets", names, default=names[:3], key="grid_datasets")
        known = [model.id for model in models.registry() if model.launchable and space.is_embedded(model.id)]
        chosen = st.multiselect("Models", known, default=known[-1:], key="grid_models")
        methods = st.pills(
            "Methods", list(Method), default=list(Method), selection_mode="multi", key="grid_methods",
            format_func=words.method,
        )  # fmt: skip
        sizes = st.multiselect(
            "Training rows", SIZES, default=[100], key="grid_sizes", accept_new_options=True
        )
        seeds = st.text_input("Seeds", "0", key="grid_seeds")
    with right:
        axes = {str(method): _axes(method) for method in methods}
        top = st.number_input(
            "Second seeds for the best trainings of each cell", 0, 10, 0, key="grid_top",
            help="They are added when a cell is complete: two seeds show what is noise.",
        )  # fmt: skip
    missing = [
        name
        for name, given in (("a dataset", datasets), ("a model", chosen), ("a method", methods))
        if not given
    ]
    if missing or not sizes:
        st.caption(f"Choose {' and '.join(missing) or 'a number of training rows'}.")
        return None
    spec: dict[str, Any] = {
        "version": version,
        "datasets": datasets,
        "models": chosen,
        "methods": [str(method) for method in methods],
        "train_sizes": [int(size) if str(size).isdecimal() else size for size in sizes],
        "seeds": _numbers(seeds, int),
        "space": axes,
    }
    if top:
        spec["repeat"] = {"top": int(top), "seeds": [max([0, *_whole(spec["seeds"])]) + 1]}
    return str(yaml.safe_dump(spec, sort_keys=False, default_flow_style=None))


def _axes(method: Method) -> dict[str, Any]:
    """The search space of a method, as lists of values."""
    known = space.EMBEDDED_SPACE[method]
    st.markdown(f"**{words.method(method)}**")
    first, second = st.columns(2)
    rates = ", ".join(map(words.rate, known.learning_rates))
    batches, epochs = (", ".join(map(str, values)) for values in (known.batch_sizes, known.epochs))
    axes = {
        "learning_rate": _numbers(first.text_input("Learning rates", rates, key=f"{method}_rates"), float),
        "per_device_train_batch_size": _numbers(
            second.text_input("Batch sizes", batches, key=f"{method}_batches"), int
        ),
        "num_train_epochs": _numbers(first.text_input("Epochs", epochs, key=f"{method}_epochs"), int),
    }
    if method is Method.LORA:
        pairs = ", ".join(f"{pair[0]}/{pair[1]}" for pair in known.adapters if pair)
        given = second.text_input("Rank/alpha", pairs, key="lora_pairs")
        axes["adapters"] = [_numbers(pair, int, "/") for pair in given.split(",") if pair.strip()]
    return axes


def _yaml(names: Sequence[str]) -> str:
    """The spec as a person writes it, with parts, schedules and all else that the form has no place for."""
    example = {
        "version": _free_name(),
        "datasets": list(names[:2]),
        "models": [models.registry()[0].id],
        "methods": ["lora", "full"],
        "train_sizes": [100],
    }
    text = str(yaml.safe_dump(example, sort_keys=False, default_flow_style=None))
    return st.text_area("Spec", text, height=260, key="grid_yaml", label_visibility="collapsed")


def _launch(text: str, active: str | None) -> None:
    """The count, live, and the button that says what it will do; or what is wrong."""
    try:
        spec = parse_spec(text)
        size, hours, workers = _cost(spec)
    except ShortlistError as error:
        st.error(words.plain(str(error)))
        return
    again = f", at most {size.repeats} more with second seeds" if size.repeats else ""
    time = "not known yet how long" if hours is None else f"about {words.duration(3600 * hours)}"
    untuned = grids_engine.scorings(spec)
    with st.container(border=True, key="grid_size"):
        st.markdown(
            words.plain(
                f"{size.trainings:,} trainings give {size.results:,} results in {size.cells:,} cells{again}; "
                f"with {counted(untuned, 'scoring')} of untuned models {size.trainings + untuned:,} runs. "
                f"{time[0].upper()}{time[1:]} with {workers} worker{'s' if workers != 1 else ''}."
            )
        )
        if active:
            st.caption(
                words.plain(f"Grid {active} is active. Stop it, or let it end, before another starts.")
            )
        if st.button(
            f"Start {size.trainings:,} trainings",
            key="grid_start",
            type="primary",
            disabled=not size.trainings or active is not None,
        ):
            with st.spinner("The datasets are cut to size and the runs are planned"):
                admin_access.act(_start, text)
            st.rerun()
        with st.expander("The spec, for `python cli.py grid run`"):
            st.code(text, language="yaml")


def _cost(spec: GridSpec) -> tuple[grids_engine.Count, float | None, int]:
    for model in spec.models:
        models.get(model)
    workers = stack.grid_worker_count(settings.current())
    return grids_engine.count(spec), gridcost.estimate_hours(spec, workers), workers


def _start(text: str) -> str:
    version = grid.start(text, settings.current().grid_source)
    st.session_state[NEXT] = version
    return f"Grid {version} has started; its workers need some seconds to load their libraries."


def _free_name() -> str:
    """v2, v3, ...: the first that no grid and no version has."""
    taken = {found.version for found in grids.versions()}
    taken.update(gridfiles.kept_versions(settings.current()))
    return next(name for number in range(2, 1000) if (name := f"v{number}") not in taken)


def _numbers(text: str, kind: Callable[[str], float], between: str = ",") -> list[Any]:
    """Numbers as typed; what is none stays text, for the spec's check to name."""
    return [_number(part.strip(), kind) for part in text.split(between) if part.strip()]


def _number(text: str, kind: Callable[[str], float]) -> Any:
    try:
        return kind(text)
    except ValueError:
        return text


def _whole(values: Sequence[Any]) -> list[int]:
    return [value for value in values if isinstance(value, int)]
