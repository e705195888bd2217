"""Step 3 of Tune: how many configs of the shortlist, which ones, and the user's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from engine.records import Config, RunKind, RunSpec
from jobs import plans
from jobs.plans import Plan, PlanRequest
from pages import tune_own, words

MOST = 8
EDITABLE = "Train"
PERCENT = st.column_config.ProgressColumn(format="%d %%", min_value=0, max_value=100)


def choose(request: PlanRequest) -> Plan:
    """The plan with the user's k, choice and own configs."""
    scope = f"{request.model}_{request.method}"
    k = st.slider(
        "k: how many configs of the shortlist to train", 1, MOST, 4, key="k", persist_state="session"
    )
    request = replace(request, k=k, custom=tune_own.configs(scope))
    plan = plans.make(request)
    st.caption(words.plain(plan.shortlist.evidence))
    left_out = _table(plan, scope)
    tune_own.add(plan, scope)
    return plans.make(replace(request, left_out=left_out))


def _table(plan: Plan, scope: str) -> tuple[int, ...]:
    """Every training of the plan; answers the ranks whose tick was taken away."""
    trained = [spec for spec in plan.specs if spec.kind.trains]
    rows = [_row(plan, spec) for spec in trained]
    edited = st.data_editor(
        rows, key=f"configs_{scope}_{len(rows)}", hide_index=True, height="content",
        disabled=[name for name in rows[0] if name != EDITABLE],
        column_config={"Covered so far": PERCENT},
    )  # fmt: skip
    st.caption(
        "Always beside them: the untuned base model and answers without a model. The default stays in, too."
    )
    return tuple(
        spec.rank
        for spec, row in zip(trained, edited, strict=True)
        if spec.rank is not None and not row[EDITABLE]
    )


def _row(plan: Plan, spec: RunSpec) -> dict[str, Any]:
    entry = next((entry for entry in plan.shortlist.entries if entry.rank == spec.rank), None)
    cells = plan.shortlist.cells
    return {
        EDITABLE: True,
        "Config": spec.name,
        **hyperparameters(spec.config),
        "Covers": f"{entry.covers} of {cells}" if entry and cells else _why(spec.kind),
        "Covered so far": 100 * entry.cumulative_coverage if entry and cells else None,
    }


def hyperparameters(config: Config | None) -> dict[str, str]:
    """A config in columns that a person reads."""
    if config is None:
        return {}
    values = {
        "Learning rate": words.rate(config.learning_rate),
        "Epochs": str(config.num_train_epochs),
        "Batch": str(config.effective_batch_size),
        "Schedule": config.lr_scheduler_type.removesuffix("_with_warmup"),
    }
    return (
        values
        if config.lora_r is None
        else {**values, "r": str(config.lora_r), "Alpha": str(config.lora_alpha)}
    )


def _why(kind: RunKind) -> str:
    return {RunKind.DEFAULT: "TRL's default", RunKind.CUSTOM: "your own"}.get(kind, "")
