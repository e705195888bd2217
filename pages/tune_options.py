"""Step 4 of Tune: what most people leave alone. Name, metric, seed, training rows, time cap."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from engine import crossval, prompts
from engine.dataset import Dataset
from engine.findings import counted
from engine.metrics import METRICS, TITLES
from pages import tune_early

SEED = 0


class Options(NamedTuple):
    """The user's choices; None: as recommended."""

    name: str | None
    metric: str
    seed: int
    train_size: int | None
    time_cap_minutes: float | None
    folds: int | None
    early_shortlist: bool
    assistant_only_loss: bool
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
        folds = _folds(data)
        early_shortlist = tune_early.switch(folds)
        every_answer = _every_answer(data)
    changed = {
        f"metric {TITLES[metric]}": metric != metrics[0],
        f"{size:,} training rows": size != rows,
        f"seed {seed()}": seed() != SEED,
        f"at most {cap} min a run": cap is not None,
        f"{folds} folds": folds is not None,
        "shortlist stops early": early_shortlist,
        "all answers of a conversation": every_answer,
    }
    return Options(
        name or None,
        metric,
        seed(),
        None if size == rows else size,
        cap,
        folds,
        early_shortlist,
        every_answer,
        tuple(text for text, on in changed.items() if on),
    )


def _every_answer(data: Dataset) -> bool:
    """Whether conversations teach all answers of the assistant; only asked where some have several."""
    several = prompts.several_answers(data.rows)
    if not several:
        return False
    return bool(st.toggle(
        "Learn every answer of a conversation", key="assistant_only_loss", persist_state="session",
        help=f"{counted(several, 'conversation')} have earlier answers. Off: the last one alone is learned. "
        "Scores are of the last answer either way.",
    ))  # fmt: skip


def _folds(data: Dataset) -> int | None:
    """Off unless asked for: it takes as many times as long."""
    rows = len(data.splits["train"]) + len(data.splits["dev"])
    worth = " Worth it below 300 rows." if len(data.rows) < crossval.WORTH_IT_BELOW else ""
    wanted = st.toggle(
        f"Select on all {rows:,} rows outside the test, in {crossval.USUAL} folds", key="folds",
        persist_state="session",
        help=f"Instead of on {len(data.splits['dev']):,} dev rows. Every config is trained {crossval.USUAL} "
        f"more times, each time without the rows that it then answers; own configs do not stop early.{worth}",
    )  # fmt: skip
    return crossval.USUAL if wanted else None
