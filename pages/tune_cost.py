"""What a plan costs on this machine: minutes, memory, texts that do not fit the model's context."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence

import streamlit as st

from engine import checks, encode, estimate, machine, models
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.estimate import Estimate
from engine.models import BaseModel
from engine.records import Issue, Method, RunResult, RunSpec, Task
from engine.tokens import Tokenizer
from jobs import collector, fitting
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
    return estimate.estimate_study(_specs, _data, past, fitting.crew())


def _past(model: str, method: Method, task: Task) -> list[RunResult]:
    store = collector.store()
    alike = [
        row.study.study
        for row in store.study_rows()
        if (row.study.model, row.study.method, row.study.task) == (model, method, task)
        and row.study.study not in live.sample_studies()
    ]
    return [result for study in alike[:STUDIES_LOOKED_AT] for result in store.results(study).values()]


def time(cost: Estimate) -> str:
    """'about 9 to 14 min'."""
    return f"about {words.span(cost.low, cost.high)}"


def memory(cost: Estimate, runs: int) -> str:
    """What a run needs and how many go on at once, beside what the machine has."""
    whole, at_once = machine.memory(), min(fitting.crew().workers, runs)
    several = f" a run, {at_once} at once," if at_once > 1 and not whole.of_gpu else ""
    return f"about {words.size(cost.memory_bytes)}{several} of {words.size(whole.size)}"


def unread(data: Dataset, model: BaseModel, template: str | None, max_length: int | None) -> list[Issue]:
    """What the model refuses of the rows or cannot read to its end; empty while it is not here."""
    return _unread(data.id, data, model, template, max_length) if models.is_here(model) else []


@st.cache_resource(max_entries=16, show_spinner="Counting tokens")
def _unread(
    data_id: str, _data: Dataset, model: BaseModel, template: str | None, max_length: int | None
) -> list[Issue]:
    text = reader(_data, model, template, max_length)
    usable, refused = encode.readable(_data, text.tokenizer)
    return [*checks.refused(_data, refused), *filter(None, [checks.truncation(usable, text)])]


def reader(data: Dataset, model: BaseModel, template: str | None, max_length: int | None = None) -> Encoder:
    """How a run of this model, which must be here, reads the rows."""
    return encode.of_rows(data, model, _tokenizer(model.id), template, max_length)


@st.cache_resource(max_entries=8, show_spinner=False)
def _tokenizer(model_id: str) -> Tokenizer:
    return Tokenizer(models.path(models.get(model_id)))
