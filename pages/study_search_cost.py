"""What a search would take on this machine, and the words of the button that starts it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import streamlit as st

from engine import dataset as datasets
from engine import search_cost
from engine.dataset import Dataset
from engine.records import RunKind, RunSpec, Study
from engine.search import SearchMethod
from engine.searchspace import space_of
from jobs import search
from jobs.search import SearchRequest
from pages import live, tune_cost, words

Specs = Mapping[str, RunSpec]


def label(study: Study, specs: Specs, request: SearchRequest) -> str:
    """'8 more configs with TPE, about 4 min'."""
    configs = f"{request.runs} more config{'' if request.runs == 1 else 's'}"
    what = f"{configs} with {search.TITLES[request.method]}"
    if request.method is SearchMethod.PROTOCOL:
        what = f"up to {request.runs} runs"
    return f"{what}, {time(seconds(study, specs, request), request.minutes)}"


def time(estimate: float, minutes: float | None) -> str:
    """The estimate, or the limit where that is less."""
    if minutes is not None and 60 * minutes < estimate:
        return f"at most {words.duration(60 * minutes)}"
    return f"about {words.duration(estimate)}"


def seconds(study: Study, specs: Specs, request: SearchRequest) -> float:
    """Wall clock, with this machine's workers, by configs as the search is likely to try."""
    like = next(iter(specs.values()))
    space = request.space or space_of(study.model, study.method)
    configs = search_cost.likely_configs(request.method, space, request.runs)
    runs = [replace(like, kind=RunKind.SEARCH, config=config) for config in configs]
    cost = tune_cost.of_runs(runs, dataset(study.dataset))
    return cost.seconds * search_cost.trained_share(request.method, request.runs)


def one_run(study: Study, specs: Specs) -> tuple[float, int]:
    """Seconds and optimizer steps of a training with the config that a search starts from."""
    like, config = next(iter(specs.values())), space_of(study.model, study.method).fixed
    data = dataset(study.dataset)
    cost = tune_cost.of_runs([replace(like, kind=RunKind.SEARCH, config=config)], data)
    rows = study.train_size or len(data.splits["train"])
    return cost.seconds, config.num_train_epochs * math.ceil(rows / config.effective_batch_size)


@st.cache_resource(max_entries=8, show_spinner="Reading the study's rows")
def dataset(name: str) -> Dataset:
    """The study's rows, kept between looks."""
    files = live.files()
    files.pull_dataset(name)
    return datasets.load(name, files.datasets_root)
