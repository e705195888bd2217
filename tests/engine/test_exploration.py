"""Filters, names of cells and the runs behind a mark."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from engine import exploration
from engine.coverage import Cell
from engine.exploration import Filters

TABLE = pd.DataFrame(
    [
        ("trec", "a", "lora", 100, 1e-3, 8, 0, 0.5),
        ("trec", "a", "lora", 100, 1e-3, 8, 1, 0.7),
        ("trec", "a", "lora", 100, 1e-2, 8, 0, 0.4),
        ("trec", "a", "full", 100, 1e-3, None, 0, 0.6),
        ("qa", "b", "lora", 1000, 1e-3, 8, 0, 0.2),
        ("qa", "b", "lora", 1000, 1e-2, 8, 0, 0.3),
    ],
    columns=["dataset", "model", "method", "train_size", "learning_rate", "lora_r", "seed", "score"],
)


@pytest.mark.parametrize(
    ("filters", "rows"),
    [
        (Filters(), 6),
        (Filters(method="lora"), 5),
        (Filters(model="a", method="lora"), 3),
        (Filters(train_size=1000, datasets=("qa",)), 2),
        (Filters(model="b", datasets=("trec",)), 0),
        (Filters(task="classification"), 6),
    ],
)
def test_filters_keep_the_rows_that_fit_and_ignore_columns_that_are_not_there(
    filters: Filters, rows: int
) -> None:
    assert len(filters.apply(TABLE)) == rows


def test_nothing_fits_is_none_not_an_empty_ranking() -> None:
    assert exploration.view(TABLE, Filters(model="b", datasets=("trec",))) is None


def test_a_hyperparameter_of_the_other_method_is_no_part_of_a_config() -> None:
    full = exploration.view(TABLE, Filters(method="full"))

    assert full is not None
    assert full.columns == ("learning_rate",)


def test_varying_hyperparameters_come_in_the_order_that_people_name_them() -> None:
    lora = exploration.view(TABLE.assign(weight_decay=[0, 0, 0.1, 0, 0, 0.1]), Filters(method="lora"))

    assert lora is not None
    assert exploration.varying(lora) == ("learning_rate", "weight_decay")


@pytest.mark.parametrize(
    ("cells", "names", "noun"),
    [
        ([("m", "trec", 100), ("m", "qa", 100)], ("trec", "qa"), "datasets"),
        ([("m", "trec", 100), ("m", "trec", 1000)], ("trec, 100 rows", "trec, 1,000 rows"), "cells"),
        ([("x/a", "tulu", None), ("x/b", "tulu", None)], ("a", "b"), "models"),
        ([("a", "t", 100), ("b", "q", 100)], ("t, a", "q, b"), "cells"),
        ([("a", "t", 100)], ("t",), "datasets"),
    ],
)
def test_cells_are_named_by_what_tells_them_apart(
    cells: list[tuple[str, str, int | None]], names: tuple[str, ...], noun: str
) -> None:
    found = [Cell(*cell) for cell in cells]

    assert exploration.cell_names(found) == names
    assert exploration.cell_noun(found) == noun


def test_the_runs_of_a_mark_are_all_seeds_of_its_config_in_its_cell() -> None:
    view = exploration.view(TABLE, Filters(method="lora"))
    assert view is not None

    runs = exploration.runs_of(view, {"learning_rate": 1e-3, "lora_r": 8}, Cell("a", "trec", 100))

    assert list(runs["score"]) == [0.5, 0.7]


def test_a_digest_changes_with_the_content(tmp_path: Path) -> None:
    path = tmp_path / "results.parquet"
    path.write_bytes(b"one")
    first = exploration.digest(path)
    path.write_bytes(b"other")

    assert exploration.digest(path) != first
