"""The shortlist with early stopping: the switch, what it saves, and what it risks."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine import grids, halving, pruning_risk
from engine.dataset import Dataset
from engine.estimate import Estimate
from engine.halving import Saving
from jobs import fitting
from jobs.plans import Plan
from pages import tune_cost, words

LABEL = f"Train the shortlist to {100 * halving.PAUSE_AT:.0f} % first, and only its best {halving.KEEP} on"
HELP = (
    "All configs of the shortlist are trained for that share of their own schedule and compared by their "
    "losses on the same dev rows; the default is always trained to its end."
)


def switch(folds: int | None) -> bool:
    """Off unless asked for; not with folds, whose trainings cannot stand half-way."""
    wanted = st.toggle(
        LABEL, key="early_shortlist", help=HELP, disabled=folds is not None, persist_state="session"
    )
    return wanted and folds is None


def told(plan: Plan, data: Dataset) -> None:
    """The expected saving and the measured risk, where the plan stops early."""
    found = saving(plan, data)
    if found is None:
        return
    st.text(found.sentence)
    risk = _risk(grids.current(), found.configs)
    st.caption(
        words.plain(risk or "What it risks is not known: no grid here has losses by epoch to measure it on.")
    )


def saving(plan: Plan, data: Dataset) -> Saving | None:
    """Of training time, before the start; None for a plan whose runs all go to their end."""
    standing = [spec for spec in plan.specs if spec.pause_at is not None]
    if not standing:
        return None
    return halving.expected_saving(
        [tune_cost.of_runs([spec], data).seconds for spec in standing], in_seconds=True
    )


def cost(plan: Plan, data: Dataset) -> Estimate:
    """What the plan takes, less the time that early stopping is expected to save."""
    whole, found = tune_cost.of_runs(plan.specs, data), saving(plan, data)
    if found is None or found.seconds is None:
        return whole
    left = max(0.0, 1 - found.seconds / fitting.crew().workers / whole.seconds)
    return replace(whole, seconds=left * whole.seconds, low=left * whole.low, high=left * whole.high)


@st.cache_data(max_entries=16, show_spinner=False)
def _risk(version: str | None, k: int) -> str | None:
    found = None if version is None else pruning_risk.measure(grids.load(version), k)
    return None if found is None else found.sentence
