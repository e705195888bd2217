"""Rankings of foreign result tables, and recommendations from our own grids."""

import json
from pathlib import Path

import pandas as pd
import pytest

from engine import grids
from engine.errors import ConfigError
from engine.models import HUB_MODELS, BaseModel, Provenance, Shape
from engine.published import PAPER, neighbours
from engine.records import Config, Method
from engine.shortlist import Shortlist, rank_table, recommend
from tests.engine.gridfiles import MODEL, publish
from tests.shared import shared


def test_a_table_gives_a_ranking_for_each_model_and_method_then_for_each_method(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text(
        "dataset,model,method,learning_rate,lora_r,score,note\n"
        "d,b,lora,1e-4,8,0.5,x\nd,b,lora,2e-4,8,1.0,x\nd,a,lora,1e-4,8,0.8,x\nd,a,lora,2e-4,8,0.4,x\n"
        "d,a,full,1e-5,,0.6,x\nd,a,full,2e-5,,,x\n"
    )

    ranked = rank_table(path)
    found = ranked.to_json(top=1)

    assert [(entry["model"], entry["method"]) for entry in found] == [
        ("a", "full"),
        ("a", "lora"),
        ("b", "lora"),
        (None, "full"),
        (None, "lora"),
    ]
    assert json.dumps(found[1]) == json.dumps(
        {
            "model": "a",
            "method": "lora",
            "ranking": [
                {
                    "rank": 1,
                    "config": {"learning_rate": 1e-4, "lora_r": 8},
                    "score": 1.0,
                    "covers": 1,
                    "new": 1,
                    "cumulative_coverage": 1.0,
                    "mean_normalized": 1.0,
                }
            ],
            "cells": 1,
            "complete": True,
            "missing": 0,
        }
    )
    assert found[-1]["cells"] == 2
    assert ranked.notes[0] == "Ignored columns: note."
    assert ranked.notes[1] == "a, full: left out d (all finished configs tie)."


def test_a_model_is_complete_when_its_own_configs_ran_in_all_its_cells() -> None:
    rows = [("d", "a", 1e-4, 0.1), ("d", "a", 2e-4, 0.2), ("d", "b", 3e-4, 0.1), ("d", "b", 1e-4, 0.2)]
    table = pd.DataFrame(rows, columns=["dataset", "model", "learning_rate", "score"]).assign(method="full")

    one, two, both = rank_table(table).to_json()

    assert (one["complete"], two["complete"]) == (True, True)
    assert (both["complete"], both["missing"]) == (False, 2)


def test_configs_that_a_grid_ran_as_they_are_are_not_ranked() -> None:
    same = {"dataset": "d", "model": "m", "method": "full"}
    searched = {**same, "origin": "space", "learning_rate": 1e-3, "score": 0.4}
    default = {**same, "origin": "default", "learning_rate": 2e-5, "score": 0.9}

    (found, _) = rank_table(pd.DataFrame([searched, {**searched, "learning_rate": 3e-3}, default])).rankings

    assert [entry.config["learning_rate"] for entry in found.ranking.entries] == [1e-3, 3e-3]


@pytest.mark.filterwarnings("error")
def test_the_first_config_of_each_published_model_has_its_least_loss() -> None:
    path = shared("published/tinker_sft_sweep.csv")
    table = pd.read_csv(path)

    ranked = rank_table(path, tolerance=0.01, lower_is_better=True)

    assert len(ranked.rankings) == 36
    for group in ranked.rankings[:-1]:
        runs = table[table["model"] == group.model]
        first = group.ranking.entries[0].config
        chosen = runs[(runs["learning_rate"] == first["learning_rate"]) & (runs["lora_r"] == first["lora_r"])]
        assert chosen["score"].tolist() == [runs["score"].min()], group.model


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for published grids."""
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    return tmp_path / "grids"


def model_of(name: str) -> BaseModel:
    """An embedded model of that name."""
    shape = Shape(layers=4, width=256, inner=512, key_value_width=256)
    return BaseModel(name, 3_672_320, 512, "Apache-2.0", shape, Provenance.MEASURED, folder=name)


def rates(found: Shortlist) -> list[float]:
    return [entry.config["learning_rate"] for entry in found.entries]


def test_a_recommendation_ranks_the_grid_and_says_what_it_rests_on(grid: Path) -> None:
    publish(grid)

    found = recommend(model_of(MODEL), Method.FULL, 2)

    assert rates(found) == [3e-4, 3e-3]
    assert (found.version, found.provenance, found.cells) == ("v1", Provenance.MEASURED, 3)
    assert found.evidence == (
        "2 of 3 configs cover 2 of 3 datasets: one of them is within 3 % of the best there. "
        "Measured in grid v1 on clapnq, dialogsum, trec, with 100 training rows."
    )
    assert json.dumps(found.to_dict())
    assert Config.from_dict(found.entries[0].config).num_train_epochs == 3


def test_cells_of_different_training_sizes_are_told_apart(grid: Path) -> None:
    path = publish(grid) / "results.parquet"
    results = pd.read_parquet(path)
    pd.concat([results, results[results["dataset"] == "trec"].assign(train_size=1000)]).to_parquet(path)

    evidence = recommend(model_of(MODEL), Method.FULL, 2).evidence

    assert "of 4 cells: one of them is within 3 % of the best there." in evidence
    assert "on 100 training rows of clapnq, dialogsum, trec; 1,000 training rows of trec." in evidence


def test_an_excluded_dataset_plays_no_part_and_is_named(grid: Path) -> None:
    publish(grid)

    found = recommend(model_of(MODEL), Method.FULL, 1, exclude=("clapnq", "dialogsum", "elsewhere"))

    assert rates(found) == [1e-3]
    assert found.excluded == ("clapnq", "dialogsum")
    assert "Computed without clapnq, dialogsum, which shares rows with this data." in found.evidence


def test_a_dataset_at_the_floor_is_left_out_and_named(grid: Path) -> None:
    publish(grid, floors={"clapnq": 0.3})

    found = recommend(model_of(MODEL), Method.FULL, 1)

    assert rates(found) == [3e-3]
    assert found.cells == 2
    assert "Left out, because the best config is not shown to beat" in found.evidence


def test_when_every_dataset_is_at_the_floor_the_ranking_is_called_a_guess(grid: Path) -> None:
    publish(grid, floors={"trec": 0.8, "dialogsum": 0.4, "clapnq": 0.3})

    found = recommend(model_of(MODEL), Method.FULL, 1)

    assert (found.cells, len(found.entries)) == (3, 1)
    assert "take it as a guess" in found.evidence


def test_a_sister_model_gets_the_same_configs_marked_as_a_guess(grid: Path) -> None:
    publish(grid)

    found = recommend(model_of("shortlist-tiny-1m"), Method.FULL, 2)

    assert rates(found) == [3e-4, 3e-3]
    assert found.provenance is Provenance.TRANSFERRED
    assert found.evidence.startswith(
        "A guess: taken from shortlist-tiny-4m, not measured for shortlist-tiny-1m."
    )


def test_a_model_of_the_paper_gets_its_published_config_and_then_its_neighbours(grid: Path) -> None:
    found = recommend(HUB_MODELS[0], Method.LORA, 8)

    first = found.entries[0].config
    assert (first["learning_rate"], first["lora_r"], first["lora_alpha"]) == (5e-5, 128, 32)
    assert [(e.config["learning_rate"], e.config["num_train_epochs"]) for e in found.entries] == [
        (5e-5, 5),
        (2e-5, 5),
        (1e-4, 5),
        (5e-5, 3),
        (2e-5, 3),
        (1e-4, 3),
        (5e-5, 10),
        (2e-5, 10),
    ]
    assert found.origins == (Provenance.PUBLISHED, *(Provenance.TRANSFERRED,) * 7)
    assert found.provenance is Provenance.PUBLISHED
    assert "arXiv 2407.18990" in found.evidence
    assert "learning rate one step down and up" in found.evidence


@pytest.mark.parametrize("config", PAPER.values(), ids=lambda config: config.label)
def test_every_published_config_has_enough_different_neighbours_for_any_shortlist(config: Config) -> None:
    near = list(neighbours(config))

    assert len({one.to_json() for one in (config, *near)}) == len(near) + 1 >= 8
    assert {one.method for one in near} == {config.method}


def test_each_entry_says_where_it_comes_from(grid: Path) -> None:
    found = recommend(HUB_MODELS[1], Method.FULL, 2).to_dict()

    assert [entry["provenance"] for entry in found["entries"]] == ["published", "transferred"]


def hub_model(name: str) -> BaseModel:
    """A hub model by its id."""
    return next(model for model in HUB_MODELS if model.id == name)


def test_a_model_of_the_loss_table_is_ranked_by_its_own_least_loss() -> None:
    results = grids.load("tinker-sft")
    own = results[results["model"] == "Qwen/Qwen3-8B"].sort_values("score").head(3)

    found = recommend(hub_model("Qwen3-8B"), Method.LORA, 3)

    assert [(e.config["learning_rate"], e.config["lora_r"]) for e in found.entries] == list(
        zip(own["learning_rate"], own["lora_r"], strict=True)
    )
    assert (found.version, found.provenance, found.cells) == ("tinker-sft", Provenance.PUBLISHED, 1)
    assert "one dataset, a loss, not a task score" in found.evidence
    assert "3 of its 16 configs that did not diverge are within 1 % of the least loss" in found.evidence


def test_a_config_of_the_loss_table_can_be_trained_and_a_diverged_one_is_not_recommended() -> None:
    found = recommend(hub_model("Llama-3.2-1B"), Method.LORA, 64)

    assert len(found.entries) == 16
    assert {Config.from_dict(entry.config).method for entry in found.entries} == {Method.LORA}
    assert found.ranking is not None
    assert found.ranking.normalized.shape == (1, 16)


def test_a_method_that_nobody_published_for_a_model_is_transferred_from_one_of_its_size() -> None:
    found = recommend(hub_model("Llama-3.1-8B"), Method.FULL, 2)

    assert rates(found) == [1e-5, 5e-6]
    assert found.provenance is Provenance.TRANSFERRED
    assert set(found.origins) == {Provenance.TRANSFERRED}
    assert found.evidence.startswith("A guess: taken from Meta-Llama-3-8B, not measured for Llama-3.1-8B.")


def test_nothing_is_transferred_between_models_of_very_different_size() -> None:
    found = recommend(hub_model("Llama-3.2-1B"), Method.FULL, 4)

    assert (found.entries, found.provenance) == ((), Provenance.NONE)


def test_without_a_grid_nothing_is_recommended(grid: Path) -> None:
    found = recommend(model_of(MODEL), Method.LORA, 4)

    assert (found.entries, found.provenance) == ((), Provenance.NONE)


def test_k_may_be_0_but_not_less(grid: Path) -> None:
    publish(grid)

    assert recommend(model_of(MODEL), Method.FULL, 0).entries == ()
    with pytest.raises(ConfigError, match="k must be 0 or more"):
        recommend(model_of(MODEL), Method.FULL, -1)
