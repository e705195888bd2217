"""The plan card of Tune, always in sight: ready or the one thing missing, what it takes, the button."""

from __future__ import annotations

import streamlit as st

from engine.records import RunKind
from jobs import studies
from jobs.plans import Plan
from pages import live
from pages.tune_data import Understood


def card(
    understood: Understood | None, plan: Plan | None, missing: str, differences: tuple[str, ...]
) -> None:
    """What pressing the button does, or what is missing before it can be pressed."""
    with st.container(border=True, key="plan_card"):
        problem = live.problem()
        ready = understood is not None and plan is not None and problem is None
        st.badge("Ready" if ready else "Not ready yet", color="green" if ready else "orange")
        if plan is not None:
            _facts(plan, differences)
        label = _label(plan) if ready and plan else problem or missing
        if st.button(label, type="primary", key="launch", disabled=not ready, width="stretch"):
            assert understood is not None and plan is not None
            launch(understood, plan)


def _facts(plan: Plan, differences: tuple[str, ...]) -> None:
    kinds = [spec.kind for spec in plan.specs]
    st.metric("Trainings", sum(kind.trains for kind in kinds))
    st.caption(f"beside the untuned base and {kinds.count(RunKind.BASELINE)} answers without a model")


def _label(plan: Plan) -> str:
    number = sum(spec.kind.trains for spec in plan.specs)
    return f"Train {number} configs" if number > 1 else "Train 1 config"


def launch(understood: Understood, plan: Plan) -> None:
    """Keep the dataset, queue the study and go to its page."""
    if understood.original is not None:
        studies.save_dataset(understood.dataset, understood.original)
    study = studies.create(plan).study
    studies.launch(study)
    st.switch_page("studies.py", query_params={"study": study})
