"""What a plan costs on this machine: minutes, memory, texts that do not fit the model's context."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence

import streamlit as st

from engine import checks, encode, estimate, machine, models, settings
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.estimate import Estimate
from engine.models import BaseModel
from engine.records import Issue, Method, RunResult, RunSpec, Task
from engine.tokens import Tokenizer
from jobs import collector, stack
from pages import live, words

STUDIES_LOOKED_AT = 5


def of_runs(specs: Sequence[RunSpec], data: Dataset) -> Estimate:
    """The estimate of some runs, from this machine's own earlier runs where there are any."""
    what = tuple(json.dumps({**spec.to_dict(), "run": "", "study": ""}, sort_keys=True) for spec in specs)
    return _estimate((what, data.id), specs, data)


@st.cache_data(ttl=15, show_spinner=False)
def _estimate(key: tuple[Hashable, ...], _specs: Sequence[RunSpec], _data: Dataset) -> Estimate:
    """`key` says all that the runs' cost depends on: their ids, new for each plan, are no part of it."""
    past = _past(_specs[0].model, _specs[0].method, _specs[0].task)
    workers = max(1, stack.worker_count(settings.current()))
    return estimate.estimate_study(_specs, _data, past, workers)


def _past(model: str, method: Method, task: Task) -> list[RunResult]:
    store = collector.store()
    alike = [
        row.study.study
        for row in store.study_rows()
        if (row.study.model, row.study.method, row.study.task) == (model, method, task)
        and row.study.study not in live.sample_studies()
    ]
    return [result for study in alike[:STUDIES_LOOKED_AT] for result in store.results(study).values()]


def memory(cost: Estimate) -> str:
    """What a training process needs, beside what the machine has."""
    return f"about {words.size(cost.memory_bytes)} of {words.size(machine.memory().size)}"


def unread(data_id: str, data: Dataset, model: BaseModel, template: str | None) -> list[Issue]:
    """What the model refuses of the rows or cannot read to its end; empty while it is not here."""
    return _unread(data_id, data, model, template) if models.is_here(model) else []


@st.cache_resource(max_entries=16, show_spinner="Counting tokens")
def _unread(data_id: str, _data: Dataset, model: BaseModel, template: str | None) -> list[Issue]:
    text = reader(_data, model, template)
    usable, refused = encode.readable(_data, text.tokenizer)
    return [*checks.refused(_data, refused), *filter(None, [checks.truncation(usable, text)])]


def reader(data: Dataset, model: BaseModel, template: str | None) -> Encoder:
    """How a run of this model, which must be here, reads the rows."""
    return encode.of_rows(data, model, _tokenizer(model.id), template)


@st.cache_resource(max_entries=8, show_spinner=False)
def _tokenizer(model_id: str) -> Tokenizer:
    return Tokenizer(models.path(models.get(model_id)))
