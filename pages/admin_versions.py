"""Admin, Versions: what is published, what a new version would change, and the way forward and back."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from engine import exchange, figures, grids
from engine.findings import counted
from engine.griddiff import MethodDiff, Side
from jobs import gridstatus, gridversions
from pages import admin_access, words

KS = (1, 2, 3, 4, 8)
NEXT = "admin_version_next"
NOTHING, UNRANKED = "-", "not ranked"
USUAL_K = 4
MEANING = (
    "Covered: the share of cells in which at least one of the first configs is a top config. Of best: on "
    "each dataset left out, the share of the best test score that they reach; it needs two datasets."
)


def show() -> None:
    """The versions; then, behind the door, publishing and the rest."""
    found = {version.version: gridversions.facts(version) for version in grids.versions()}
    current = grids.current()
    st.header(_finding(found, current), anchor=False)
    if found:
        _table(found)
    if admin_access.door():
        _publish(list(found), current)
        _change(found, current)
        _import()


def _finding(found: dict[str, gridversions.VersionFacts], current: str | None) -> str:
    if current is None:
        return "No version is published yet"
    facts = found[current]
    return words.plain(
        f"Shortlists come from {current}: {facts.results:,} results of {facts.trainings:,} trainings"
    )


def _table(found: dict[str, gridversions.VersionFacts]) -> None:
    rows = [
        {
            "Version": facts.version,
            "Use": "in use" if facts.current else "",
            "Origin": "measured by us" if facts.provenance == "measured" else "published by others",
            "Results": facts.results,
            "Trainings": facts.trainings,
            "Time": "" if facts.hours is None else words.duration(3600 * facts.hours),
            "Complete cells": f"{facts.complete_cells} of {facts.cells}",
            "Models": len(facts.models),
            "Datasets": len(facts.datasets),
        }
        for facts in sorted(found.values(), key=lambda facts: (not facts.current, facts.provenance))
    ]
    st.dataframe(rows, hide_index=True, key="versions", height="content")


def _publish(published: list[str], current: str | None) -> None:
    """Grids with results that no version holds yet; the comparison comes before the button."""
    ready = [g.version for g in gridstatus.all_grids() if g.finished and g.version not in published]
    st.subheader("Publish a grid", anchor=False)
    if not ready:
        st.caption("No grid has results that are not published yet.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key="publish_row"):
        version = st.selectbox("Grid", ready, key="publish_grid", width=280)
        shown = st.button("Compare with the version in use", key="publish_compare")
    if shown:
        st.session_state.compared = version
    if st.session_state.get("compared") != version:
        return
    status = gridstatus.status(version)
    with st.spinner("Both recommendations are computed"):
        changes = _changes(current, version, status.ended)
    _difference(changes, current, version)
    if status.ended < status.runs:
        st.warning(
            f"{status.runs - status.ended:,} runs have no result yet: the version will lack them for good."
        )
    if st.button(f"Publish {version}", key="publish", type="primary"):
        with st.spinner("The version is written"):
            admin_access.act(_publish_now, version)
        st.rerun()


def _publish_now(version: str) -> str:
    found = gridversions.publish(version)
    del st.session_state.compared
    st.session_state[NEXT] = found.version
    return f"Version {found.version} is published. Choose it below to let shortlists come from it."


@st.cache_data(show_spinner=False, max_entries=8)
def _changes(old: str | None, new: str, ended: int) -> list[MethodDiff]:
    """Computed again when more runs have ended."""
    return gridversions.compare(old, new)


def _difference(changes: list[MethodDiff], old: str | None, new: str) -> None:
    st.caption(MEANING)
    for change in changes:
        st.markdown(f"**{words.plain(change.model)}, {words.method(change.method)}**")
        if change.after is None:
            st.warning(
                words.plain(f"{new} did not train this: in use, it would give it no measured shortlist.")
            )
            continue
        st.text(_sentence(change, old))
        left, right = st.columns([2, 3], gap="large")
        with left:
            st.dataframe(_by_k(change, old, new), hide_index=True, key=f"diff_{change.model}_{change.method}")
        with right:
            st.dataframe(
                _ranks(change), hide_index=True, key=f"ranks_{change.model}_{change.method}", height="content"
            )


def _sentence(change: MethodDiff, old: str | None) -> str:
    """What it means for a study with the usual number of configs, or with all that there are."""
    assert change.after is not None
    k = min(USUAL_K, len(change.after.coverage))
    text = f"With {counted(k, 'config')}: {_reached(change.after, k)}"
    return f"{text}." if change.before is None else f"{text}. In {old}: {_reached(change.before, k)}."


def _reached(side: Side, k: int) -> str:
    if not side.cells:
        return "no cell counts, for in none a config is clearly above the floor"
    share = _percent(side.shares, k)
    unseen = f"{share} of the best" if share != NOTHING else "too few datasets to say how near the best"
    return f"{_percent(side.coverage, k)} of the cells covered, {unseen}"


def _by_k(change: MethodDiff, old: str | None, new: str) -> list[dict[str, Any]]:
    """Coverage and leave-one-out share, before and after, by the number of configs."""
    rows = []
    for k in KS:
        row: dict[str, Any] = {"Configs": k}
        for name, side in ((old or "before", change.before), (new, change.after)):
            row[f"Covered, {name}"] = _percent(side.coverage if side and side.cells else (), k)
            row[f"Of best, {name}"] = _percent(side.shares if side else (), k)
        rows.append(row)
    return rows


def _percent(values: Sequence[float], k: int) -> str:
    """A dash where there are fewer configs, or too few datasets to leave one out."""
    return f"{100 * values[k - 1]:.1f} %" if k <= len(values) else NOTHING


def _ranks(change: MethodDiff) -> list[dict[str, str]]:
    return [
        {
            "Rank before": UNRANKED if entry.before is None else str(entry.before),
            "Rank after": UNRANKED if entry.after is None else str(entry.after),
            "Config": figures.config_label(entry.config),
        }
        for entry in change.ranks
    ]


def _change(found: dict[str, gridversions.VersionFacts], current: str | None) -> None:
    """Use another version, write one into a file, remove one."""
    st.subheader("Use, export or remove a version", anchor=False)
    if not found:
        st.caption("There is none yet.")
        return
    if NEXT in st.session_state:
        st.session_state.version = st.session_state.pop(NEXT)
    with st.container(horizontal=True, vertical_alignment="bottom", key="version_row"):
        version = st.selectbox("Version", sorted(found, reverse=True), key="version", width=280)
        measured = found[version].provenance == "measured"
        asked = st.button(
            f"Use {version}", key="version_ask", disabled=version == current or not measured,
            help="It shows first what would change.",
        )  # fmt: skip
        st.download_button(
            "Export", lambda: exchange.export_version(version), f"{version}.zip", key="version_export",
            on_click="ignore",
        )  # fmt: skip
        with st.popover("Remove", disabled=version == current or grids.get(version).shipped):
            st.text(f"{version} is deleted for good; export it first to keep a copy.")
            admin_access.button(f"Delete {version}", "version_remove", exchange.remove_version, version)
    if version == current:
        st.caption("Shortlists come from this version. To roll back, choose another one.")
    elif measured:
        _ask(version, current, asked)


def _ask(version: str, current: str | None, asked: bool) -> None:
    """What would change for everybody's next study; then the button that does it."""
    if asked:
        st.session_state.asked_version = version
    if st.session_state.get("asked_version") != version:
        return
    with st.container(border=True, key="version_change"):
        with st.spinner("Both recommendations are computed"):
            changes = _changes(current, version, 0)
        _difference(changes, current, version)
        st.text("New studies of everybody here would get these shortlists; finished studies stay.")
        admin_access.button(
            f"Let shortlists come from {version}", "version_use", _use, version, kind="primary"
        )


def _use(version: str) -> str:
    grids.set_current(version)
    st.session_state.pop("asked_version", None)
    st.cache_data.clear()
    return f"Shortlists now come from {version}."


def _import() -> None:
    st.subheader("Import a version", anchor=False)
    with st.form("import_form", border=False, clear_on_submit=True):
        file = st.file_uploader(
            "A zip that Export wrote; every row is checked",
            type="zip",
            key="import_file",
            max_upload_size=500,
        )
        if st.form_submit_button("Import", key="import") and file is not None:
            with st.spinner("Every row is checked"):
                admin_access.act(_import_now, file.getvalue())
            st.rerun()


def _import_now(content: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "version.zip"
        path.write_bytes(content)
        found = exchange.import_version(path, grids.local())
    st.session_state[NEXT] = found.version
    return f"Version {found.version} is imported. Choose it above to let shortlists come from it."
