"""Step 1 of Tune, first half: where the rows come from. A file, a sample, or a dataset kept before."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from engine import dataset, reading, settings
from engine.dataset import DatasetInfo
from jobs import studies
from pages import live, problems, words

ORIGINS = ("Your file", "A sample", "A kept dataset")
SUFFIXES = ["csv", "tsv", "json", "jsonl", "parquet", "txt", "xlsx"]
NEXT = "next_kept"
SAMPLES = Path(__file__).resolve().parents[1] / "samples"


class Source(NamedTuple):
    """A file to read, or a dataset that was read before."""

    path: Path | None
    test_path: Path | None = None
    kept: str | None = None


def choose() -> Source | None:
    """The user's choice; None: nothing chosen yet."""
    if (kept := st.session_state.pop(NEXT, None)) is not None:
        st.session_state.update({"origin": ORIGINS[2], "kept": kept})
    origin = st.segmented_control(
        "Where the rows come from", ORIGINS, key="origin", default=ORIGINS[0], required=True,
        label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    return {ORIGINS[0]: _own_file, ORIGINS[1]: _sample}.get(origin or "", _kept)()


def use_kept(dataset_id: str) -> None:
    """Show these rows when Tune is next opened: its widgets of this moment cannot be set any more."""
    st.session_state[NEXT] = dataset_id


def _own_file() -> Source | None:
    upload = st.file_uploader(
        "Labelled rows: CSV, TSV, JSON, JSONL, XLSX or Parquet, 100 to a few thousand rows, at most 50 MB",
        key="file", on_change=_other_file,
    )  # fmt: skip
    if upload is not None:
        st.session_state.upload = str(keep(upload.name, upload.getvalue()))
    path = st.session_state.get("upload")
    if path is None:
        return None
    if upload is None:
        st.caption(f"Using {words.plain(Path(path).name)}, uploaded before.")
    with st.expander("I have a test file of my own", key="own_test"):
        test = st.file_uploader("Test rows with the same columns", SUFFIXES, key="test_file")
    return Source(Path(path), keep(test.name, test.getvalue()) if test else None)


def keep(name: str, content: bytes) -> Path:
    """Write an upload once, under a folder named by its content."""
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = settings.current().home / "uploads" / digest / reading.safe_name(name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def forget(source: Source) -> None:
    """Remove what was uploaded: the dataset that it became is kept, and deleting that deletes all copies."""
    for path in (source.path, source.test_path):
        if path is not None and path.parent.parent == settings.current().home / "uploads":
            shutil.rmtree(path.parent, ignore_errors=True)
    st.session_state.pop("upload", None)


def _sample() -> Source | None:
    files = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".csv", ".jsonl"))
    titles = {path.name: path.stem.replace("_", " ").capitalize().replace("faq", "FAQ") for path in files}
    name = st.pills(
        "Sample", titles, key="sample", format_func=titles.__getitem__, on_change=forget_mapping,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    return None if name is None else Source(SAMPLES / name)


def _kept() -> Source | None:
    infos = {info.id: info for info in dataset.list_saved(live.datasets_root())}
    if not infos:
        st.caption("No dataset is kept yet: the rows of a launched study are.")
        return None
    chosen = st.selectbox(
        "Kept dataset", infos, index=None, key="kept", placeholder="Choose a dataset",
        format_func=lambda key: f"{infos[key].name}, {infos[key].rows:,} rows, {infos[key].task}",
        label_visibility="collapsed", persist_state="session",
    )  # fmt: skip
    if chosen is None:
        return None
    with st.popover("Rename or delete", key="manage_kept"):
        _manage(infos[chosen])
    return Source(None, kept=chosen)


def _manage(info: DatasetInfo) -> None:
    name = st.text_input("Name", info.name, key=f"dataset_name_{info.id}", max_chars=120)
    if st.button("Rename", key="rename_dataset", disabled=name == info.name or not name.strip()):
        dataset.rename(info.id, name.strip(), live.datasets_root())
        st.rerun()
    st.caption("Deleting removes every copy of the rows. Studies that use them must be deleted first.")
    if st.button("Delete", key="delete_dataset"):
        with problems.shown():
            studies.delete_dataset(info.id)
            st.cache_resource.clear()
            del st.session_state["kept"]
            st.rerun()


def _other_file() -> None:
    st.session_state.pop("upload", None)
    forget_mapping()


def forget_mapping() -> None:
    """Another file: what the user said about the last one's columns and prompt no longer holds."""
    for key in [str(key) for key in st.session_state]:
        if key.startswith(("task", "role_", "row_number", "read_")):
            del st.session_state[key]
