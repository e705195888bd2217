"""Step 4 of Tune: what most people leave alone. Name, metric, seed, training rows, time cap."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from engine.dataset import Dataset
from engine.metrics import METRICS, TITLES

SEED = 0


class Options(NamedTuple):
    """The user's choices; None: as recommended."""

    name: str | None
    metric: str
    seed: int
    train_size: int | None
    time_cap_minutes: float | None
    differences: tuple[str, ...]


def seed() -> int:
    """The seed of splits and training, needed before the rest of the options is drawn."""
    return int(st.session_state.get("seed", SEED))


def choose(data: Dataset) -> Options:
    """The options, folded: none of them has to be touched."""
    metrics, rows = METRICS[data.task], len(data.splits["train"])
    with st.expander("Options", key="options"):
        name = st.text_input(
            "Name of the study", key="name", placeholder="Named after the dataset", persist_state="session"
        )
        left, right = st.columns(2)
        metric = left.selectbox(
            "Metric that selects", metrics, key=f"metric_{data.task}", format_func=TITLES.__getitem__
        )
        size = right.number_input("Training rows", 1, rows, rows, key=f"size_{data.id}")
        left.number_input("Seed of splits and runs", 0, 10_000, SEED, key="seed", persist_state="session")
        cap = right.number_input(
            "Stop each run after (minutes)", 1, None, None, key="cap", placeholder="no limit",
            persist_state="session", help="A run that takes longer is stopped, scored and kept as it is.",
        )  # fmt: skip
    changed = {
        f"metric {TITLES[metric]}": metric != metrics[0],
        f"{size:,} training rows": size != rows,
        f"seed {seed()}": seed() != SEED,
        f"at most {cap} min a run": cap is not None,
    }
    return Options(
        name or None,
        metric,
        seed(),
        None if size == rows else size,
        cap,
        tuple(text for text, on in changed.items() if on),
    )
