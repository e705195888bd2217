"""Time and memory before the start, and what they rest on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine import dataset, estimate, grids, machine, models, space
from engine.dataset import Dataset
from engine.estimate import Pace, Work, estimate_run, estimate_study, pace
from engine.machine import Memory
from engine.models import HUB_MODELS, BaseModel, Provenance, Shape
from engine.records import Method, RunKind, RunResult, RunSpec, RunStatus, Score, Task
from tests.engine.gridfiles import MODEL, publish
from tests.tiny import tiny_classification, tiny_model, write_jsonl

TINY = BaseModel(MODEL, 3_672_320, 512, "Apache-2.0", Shape(4, 256, 512, 256), Provenance.NONE, folder=MODEL)
WORK = Work(train_rows=100, eval_rows=400, tokens_per_row=200)
SPEED = Pace(tokens_per_second=5000, rows_per_second=40, basis="measured")


@pytest.fixture(autouse=True)
def no_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No published grid."""
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")


def spec_of(kind: RunKind = RunKind.SHORTLIST, method: Method = Method.FULL, model: str = MODEL) -> RunSpec:
    config = space.default_config(model, method) if kind.trains else None
    return RunSpec("r", "s", kind, "run", "d", Task.QA, model, method, "token_f1", config=config)


def earlier_run() -> RunResult:
    score = Score(0.5, 0.4, 0.6, 100)
    facts = {"tokens_per_second": 8000.0, "training_seconds": 10.0}
    return RunResult("r", 1, RunStatus.FINISHED, dev=score, test=score, seconds=21.0, facts=facts)


def test_a_training_takes_its_tokens_and_then_its_scoring() -> None:
    found = estimate_run(TINY, spec_of(), WORK, SPEED)

    assert found.seconds == pytest.approx(1 + 3 * 100 * 200 / 5000 + 400 / 40)


def test_an_untuned_classifier_is_scored_in_two_ways() -> None:
    base = spec_of(RunKind.BASE)

    assert estimate_run(TINY, base, WORK, SPEED).seconds == 11
    assert estimate_run(TINY, replace(base, task=Task.CLASSIFICATION), WORK, SPEED).seconds == 21


def test_rows_behind_examples_take_longer_to_score() -> None:
    assert estimate_run(TINY, spec_of(RunKind.FEW_SHOT), WORK, SPEED).seconds == pytest.approx(1 + 1.4 * 10)


def test_a_baseline_takes_about_a_second() -> None:
    assert estimate_run(TINY, spec_of(RunKind.BASELINE), WORK, SPEED).seconds == 1


def test_runs_of_this_machine_beat_any_other_evidence() -> None:
    found = pace(TINY, Method.FULL, Task.QA, [earlier_run()])

    assert (found.tokens_per_second, found.rows_per_second) == (8000, 20)
    assert found.basis == "Measured in 1 earlier runs on this machine."


def test_without_them_the_grid_is_scaled_by_the_speed_of_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(tmp_path / "grids")
    manifest = json.loads((folder / "manifest.json").read_text())
    figures = {"qa": {"tokens_per_second": 1000.0, "rows_per_second": 5.0}}
    manifest["pace"] = {"machine_speed": 1e9, "full": figures}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(estimate, "machine_speed", lambda: 2e9)

    found = pace(TINY, Method.FULL, Task.QA)

    assert (found.tokens_per_second, found.rows_per_second) == (2000, 10)
    assert "scaled to this machine (2.0 times as fast)" in found.basis


def test_a_grid_of_two_models_has_a_pace_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = publish(tmp_path / "grids")
    manifest = json.loads((folder / "manifest.json").read_text())
    slow, quick = (
        {"full": {"qa": {"tokens_per_second": speed, "rows_per_second": 5.0}}} for speed in (1000.0, 9000.0)
    )
    manifest["pace"] = {"machine_speed": 1e9, "by_model": {TINY.id: slow, "shortlist-tiny-1m": quick}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(estimate, "machine_speed", lambda: 1e9)

    assert pace(TINY, Method.FULL, Task.QA).tokens_per_second == 1000.0


def test_with_no_evidence_at_all_it_is_called_a_guess() -> None:
    assert pace(TINY, Method.LORA, Task.QA).basis.startswith("A guess")


@pytest.mark.parametrize(("method", "low", "high"), [(Method.FULL, 128, 132), (Method.LORA, 16, 20)])
def test_an_8b_model_needs_16_bytes_a_weight_in_full_and_2_with_lora(
    method: Method, low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "memory", lambda: Memory(80 * 10**9, of_gpu=True))

    found = estimate_run(HUB_MODELS[0], spec_of(method=method, model=HUB_MODELS[0].id), WORK, SPEED)

    assert low < found.memory_bytes / 1e9 < high


def test_a_guess_knows_whether_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = pace(HUB_MODELS[0], Method.LORA, Task.QA).tokens_per_second
    monkeypatch.setattr(machine, "memory", lambda: Memory(80 * 10**9, of_gpu=True))

    assert pace(HUB_MODELS[0], Method.LORA, Task.QA).tokens_per_second > 1000 * slow


def test_without_a_gpu_the_base_of_lora_stays_in_full_precision() -> None:
    model = HUB_MODELS[0]

    of_gpu, of_machine = (
        estimate.fit(model, Method.LORA, Memory(32 * 10**9, on_gpu)) for on_gpu in (True, False)
    )

    assert of_gpu.fits
    assert not of_machine.fits
    assert of_machine.needed - of_gpu.needed > 2 * model.parameters


def test_tokens_of_a_model_that_is_not_here_are_guessed_from_the_letters(tmp_path: Path) -> None:
    data = dataset.build(write_jsonl(tmp_path / "rows.jsonl", tiny_classification(60)))

    assert 5 < estimate.tokens_per_row(data, HUB_MODELS[0]) < 20


def test_a_study_adds_up_its_runs_and_needs_the_memory_of_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_model(tmp_path / "weights"), tmp_path / "models" / MODEL)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    data: Dataset = dataset.build(write_jsonl(tmp_path / "rows.jsonl", tiny_classification(60)))
    default, base = (replace(spec_of(kind), task=data.task) for kind in (RunKind.DEFAULT, RunKind.BASE))

    one, other = (estimate_study([spec], data, [earlier_run()]) for spec in (default, base))
    both = estimate_study([default, base], data, [earlier_run()])

    assert both.seconds == pytest.approx(one.seconds + other.seconds)
    assert both.memory_bytes == max(one.memory_bytes, other.memory_bytes)
    assert estimate_study([default, base], data, [earlier_run()], workers=2).seconds < both.seconds
