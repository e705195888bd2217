"""Put a finished export on the hub; drawn only where a token is configured and the export holds no rows."""

from __future__ import annotations

import streamlit as st

from jobs import pushes
from jobs.exports import Done, State
from pages import problems, words

POLL_SECONDS = 0.5
UNDER_WAY = (State.QUEUED, State.RUNNING)


def show(run: str, done: Done) -> None:
    """The name of a new repository, then its address."""
    if not pushes.can_push(done):
        return
    with (
        st.form(f"push_form_{run}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom", key="push_row"),
    ):
        name = st.text_input("New repository on the hub", key="push_name", width=320, max_chars=200)
        private = st.checkbox("Private", True, key="push_private")
        pushed = st.form_submit_button("Upload to the hub", key="push")
    with problems.shown():
        if pushed:
            pushes.request(run, name.strip(), private=private)
        state = pushes.view(run)[0].state
        st.fragment(_progress, run_every=POLL_SECONDS if state in UNDER_WAY else None)(run, state)


def _progress(run: str, before: State) -> None:
    """Redrawn every POLL_SECONDS until the upload has ended, then the whole page once."""
    found, url = pushes.view(run)
    if before in UNDER_WAY and found.state not in UNDER_WAY:
        st.rerun()
    if found.state in UNDER_WAY:
        st.text(found.stage or "Waiting for a free worker")
    elif found.error is not None:
        st.error(words.plain(found.error))
    elif url is not None:
        st.text(f"Uploaded to {url}")
