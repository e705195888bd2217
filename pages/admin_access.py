"""The door to what only an admin may do: a token, checked on the server each time that something is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from engine.errors import ShortlistError
from jobs import admin
from pages import words

TOKEN, SAID, REMEMBER = "admin_token", "admin_said", "admin_remember"


def allowed() -> bool:
    """Whether this window, or the browser since, has given the token; asked anew at each rerun."""
    given = admin.is_token(st.session_state.get(TOKEN))
    return given or admin.is_session(st.context.cookies.get(admin.COOKIE))


def door() -> bool:
    """Whether actions may be drawn; otherwise the form that asks for the token is."""
    if allowed():
        _remember()
        return True
    with st.form("admin_door", border=True, width=560):
        st.markdown("**Actions need the admin token**")
        with st.container(horizontal=True, vertical_alignment="bottom", key="admin_door_row"):
            st.text_input(
                "Token", type="password", key="admin_given", label_visibility="collapsed",
                placeholder="Admin token", autocomplete="off",
            )  # fmt: skip
            st.form_submit_button("Open", key="admin_open", on_click=_open)
        st.caption(
            "It was printed when these pages were first served; `python cli.py admin-token` prints it again."
        )
    if st.session_state.pop("admin_refused", False):
        st.error("This is not the admin token. Run `python cli.py admin-token` where the pages are served.")
    return False


def _remember() -> None:
    """Let the browser keep a signed session, so that a reload does not ask again; see app.admin_session."""
    if st.session_state.pop(REMEMBER, False):
        ask = f"fetch('/admin-session', {{method: 'POST', body: '{admin.session()}'}})"
        st.html(f"<script>{ask}</script>", unsafe_allow_javascript=True)


def button(
    label: str,
    key: str,
    action: Callable[..., object],
    *args: Any,
    kind: Literal["primary", "secondary"] = "secondary",
    disabled: bool = False,
) -> None:
    """A button that acts when the token still opens the door at the moment of the click."""
    st.button(label, key=key, type=kind, disabled=disabled, on_click=act, args=(action, *args))


def act(action: Callable[..., object], *args: Any) -> None:
    """Do it for an admin; a known error, or a sentence that the action returns, is said at the next draw."""
    if not allowed():
        st.session_state[SAID] = ("error", "Only an admin can do this. Give the token again.")
        return
    try:
        said = action(*args)
    except ShortlistError as error:
        st.session_state[SAID] = ("error", str(error))
    else:
        if isinstance(said, str):
            st.session_state[SAID] = ("info", said)


def say() -> None:
    """What the last action has to tell, once."""
    kind, text = st.session_state.pop(SAID, ("", ""))
    if kind == "error":
        st.error(words.plain(text))
    elif text:
        st.toast(words.plain(text), duration="long")


def _open() -> None:
    given = st.session_state.get("admin_given", "").strip()
    if admin.is_token(given):
        st.session_state.update({TOKEN: given, REMEMBER: True})
    else:
        st.session_state.admin_refused = True
