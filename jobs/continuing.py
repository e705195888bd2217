"""Goes on with a study when its dataset has grown: the same plan on a newer file, the same test rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import dataset as datasets
from engine import labels, labelsets, layouts, reading
from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.records import Row, RunKind, RunSpec, Study, Task
from engine.rows import rows_of
from jobs import plans, studies, tasks
from jobs.plans import Plan, PlanRequest


@dataclass(frozen=True, slots=True)
class Continued:
    """A study that could be created on a newer version of another one's dataset."""

    dataset: Dataset
    plan: Plan


def prepare(study: str, file: Path) -> Continued:
    """Read the newer file by the study's columns and plan the same runs on it; nothing is written.

    Raises DatasetError when the file cannot be used or has none of the study's test rows.
    """
    files = tasks.artifacts(settings_module.current())
    of = files.read_study(study)
    specs = [files.read_spec(run) for run in of.runs]
    files.pull_dataset(of.dataset)
    before = datasets.load(of.dataset, files.datasets_root)
    data = datasets.build(
        file,
        name=before.name,
        task=before.task,
        roles=before.roles,
        seed=before.seed,
        label_words=_label_words(files, before),
        newer_than=before,
        layout=layouts.for_another_file(before.layout),
    )
    plan = plans.make(_request(of, specs, data))
    return Continued(data, replace(plan, study=replace(plan.study, continues=study)))


def start(found: Continued, file: Path) -> Study:
    """Keep the newer dataset, create the study and queue it."""
    studies.save_dataset(found.dataset, file)
    study = studies.create(found.plan)
    studies.launch(study.study)
    return study


def _request(of: Study, specs: list[RunSpec], data: Dataset) -> PlanRequest:
    ranks = {spec.rank for spec in specs}
    listed = [entry["rank"] for entry in of.shortlist.get("entries", ())]
    like, rows = specs[0], len(data.splits["train"])
    own = [s.config for s in specs if s.kind is RunKind.CUSTOM and s.config and s.seed == of.seed]
    return PlanRequest(
        data,
        of.model,
        of.method,
        k=of.k,
        name=f"{of.name}, newer rows"[: studies.LONGEST_NAME],
        metric=of.metric,
        seed=of.seed,
        train_size=of.train_size if of.train_size and of.train_size <= rows else None,
        template=like.template,
        max_length=like.max_length,
        time_cap_minutes=of.time_cap_minutes,
        left_out=tuple(rank for rank in listed if rank not in ranks),
        custom=tuple(dict.fromkeys(own)),
    )


def _label_words(files: Artifacts, before: Dataset) -> Mapping[str, str]:
    """The words that stood for labels in the earlier version: what its file says against what was learned."""
    if not before.labels:
        return {}
    path = files.datasets_root / "datasets" / before.id / "original" / before.file_name
    rows, _ = rows_of(reading.read(path, before.layout), before.task, before.roles)
    rows, _, _ = labels.unified(rows, [])
    rest = (*before.split("train"), *before.split("dev"))  # test rows may be of another file
    if before.task is Task.MULTILABEL:
        return _words_of_sets(rows, rest)
    said = {row.number: row.targets[0] for row in rows}
    learned = {said[row.number]: row.targets[0] for row in rest if row.number in said}
    return {label: word for label, word in learned.items() if label != word}


def _words_of_sets(rows: Sequence[Row], learned: Sequence[Row]) -> Mapping[str, str]:
    """A label and the word for it are in the same rows."""
    numbers = {row.number for row in learned}
    before: dict[str, set[int]] = defaultdict(set)
    after: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        for label in row.targets if row.number in numbers else ():
            before[label].add(row.number)
    for row in learned:
        for word in labelsets.parts(row.targets[0]):
            after[word].add(row.number)
    renamed = {label: places for label, places in before.items() if label not in after}
    return {label: word for label, places in renamed.items() for word in after if after[word] == places}
