"""A grid's hours are foreseen from trainings that were measured."""

import json
from pathlib import Path

import pytest

from engine import grids
from engine.gridcost import estimate_hours
from engine.gridspec import parse_spec

MODEL = "shortlist-tiny-4m"
SECONDS = [
    {"task": "qa", "model": MODEL, "method": "full", "train_size": 100, "seconds": 36.0},
    {"task": "qa", "model": MODEL, "method": "lora", "train_size": 100, "seconds": 72.0},
]


def publish(**facts: object) -> None:
    folder = grids.FOLDER / "v1"
    folder.mkdir(parents=True)
    manifest = {"version": "v1", "created": 1.0, "datasets": [{"name": "asked", "task": "qa"}], **facts}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def hours(workers: int = 1, **changes: object) -> float | None:
    fields: dict[str, object] = {
        "version": "t",
        "datasets": ["asked"],
        "models": [MODEL],
        "methods": ["full"],
    }
    fields["space"] = {"full": {"learning_rate": [1e-3, 3e-3]}}
    return estimate_hours(parse_spec(json.dumps({**fields, **changes})), workers)


@pytest.fixture(autouse=True)
def no_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")


def test_nothing_is_foreseen_before_a_grid_was_measured() -> None:
    assert hours() is None


def test_trainings_of_the_same_kind_are_counted() -> None:
    publish(seconds_by_cell=SECONDS)

    assert hours() == pytest.approx(2 * 36 / 3600)
    assert hours(workers=2) == pytest.approx(36 / 3600)
    assert hours(seeds=[0, 1]) == pytest.approx(4 * 36 / 3600)
    assert hours(repeat={"top": 1, "seeds": [1, 2]}) == pytest.approx(4 * 36 / 3600)
    assert hours(train_sizes=[200]) == pytest.approx(4 * 36 / 3600)


def test_an_unknown_dataset_counts_as_the_mean_of_what_is_known() -> None:
    publish(seconds_by_cell=[*SECONDS, {**SECONDS[0], "task": "summarization", "seconds": 108.0}])

    assert hours(datasets=["new"]) == pytest.approx(2 * 72 / 3600)


def test_the_first_grid_has_only_a_median() -> None:
    publish(seconds_per_run={"median": 18.0})

    assert hours() == pytest.approx(2 * 18 / 3600)
