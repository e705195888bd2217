"""The learning-rate range test: what curves suggest, and one ramp climbed for real on a tiny model."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import loading, lr_range, models
from engine.dataset import Dataset
from engine.errors import ConfigError, ModelError, TrainingError
from engine.lr_range import LAG, LrRange, Question, Ramp
from engine.records import Config, Method

MODEL = "shortlist-tiny-1m"
RATES = Ramp(1e-6, 1e-2).rates

pytestmark = pytest.mark.trains


def falling(middle: float, decades: float, noise: float = 0.0) -> list[float]:
    """A loss from 5 to 1 that falls most steeply at a learning rate, most of it within so many decades."""
    draw = random.Random(0)
    return [
        3 - 2 * math.tanh(2 * math.log10(rate / middle) / decades) + draw.gauss(0, noise) for rate in RATES
    ]


def noise(steps: int) -> list[float]:
    draw = random.Random(1)
    return [draw.gauss(2, 0.2) for _ in range(steps)]


def test_a_ramp_climbs_by_the_same_factor() -> None:
    assert RATES[0] == 1e-6 and len(RATES) == 100
    assert {round(after / before, 9) for before, after in zip(RATES, RATES[1:], strict=False)} == {
        round(10**0.04, 9)
    }


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("decades", [0.3, 1.0])
@pytest.mark.parametrize("middle", [1e-4, 5e-4])
def test_the_corrected_suggestion_is_a_tenth_of_the_steepest_descent(
    middle: float, decades: float, noise: float
) -> None:
    found = lr_range.suggest(RATES, falling(middle, decades, noise))

    assert found.corrected == pytest.approx(middle / 10, rel=0.35)
    assert found.rate > found.corrected
    assert found.least > middle


def test_the_steepest_descent_is_less_late_the_faster_the_loss_falls() -> None:
    late = [
        math.log10(10 * lr_range.suggest(RATES, falling(1e-4, decades)).rate / 1e-4) * 25
        for decades in (0.1, 1.0, 2.0)
    ]

    assert 0 < late[0] < late[1] < late[2] < LAG


def test_the_smoothed_loss_is_nineteen_steps_late() -> None:
    slope = [float(step) for step in range(200)]

    assert LAG == 19
    assert slope[-1] - lr_range.smooth(slope)[-1] == pytest.approx(LAG, abs=0.01)


def test_a_single_step_moves_the_smoothed_loss_by_a_twentieth() -> None:
    assert lr_range.smooth([2.0, 4.0]) == (2.0, pytest.approx(2.1))


@pytest.mark.parametrize(
    "losses",
    [
        [2.0] * 100,
        [2.0 + step / 100 for step in range(100)],
        noise(100),
        [9.0, *noise(99)],
    ],
    ids=["flat", "rising", "noise", "noise after an odd first batch"],
)
def test_a_loss_that_does_not_fall_is_refused(losses: list[float]) -> None:
    with pytest.raises(TrainingError, match="did not fall between learning rates 1.0e-06 and 9.1e-03"):
        lr_range.suggest(RATES, losses)


def test_a_ramp_that_broke_off_early_is_refused() -> None:
    with pytest.raises(TrainingError, match="after 20 steps: start the ramp at a lower"):
        lr_range.suggest(RATES[:20], falling(1e-5, 1.0)[:20])


@pytest.mark.parametrize("ends", [(0.0, 1e-2), (1e-2, 1e-3), (1e-3, 1.0)])
def test_a_ramp_that_does_not_climb_is_refused(ends: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="climbs from above 0 to below 1"):
        Ramp(*ends)


def test_the_embedded_models_are_led_ten_times_higher() -> None:
    assert lr_range.ramp(MODEL) == Ramp(1e-5, 1e-1)
    assert lr_range.ramp("llama-3-8b") == Ramp(1e-6, 1e-2)


def climb(
    data: Dataset, question: Question, ramp: Ramp, stopped: Callable[[], bool] = lambda: False
) -> LrRange | None:
    return lr_range.measure(data, question, ramp, lambda *_: None, stopped)


@pytest.mark.parametrize("method", Method)
def test_a_ramp_on_real_rows_suggests_a_rate_on_it(method: Method, colours: Dataset) -> None:
    ramp = lr_range.ramp(MODEL)
    told: list[int] = []

    found = lr_range.measure(
        colours, Question(MODEL, method), ramp, lambda step, steps, loss: told.append(step), lambda: False
    )

    assert found is not None and found.problem is None
    assert found.suggestion is not None and found.corrected is not None
    assert ramp.low / 10 <= found.corrected < found.suggestion < ramp.high / 10
    assert found.learning_rates == ramp.rates[: found.steps] and told == list(range(1, found.steps + 1))
    assert min(found.losses) < found.losses[0] - 0.5
    assert found.smoothed == lr_range.smooth(found.losses)
    assert found.conditions["per_device_train_batch_size"] == 8
    assert found.least is not None and found.centre == found.least / 2
    assert LrRange.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_the_same_seed_climbs_the_same(colours: Dataset) -> None:
    question, ramp = Question(MODEL, Method.LORA), Ramp(1e-5, 1e-2, 2 * LAG)

    first, again = climb(colours, question, ramp), climb(colours, question, ramp)
    other = climb(colours, replace(question, seed=1), ramp)

    assert first is not None and again is not None and other is not None
    assert first.losses == pytest.approx(again.losses, abs=1e-3)
    assert first.losses != pytest.approx(other.losses, abs=1e-3)


def test_the_ramp_stops_at_the_step_whose_loss_leaves_its_range(
    colours: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    loaded: list[Any] = []
    load = loading.load_model

    def keep(folder: Path, method: Method = Method.FULL) -> Any:
        loaded.append(load(folder, method))
        return loaded[0]

    def spoil(step: int, steps: int, loss: float) -> None:
        if step == 49:  # from then on it is sure of wrong answers, in every number format
            with torch.no_grad():
                loaded[0].get_output_embeddings().weight *= -1e4

    monkeypatch.setattr(loading, "load_model", keep)
    found = lr_range.measure(colours, Question(MODEL, Method.FULL), Ramp(1e-4, 1e-2), spoil, lambda: False)

    assert found is not None and (found.stopped, found.steps, len(found.losses)) == (True, 50, 50)
    assert found.smoothed[-1] > 4 * min(found.smoothed) > found.smoothed[-2]


def test_a_ramp_that_nobody_wants_any_more_ends(colours: Dataset) -> None:
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) >= 3

    assert climb(colours, Question(MODEL, Method.FULL), lr_range.ramp(MODEL), stopped) is None
    assert len(asked) == 3


def test_the_models_files_are_as_before(colours: Dataset) -> None:
    before = models.sha256(models.get(MODEL))

    climb(colours, Question(MODEL, Method.FULL), Ramp(1e-3, 1e-1, 2 * LAG))

    assert models.sha256(models.get(MODEL)) == before


def test_an_unknown_model_is_named(colours: Dataset) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        climb(colours, Question("../../etc", Method.FULL), Ramp(1e-5, 1e-1))


def test_a_question_comes_back_as_written() -> None:
    config = Config(1e-3, 1, 8, lora_r=8, lora_alpha=16)
    question = Question(MODEL, Method.LORA, config, train_size=100, seed=3)

    assert Question.from_dict(json.loads(json.dumps(question.to_dict()))) == question
