"""Admin, Storage: what takes the disk, and a clean-up that shows first what it would remove."""

from __future__ import annotations

import streamlit as st

from jobs import storage
from jobs.storage import Item
from pages import admin_access, words


def show() -> None:
    """The use, to anybody; the clean-up behind the door."""
    used = storage.use()
    total = sum(entry.bytes for entry in used)
    st.header(f"{words.size(total)} are used, {words.size(storage.free())} are free", anchor=False)
    largest = max((entry.bytes for entry in used), default=1)
    rows = [
        {"What": entry.kind, "Share": entry.bytes / largest * 100, "Size": words.size(entry.bytes)}
        for entry in used
    ]
    bar = st.column_config.ProgressColumn("", format=" ", min_value=0, max_value=100, width="medium")
    st.dataframe(
        rows, hide_index=True, key="storage", column_config={"Share": bar}, width=640, height="content"
    )
    if admin_access.door():
        _clean_up(storage.removable())


def _clean_up(items: list[Item]) -> None:
    """Choose, see what would be lost, confirm."""
    st.subheader("Clean up", anchor=False)
    if not items:
        st.caption("Nothing can be removed: everything here is in use.")
        return
    rows = [
        {"What": item.kind, "Name": item.name, "Size": words.size(item.bytes), "If removed": item.why}
        for item in items
    ]
    event = st.dataframe(
        rows, hide_index=True, key="clean_up", on_select="rerun", selection_mode="multi-row", height="content"
    )
    chosen = [items[index] for index in event.selection.rows if index < len(items)]
    if not chosen:
        st.caption("Select rows to see what removing them would free.")
        return
    freed = words.size(sum(item.bytes for item in chosen))
    with st.popover(f"Remove {len(chosen)}, free {freed}"):
        for item in chosen:
            st.text(f"{item.kind}: {item.name}. {item.why}")
        ids = [item.id for item in chosen]
        admin_access.button("Remove for good", "clean_up_confirm", _remove, ids, kind="primary")


def _remove(ids: list[str]) -> str:
    return f"{words.size(storage.remove(ids))} are free again."
