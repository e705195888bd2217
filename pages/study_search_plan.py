"""The protocol's plan as a list that fills itself: what each step decides, and its decision."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine import protocol
from engine.protocol import State
from engine.search import Search, Trial
from pages import words

SIGNS = {
    State.WAITING: ":gray[:material/radio_button_unchecked:]",
    State.RUNNING: ":blue[:material/pending:]",
    State.DECIDED: ":green[:material/check_circle:]",
}


def steps(search: Search, trials: Sequence[Trial]) -> None:
    """Each step with its decision as soon as there is one."""
    with st.container(border=True, key="protocol_plan"):
        for number, step in enumerate(protocol.plan(search, trials), start=1):
            sign = f"{SIGNS[step.state]} **{number}. {words.plain(step.title)}**"
            st.markdown(f"{sign}: {words.plain(step.decision or step.decides)}")
