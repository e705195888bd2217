"""Time and memory before the start, and what they rest on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine import catalogue, dataset, estimate, grids, machine, models, processor, settings, space, speed
from engine.dataset import Dataset
from engine.estimate import Crew, Pace, estimate_study, pace, seconds_of_run, side_by_side
from engine.machine import Memory
from engine.models import HUB_MODELS, BaseModel, Provenance, Shape
from engine.records import Config, Method, RunKind, RunResult, RunSpec, RunStatus, Score, Task
from engine.speed import Rates, Speed
from engine.workload import Work
from tests.engine.gridfiles import MODEL, publish
from tests.tiny import tiny_classification, tiny_model, write_jsonl

TINY = BaseModel(MODEL, 3_672_320, 512, "Apache-2.0", Shape(4, 256, 512, 256), Provenance.NONE, folder=MODEL)
WORK = Work(100, 200, 200, shared=0, prompt=180, answer=20, room=30, longest=260, lossy_rows=200)
RATES = Rates(1e11, 1e11, 1e11)
SPEED = Speed("one", "avx512", RATES, None, 0.0, measured=True)
RATE = {"tuned": 40.0, "bare": 20.0, "examples": 10.0}
PACE = Pace(SPEED, "measured", (1, 1), tokens_per_second=5000, rows_per_second=RATE)
SPLITS: dict[str, tuple[int, ...]] = {"train": (), "dev": (), "test": ()}
DATA = Dataset("d", "d", "d.jsonl", Task.QA, {}, (), (), SPLITS, (), 0, False, 0)
LOADS = 1 + estimate.LOADING * TINY.parameters


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
    found = seconds_of_run(TINY, spec_of(), WORK, PACE)

    assert found == pytest.approx(LOADS + 3 * 100 * 200 / 5000 + 400 / 40)


@pytest.mark.parametrize(("kind", "seconds"), [(RunKind.BASE, 20), (RunKind.FEW_SHOT, 40)])
def test_untuned_models_have_a_pace_of_their_own(kind: RunKind, seconds: float) -> None:
    assert seconds_of_run(TINY, spec_of(kind), WORK, PACE) == pytest.approx(LOADS + seconds)


def test_a_baseline_takes_about_a_second() -> None:
    assert seconds_of_run(TINY, spec_of(RunKind.BASELINE), WORK, PACE) == 1


def test_where_nothing_was_measured_each_piece_follows_from_the_processor() -> None:
    real = catalogue.SMOLLM2
    lora = replace(spec_of(model=real.id), config=Config(1e-3, 2, 8, lora_r=16, lora_alpha=32))

    slow, fast = (
        seconds_of_run(real, lora, WORK, Pace(replace(SPEED, float32=rates), "", (1, 1)))
        for rates in (RATES, Rates(2e11, 2e11, 2e11))
    )

    a_token = 4 * real.shape.layer_parameters
    assert slow > 2 * 100 * 200 * a_token / 1e11
    assert 0.5 < fast / slow < 0.7


def test_longer_answers_more_labels_and_examples_each_take_longer() -> None:
    real, pace_of = catalogue.SMOLLM2, Pace(SPEED, "", (1, 1))
    bare, shown = (spec_of(kind, model=real.id) for kind in (RunKind.BASE, RunKind.FEW_SHOT))

    def seconds(spec: RunSpec, **changes: object) -> float:
        return seconds_of_run(real, spec, replace(WORK, **changes), pace_of)  # type: ignore[arg-type]

    assert seconds(bare, room=60) > 1.1 * seconds(bare)
    assert seconds(bare, labels=(3, 3, 4)) > seconds(bare)
    assert seconds(shown, examples=400.0) > seconds(shown)


def test_a_prompt_that_all_rows_share_is_read_once() -> None:
    real, pace_of = catalogue.SMOLLM2, Pace(SPEED, "", (1, 1))
    base = spec_of(RunKind.BASE, model=real.id)

    apart, shared = (
        seconds_of_run(real, base, replace(WORK, shared=s, prompt=180 - s), pace_of) for s in (0, 120)
    )

    assert shared < 0.7 * apart


def test_runs_side_by_side_take_as_long_as_the_busiest_worker() -> None:
    assert side_by_side([5, 1, 1, 1], 2) == 5
    assert side_by_side([5, 1, 1, 1], 1) == 8
    assert side_by_side([], 2) == 0


def test_runs_of_this_machine_beat_any_other_evidence() -> None:
    found = pace(TINY, Method.FULL, DATA, [earlier_run()])

    assert (found.tokens_per_second, found.rows_per_second["tuned"]) == (8000, 20)
    assert found.basis == "Measured in 1 earlier runs on this machine."


def test_a_run_on_a_busy_machine_counts_by_the_processor_time_that_it_had() -> None:
    alone = earlier_run()
    busy = replace(
        alone, facts={**alone.facts, "device": "CPU, 1 threads", "threads": 1, "cpu_seconds": 21.0 / 2}
    )

    found = pace(TINY, Method.FULL, DATA, [busy])

    assert found.tokens_per_second == 16_000
    assert found.rows_per_second["tuned"] > 2 * 20


def test_scoring_of_a_real_llm_is_taken_from_runs_on_the_same_rows_only() -> None:
    real, other = catalogue.SMOLLM2, earlier_run()
    same = replace(other, facts={**other.facts, "dataset": DATA.id})

    assert not pace(real, Method.FULL, DATA, [other]).rows_per_second
    assert pace(real, Method.FULL, DATA, [same]).rows_per_second["tuned"] == 20


def test_without_them_the_grid_is_scaled_by_the_speed_of_the_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(tmp_path / "grids")
    manifest = json.loads((folder / "manifest.json").read_text())
    figures = {"qa": {"tokens_per_second": 1000.0, "rows_per_second": 5.0}}
    manifest["pace"] = {"machine_speed": 1e9, "full": figures}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(estimate, "machine_speed", lambda: 2e9)

    found = pace(TINY, Method.FULL, DATA)

    assert (found.tokens_per_second, found.rows_per_second["tuned"]) == (2000, 10)
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

    assert pace(TINY, Method.FULL, DATA).tokens_per_second == 1000.0


def test_with_no_evidence_at_all_it_is_called_a_guess_with_a_wide_range() -> None:
    found = pace(TINY, Method.LORA, DATA)

    assert "a guess" in found.basis
    assert found.spread == (0.6, 1.7)


def test_the_measured_speed_of_the_processor_narrows_the_range() -> None:
    kept = replace(speed.of_table(processor.allowed_here()), measured=True)
    settings.current().home.mkdir(parents=True, exist_ok=True)
    speed.keep(settings.current().home, kept)

    found = pace(TINY, Method.LORA, DATA)

    assert found.speed == kept
    assert found.spread == (0.8, 1.3)


def test_a_guess_knows_whether_there_is_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    large, size = HUB_MODELS[0], spec_of(method=Method.LORA, model=HUB_MODELS[0].id)
    slow = seconds_of_run(large, size, WORK, pace(large, Method.LORA, DATA))
    monkeypatch.setattr(machine, "memory", lambda: Memory(80 * 10**9, of_gpu=True))

    assert seconds_of_run(large, size, WORK, pace(large, Method.LORA, DATA)) < slow / 10


def test_smollm2_on_a_hundred_short_rows_takes_minutes() -> None:
    real, size = catalogue.SMOLLM2, replace(WORK, prompt=50, answer=10, room=15)
    config = Config(1e-3, 5, 8, lora_r=16, lora_alpha=32)
    spec = replace(spec_of(model=real.id), config=config)

    for kind in speed.TABLE:
        seconds = seconds_of_run(real, spec, size, Pace(speed.of_table(kind), "", (1, 1)))
        assert 60 < seconds < 3600, kind


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
    assert both.low < both.seconds < both.high
    assert estimate_study([default, base], data, [earlier_run()], Crew(2)).seconds < both.seconds
