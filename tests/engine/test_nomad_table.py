"""The published 100 evaluations of LLaMA-2-7B by NOMAD (arXiv 2312.00949) end on the edge of their ranges.

What matters in them is tested in test_run_importance.
"""

from __future__ import annotations

import pandas as pd
import pytest

from engine.records import Config
from engine.searchspace import Axis, Scale, Side, Space
from tests.shared import shared

START = Config(1e-5, 2, 128, lr_scheduler_type="cosine", warmup_ratio=0.03, lora_r=8, lora_alpha=32)
SPACE = Space(
    (
        Axis("learning_rate", Scale.LOG, 1e-6, 1e-3),
        Axis("lora_r", Scale.STEPS, values=(4, 8, 16, 32, 64, 128, 256, 512)),
        Axis("lora_alpha", Scale.LINEAR, 1, 64),
        Axis("lora_dropout", Scale.STEPS, values=(0, 1e-4, 1e-3, 1e-2, 1e-1)),  # theirs goes on to 1
    ),
    START,
)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The best first; without the 8 rows of dropout 1, which their table makes doubtful."""
    names = {"rank": "lora_r", "alpha": "lora_alpha", "dropout": "lora_dropout", "lr": "learning_rate"}
    found = pd.read_csv(shared("published/nomad_llama2_100_evaluations.csv")).rename(columns=names)
    return found[found["lora_dropout"] < 1].sort_values("val_loss", kind="stable")


def configs(table: pd.DataFrame) -> list[Config]:
    names = [axis.name for axis in SPACE.axes]
    return [
        SPACE.config(SPACE.point(Config.from_dict({**START.to_dict(), **row})))
        for row in table[names].to_dict("records")
    ]


def test_the_best_value_lies_on_the_edge_of_rank_and_alpha(table: pd.DataFrame) -> None:
    best, second = configs(table)[:2]

    assert [(edge.axis, edge.side, edge.value) for edge in SPACE.edges(best)] == [
        ("lora_r", Side.HIGH, 512),
        ("lora_alpha", Side.HIGH, 64),
    ]
    assert [edge.axis for edge in SPACE.edges(second)] == ["lora_alpha"]


def test_the_space_widened_there_has_no_edge_at_the_best_value(table: pd.DataFrame) -> None:
    best = configs(table)[0]

    wider = SPACE
    for edge in SPACE.edges(best):
        wider = wider.widened(edge.axis, edge.side)

    assert [wider.axis(name).bounds[1] for name in ("lora_r", "lora_alpha")] == [1024, 128]
    assert wider.edges(best) == ()
