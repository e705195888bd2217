"""Cells at chance level are recognised by their rows."""

from math import nan, sqrt

import numpy as np
import pandas as pd
import pytest

from engine.coverage import LeftOut, rank_configs
from engine.floor import mean_and_error


def cell(
    dataset: str, best: list[float], floor: list[float], groups: list[int] | None = None
) -> pd.DataFrame:
    """A good and a failed config on one dataset."""
    rows = {
        "dev_rows": [best, None],
        "floor_rows": [floor, floor],
        "row_groups": [groups or range(len(best))] * 2,
    }
    return pd.DataFrame({"dataset": dataset, "lora_r": [8, 16], "score": [np.mean(best), nan], **rows})


def other(table: pd.DataFrame) -> pd.DataFrame:
    """A worse config for each cell, so that none is a tie."""
    worse = table.iloc[:1].assign(lora_r=32, score=0.01)
    return pd.concat([table, worse], ignore_index=True)


def test_a_cell_whose_best_config_is_not_shown_to_beat_the_floor_is_left_out() -> None:
    clear = other(cell("clear", best=[1.0] * 30 + [0.0] * 10, floor=[0.0] * 40))
    chance = other(cell("chance", best=[1.0] * 21 + [0.0] * 19, floor=[0.0] * 20 + [1.0] * 20))

    ranking = rank_configs(pd.concat([clear, chance]), ["lora_r"])

    assert [found.dataset for found in ranking.cells] == ["clear"]
    assert [(found.dataset, reason) for found, reason in ranking.left_out] == [("chance", LeftOut.FLOOR)]


def test_rows_of_one_document_are_one_piece_of_evidence() -> None:
    best, floor = [1.0] * 20 + [0.0] * 10, [0.0] * 30
    alone = other(cell("d", best, floor))
    grouped = other(cell("d", best, floor, groups=[0] * 20 + [1] * 10))

    assert rank_configs(alone, ["lora_r"]).left_out == ()
    assert rank_configs(grouped, ["lora_r"]).left_out[0][1] is LeftOut.FLOOR


def test_for_a_loss_the_best_must_lie_below_the_floor() -> None:
    below = other(cell("below", best=[1.0, 1.1, 0.9] * 10, floor=[2.0] * 30)).replace({"score": {0.01: 5.0}})

    assert rank_configs(below, ["lora_r"], lower_is_better=True).left_out == ()


def test_cells_whose_tolerance_is_below_the_standard_error_are_counted() -> None:
    noisy = other(cell("noisy", best=[1.0] * 20 + [0.0] * 20, floor=[0.0] * 40))
    exact = other(cell("exact", best=[0.5] * 40, floor=[0.0] * 40))

    assert rank_configs(pd.concat([noisy, exact]), ["lora_r"]).noisy_cells == 1


def test_without_rows_nothing_is_said_about_noise() -> None:
    table = cell("d", best=[1.0, 0.0], floor=[0.0, 0.0]).drop(
        columns=["dev_rows", "floor_rows", "row_groups"]
    )

    assert rank_configs(table, ["lora_r"]).noisy_cells is None


def test_the_standard_error_of_single_rows_is_the_usual_one() -> None:
    values = np.array([0.0, 1.0, 1.0, 0.0, 1.0])

    mean, error = mean_and_error(values, np.arange(5))

    assert mean == pytest.approx(0.6)
    assert error == pytest.approx(values.std(ddof=1) / sqrt(5))
