"""What a search left in the run folders, gathered for pages and reports."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine import grids, proxy, searched, worker_times
from engine import settings as settings_module
from engine.proxy import Correlation
from engine.records import Event, RunSpec, Study
from engine.search import Search, Trial
from engine.searched import Gain, Measure
from engine.worker_times import Span
from jobs import search as searches
from jobs import tasks, views


@dataclass(frozen=True, slots=True)
class Tried:
    """A search with every training of its study as it stands."""

    study: Study
    search: Search
    trials: Sequence[Trial]
    specs: Mapping[str, RunSpec]

    @property
    def measure(self) -> Measure:
        """What the search improves."""
        return searched.measure(self.search.objective, self.study.metric)

    @property
    def ours(self) -> list[Trial]:
        """The trainings of this search."""
        return [trial for trial in self.trials if trial.ours]


def gather(search: Search) -> Tried:
    """The search and the trainings of its study; raises NotFoundError when that is gone."""
    files = tasks.artifacts(settings_module.current())
    study = files.read_study(search.study)
    trials = searches.trials(search.study, search)
    return Tried(study, search, trials, {trial.run: files.read_spec(trial.run) for trial in trials})


def gain(of: Tried) -> Gain | None:
    """Its best against the best before it, on test rows; None while either has no score."""
    pair = searched.opponents(of.trials, of.specs)
    if pair is None:
        return None
    files = tasks.artifacts(settings_module.current())
    results = {trial.run: files.read_result(trial.run) for trial in pair}
    scored = {run: result for run, result in results.items() if result is not None and result.test}
    tables = {run: views.predictions(run, result.attempt) for run, result in scored.items()}
    return searched.gain(of.trials, of.specs, of.study.metric, tables)


def spans(of: Tried) -> tuple[Span, ...]:
    """When which worker trained this search's runs."""
    files = tasks.artifacts(settings_module.current())
    attempts = [(trial.run, attempt) for trial in of.ours for attempt in files.attempts(trial.run)]
    events: dict[str, list[Event]] = {}
    for run, attempt in attempts:
        events.setdefault(run, []).extend(files.events(run, attempt))
    return worker_times.spans(events, time.time())


def grid_correlation(study: Study) -> Correlation | None:
    """Of dev loss and score over the current grid's cells of this model and method; None without such."""
    version = grids.current()
    if version is None or not grids.has_results(version, study.model, study.method):
        return None
    table = grids.load(version)
    return proxy.of_grid(table[(table["model"] == study.model) & (table["method"] == study.method)])
