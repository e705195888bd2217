"""What matters in a search of few runs: for a published one of a 7B model, the learning rate."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from engine.records import Config, RunStatus
from engine.run_importance import FEWEST, importance
from engine.search import Trial
from engine.searched import Measure
from engine.searchspace import Axis, Scale
from tests import studies
from tests.shared import shared

LOSS = Measure("loss")
AXES = (
    Axis("learning_rate", Scale.LOG, 1e-6, 1e-3),
    Axis("lora_r", Scale.STEPS, values=(4, 8, 16, 32, 64, 128, 256, 512)),
    Axis("lora_alpha", Scale.LINEAR, 1, 64),
    Axis("lora_dropout", Scale.LINEAR, 0, 0.2),
)


def trial(number: int, config: Config, loss: float | None) -> Trial:
    status = RunStatus.FAILED if loss is None else RunStatus.FINISHED
    return Trial(f"r{number}", config, status, True, loss=loss)


def nomad() -> list[Trial]:
    """The 100 evaluations of LLaMA-2-7B by NOMAD; dropout 1, with which nothing is learned, is left out."""
    table = pd.read_csv(shared("published/nomad_llama2_100_evaluations.csv"))
    table = table[table["dropout"] < 1]
    configs = [
        Config(row.lr, 2, 4, lora_r=row.rank, lora_alpha=row.alpha, lora_dropout=row.dropout)
        for row in table.itertuples()
    ]
    return [
        trial(n, config, float(loss))
        for n, (config, loss) in enumerate(zip(configs, table["val_loss"], strict=True))
    ]


def test_the_published_evaluations_name_the_learning_rate_first() -> None:
    found = importance(nomad(), AXES, LOSS)

    assert found is not None
    assert found[0].name == "learning_rate"
    assert found[0].share > 0.5
    assert abs(sum(share.share for share in found) - 1) < 1e-6


def test_few_trainings_name_nothing() -> None:
    configs = [replace(studies.CONFIG, learning_rate=1e-4 * n) for n in range(1, FEWEST)]
    trials = [trial(n, config, float(n)) for n, config in enumerate(configs)]

    assert importance(trials, AXES, LOSS) is None
    assert importance([*trials, trial(9, studies.CONFIG, None)], AXES, LOSS) is None


def test_what_does_not_vary_is_left_out() -> None:
    configs = [replace(studies.CONFIG, learning_rate=1e-4 * n) for n in range(1, 10)]

    found = importance([trial(n, config, float(n)) for n, config in enumerate(configs)], AXES, LOSS)

    assert found is not None
    assert [share.name for share in found] == ["learning_rate"]
