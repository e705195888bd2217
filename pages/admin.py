"""Admin: keep the recommendation true and the machines busy. Anybody may look; actions need the token."""

from collections.abc import Callable

import streamlit as st

from pages import (
    admin_access,
    admin_grids,
    admin_machines,
    admin_models,
    admin_storage,
    admin_versions,
    problems,
)


def _models() -> None:
    """All of it changes what people can choose: it is behind the door."""
    if admin_access.door():
        admin_models.draw()


SECTIONS: dict[str, Callable[[], None]] = {
    "Machines": admin_machines.show,
    "Grids": admin_grids.show,
    "Versions": admin_versions.show,
    "Storage": admin_storage.show,
    "Models": _models,
}

st.title("Admin", anchor=False)
name = st.segmented_control(
    "Section", SECTIONS, default="Machines", key="admin_section", bind="query-params",
    required=True, label_visibility="collapsed",
)  # fmt: skip
admin_access.say()
with problems.shown():
    SECTIONS[name or "Machines"]()
