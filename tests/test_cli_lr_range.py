"""The `lr-range` command: one ramp in a worker, one JSON document, bad input in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import models
from tests import tiny
from tests.test_cli import run


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return tiny.write_jsonl(tmp_path / "colours.jsonl", tiny.tiny_classification(80))


@pytest.mark.slow
def test_a_learning_rate_is_suggested_with_the_curve_behind_it(colours: Path) -> None:
    model = models.registry()[0].id

    found = run("lr-range", colours, "--model", model, "--method", "lora", "--json", timeout=110)

    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    expected = {
        "suggestion",
        "corrected",
        "learning_rates",
        "losses",
        "smoothed",
        "stopped",
        "steps",
        "seconds",
    }
    assert expected <= set(facts)
    curves = (facts["learning_rates"], facts["losses"], facts["smoothed"])
    assert {len(curve) for curve in curves} == {facts["steps"]}
    assert facts["learning_rates"][0] / 10 <= facts["corrected"] <= facts["learning_rates"][-1] / 10
    assert "step" in found.stderr


def test_an_unknown_model_is_refused_in_one_sentence(colours: Path) -> None:
    found = run("lr-range", colours, "--model", "../../etc", "--method", "lora")

    assert found.returncode == 2
    assert "There is no model '../../etc'" in found.stderr
