"""Rankings of foreign result tables."""

import json
from pathlib import Path

import pandas as pd
import pytest

from engine.shortlist import rank_table
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
