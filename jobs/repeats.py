"""More seeds for the best configs of a study that is over: whether their order is more than luck."""

from __future__ import annotations

from dataclasses import replace

from engine import repeats, verdict
from engine import settings as settings_module
from engine.records import Config, RunKind, RunSpec
from engine.repeats import SEEDS
from jobs import studies, tasks
from jobs.studies import NewRun


def wanted(study: str, seeds: int = SEEDS) -> list[RunSpec]:
    """The runs that the best configs by dev lack of so many seeds each; none: nothing is left to repeat.

    As specs for an estimate: they have the ids of the runs that they repeat.
    """
    files = tasks.artifacts(settings_module.current())
    found = files.read_study(study)
    specs = [files.read_spec(run) for run in found.runs]
    results = {run: result for run in found.runs if (result := files.read_result(run)) is not None}
    order = verdict.ranked(found, specs, results)
    return [
        replace(first, seed=seed, kind=RunKind.CUSTOM, name=f"{first.name}, seed {seed}", rank=None)
        for first, seed in repeats.missing(repeats.families(specs), order, seeds)
    ]


def start(study: str, seeds: int = SEEDS) -> tuple[str, ...]:
    """Add these runs to the study and queue them; their ids."""
    runs = [_run(spec, spec.config) for spec in wanted(study, seeds) if spec.config is not None]
    return studies.extend(study, runs) if runs else ()


def _run(spec: RunSpec, config: Config) -> NewRun:
    stops_early = spec.early_stopping_patience is not None
    return NewRun(spec.name, config, seed=spec.seed, early_stopping=stops_early)
