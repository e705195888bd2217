"""Step 1 of Tune, second half: what we understood of the rows, why, and the user's corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine import dataset, headings
from engine import roles as role_guesses
from engine.dataset import Dataset, Inspection
from engine.errors import DatasetError
from engine.records import Role, Task
from engine.roles import TASK_ROLES
from engine.sheets import AS_FOUND, Layout
from pages import live, tune_file, tune_first, tune_reading, tune_rows, words
from pages.tune_file import Source

ROLE_NAMES = {
    Role.SOURCE: "Text",
    Role.CONTEXT: "Passage",
    Role.QUESTION: "Question",
    Role.PROMPT: "Prompt",
    Role.MESSAGES: "Conversation",
    Role.TARGET: "Answer to learn",
}
Roles = tuple[tuple[Role, str], ...]


class Understood(NamedTuple):
    """Rows ready to train on, and where they came from."""

    dataset: Dataset
    source: Source
    template: str | None


def choose(seed: int) -> tuple[Understood | None, str]:
    """What the user gave and confirmed; else None and what is missing. DatasetError: it cannot be used."""
    source = tune_file.choose()
    if source is None:
        tune_first.offer()
        return None, "Choose a file or a sample"
    if source.path is None:
        data = load(source.kept or "")
        tune_rows.checks(data.issues)
        return Understood(data, source, tune_rows.look(data, (), data.id)), ""
    mapped = _mapping(source.path)
    if mapped is None:
        return None, "Choose the task"
    plain = build(source, *mapped, seed, ())
    chosen = tune_rows.label_words(plain.labels, plain.id)
    data = build(source, *mapped, seed, tuple(chosen.items()))
    tune_rows.checks(data.issues)
    return Understood(data, source, tune_rows.look(data, plain.labels, plain.id)), ""


def _mapping(path: Path) -> tuple[Task, Roles, Layout] | None:
    """Task, roles and how to read the file as the user corrected us; None: the task is not chosen."""
    layout = tune_reading.choose(_as_found(path))
    guess = inspect(path, None, layout)
    st.markdown(f"**{words.plain(guess.file_name)}**: {guess.rows:,} rows")
    st.caption(f"Read as {words.plain(guess.read_as)}.")
    wide = Task.QA in (guess.task, st.session_state.get("task"))
    places = st.columns(4 if wide else 3, gap="small")
    with places[0]:
        task = _task(guess)
    if task is None:
        tune_rows.first_rows(guess)
        return None
    return task, _roles(inspect(path, task, layout), task, places[1:]), layout


def _as_found(path: Path) -> Inspection | None:
    """The file as it is read unless the user says otherwise; None: it cannot be read so."""
    try:
        return inspect(path, None, AS_FOUND)
    except DatasetError:
        return None


def _task(guess: Inspection) -> Task | None:
    task = st.selectbox(
        "Task", list(Task), key="task", index=list(Task).index(guess.task) if guess.task else None,
        format_func=words.task, placeholder="Choose", persist_state="session",
    )  # fmt: skip
    st.caption(words.plain(guess.task_reason) if task == guess.task else "Chosen by you.")
    return task


def _roles(mapped: Inspection, task: Task, places: Sequence[DeltaGenerator]) -> Roles:
    """The column of each role, guessed and then corrected."""
    needed = (Role.MESSAGES,) if Role.MESSAGES in mapped.roles else TASK_ROLES[task]
    chosen = {}
    for role, place in zip(needed, places, strict=False):
        guess = mapped.roles.get(role)
        pick = _columns if role in role_guesses.input_roles(task) else _column
        with place:
            column = pick(mapped, guess, ROLE_NAMES[role], f"role_{task}_{role}")
        reason = mapped.role_reasons.get(role, "") if column == guess else "Chosen by you."
        place.caption(words.plain(reason))
        if column is not None:
            chosen[role] = column
    return tuple(chosen.items())


def _column(mapped: Inspection, guess: str | None, title: str, key: str) -> str | None:
    options = list(dict.fromkeys([*mapped.columns, *([guess] if guess else [])]))
    return st.selectbox(
        title, options, key=key, placeholder="Choose a column",
        index=options.index(guess) if guess else None, persist_state="session",
    )  # fmt: skip


def _columns(mapped: Inspection, guess: str | None, title: str, key: str) -> str | None:
    """One column, or several that are joined under their names in the order of the file."""
    found = headings.columns_of(guess, mapped.columns) if guess else ()
    chosen = st.multiselect(
        title, mapped.columns, found, key=key, placeholder="Choose columns", persist_state="session"
    )  # fmt: skip
    if set(chosen) == set(found):
        return guess
    return headings.expression([c for c in mapped.columns if c in chosen]) if chosen else None


@st.cache_resource(max_entries=32, show_spinner="Reading the file")
def inspect(path: Path, task: Task | None, layout: Layout) -> Inspection:
    """What the file holds; a path names its content (see tune_file.keep)."""
    return dataset.inspect(path, task, layout=layout)


@st.cache_resource(max_entries=8, show_spinner="Checking and splitting the rows")
def build(
    source: Source,
    task: Task,
    roles: Roles,
    layout: Layout,
    seed: int,
    label_words: tuple[tuple[str, str], ...],
) -> Dataset:
    """The checked and split rows."""
    assert source.path is not None
    return dataset.build(
        source.path, name=source.path.stem, task=task, roles=dict(roles), test_path=source.test_path,
        seed=seed, label_words=dict(label_words), layout=layout,
    )  # fmt: skip


@st.cache_resource(max_entries=8, show_spinner="Reading the dataset")
def load(dataset_id: str) -> Dataset:
    """A dataset that is kept."""
    return dataset.load(dataset_id, live.datasets_root())
