"""A study goes on with a newer version of its file, and old and new winner are compared on the same rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from engine import dataset as datasets
from engine import evaluate, models, settings
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.errors import DatasetError
from engine.records import Config, Method, RunResult, RunStatus, Study
from jobs import comparisons, continuing, plans, queue, studies, tasks
from jobs.plans import PlanRequest
from tests.tiny import tiny_classification, write_jsonl

OWN = Config(learning_rate=1e-3, num_train_epochs=1, per_device_train_batch_size=8)


@pytest.fixture
def files() -> Artifacts:
    return tasks.artifacts(settings.current())


@pytest.fixture
def rows() -> list[dict[str, str]]:
    return tiny_classification(120)


@pytest.fixture
def earlier(client: Redis, tmp_path: Path, rows: list[dict[str, str]]) -> Study:
    """A study of the default, one shortlist config and an own one; label words were chosen."""
    path = write_jsonl(tmp_path / "v1.jsonl", rows)
    data = datasets.build(path, name="colours", label_words={"red": "crimson"}, seed=3)
    studies.save_dataset(data, path)
    request = PlanRequest(
        data, models.registry()[0].id, Method.FULL, k=1, seed=3, custom=(OWN,), time_cap_minutes=5
    )
    return studies.create(plans.make(request))


def newer_file(tmp_path: Path, rows: list[dict[str, str]]) -> Path:
    added = [{"text": f"brand new words {i} about nothing", "label": "green"} for i in range(200, 230)]
    return write_jsonl(tmp_path / "v2.jsonl", [*added, *rows])


def score(files: Artifacts, run: str, data: Dataset, right: float) -> None:
    """A finished run that answered this share of the rows rightly."""
    splits = {name: data.split(name) for name in ("dev", "test")}
    said = {
        name: [r.targets[0] if i < right * len(part) else "?" for i, r in enumerate(part)]
        for name, part in splits.items()
    }
    table = evaluate.prediction_table(data.task, data.labels, splits, said)
    table.to_parquet(files.attempt_folder(run, 1) / "predictions.parquet")
    found = evaluate.scores(table, data.task)
    accuracy = found["accuracy"]
    files.write_result(
        RunResult(run, 1, RunStatus.FINISHED, accuracy["dev"], accuracy["test"], 1.0, metrics=found)
    )


def test_the_newer_study_has_the_plan_of_the_earlier_one(
    earlier: Study, files: Artifacts, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    found = continuing.prepare(earlier.study, newer_file(tmp_path, rows))

    study, specs = found.plan.study, found.plan.specs
    assert study.continues == earlier.study
    assert (study.model, study.method, study.k, study.seed) == (earlier.model, earlier.method, 1, 3)
    assert study.time_cap_minutes == 5
    assert [spec.config for spec in specs] == [files.read_spec(run).config for run in earlier.runs]
    assert found.dataset.labels == ("blue", "crimson", "green")
    assert files.studies() == [earlier.study]


def test_starting_it_keeps_the_dataset_and_queues_the_runs(
    earlier: Study, files: Artifacts, client: Redis, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    path = newer_file(tmp_path, rows)

    study = continuing.start(continuing.prepare(earlier.study, path), path)

    assert queue.waiting(client) == list(study.runs)
    assert files.read_study(study.study).continues == earlier.study
    old, new = (datasets.load(s.dataset, files.datasets_root) for s in (earlier, study))
    assert [r.inputs for r in new.split("test")] == [r.inputs for r in old.split("test")]


def test_both_winners_are_paired_on_the_same_test_rows(
    earlier: Study, files: Artifacts, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    path = newer_file(tmp_path, rows)
    study = continuing.start(continuing.prepare(earlier.study, path), path)
    assert comparisons.with_earlier(study.study) is None
    old, new = (datasets.load(s.dataset, files.datasets_root) for s in (earlier, study))
    score(files, earlier.runs[0], old, 0.0)
    score(files, study.runs[0], new, 1.0)

    found = comparisons.with_earlier(study.study)

    assert found is not None and found.difference is not None
    assert found.difference.n == len(old.split("test"))
    assert found.difference.value == 1.0
    assert found.sentence.startswith("The winner here is better than that of the earlier study 'colours, ")
    assert comparisons.with_earlier(earlier.study) is None


def test_an_earlier_study_that_is_gone_is_not_compared_with(
    earlier: Study, files: Artifacts, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    path = newer_file(tmp_path, rows)
    study = continuing.start(continuing.prepare(earlier.study, path), path)
    score(files, study.runs[0], datasets.load(study.dataset, files.datasets_root), 0.9)
    files.delete_study(earlier.study)

    assert comparisons.with_earlier(study.study) is None


def test_another_dataset_is_refused_before_anything_is_written(
    earlier: Study, files: Artifacts, tmp_path: Path
) -> None:
    other = [
        {"text": f"quite another file {i} {i * i}", "label": "red" if i % 2 else "blue"} for i in range(60)
    ]

    with pytest.raises(DatasetError, match="no newer version"):
        continuing.prepare(earlier.study, write_jsonl(tmp_path / "other.jsonl", other))

    assert files.studies() == [earlier.study]


def test_a_train_size_beyond_the_newer_rows_is_dropped(
    earlier: Study, files: Artifacts, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    files.write_study(replace(earlier, train_size=60))
    data = datasets.load(earlier.dataset, files.datasets_root)
    kept = [rows[row.number - 1] for row in (*data.split("test"), *data.split("train")[:20])]

    found = continuing.prepare(earlier.study, write_jsonl(tmp_path / "fewer.jsonl", kept))

    assert found.plan.study.train_size is None
