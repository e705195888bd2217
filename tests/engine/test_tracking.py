"""Trackers are told of studies' trainings; one that fails or is missing costs no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine import tracking
from engine.errors import ConfigError
from engine.records import RunKind
from tests import studies
from tests.tiny import tiny_model


def train_a_little(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from engine.encode import Encoded
    from engine.finetune import finetune
    from engine.watch import Hooks

    tiny_model(folder)
    rows = [Encoded([5, 6, 7], [8, 0], False) for _ in range(8)]
    hooks = Hooks(lambda kind, data: None, lambda: None, lambda model, epoch: None)
    model = AutoModelForCausalLM.from_pretrained(folder)
    return finetune(model, AutoTokenizer.from_pretrained(folder), rows, studies.CONFIG, 0, hooks)


def test_names_are_read_as_report_to_has_them() -> None:
    assert tracking.chosen("tensorboard, MLflow,,tensorboard") == ("tensorboard", "mlflow")
    assert tracking.chosen("") == ()
    with pytest.raises(ConfigError, match="takes tensorboard, mlflow, wandb, but has 'excel'"):
        tracking.chosen("tensorboard,excel")


def test_a_tracker_that_is_not_installed_is_said_and_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tracking.PACKAGES, "mlflow", ("no_such_package",))

    with tracking.of_run(studies.spec(), "mlflow", tmp_path) as found:
        assert tracking.callbacks() == []

    (sentence,) = found.facts["tracking_problems"]
    assert "mlflow is named in SHORTLIST_REPORT_TO but not installed" in sentence
    assert "trackers" not in found.facts


def test_an_unknown_tracker_fails_no_run(tmp_path: Path) -> None:
    with tracking.of_run(studies.spec(), "excel", tmp_path) as found:
        assert tracking.callbacks() == []

    assert "has 'excel'" in found.problems[0]


def test_runs_that_do_not_train_and_runs_of_a_grid_are_not_tracked(tmp_path: Path) -> None:
    with tracking.of_run(studies.spec(kind=RunKind.BASE), "tensorboard", tmp_path) as found:
        assert found.facts == {}
    assert tracking.callbacks() == []


@pytest.mark.slow
def test_tensorboard_gets_the_losses_of_a_training(tmp_path: Path) -> None:
    with tracking.of_run(studies.spec(), "tensorboard", tmp_path) as found:
        train_a_little(tmp_path / "model")

    (events,) = tracking.folder(tmp_path, studies.RUN).glob("events.out.tfevents.*")
    assert b"train/loss" in events.read_bytes()
    assert found.facts == {"trackers": ["tensorboard"]}


@pytest.mark.slow
def test_a_tracker_that_fails_is_silenced_and_the_training_goes_on(tmp_path: Path) -> None:
    (tmp_path / "tracking").write_text("a file where TensorBoard wants a folder")

    with tracking.of_run(studies.spec(), "tensorboard", tmp_path) as found:
        training = train_a_little(tmp_path / "model")

    assert training.steps == 3
    (problem,) = found.problems
    assert problem.startswith("tensorboard was not told of the run (")
