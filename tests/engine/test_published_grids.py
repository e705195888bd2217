"""The tables of others that ship: what they are, under which licence, and that the script makes them."""

from pathlib import Path

import pandas as pd
import pytest

from engine import grids
from engine.records import Method
from engine.shortlist import rank_table
from grids import publish_others
from tests.shared import shared

VERSIONS = ("tinker-sft", "litgpt-hub", "peft-comparison")


@pytest.mark.parametrize("published", publish_others.TABLES, ids=lambda published: published.version)
def test_the_script_makes_what_ships(published: publish_others.Published, tmp_path: Path) -> None:
    made = publish_others.publish(published, shared(f"published/{published.file}").parent, tmp_path)

    shipped = grids.FOLDER / published.version
    pd.testing.assert_frame_equal(
        pd.read_parquet(made / "results.parquet"), pd.read_parquet(shipped / "results.parquet")
    )
    assert (made / "manifest.json").read_text() == (shipped / "manifest.json").read_text()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_table_of_others_names_its_source_and_licence(version: str) -> None:
    manifest = grids.get(version).manifest

    assert (manifest["provenance"], manifest["licence"]) == ("published", "Apache-2.0")
    assert manifest["commit"] in manifest["attribution"]


def test_tables_without_a_licence_never_ship() -> None:
    shipped = {path.parent.name for path in grids.FOLDER.glob("*/manifest.json")}

    assert not [name for name in shipped if "apertus" in name or "nomad" in name]


def test_results_of_others_are_never_the_current_version() -> None:
    assert grids.current() not in VERSIONS


def test_results_of_others_have_no_rows_that_a_user_could_share() -> None:
    assert grids.datasets_sharing_rows(["00" * 8], "tinker-sft") == ()


def test_the_tables_say_how_many_runs_they_hold_and_how_many_failed() -> None:
    manifests = {version: grids.get(version).manifest for version in VERSIONS}

    assert {v: (m["present"], m["failed"]) for v, m in manifests.items()} == {
        "tinker-sft": (586, 104),
        "litgpt-hub": (53, 7),
        "peft-comparison": (63, 0),
    }
    assert {v: m["rankable"] for v, m in manifests.items()} == {
        "tinker-sft": True,
        "litgpt-hub": False,
        "peft-comparison": False,
    }
    assert len(grids.get("tinker-sft").models) == 35


def test_the_loss_table_ranks_each_model_by_its_least_loss() -> None:
    ranked = rank_table(grids.FOLDER / "tinker-sft" / "results.parquet", 0.01, lower_is_better=True)

    results = grids.load("tinker-sft")
    for group in ranked.rankings[:-1]:
        first = group.ranking.entries[0].config
        runs = results[results["model"] == group.model]
        chosen = runs[(runs["learning_rate"] == first["learning_rate"]) & (runs["lora_r"] == first["lora_r"])]
        assert chosen["score"].tolist() == [runs["score"].min()], group.model


def test_a_loss_version_knows_its_models_and_its_one_method() -> None:
    assert grids.has_results("tinker-sft", "Qwen/Qwen3-8B", Method.LORA)
    assert not grids.has_results("tinker-sft", "Qwen/Qwen3-8B", Method.FULL)
