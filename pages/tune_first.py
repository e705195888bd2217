"""What Tune offers before there are rows: a tour of a minute, or a real model on the same sample."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from engine import dataset, models
from engine.dataset import Dataset
from engine.models import BaseModel
from engine.records import Method
from jobs import plans
from jobs.plans import Plan, PlanRequest
from pages import tune_cost, tune_file, words

SAMPLE = "support_tickets.csv"
REAL_ROWS = 100  # of the sample's training rows: what a small labelled file has
METHOD = Method.LORA


class Offer(NamedTuple):
    """A study that one click fills in; `rows` to train on, None: all."""

    key: str
    title: str
    about: str
    model: BaseModel
    rows: int | None


def offer() -> None:
    """One card for each study that can be tried here, with what it would take."""
    shown = list(_offers())
    data = _sample()
    for place, one in zip(st.columns(len(shown)) if shown else (), shown, strict=True):
        with place, st.container(border=True, key=f"first_{one.key}", height="stretch"):
            st.markdown(f"**{one.title}**")
            st.caption(words.plain(one.about))
            plan = _plan(data, one)
            cost = tune_cost.of_runs(plan.specs, data)
            st.button(
                f"Fill it in, {tune_cost.time(cost)} to train", key=f"take_{one.key}",
                width="stretch", on_click=_take, args=(one, data.id),
            )  # fmt: skip


def _offers() -> list[Offer]:
    tiny = [model for model in models.registry() if model.embedded]
    real = models.default()
    found = []
    if tiny:
        small = max(tiny, key=lambda model: model.parameters)
        about = f"Sample tickets and {small.id}: runs of seconds, but the model is too small for real use."
        found.append(Offer("tour", "A tour", about, small, None))
    if not real.embedded:
        about = f"{REAL_ROWS} of the same rows and {real.shown}. For your own rows, drop the file above."
        found.append(Offer("real", "The real thing", about, real, REAL_ROWS))
    return found


def _plan(data: Dataset, one: Offer) -> Plan:
    request = PlanRequest(data, one.model.id, METHOD, train_size=one.rows)
    return plans.make(plans.with_starting_points(request))


@st.cache_resource(max_entries=1, show_spinner=False)
def _sample() -> Dataset:
    return dataset.build(tune_file.SAMPLES / SAMPLE)


def _take(one: Offer, data: str) -> None:
    tune_file.forget_mapping()
    st.session_state.update(
        {"origin": tune_file.ORIGINS[1], "sample": SAMPLE, "model": one.model.id, "method": METHOD}
    )
    if one.rows is not None:
        st.session_state[f"size_{data}"] = one.rows
