"""Published grid versions."""

from pathlib import Path

import pytest

from engine import grids
from engine.errors import NotFoundError
from tests.engine.gridfiles import MODEL, publish


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for published grids."""
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    return tmp_path / "grids"


def test_without_a_published_grid_there_is_no_current_version() -> None:
    assert grids.current() is None
    assert not grids.has_results(None, MODEL)
    assert grids.datasets_sharing_rows(["00" * 8], None) == ()


def test_the_newest_version_is_the_current_one(folder: Path) -> None:
    publish(folder, "v10", created=20.0)
    publish(folder, "v9", created=10.0)

    assert [grid.version for grid in grids.versions()] == ["v9", "v10"]
    assert grids.current() == "v10"


def test_a_half_written_version_is_not_published(folder: Path) -> None:
    publish(folder, "v1")
    (folder / "v2").mkdir()

    assert grids.current() == "v1"


def test_a_version_that_is_not_published_is_refused(folder: Path) -> None:
    publish(folder, "v1")

    with pytest.raises(NotFoundError, match="no grid version '../v1'; published: v1"):
        grids.get("../v1")


def test_datasets_that_share_a_row_are_found_by_its_hash(folder: Path) -> None:
    publish(folder, "v1")

    assert grids.datasets_sharing_rows(["00" * 8, "02" * 8, "77" * 8], "v1") == ("clapnq", "trec")
    assert grids.datasets_sharing_rows(["77" * 8], "v1") == ()


def test_results_have_a_row_for_each_config_and_dataset(folder: Path) -> None:
    publish(folder, "v1")

    results = grids.load("v1")

    assert len(results) == 9
    assert grids.config_columns(results) == [
        "learning_rate",
        "num_train_epochs",
        "per_device_train_batch_size",
        "lora_r",
    ]
