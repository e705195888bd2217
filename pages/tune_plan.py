"""The plan card of Tune, always in sight: ready or the one thing missing, what it takes, the button."""

from __future__ import annotations

import streamlit as st

from engine import models, settings
from engine.estimate import Estimate
from engine.findings import counted
from engine.records import RunKind, RunSpec
from jobs import promises, studies
from jobs.fitting import Fitting, changes, refusal
from jobs.plans import Plan
from pages import live, tune_configs, tune_cost, tune_early, tune_file, tune_model, tune_own
from pages.tune_data import Understood

CORRECT = "Correct what is marked"
TOO_LARGE = "Choose a smaller model"
LOCKED = "Get access to the model first"


def card(
    understood: Understood | None, fitting: Fitting | None, missing: str, changed: tuple[str, ...]
) -> None:
    """What pressing the button does, or what is missing before it can be pressed."""
    problem = live.problem()
    with st.container(border=True, key="plan_card"):
        if understood is None or fitting is None or problem is not None:
            st.badge("Not ready yet", color="orange")
            label = problem or missing or CORRECT
            st.button(label, type="primary", key="launch", disabled=True, width="stretch")
            return
        lacking = _locked(fitting.plan)
        ready = not fitting.too_large and not lacking
        st.badge("Ready" if ready else "Not ready yet", color="green" if ready else "orange")
        cost = tune_early.cost(fitting.plan, understood.dataset)
        for name, value in _facts(understood, fitting, cost, changed).items():
            title, text = st.columns([2, 3], gap="small")
            title.caption(name)
            text.text(value)
        if not ready:
            st.text(lacking or refusal(fitting.too_large))
            st.button(
                LOCKED if lacking else TOO_LARGE, type="primary", key="launch", disabled=True, width="stretch"
            )
        elif st.button(_label(fitting.plan, cost), type="primary", key="launch", width="stretch"):
            launch(understood, fitting.plan, cost)


def _locked(plan: Plan) -> str:
    """Why the model cannot be fetched; workers behind a Redis elsewhere may have a token of their own."""
    return "" if settings.current().redis_url is not None else models.locked(plan.model)


def _facts(
    understood: Understood, fitting: Fitting, cost: Estimate, changed: tuple[str, ...]
) -> dict[str, str]:
    plan = fitting.plan
    trained = sum(spec.kind.trains for spec in plan.specs)
    rows = {name: len(part) for name, part in understood.dataset.splits.items()}
    rows["train"] = plan.study.train_size or rows["train"]
    return {
        "Runs": f"{counted(trained, 'training')}; {len(plan.specs) - trained} scored without training",
        "Time": tune_cost.time(cost),
        "Memory": tune_cost.memory(cost, len(plan.specs)),
        **({"To fit": " ".join(changes(fitting))} if changes(fitting) else {}),
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
    """'Train 4 configs and the default, about 9 to 14 min'."""
    number = sum(spec.kind in (RunKind.SHORTLIST, RunKind.CUSTOM) for spec in plan.specs)
    configs = f"{counted(number, 'config')} and the default" if number else "the default"
    return f"Train {configs}, {tune_cost.time(cost)}"


def launch(understood: Understood, plan: Plan, cost: Estimate) -> None:
    """Keep the dataset and what was promised, queue the study and go to its page."""
    if understood.source.path is not None:
        studies.save_dataset(understood.dataset, understood.source.path)
        tune_file.use_kept(understood.dataset.id)  # whoever comes back finds the rows again
    study = studies.create(plan).study
    promises.keep(study, cost, [spec.run for spec in plan.specs])
    studies.launch(study)
    tune_file.forget(understood.source)
    st.switch_page("studies.py", query_params={"study": study})
