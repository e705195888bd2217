"""Tune filled in with what a study was: its rows, model, method, configs and options, all to be changed."""

from __future__ import annotations

import streamlit as st

from engine import models, prompts
from engine.records import RunKind, RunSpec, Study
from jobs import studies
from jobs.views import StudyView
from pages import tune_configs, tune_file


def fill(view: StudyView) -> None:
    """Set what the widgets of Tune show."""
    study, specs = view.study, [run.spec for run in view.runs]
    like = specs[0]
    tune_file.forget_mapping()
    tune_file.use_kept(study.dataset)
    scope = f"{study.model}_{study.method}"
    cap, instructed = study.time_cap_minutes, models.get(study.model).instructed
    own = _own(study, specs)
    st.session_state.update(
        {
            "model": study.model,
            "method": study.method,
            "seed": study.seed,
            "name": f"Copy of {study.name}"[: studies.LONGEST_NAME],
            "cap": None if cap is None else max(1, round(cap)),
            "folds": like.folds is not None,
            "early_shortlist": any(spec.kind is RunKind.SHORTLIST and spec.search for spec in specs),
            "assistant_only_loss": like.assistant_only_loss,
            "early_stopping": not own or any(spec.early_stopping_patience is not None for spec in own),
            f"own_{scope}": [spec.config for spec in own],
            f"replaced_{scope}": _left_out(study, specs),
            f"metric_{study.task}": study.metric,
            f"template_{instructed}_{study.dataset}": like.template or prompts.TEMPLATES[study.task],
        }
    )
    if study.k:
        st.session_state.k = min(study.k, tune_configs.MOST)
    if study.train_size is not None:
        st.session_state[f"size_{study.dataset}"] = study.train_size


def _own(study: Study, specs: list[RunSpec]) -> list[RunSpec]:
    """The user's own configs, without repeats of others with further seeds."""
    return [spec for spec in specs if spec.kind is RunKind.CUSTOM and spec.seed == study.seed]


def _left_out(study: Study, specs: list[RunSpec]) -> list[int]:
    """Ranks of the shortlist that were not run."""
    run = {spec.rank for spec in specs}
    known = len(study.shortlist.get("entries", ()))
    return [rank for rank in range(1, min(study.k, known) + 1) if rank not in run]
