from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from engine import dataset as datasets
from engine import models, settings, space
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.errors import ConfigError, ModelError, NotFoundError
from engine.records import Config, Method, RunKind, RunStatus
from jobs import plans, queue, studies, tasks, views
from jobs.plans import PlanRequest
from jobs.studies import NewRun
from tests.studies import CONFIG, RUN, STUDY, result, study, write
from tests.tiny import tiny_classification, tiny_model, write_jsonl

SECOND = study().runs[1]
FULL = Config(learning_rate=1e-3, num_train_epochs=1, per_device_train_batch_size=8)


@pytest.fixture
def files() -> Artifacts:
    found = tasks.artifacts(settings.current())
    write(found)
    return found


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return datasets.build(write_jsonl(tmp_path / "tickets.jsonl", tiny_classification()))


def model() -> str:
    first = models.registry()[0]
    if not first.embedded:
        pytest.skip("no embedded model is built yet")
    return first.id


def test_a_plan_trains_first_and_scores_what_needs_no_training_last(data: Dataset) -> None:
    plan = plans.make(PlanRequest(data, model(), Method.FULL, k=2, custom=(FULL,)))

    kinds = [spec.kind for spec in plan.specs]
    shortlisted = len(plan.shortlist.entries)
    assert kinds[: shortlisted + 3] == [
        RunKind.DEFAULT,
        *[RunKind.SHORTLIST] * shortlisted,
        RunKind.CUSTOM,
        RunKind.BASE,
    ]
    assert set(kinds[shortlisted + 3 :]) == {RunKind.BASELINE}
    assert plan.study.runs == tuple(spec.run for spec in plan.specs)
    assert [run[-3:] for run in plan.study.runs[:2]] == ["-01", "-02"]


def test_a_real_model_is_also_asked_with_examples_and_its_default_is_what_most_people_run(
    data: Dataset, home: Path, tmp_path: Path
) -> None:
    models.add_local("mine", tiny_model(tmp_path / "mine"), home)

    plan = plans.make(PlanRequest(data, "mine", Method.LORA, k=0, train_size=20))

    default, base, few_shot, *rest = plan.specs
    assert default.config == space.default_config("mine", Method.LORA, 20)
    assert (base.kind, few_shot.kind, few_shot.name) == (RunKind.BASE, RunKind.FEW_SHOT, "few-shot")
    assert {spec.kind for spec in rest} == {RunKind.BASELINE}
    assert few_shot.config is None and few_shot.train_size == 20


def test_a_plan_that_cannot_run_is_refused_in_one_sentence(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = model()
    with pytest.raises(ConfigError, match="k must be"):
        plans.make(PlanRequest(data, name, Method.FULL, k=-1))
    with pytest.raises(ConfigError, match="metric"):
        plans.make(PlanRequest(data, name, Method.FULL, metric="rougeL"))
    with pytest.raises(ConfigError, match="is for full, the study for lora"):
        plans.make(PlanRequest(data, name, Method.LORA, custom=(FULL,)))
    with pytest.raises(ConfigError):
        plans.make(PlanRequest(data, name, Method.FULL, train_size=10_000))
    monkeypatch.setattr(models, "HUB_MODELS", (replace(models.get("Meta-Llama-3-8B"), revision=None),))
    with pytest.raises(ModelError, match="cannot be trained here yet"):
        plans.make(PlanRequest(data, "Meta-Llama-3-8B", Method.FULL))


def test_a_created_study_waits_until_it_is_launched(client: Redis, data: Dataset) -> None:
    plan = plans.make(PlanRequest(data, model(), Method.FULL, k=0))
    studies.create(plan)
    assert queue.waiting(client) == []

    studies.launch(plan.study.study)
    studies.launch(plan.study.study)

    assert queue.waiting(client) == list(plan.study.runs)
    view = views.study(plan.study.study)
    assert view.status is RunStatus.QUEUED
    assert [run.queue_position for run in view.runs] == list(range(1, len(plan.specs) + 1))


def test_a_study_is_extended_by_configs_on_the_same_rows(client: Redis, files: Artifacts) -> None:
    files.write_result(result())
    larger = replace(CONFIG, learning_rate=1e-2)

    (added,) = studies.extend(STUDY, [NewRun("own 1", larger, seed=7)])

    assert added == f"{STUDY}-03"
    assert queue.waiting(client) == [SECOND, added]
    spec = files.read_spec(added)
    assert (spec.kind, spec.config, spec.seed) == (RunKind.CUSTOM, larger, 7)
    assert spec.dataset == files.read_spec(RUN).dataset
    assert views.study(STUDY).study.runs == (RUN, SECOND, added)
    with pytest.raises(ConfigError, match="is for full, the study for lora"):
        studies.extend(STUDY, [NewRun("own 2", FULL)])
    with pytest.raises(ConfigError, match="at most 64 runs"):
        studies.extend(STUDY, [NewRun("own 2", larger)] * 62)


def test_a_stopped_run_leaves_the_queue_and_the_others_go_on(client: Redis, files: Artifacts) -> None:
    studies.launch(STUDY)

    studies.stop(RUN)

    assert queue.waiting(client) == [SECOND]
    assert [run.status for run in views.study(STUDY).runs] == [RunStatus.STOPPED, RunStatus.QUEUED]


def test_a_stopped_study_is_over_and_can_be_retried(client: Redis, files: Artifacts) -> None:
    studies.launch(STUDY)
    studies.stop(STUDY, keep_best=True)
    assert views.study(STUDY).is_over and queue.waiting(client) == []

    studies.retry(STUDY)

    assert queue.waiting(client) == [RUN, SECOND]
    assert views.study(STUDY).status is RunStatus.QUEUED
    assert client.get(queue.stop_key(RUN)) is None


def test_a_finished_run_is_neither_stopped_nor_retried(client: Redis, files: Artifacts) -> None:
    files.write_result(result(RUN))

    studies.stop(STUDY)
    studies.retry(RUN)

    assert files.read_result(RUN) == result(RUN)
    assert queue.waiting(client) == []


def test_a_study_is_renamed_and_noted(files: Artifacts) -> None:
    studies.rename(STUDY, "  Tickets, second try ")
    changed = studies.note(STUDY, "cleaner labels")

    assert (changed.name, changed.note) == ("Tickets, second try", "cleaner labels")
    assert files.read_study(STUDY) == changed
    with pytest.raises(ConfigError, match="1 to 120 characters"):
        studies.rename(STUDY, "   ")


def test_a_deleted_study_stops_and_comes_back_until_it_is_purged(client: Redis, files: Artifacts) -> None:
    studies.launch(STUDY)

    assert studies.delete(STUDY).deleted
    assert queue.waiting(client) == []
    assert not studies.undelete(STUDY).deleted
    with pytest.raises(ConfigError, match="must be deleted before"):
        studies.purge(STUDY)

    studies.launch(STUDY)
    studies.retry(STUDY)
    studies.delete(STUDY)
    studies.purge(STUDY)
    assert queue.status(client, RUN) is None
    with pytest.raises(NotFoundError):
        views.study(STUDY)


def test_a_dataset_in_use_is_kept_and_an_unused_one_leaves_nothing(data: Dataset, tmp_path: Path) -> None:
    studies.save_dataset(data, tmp_path / "tickets.jsonl")
    files = tasks.artifacts(settings.current())
    files.write_study(study(dataset=data.id))
    with pytest.raises(ConfigError, match="uses this dataset"):
        studies.delete_dataset(data.id)

    studies.delete(STUDY)
    studies.delete_dataset(data.id)

    assert datasets.list_saved(files.datasets_root) == []


def test_names_of_other_runs_and_studies_are_not_found(client: Redis, files: Artifacts) -> None:
    for name in ("s-20260131-zzzzzz", f"{STUDY}-99", "../etc"):
        with pytest.raises(NotFoundError):
            studies.stop(name)
