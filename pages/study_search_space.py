"""The search space as a table to edit: what is searched, from where to where, and what stays fixed."""

from __future__ import annotations

from functools import partial

import streamlit as st

from engine import space_rows
from engine.figures_search_space import axis_in_words
from engine.records import Study
from engine.search import Search, SearchMethod
from engine.searchspace import Space, space_of
from pages import study_search_rate, words

COLUMNS = {
    "searched": st.column_config.CheckboxColumn("Search", width=80),
    "name": st.column_config.TextColumn("Setting", width=190),
    "low": st.column_config.TextColumn("From", width=80),
    "high": st.column_config.TextColumn("To", width=80),
    "values": st.column_config.TextColumn("Or one of", width=200),
    "fixed": st.column_config.TextColumn("Starts at", width=80),
}
HELP = (
    "Give a range (from, to) or a few values (8, 16, 32). What is not searched stays at the value in the "
    "last column, which is also where a search without earlier runs begins."
)


def choose(study: Study, last: Search | None, method: SearchMethod) -> Space:
    """The space of the form; raises ConfigError for a row that cannot be searched so."""
    before = _before(study, last)
    if method is SearchMethod.PROTOCOL:
        study_search_rate.offer(study, before, partial(set_space, study))
        return before
    names = ", ".join(axis_in_words(axis.name) for axis in before.axes)
    with st.expander(f"Search space: {words.plain(names)}", key="search_space"):
        st.caption(HELP)
        edited = st.data_editor(
            space_rows.rows(before), hide_index=True, column_config=COLUMNS, disabled=["name", "fixed"],
            key=f"search_space_{study.study}_{hash(str(before.to_dict()))}", height="content",
        )  # fmt: skip
        with st.container(horizontal=True, key="search_space_actions"):
            study_search_rate.offer(study, before, partial(set_space, study))
            if before != space_of(study.model, study.method):
                st.button("Back to the usual space", key="search_usual", on_click=_reset, args=(study,))
    return space_rows.space_from(edited, before)


def _key(study: Study) -> str:
    return f"space_of_{study.study}"


def _before(study: Study, last: Search | None) -> Space:
    """What the table starts from: a person's choice, else the last search's, else the model's own."""
    usual = space_of(study.model, study.method)
    if last is not None and last.method is not SearchMethod.SHORTLIST:
        usual = last.space
    found: Space = st.session_state.get(_key(study), usual)
    return found


def set_space(study: Study, space: Space) -> None:
    """Let the table start from this one."""
    st.session_state[_key(study)] = space


def _reset(study: Study) -> None:
    set_space(study, space_of(study.model, study.method))
