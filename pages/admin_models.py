"""Admin, Models: add a local folder of safetensors, see what was added, remove it."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from engine import added, models, settings
from engine.added import Added
from engine.checkpoints import ARCHITECTURES
from engine.errors import ModelError
from engine.findings import counted
from pages import problems, words

KINDS = "Llama, Mistral, Qwen2 or Qwen3"


def draw() -> None:
    """The list, then what changes it."""
    known = added.read(settings.current().home)
    st.header(f"{counted(len(known), 'model')} added to those that come with Shortlist", anchor=False)
    if known:
        rows = [_row(model) for model in known.values()]
        st.dataframe(rows, hide_index=True, key="added_models", height="content")
    else:
        st.caption("A model that was saved on this machine can be tuned like those of the list in Tune.")
    with problems.shown():
        _add()
    if known:
        with problems.shown():
            _remove(list(known))


def _row(model: Added) -> dict[str, str]:
    checkpoint = model.checkpoint
    return {
        "Model": model.name,
        "Kind": ARCHITECTURES[checkpoint.architecture],
        "Parameters": words.count(checkpoint.parameters),
        "Reads": f"{checkpoint.context_length:,} tokens",
        "Shortlist": str(models.get(model.name).shortlist),
        "Added": words.age(model.created),
        "From": model.source,
    }


def _add() -> None:
    with st.form("add_model", clear_on_submit=False):
        st.text(
            f"Add a folder with a saved {KINDS} model: safetensors, config.json and tokenizer.json. It is "
            "checked first; nothing in it is run."
        )
        left, right = st.columns([1, 2])
        name = left.text_input("Name", key="model_name", placeholder="my-llama", max_chars=64)
        folder = right.text_input(
            "Folder on this machine", key="model_folder", placeholder="/data/my-llama-8b"
        )
        wanted = st.form_submit_button("Check and add", key="add_model_now", icon=":material/add:")
    if not wanted:
        return
    if not folder.strip():
        raise ModelError("Give the folder that holds the model's config.json.")
    began = time.monotonic()
    with st.spinner("Checking the model and taking the digest of its weights"):
        model = models.add_local(name.strip(), Path(folder.strip()), settings.current().home)
    st.toast(f"{words.plain(model.id)} added in {words.duration(time.monotonic() - began)}.")
    st.rerun()


def _remove(names: list[str]) -> None:
    with st.popover("Remove a model", icon=":material/delete:"):
        name = st.selectbox("Model", names, key="model_to_remove")
        st.text(
            "Its files here are deleted; the folder that it came from stays. Studies keep their results, but "
            "their adapters can no longer answer."
        )
        if st.button(f"Remove {words.plain(name)}", key="remove_model", type="primary"):
            models.remove_local(name, settings.current().home)
            st.rerun()
