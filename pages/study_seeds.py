"""Under the verdict: repeat the two best configs with more seeds, with what that costs on the button."""

from __future__ import annotations

import streamlit as st

from engine import dataset as datasets
from engine.dataset import Dataset
from engine.records import RunSpec
from engine.repeats import SEEDS
from jobs import repeats
from jobs.views import StudyView
from pages import live, tune_cost, words

WHY = (
    "One training is one draw: another seed shuffles the rows and starts the adapter anew. The mean over "
    "seeds then stands for a config, so that more seeds are no more chances to win."
)


def offer(view: StudyView) -> None:
    """The button, where a config lacks seeds and the queue takes runs."""
    if live.problem() is not None:
        return
    runs = repeats.wanted(view.study.study)
    if not runs:
        return
    cost = tune_cost.of_runs(runs, dataset(view.study.dataset))
    if st.button(_label(runs, cost.seconds), key="repeat", help=WHY):
        repeats.start(view.study.study)
        st.rerun(scope="app")


def _label(runs: list[RunSpec], seconds: float) -> str:
    """'Repeat default and shortlist 1 with seeds 1 and 2 (about 3 min)'."""
    names = list(dict.fromkeys(spec.name.rpartition(", seed")[0] for spec in runs))
    more = f"until each has {SEEDS} seeds" if len(runs) != (SEEDS - 1) * len(names) else "with two more seeds"
    return words.plain(f"Repeat {' and '.join(names)} {more} (about {words.duration(seconds)})")


@st.cache_resource(max_entries=8, show_spinner=False)
def dataset(name: str) -> Dataset:
    """The study's dataset, read once."""
    files = live.files()
    files.pull_dataset(name)
    return datasets.load(name, files.datasets_root)
