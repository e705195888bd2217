"""The best configs of a study, carried to a larger model: a study of its own, marked as transferred."""

from __future__ import annotations

import streamlit as st

from engine import grids, rate_transfer, transfer
from engine.findings import counted
from engine.records import RunKind, Study
from engine.transfer import RateFactor
from jobs import transfer as carrying
from jobs.plans import Plan
from pages import live, problems, study_search_cost, tune_cost, tune_early, tune_model, words


def offer(study: Study) -> None:
    """Which model, which learning-rate factor, what would be trained, and the button that does it."""
    larger = carrying.targets(study.study)
    if not larger:
        return
    panel = st.expander("Carry the best 3 to a larger model", key="search_carry", on_change="rerun")
    if not panel.open:
        return
    with panel, problems.shown():
        left, right = st.columns(2)
        model = left.selectbox("Larger model", [model.id for model in larger], key="search_carry_model")
        factor = right.selectbox(
            "Learning rate", transfer.RATE_FACTORS, key="search_carry_factor", format_func=_factor_title
        )
        _measured()
        if model is not None and factor is not None:
            _plan(study, carrying.prepare(study.study, model, factor.value))


def _factor_title(factor: RateFactor) -> str:
    times = "as it is" if factor.value == 1 else f"divided by {1 / factor.value:.0f}"
    return f"{times} ({factor.source})"


def _measured() -> None:
    """Whether learning rates carry over, where a grid has two models."""
    version = grids.current()
    found = None if version is None else _transfer(version)
    st.caption(words.plain("Sources disagree on the factor." if found is None else found))


@st.cache_data(max_entries=4, show_spinner=False)
def _transfer(version: str) -> str | None:
    found = rate_transfer.measured_transfer(grids.load(version))
    return None if found is None else found.sentence


def _plan(study: Study, plan: Plan) -> None:
    carried = {s.name: s.config for s in plan.specs if s.kind is RunKind.CUSTOM and s.config is not None}
    rows = [{"Config": name, "Settings": config.label} for name, config in carried.items()]
    st.dataframe(rows, hide_index=True, key="search_carried", height="content")
    st.caption(
        words.plain(f"{plan.study.note} A guess: all are trained for a short while, and the best go on.")
    )
    data = study_search_cost.dataset(study.dataset)
    cost = tune_early.cost(plan, data)
    fetched = tune_model.download(plan.model)
    if fetched != "nothing":
        st.caption(words.plain(f"The first run downloads {fetched}."))
    configs = counted(len(carried), "config")
    label = f"Train {configs} on {plan.model.id} as a new study, {tune_cost.time(cost)}"
    if st.button(words.plain(label), key="search_carry_start", disabled=live.problem() is not None):
        started = carrying.start(plan)
        st.switch_page("studies.py", query_params={"study": started.study})
