"""The plan card of Tune, always in sight: ready or the one thing missing, what it takes, the button."""

from __future__ import annotations

import streamlit as st

from engine.records import RunKind
from jobs import studies
from jobs.plans import Plan
from pages import live, tune_configs
from pages.tune_data import Understood


def card(understood: Understood | None, plan: Plan | None, missing: str, changed: tuple[str, ...]) -> None:
    """What pressing the button does, or what is missing before it can be pressed."""
    problem = live.problem()
    ready = understood is not None and plan is not None and problem is None
    with st.container(border=True, key="plan_card"):
        st.badge("Ready" if ready else "Not ready yet", color="green" if ready else "orange")
        if understood is not None and plan is not None:
            for label, value in _facts(understood, plan, changed).items():
                _line(label, value)
        label = _label(plan) if ready and plan else problem or missing or "Correct what is marked"
        if st.button(label, type="primary", key="launch", disabled=not ready, width="stretch"):
            assert understood is not None and plan is not None
            launch(understood, plan)


def _line(label: str, value: str) -> None:
    name, text = st.columns([2, 3], gap="small")
    name.caption(label)
    text.text(value)


def _facts(understood: Understood, plan: Plan, changed: tuple[str, ...]) -> dict[str, str]:
    kinds = [spec.kind for spec in plan.specs]
    trained = sum(kind.trains for kind in kinds)
    rows = {name: len(part) for name, part in understood.dataset.splits.items()}
    rows["train"] = plan.study.train_size or rows["train"]
    return {
        "Runs": f"{trained} trainings; {len(kinds) - trained} scored without training",
        "Rows": ", ".join(f"{count:,} {name}" for name, count in rows.items()),
        "Download": "nothing",
        "Changed": ", ".join((*_changes(understood, plan), *changed)) or "nothing: all as recommended",
    }


def _changes(understood: Understood, plan: Plan) -> list[str]:
    """What of the plan is not as recommended."""
    study, ranks = plan.study, [spec.rank for spec in plan.specs if spec.rank is not None]
    own = sum(spec.kind == RunKind.CUSTOM for spec in plan.specs)
    left_out = len(plan.shortlist.entries) - len(ranks)
    told = {
        f"k = {study.k}": study.k != tune_configs.RECOMMENDED,
        f"{left_out} of the shortlist left out": left_out > 0,
        f"{own} own config{'s' if own > 1 else ''}": own > 0,
        "prompt template": understood.template is not None,
    }
    return [text for text, on in told.items() if on]


def _label(plan: Plan) -> str:
    """'Train 4 configs and the default'."""
    number = sum(spec.kind in (RunKind.SHORTLIST, RunKind.CUSTOM) for spec in plan.specs)
    if number == 0:
        return "Train the default"
    return f"Train {number} config{'s' if number > 1 else ''} and the default"


def launch(understood: Understood, plan: Plan) -> None:
    """Keep the dataset, queue the study and go to its page."""
    if understood.original is not None:
        studies.save_dataset(understood.dataset, understood.original)
    study = studies.create(plan).study
    studies.launch(study)
    st.switch_page("studies.py", query_params={"study": study})
