"""The grid that ships with the product: it must fit the weights beside it and answer for both methods."""

import pytest

from engine import grids, models, space
from engine.models import Provenance
from engine.records import Config, Method
from engine.shortlist import recommend

MODEL = "shortlist-tiny-4m"


def test_every_measured_grid_names_the_weights_that_ship() -> None:
    for grid in grids.versions():
        if grid.provenance == "measured":
            for name, digest in grid.manifest["models"].items():
                assert models.sha256(models.get(name)) == digest, (grid.version, name)


def test_the_current_grid_has_two_datasets_of_each_task_and_12_to_24_configs() -> None:
    results = grids.load(str(grids.current()))

    assert results.groupby("task")["dataset"].nunique().to_dict() == {
        "classification": 2,
        "qa": 2,
        "summarization": 2,
    }
    for _, part in results.groupby(["method", "dataset"]):
        assert 12 <= len(part[grids.config_columns(part)].drop_duplicates()) <= 24
    assert {len(rows) for rows in results["dev_rows"].dropna()} == set(
        results.loc[results["score"].notna(), "score_n"]
    )


@pytest.mark.parametrize("method", Method)
def test_a_shortlist_of_four_comes_from_the_search_space_without_the_datasets_that_are_excluded(
    method: Method,
) -> None:
    found = recommend(models.get(MODEL), method, 4, exclude=("trec",))

    known = {config.to_json() for config in space.search_space(MODEL, method)}
    assert found.provenance is Provenance.MEASURED
    assert found.excluded == ("trec",)
    assert len(found.entries) == 4
    assert {Config.from_dict(entry.config).to_json() for entry in found.entries} <= known
    assert "Computed without trec" in found.evidence
