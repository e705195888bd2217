"""The grid that ships with the product: it must fit the weights beside it and answer for both methods."""

import pytest

from engine import grids, models
from engine.gridspec import GridSpec
from engine.models import Provenance
from engine.records import Config, Method
from engine.shortlist import recommend

MODEL = "shortlist-tiny-4m"


def test_every_measured_grid_names_the_weights_that_ship() -> None:
    for grid in grids.versions():
        if grid.provenance == "measured":
            for name, digest in grid.manifest["models"].items():
                assert models.sha256(models.get(name)) == digest, (grid.version, name)


def test_no_cell_of_the_current_grid_lacks_a_result() -> None:
    facts = grids.get(str(grids.current())).manifest

    assert facts["complete"]
    assert facts["failed"] == 0
    assert all(cell["present"] == cell["expected"] > 0 for cell in facts["cells"])


def test_every_dataset_has_24_full_and_48_lora_configs_of_the_larger_model() -> None:
    results = grids.load(str(grids.current()))
    first = results[(results["model"] == MODEL) & (results["train_size"] == 100) & (results["seed"] == 0)]
    columns = grids.config_columns(first)

    counts = {
        place: len(part[columns].drop_duplicates()) for place, part in first.groupby(["method", "dataset"])
    }

    assert first["dataset"].nunique() == 14
    assert {method: {counts[method, name] for name in first["dataset"]} for method in ("full", "lora")} == {
        "full": {24},
        "lora": {48},
    }


def test_it_has_a_smaller_model_more_rows_and_a_second_seed_for_the_best_of_each_cell() -> None:
    results = grids.load(str(grids.current()))

    assert results.groupby("model")["dataset"].nunique().to_dict() == {MODEL: 14, "shortlist-tiny-1m": 8}
    assert results.groupby("train_size")["dataset"].nunique().to_dict() == {100: 14, 1000: 4}
    for _, cell in results.groupby(["dataset", "model", "method", "train_size"]):
        assert set(cell["seed"]) == {0, 1}


def test_the_scores_of_the_rows_are_those_of_the_table() -> None:
    results = grids.load(str(grids.current()))

    assert {len(rows) for rows in results["dev_rows"].dropna()} == set(
        results.loc[results["score"].notna(), "score_n"]
    )


@pytest.mark.parametrize("method", Method)
def test_a_shortlist_of_four_comes_from_the_search_space_without_the_datasets_that_are_excluded(
    method: Method,
) -> None:
    found = recommend(models.get(MODEL), method, 4, exclude=("trec",))

    spec = GridSpec.model_validate(grids.get(str(grids.current())).manifest["spec"])
    known = {config.to_json() for part in spec.parts for config in spec.configs(MODEL, method, part)}
    assert found.provenance is Provenance.MEASURED
    assert found.excluded == ("trec",)
    assert len(found.entries) == 4
    assert {Config.from_dict(entry.config).to_json() for entry in found.entries} <= known
    assert "Computed without trec" in found.evidence
