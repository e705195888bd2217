"""Gathers what a report says of a study from its run folders; also of one that has not ended."""

from __future__ import annotations

import time
from pathlib import Path

from engine import classes, models, report
from engine import dataset as datasets
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.classes import Classes
from engine.dataset import Dataset
from engine.errors import ConfigError, ModelError, NotFoundError
from engine.models import BaseModel
from engine.records import RunResult, Study
from engine.report import Facts
from jobs import comparisons, tasks, views

FORMATS = {".html": report.to_html, ".md": report.to_markdown}


def facts(study: str, link: str | None = None) -> Facts:
    """Everything that the report says. `link`: the study's page, unless the settings say where it is."""
    settings = settings_module.current()
    files = tasks.artifacts(settings)
    of = files.read_study(study)
    results = {run: result for run in of.runs if (result := files.read_result(run)) is not None}
    earlier, summary, data = (
        comparisons.with_earlier(study),
        views.summary(study),
        _dataset(files, of.dataset),
    )
    return Facts(
        study=of,
        specs=tuple(files.read_spec(run) for run in of.runs),
        results=results,
        summary=summary,
        events={run: files.events(run, result.attempt) for run, result in results.items()},
        dataset=data,
        model=_model(of.model),
        made=time.time(),
        link=settings.study_link(study) or link,
        earlier=None if earlier is None else earlier.sentence,
        classes=_classes(of, results.get(summary.winner or ""), data),
    )


def write(study: str, to: Path) -> None:
    """Write the report in the format of the file's ending; raises ConfigError for another one."""
    if to.suffix.lower() not in FORMATS:
        raise ConfigError(f"A report is written as {' or '.join(FORMATS)}, but the file is {to.name!r}.")
    if not to.parent.is_dir():
        raise ConfigError(f"There is no folder {str(to.parent)!r} to write the report to. Make it first.")
    to.write_text(FORMATS[to.suffix.lower()](facts(study)), encoding="utf-8")


def _classes(study: Study, winner: RunResult | None, data: Dataset | None) -> Classes | None:
    if not study.task.has_labels or winner is None:
        return None
    return classes.classes(views.predictions(winner.run, winner.attempt), data.labels if data else ())


def _dataset(files: Artifacts, dataset: str) -> Dataset | None:
    try:
        files.pull_dataset(dataset)
        return datasets.load(dataset, files.datasets_root)
    except (NotFoundError, FileNotFoundError):
        return None


def _model(model: str) -> BaseModel | None:
    """None: an added model that was removed since."""
    try:
        return models.get(model)
    except ModelError:
        return None
