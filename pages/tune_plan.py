"""The plan card of Tune, always in sight: ready or the one thing missing, what it takes, the button."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine.estimate import Estimate
from engine.findings import counted
from engine.records import RunKind, RunSpec
from jobs import studies
from jobs.plans import Plan
from pages import live, tune_configs, tune_cost, tune_early, tune_file, tune_model, tune_own, words
from pages.tune_data import Understood

CORRECT = "Correct what is marked"


def card(understood: Understood | None, plan: Plan | None, missing: str, changed: tuple[str, ...]) -> None:
    """What pressing the button does, or what is missing before it can be pressed."""
    problem = live.problem()
    with st.container(border=True, key="plan_card"):
        if understood is None or plan is None or problem is not None:
            st.badge("Not ready yet", color="orange")
            label = problem or missing or CORRECT
            st.button(label, type="primary", key="launch", disabled=True, width="stretch")
            return
        st.badge("Ready", color="green")
        cost = tune_cost.of_runs(plan.specs, understood.dataset)
        cost = replace(cost, seconds=tune_early.seconds(plan, understood.dataset))
        for name, value in _facts(understood, plan, cost, changed).items():
            title, text = st.columns([2, 3], gap="small")
            title.caption(name)
            text.text(value)
        if st.button(_label(plan, cost), type="primary", key="launch", width="stretch"):
            launch(understood, plan)


def _facts(understood: Understood, plan: Plan, cost: Estimate, changed: tuple[str, ...]) -> dict[str, str]:
    trained = sum(spec.kind.trains for spec in plan.specs)
    rows = {name: len(part) for name, part in understood.dataset.splits.items()}
    rows["train"] = plan.study.train_size or rows["train"]
    return {
        "Runs": f"{counted(trained, 'training')}; {len(plan.specs) - trained} scored without training",
        "Time": f"about {words.duration(cost.seconds)}",
        "Memory": tune_cost.memory(cost),
        "Rows": ", ".join(f"{count:,} {name}" for name, count in rows.items()),
        "Download": tune_model.download(plan.model),
        "Changed": ", ".join((*_changes(understood, plan), *changed)) or "nothing: all as recommended",
    }


def _changes(understood: Understood, plan: Plan) -> list[str]:
    """What of the plan is not as recommended."""
    ranks = [spec.rank for spec in plan.specs if spec.rank is not None]
    points = tune_own.points(f"{plan.study.model}_{plan.study.method}")
    own = sum(spec.kind == RunKind.CUSTOM and spec.config not in points for spec in plan.specs)
    left_out = len(plan.shortlist.entries) - len(ranks)
    told = {
        f"k = {plan.study.k}": bool(ranks) and plan.study.k != tune_configs.RECOMMENDED,
        f"{left_out} of the shortlist left out": left_out > 0,
        counted(own, "own config"): own > 0,
        "no early stopping": any(_trains_on(spec) for spec in plan.specs),
        "prompt template": understood.template is not None,
    }
    return [text for text, on in told.items() if on]


def _trains_on(spec: RunSpec) -> bool:
    """Whether an own config has early stopping switched off."""
    return spec.kind == RunKind.CUSTOM and spec.early_stopping_patience is None


def _label(plan: Plan, cost: Estimate) -> str:
    """'Train 4 configs and the default, about 3 min'."""
    number = sum(spec.kind in (RunKind.SHORTLIST, RunKind.CUSTOM) for spec in plan.specs)
    configs = f"{counted(number, 'config')} and the default" if number else "the default"
    return f"Train {configs}, about {words.duration(cost.seconds)}"


def launch(understood: Understood, plan: Plan) -> None:
    """Keep the dataset, queue the study and go to its page."""
    if understood.source.path is not None:
        studies.save_dataset(understood.dataset, understood.source.path)
    study = studies.create(plan).study
    studies.launch(study)
    tune_file.forget(understood.source)
    st.switch_page("studies.py", query_params={"study": study})
