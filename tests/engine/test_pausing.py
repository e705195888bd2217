"""A training that stands still and goes on ends as one that never did; a bad checkpoint is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import loading, pausing, train
from engine.dataset import Dataset
from engine.metrics import METRICS
from engine.pausing import Pauses
from engine.records import Config, RunKind, RunResult, RunSpec, RunStatus
from engine.space import EARLY_STOPPING
from engine.watch import StopMode

MODEL = "shortlist-tiny-1m"
FULL = Config(3e-3, 3, 4, lr_scheduler_type="linear", warmup_ratio=0.1, weight_decay=0.01)
LORA = replace(FULL, learning_rate=1e-2, lora_r=8, lora_alpha=16, lora_dropout=0.1)

pytestmark = pytest.mark.trains


def spec_of(data: Dataset, config: Config = FULL, **changes: Any) -> RunSpec:
    return RunSpec(
        "s-1-01",
        "s-1",
        RunKind.SEARCH,
        name="search 1",
        dataset=data.id,
        task=data.task,
        model=MODEL,
        method=config.method,
        metric=METRICS[data.task][0],
        config=config,
        **changes,
    )


def carry_out(spec: RunSpec, data: Dataset, folder: Path, checkpoint: Path | None = None) -> RunResult:
    return train.run(spec, data, folder, 1, lambda kind, values: None, lambda: None, checkpoint)


def in_parts(spec: RunSpec, data: Dataset, folder: Path, *shares: float) -> tuple[list[RunResult], RunResult]:
    """The results at each pause, and that of the end."""
    checkpoint: Path | None = None
    pauses = []
    for number, share in enumerate(shares):
        part = folder / str(number)
        pauses.append(carry_out(replace(spec, pause_at=share), data, part, checkpoint))
        checkpoint = part / pausing.FOLDER
    return pauses, carry_out(spec, data, folder / "end", checkpoint)


def trained(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {k: v for p in sorted(folder.glob("*/*.safetensors")) for k, v in load_file(p).items()}


def epoch_losses(result: RunResult) -> list[float]:
    return [entry["eval_loss"] for entry in result.facts["log_history"] if "eval_loss" in entry]


@pytest.mark.parametrize("config", [FULL, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("shares", [(0.5,), (1 / 3,), (0.2, 0.8)], ids=["within", "between epochs", "twice"])
def test_a_training_that_stood_still_ends_as_one_that_did_not(
    config: Config, shares: tuple[float, ...], colours: Dataset, tmp_path: Path
) -> None:
    import torch

    spec = spec_of(colours, config)
    whole = carry_out(spec, colours, tmp_path / "whole")

    pauses, end = in_parts(spec, colours, tmp_path, *shares)

    assert [result.status for result in pauses] == [RunStatus.STOPPED] * len(shares)
    assert end.status is RunStatus.FINISHED
    assert end.facts["continued_from"] == pauses[-1].facts["paused"]["step"]
    assert end.facts["row_losses"] == pytest.approx(whole.facts["row_losses"], abs=2e-5)
    assert epoch_losses(end) == pytest.approx(epoch_losses(whole), abs=1e-5)
    expected, found = trained(tmp_path / "whole"), trained(tmp_path / "end")
    assert expected and expected.keys() == found.keys()
    assert all(torch.allclose(expected[name], found[name], atol=1e-5) for name in expected)


@pytest.fixture
def standing(colours: Dataset, tmp_path: Path) -> tuple[RunResult, Path]:
    """A training that stands in the middle of its second epoch, with its checkpoint."""
    result = carry_out(spec_of(colours, pause_at=0.5), colours, tmp_path / "first")
    return result, tmp_path / "first" / pausing.FOLDER


def test_a_training_that_stands_still_says_where_and_how_good_it_is(
    standing: tuple[RunResult, Path], colours: Dataset
) -> None:
    result, checkpoint = standing

    paused = result.facts["paused"]
    assert (result.status, result.dev, result.test, result.error) == (RunStatus.STOPPED, None, None, None)
    assert (paused["at"], paused["step"], result.facts["steps"]) == (0.5, 16, 16)
    assert len(paused["row_losses"]) == len(colours.split("dev"))
    assert paused["loss"] == pytest.approx(sum(paused["row_losses"]) / len(paused["row_losses"]), abs=1e-5)
    assert result.facts["note"] == "The training stands still after 16 steps, 50% of its schedule."
    assert [path.name for path in checkpoint.parent.iterdir()] == [pausing.FOLDER]
    assert RunResult.from_dict(json.loads(json.dumps(result.to_dict()))) == result


def test_the_end_counts_the_steps_and_the_cost_of_both_parts(
    standing: tuple[RunResult, Path], colours: Dataset, tmp_path: Path
) -> None:
    first, checkpoint = standing

    end = carry_out(spec_of(colours), colours, tmp_path / "end", checkpoint)

    assert (end.facts["steps"], end.facts["continued_from"]) == (33, 16)
    assert end.facts["tokens"] == pytest.approx(first.facts["tokens"] * 33 / 16, rel=0.02)
    assert end.facts["training_seconds"] > first.facts["training_seconds"]
    assert end.facts["first_step_seconds"] == first.facts["first_step_seconds"]
    assert end.seconds is not None and first.seconds is not None and end.seconds > first.seconds
    steps = [entry["step"] for entry in end.facts["log_history"] if "loss" in entry]
    assert steps == list(range(1, 34))
    assert len(end.facts["row_losses"]) == len(colours.split("dev"))
    mean = sum(end.facts["row_losses"]) / len(end.facts["row_losses"])
    assert mean == pytest.approx(end.facts["dev_loss"], abs=1e-5)


def test_patience_goes_on_where_it_was(swapped: Dataset, tmp_path: Path) -> None:
    spec = spec_of(swapped, replace(FULL, num_train_epochs=40), **EARLY_STOPPING)
    whole = carry_out(spec, swapped, tmp_path / "whole")
    assert whole.facts["kept_epoch"] < whole.facts["stopped_epoch"] - 1

    _, end = in_parts(spec, swapped, tmp_path, (whole.facts["kept_epoch"] + 1.5) / 40)

    for fact in ("kept_epoch", "stopped_epoch", "note"):
        assert end.facts[fact] == whole.facts[fact]
    assert end.facts["row_losses"] == pytest.approx(whole.facts["row_losses"], abs=2e-5)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("optimizer.pt", "its optimizer.pt is missing or damaged"),
        ("model.safetensors", "its model.safetensors is missing or damaged"),
        (pausing.MANIFEST, "its pause.json is missing or damaged"),
    ],
)
@pytest.mark.parametrize("damage", [lambda p: p.unlink(), lambda p: p.write_bytes(p.read_bytes()[:-9])])
def test_a_damaged_checkpoint_is_told_and_the_training_begins_again(
    name: str,
    cause: str,
    damage: Callable[[Path], object],
    standing: tuple[RunResult, Path],
    colours: Dataset,
    tmp_path: Path,
) -> None:
    _, checkpoint = standing
    damage(checkpoint / name)

    end = carry_out(spec_of(colours), colours, tmp_path / "end", checkpoint)

    assert (end.status, end.facts["steps"]) == (RunStatus.FINISHED, 33)
    assert "continued_from" not in end.facts
    assert end.facts["note"] == (
        f"The checkpoint could not be used ({cause}): the training began again from its start."
    )


def test_a_checkpoint_of_other_versions_or_another_config_is_not_gone_on_from(
    standing: tuple[RunResult, Path], colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, checkpoint = standing

    other = carry_out(
        spec_of(colours, replace(FULL, learning_rate=1e-3)), colours, tmp_path / "a", checkpoint
    )
    now = loading.versions()
    monkeypatch.setattr(loading, "versions", lambda: {**now, "torch": "0.4"})
    older = carry_out(spec_of(colours), colours, tmp_path / "b", checkpoint)

    assert "(it was written with other config)" in other.facts["note"]
    assert "(it was written with other versions)" in older.facts["note"]
    assert other.status is older.status is RunStatus.FINISHED


def test_a_checkpoint_behind_the_asked_pause_is_not_gone_on_from(
    standing: tuple[RunResult, Path], colours: Dataset, tmp_path: Path
) -> None:
    _, checkpoint = standing

    again = carry_out(spec_of(colours, pause_at=0.2), colours, tmp_path / "again", checkpoint)

    assert again.facts["paused"]["step"] == 7
    assert "(it stands at step 16, not before the asked 7)" in again.facts["note"]


@pytest.mark.parametrize(
    ("share", "total", "step"),
    [(0.25, 100, 25), (0.01, 10, 1), (0.99, 10, 9), (0.5, 1, None), (None, 10, None)],
)
def test_a_pause_is_after_one_step_at_least_and_before_the_last(
    share: float | None, total: int, step: int | None
) -> None:
    assert Pauses(share=share).step(total) == step


def test_a_person_who_stops_a_run_is_heard_before_its_pause(colours: Dataset, tmp_path: Path) -> None:
    stages: list[Any] = []

    def stop() -> StopMode | None:
        return StopMode.KEEP_BEST if "training" in stages else None

    result = train.run(
        spec_of(colours, pause_at=0.01),
        colours,
        tmp_path,
        1,
        lambda kind, values: stages.append(values.get("stage")),
        stop,
    )

    assert result.status is RunStatus.STOPPED and result.dev is not None
    assert "paused" not in result.facts
    assert {path.name for path in tmp_path.iterdir()} == {"model", "predictions.parquet"}


def test_a_run_scored_at_chosen_epochs_cannot_stand_still(colours: Dataset, tmp_path: Path) -> None:
    result = carry_out(spec_of(colours, pause_at=0.5, score_epochs=(1, 3)), colours, tmp_path)

    assert (result.status, result.error) == (
        RunStatus.FAILED,
        "A run that is scored at chosen epochs cannot stand still: leave out pause_at.",
    )
