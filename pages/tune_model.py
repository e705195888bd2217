"""Step 2 of Tune: which base model, and how its weights are adapted."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine import evidence, grids, models
from engine.errors import ModelError
from engine.evidence import MethodEvidence
from engine.models import BaseModel, Provenance
from engine.records import Method, Task
from pages import words

COLUMNS = 2
SOURCES = {
    Provenance.MEASURED: "measured on this model",
    Provenance.PUBLISHED: "one config, published by others",
    Provenance.TRANSFERRED: "a guess, measured on its sister",
    Provenance.NONE: "none yet",
}


def choose(task: Task | None) -> tuple[BaseModel, Method]:
    """The model and method; the largest model that can be trained here unless changed."""
    known = models.registry()
    ready = [model for model in known if model.launchable]
    if not ready:
        raise ModelError("No base model is here: restore the weights under models/.")
    st.session_state.setdefault("model", max(ready, key=lambda model: model.parameters).id)
    _cards(ready)
    rest = [model for model in known if not model.launchable]
    if rest:
        with st.expander(f"{len(rest)} larger models, not trainable here yet", key="other_models"):
            _cards(rest)
    chosen = models.get(st.session_state.model)
    return chosen, _method(chosen, task)


def _cards(shown: Sequence[BaseModel]) -> None:
    for place, model in zip(st.columns(max(COLUMNS, len(shown))), shown, strict=False):
        with place:
            _card(model, chosen=st.session_state.model == model.id)


def _card(model: BaseModel, chosen: bool) -> None:
    fits = "Fits this machine" if model.launchable else "Not trainable here yet: its revision is not pinned"
    with st.container(border=True, key=f"card_{model.id}", height="stretch"):
        st.markdown(f"**{words.plain(model.id)}**")
        size = f"{words.count(model.parameters)} parameters, reads {model.context_length:,} tokens"
        st.caption(f"{size}, {model.licence}.  \n{fits}. Shortlist: {SOURCES[model.shortlist]}.")
        st.button(
            "Chosen" if chosen else "Choose", key=f"choose_{model.id}",
            disabled=chosen or not model.launchable, icon=":material/check:" if chosen else None,
            width="stretch", on_click=_take, args=(model.id,),
        )  # fmt: skip


def _take(model_id: str) -> None:
    st.session_state.model = model_id


def _method(model: BaseModel, task: Task | None) -> Method:
    method = st.segmented_control(
        "Method", model.methods, key="method", default=model.methods[0], required=True,
        persist_state="session", format_func=words.method,
        help="LoRA trains a small addition to the weights, full fine-tuning all of them.",
    )  # fmt: skip
    found = None if task is None else _methods(grids.current(), model.id, task)
    if found is not None:
        st.caption(words.plain(found.sentence))
    return Method(method)


@st.cache_data(max_entries=32, show_spinner=False)
def _methods(version: str | None, model: str, task: Task) -> MethodEvidence | None:
    return None if version is None else evidence.methods(grids.load(version), model, task)
