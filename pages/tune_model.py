"""Step 2 of Tune: which base model, and how its weights are adapted."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine import estimate, evidence, grids, models, settings
from engine.evidence import MethodEvidence
from engine.footprint import Fit, fit
from engine.models import BaseModel, Provenance
from engine.records import Method, Task
from pages import words

COLUMNS = 2
SOURCES = {
    Provenance.MEASURED: "measured on this model",
    Provenance.PUBLISHED: "published by others",
    Provenance.TRANSFERRED: "a guess, from a model of its kind",
    Provenance.NONE: "none yet",
}


def choose(task: Task | None) -> tuple[BaseModel, Method]:
    """The model and method; unless changed the default one."""
    known = models.registry()
    ready = sorted((model for model in known if model.hub_id is None), key=lambda m: m.package is None)
    if st.session_state.setdefault("model", models.default().id) not in [model.id for model in known]:
        st.session_state.model = models.default().id  # an added model that was removed meanwhile
    _cards(ready)
    of_hub = sorted((model for model in known if model.hub_id), key=lambda m: not _usable(m))
    chosen = models.get(st.session_state.model)
    label = f"{len(of_hub)} larger models, downloaded when their first run starts"
    with st.expander(label, key="hub_models", expanded=chosen in of_hub):
        _cards(of_hub)
    return chosen, _method(chosen, task)


def current() -> BaseModel:
    """The chosen model, also before the cards are drawn."""
    known = {model.id: model for model in models.registry()}
    return known.get(st.session_state.get("model", ""), models.default())


def download(model: BaseModel) -> str:
    """What a first run of the model fetches."""
    if models.is_here(model) or model.hub_id is None:
        return "nothing"
    return f"about {words.size(model.hub_bytes)} from huggingface.co"


def _cards(shown: Sequence[BaseModel]) -> None:
    for start in range(0, len(shown), COLUMNS):
        row = shown[start : start + COLUMNS]
        for place, model in zip(st.columns(COLUMNS), row, strict=False):
            with place:
                _card(model, chosen=st.session_state.model == model.id)


def _card(model: BaseModel, chosen: bool) -> None:
    fits = [method for method in model.methods if fit(model, method).fits]
    with st.container(border=True, key=f"card_{model.id}", height="stretch"):
        st.markdown(f"**{words.plain(model.shown)}**")
        lines = (
            f"{words.count(model.parameters)} parameters, reads {model.context_length:,} tokens, "
            f"{model.licence}.",
            _speaks(model),
            f"{_fitting(model, fits)}.",
            f"Shortlist: {SOURCES[model.shortlist]}.",
            _source(model),
            model.note,
        )
        st.caption("  \n".join(words.plain(line) for line in lines if line))
        st.button(
            "Chosen" if chosen else "Choose", key=f"choose_{model.id}", disabled=chosen or not _usable(model),
            icon=":material/check:" if chosen else None, width="stretch", on_click=_take, args=(model.id,),
        )  # fmt: skip


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


def _take(model_id: str) -> None:
    st.session_state.model = model_id


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
