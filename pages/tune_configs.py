"""Step 3 of Tune: how many configs of the shortlist, which ones, and the user's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from engine import evidence, few_shot, grids, space
from engine.dataset import Dataset
from engine.findings import counted
from engine.records import Config, RunKind, RunSpec
from jobs import plans
from jobs.plans import Plan, PlanRequest
from pages import tune_cost, tune_early, tune_model, tune_own, words

MOST = 8
RECOMMENDED = 4
TICK = "Train"
PERCENT = st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100)


def choose(request: PlanRequest) -> Plan:
    """The plan with the user's k, choice and own configs."""
    scope = f"{request.model}_{request.method}"
    unmeasured = plans.starting_points(replace(request, k=MOST))
    k = _k("starting points", len(unmeasured), "points") if unmeasured else _k("configs of the shortlist")
    points = plans.starting_points(replace(request, k=k))
    request = replace(request, k=0 if unmeasured else k, custom=tune_own.configs(scope, points))
    plan = plans.make(request)
    _worth(plan, request.k, request.dataset)
    if points:
        st.caption(f"In its place: {counted(k, 'starting point')}, not measured here. Edit them as you like.")
    left_out, dropped = _table(plan, scope)
    rows = request.train_size or len(request.dataset.splits["train"])
    early_stopping = tune_own.buttons(plan, scope, rows)
    custom = tuple(config for config in request.custom if config not in dropped)
    plan = plans.make(replace(request, left_out=left_out, custom=custom, early_stopping=early_stopping))
    tune_early.told(plan, request.dataset)
    return plan


def _k(what: str, most: int = MOST, key: str = "k") -> int:
    title = f"k: how many {what} to train"
    return int(st.slider(title, 1, most, RECOMMENDED, key=key, persist_state="session"))


def _worth(plan: Plan, k: int, data: Dataset) -> None:
    """What k configs are expected to reach, and what the shortlist rests on."""
    chosen = plan.shortlist
    known = shares(chosen.version, plan.study.model, plan.study.method, chosen.excluded)
    if known:
        told = [
            f"{known[k - 1]:.0%} with k = {k}",
            *(f"{known[n]:.0%} with {n + 1}" for n in (0, MOST - 1)),
        ]
        st.text(f"Of the whole grid's best test score, on data it has not seen: {', '.join(told)}.")
    one = [spec for spec in plan.specs if spec.kind in (RunKind.SHORTLIST, RunKind.CUSTOM)][:1]
    if one:
        cost = tune_cost.of_runs(one, data)
        st.caption(words.plain(f"Each config takes about {words.duration(cost.seconds)}. {cost.basis}"))
    st.caption(words.plain(chosen.evidence))


@st.cache_data(max_entries=32, show_spinner=False)
def shares(version: str | None, model: str, method: str, excluded: tuple[str, ...]) -> tuple[float, ...]:
    """What k = 1, 2, ... configs reach of the whole grid on unseen data; empty without a grid."""
    if version is None:
        return ()
    results = grids.load(version)
    mine = results[(results["model"] == model) & (results["method"] == method)]
    kept = mine[~mine["dataset"].isin(excluded)]
    return () if kept.empty else evidence.expected_shares(kept, grids.config_columns(kept), MOST)


def _table(plan: Plan, scope: str) -> tuple[tuple[int, ...], tuple[Config, ...]]:
    """Every training of the plan; answers the ranks and the own configs that are not to be run."""
    replaced = tune_own.replaced(scope)
    trained = [spec for spec in plan.specs if spec.kind.trains and spec.rank not in replaced]
    rows = [_row(plan, spec) for spec in trained]
    edited = st.data_editor(
        rows, key=f"configs_{scope}_{len(rows)}", hide_index=True, height="content",
        disabled=[name for name in rows[0] if name != TICK], column_config={"Covered so far": PERCENT},
    )  # fmt: skip
    st.caption(words.plain(_rivals(plan)))
    off = [spec for spec, row in zip(trained, edited, strict=True) if not row[TICK]]
    ranks = (spec.rank for spec in off if spec.rank is not None)
    dropped = (spec.config for spec in off if spec.kind is RunKind.CUSTOM and spec.config is not None)
    return (*replaced, *ranks), tuple(dropped)


def _rivals(plan: Plan) -> str:
    """What is always run beside the shortlist, and what the default is."""
    default = next(spec for spec in plan.specs if spec.kind is RunKind.DEFAULT)
    origin = space.default_origin(default.model, default.config) if default.config else None
    meant = f" ({origin.sentence})" if origin else ""
    asked = "the untuned base"
    if any(spec.kind is RunKind.FEW_SHOT for spec in plan.specs):
        asked += f", the same with up to {few_shot.MOST} training rows as examples in its prompt,"
    return f"The default{meant} is always trained, {asked} and answers without a model always scored."


def _row(plan: Plan, spec: RunSpec) -> dict[str, Any]:
    entry = next((entry for entry in plan.shortlist.entries if entry.rank == spec.rank), None)
    cells = plan.shortlist.cells
    origin = space.default_origin(spec.model, spec.config) if spec.config else None
    source = {RunKind.DEFAULT: origin.title if origin else "", RunKind.CUSTOM: "your own"}.get(spec.kind, "")
    if spec.config in tune_own.points(f"{plan.study.model}_{plan.study.method}"):
        source = "starting point"
    if entry is not None:
        source = tune_model.ORIGINS[plan.shortlist.origin(entry.rank)]
    row = {TICK: True, "Config": spec.name, **_hyperparameters(spec.config), "From": source}
    if plan.shortlist.entries and cells > 1:  # else there is nothing to cover
        row["Covers"] = f"{entry.covers} of {cells}" if entry else ""
        row["Covered so far"] = 100 * entry.cumulative_coverage if entry else None
    return row


def _hyperparameters(config: Config | None) -> dict[str, str]:
    """A config in columns that a person reads."""
    assert config is not None
    values = {
        "Learning rate": words.rate(config.learning_rate),
        "Epochs": str(config.num_train_epochs),
        "Batch": str(config.effective_batch_size),
        "Schedule": words.schedule(config.lr_scheduler_type),
    }
    adapter = {"r": str(config.lora_r), "Alpha": str(config.lora_alpha)}
    return values if config.lora_r is None else {**values, **adapter}
