"""Step 2 of Tune: which base model, and how its weights are adapted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import streamlit as st

from engine import elsewhere, estimate, evidence, grids, models, settings, shortlist
from engine.elsewhere import Need
from engine.evidence import MethodEvidence
from engine.footprint import Fit, fit
from engine.models import BaseModel, Provenance
from engine.records import Method, Task
from pages import words

TABLE = "model_table"
HEIGHT = 285  # pixels: seven rows, the others scroll
LOOKED_AT = 4  # configs of a shortlist whose origins a row names
ORIGINS = {
    Provenance.MEASURED: "measured",
    Provenance.PUBLISHED: "published",
    Provenance.TRANSFERRED: "a guess",
    Provenance.NONE: "none yet",
}
FACTS = {
    "Model": st.column_config.TextColumn(pinned=True, width=190),
    "Size": st.column_config.NumberColumn(format="compact", width=60),
    "Licence": st.column_config.TextColumn(width=110),
    "Fits": st.column_config.TextColumn(width=180),
    "Its configs": st.column_config.TextColumn(width=170),
}


def choose(task: Task | None) -> tuple[BaseModel, Method]:
    """The model and method; unless changed the default one."""
    known = sorted(models.registry(), key=_order)
    if st.session_state.setdefault("model", models.default().id) not in [model.id for model in known]:
        st.session_state.model = models.default().id  # an added model that was removed meanwhile
    _list(known)
    chosen = models.get(st.session_state.model)
    _details(chosen)
    return chosen, _method(chosen, task)


def _order(model: BaseModel) -> tuple[bool, bool, bool, int]:
    """What can be trained here first, and of that what needs no download."""
    return not _usable(model), model.hub_id is not None, model.embedded, model.parameters


def current() -> BaseModel:
    """The chosen model, also before the cards are drawn."""
    known = {model.id: model for model in models.registry()}
    return known.get(st.session_state.get("model", ""), models.default())


def download(model: BaseModel) -> str:
    """What a first run of the model fetches."""
    if models.is_here(model) or model.hub_id is None:
        return "nothing"
    return f"about {words.size(model.hub_bytes)} from huggingface.co"


def _list(known: Sequence[BaseModel]) -> None:
    """A row for each model, those that can be trained here first; the chosen one is selected."""
    ids = [model.id for model in known]
    selected = {"rows": [ids.index(st.session_state.model)], "columns": [], "cells": []}
    if st.session_state.get(TABLE, {}).get("selection", {}).get("rows") != selected["rows"]:
        st.session_state[TABLE] = {"selection": selected}  # chosen elsewhere: the list follows
    st.dataframe(
        [_row(model) for model in known], key=TABLE, hide_index=True, column_config=FACTS, height=HEIGHT,
        on_select=lambda: _take(ids), selection_mode="single-row-required",
        alt="Base models: choose one with the arrow keys and the space bar",
    )  # fmt: skip


def _take(ids: Sequence[str]) -> None:
    rows = st.session_state[TABLE]["selection"]["rows"]
    if rows:
        st.session_state.model = ids[rows[0]]


def _row(model: BaseModel) -> dict[str, Any]:
    return {
        "Model": model.shown,
        "Size": model.parameters,
        "Licence": model.licence,
        "Fits": _place(model),
        "Its configs": origins(grids.current(), model),
    }


def _place(model: BaseModel) -> str:
    """Where it can be trained, in few words: here, or on which GPU."""
    if not model.launchable:
        return "nothing: not pinned"
    if models.obstacle(model):
        return "this machine, once installed"
    fits = [method for method in model.methods if fit(model, method).fits]
    if not fits:
        gpu = elsewhere.smallest(model, model.methods[0])
        return "no single GPU" if gpu is None else f"a GPU of {gpu.size / 1e9:.0f} GB"
    return "this machine" if len(fits) == len(model.methods) else f"this machine, {words.method(fits[0])}"


def origins(version: str | None, model: BaseModel) -> str:
    """Where each of its first configs comes from: '1 published, 3 a guess', 'measured'."""
    known = _origins(version, model.id, model.methods[0]) or (Provenance.NONE,)
    counts = Counter(ORIGINS[origin] for origin in known)
    return ", ".join(f"{n} {name}" if len(counts) > 1 else name for name, n in counts.items())


@st.cache_data(max_entries=64, show_spinner=False)
def _origins(version: str | None, model: str, method: Method) -> tuple[Provenance, ...]:
    found = shortlist.recommend(models.get(model), method, LOOKED_AT)
    return tuple(found.origin(entry.rank) for entry in found.entries)


def _details(model: BaseModel) -> None:
    """What is known of the chosen model; where it does not fit here, what it takes elsewhere."""
    fits = [method for method in model.methods if fit(model, method).fits]
    lines = (
        f"{words.count(model.parameters)} parameters, reads {model.context_length:,} tokens, "
        f"{model.licence}.",
        _speaks(model),
        f"{_fitting(model, fits)}.",
        _source(model),
        model.note,
    )
    with st.container(key="model_details"):
        st.caption(words.plain(f"{model.shown}: " + " ".join(line for line in lines if line)))
        if locked := models.locked(model):
            st.warning(words.plain(locked))
        if len(fits) < len(model.methods):
            _on_gpus(model)


def _on_gpus(model: BaseModel) -> None:
    """Memory and minutes of one training on GPUs that people rent."""
    each = {words.method(method): elsewhere.needs(model, method) for method in model.methods}
    rows = [
        {"GPU": gpu.title, **{name: _needs(needs[n]) for name, needs in each.items()}}
        for n, gpu in enumerate(elsewhere.GPUS)
    ]
    st.dataframe(rows, key="on_gpus", hide_index=True, height="content")
    st.caption(
        f"One training of the default config on {elsewhere.ROWS} rows of {elsewhere.TOKENS} tokens. A guess "
        "from the model's size; nothing measured."
    )


def _needs(need: Need) -> str:
    if need.seconds is None:
        return f"does not fit: {words.size(need.needed)}"
    return f"{words.size(need.needed)}, about {words.duration(need.seconds)}"


def _usable(model: BaseModel) -> bool:
    """Whether it can be chosen; workers behind a Redis elsewhere may have more memory than this machine."""
    fits = any(fit(model, method).fits for method in model.methods)
    return (
        model.launchable and not models.obstacle(model) and (fits or settings.current().redis_url is not None)
    )


def _fitting(model: BaseModel, fits: Sequence[Method]) -> str:
    """Whether it can be trained here, and why not."""
    if not model.launchable:
        return "Not trainable here: its revision is not pinned"
    if len(fits) == len(model.methods):
        return f"Fits {_where(fit(model, fits[0]))}"
    short = fit(model, next(method for method in model.methods if method not in fits))
    if fits:
        return f"{words.method(fits[0])} fits {_where(short)}, {_too_much(model, short)}"
    short = min((fit(model, method) for method in model.methods), key=lambda found: found.needed)
    return f"Does not fit: it needs about {words.size(short.needed)}, more than {_where(short)}"


def _too_much(model: BaseModel, short: Fit) -> str:
    return f"full fine-tuning needs about {words.size(short.needed)}"


def _where(found: Fit) -> str:
    owner = "the GPU's" if found.memory.of_gpu else "this machine's"
    return f"{owner} {words.size(found.memory.size)}"


def _speaks(model: BaseModel) -> str:
    """Languages and chat format, where they are known."""
    chat = f"chat format {model.chat_format}" if model.chat_format else None
    facts = ", ".join(filter(None, (model.languages, chat)))
    return f"{facts}." if facts else ""


def _source(model: BaseModel) -> str:
    """Where the weights come from, for a model that did not come with the product."""
    if model.package is not None:
        return f"From {model.source}. {_prepared(model)}"
    if model.local:
        return "Added by the admin."
    if model.hub_id is None:
        return ""
    if models.is_here(model):
        return f"{model.hub_id}: downloaded."
    gate = "; its owner asks for an account that accepted the licence" if model.gated else ""
    return f"{model.hub_id}: {words.size(model.hub_bytes)} to download{gate}."


def _prepared(model: BaseModel) -> str:
    """Whether the weights of a package are ready to be loaded, and what their first use takes."""
    seconds = estimate.preparing_seconds(model)
    return models.obstacle(model) or (
        f"Prepared on first use, about {words.duration(seconds)}." if seconds else "Prepared."
    )


def _method(model: BaseModel, task: Task | None) -> Method:
    method = st.segmented_control(
        "Method", model.methods, key="method", default=model.methods[0], required=True,
        persist_state="session", format_func=words.method,
        help="LoRA trains a small addition to the weights, full fine-tuning all of them.",
    )  # fmt: skip
    needs = fit(model, Method(method))
    if not needs.fits:
        st.warning(words.plain(
            f"{words.method(Method(method))} of {model.id} needs about {words.size(needs.needed)}, more than "
            f"{_where(needs)}. Choose a smaller model or another method."
        ))  # fmt: skip
    found = None if task is None else _methods(grids.current(), model.id, task)
    if found is not None:
        st.caption(words.plain(found.sentence))
    return Method(method)


@st.cache_data(max_entries=32, show_spinner=False)
def _methods(version: str | None, model: str, task: Task) -> MethodEvidence | None:
    return None if version is None else evidence.methods(grids.load(version), model, task)
