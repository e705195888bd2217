"""Grid versions and unfinished grids travel as files, and no bad row comes in."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from engine import exchange, grids
from engine.artifacts import Artifacts
from engine.errors import ConfigError, TableError
from engine.records import Method, RunKind, RunResult, RunSpec, RunStatus, Score, Task

ROW = {
    "dataset": "colours",
    "model": "m",
    "method": "full",
    "train_size": 100,
    "origin": "space",
    "seed": 0,
    "learning_rate": 1e-3,
    "num_train_epochs": 1,
    "score": 0.5,
    "score_low": 0.4,
    "score_high": 0.6,
    "score_n": 2,
    "dev_rows": [1.0, 0.0],
    "error": None,
    "lora_r": float("nan"),
}


def archive(path: Path, rows: list[dict[str, Any]], version: str = "t1", present: int | None = None) -> Path:
    table = io.BytesIO()
    pd.DataFrame(rows).to_parquet(table)
    facts = {"version": version, "created": 1.0, "models": {"m": ""}, "methods": ["full"], "datasets": []}
    facts["present"] = len(rows) if present is None else present
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("results.parquet", table.getvalue())
        opened.writestr("manifest.json", json.dumps(facts))
    return path


def test_a_version_comes_out_as_it_went_in(tmp_path: Path) -> None:
    first = archive(tmp_path / "a.zip", [ROW, {**ROW, "num_train_epochs": 3}])

    found = exchange.import_version(first, grids.local())
    (tmp_path / "b.zip").write_bytes(exchange.export_version("t1"))
    exchange.remove_version("t1")
    again = exchange.import_version(tmp_path / "b.zip", grids.local())

    assert found == again
    assert grids.load("t1")["score"].tolist() == [0.5, 0.5]


@pytest.mark.parametrize("version", ["v1", "tinker-sft"])
def test_what_ships_passes_the_checks(version: str) -> None:
    found = grids.get(version)

    exchange.check(pd.read_parquet(found.folder / grids.RESULTS), found.manifest)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, "Row 2 of the results gives a result to a config, cell and seed that has one already"),
        ({"dataset": None}, "Row 2 of the results has no dataset"),
        (
            {"num_train_epochs": 3, "score": float("nan")},
            "Row 2 of the results has neither a score nor the cause of a failure",
        ),
        ({"num_train_epochs": 3, "score": 0.9}, "Row 2 of the results contradicts itself: the score 0.9000"),
        ({"num_train_epochs": 3, "lora_r": 8.0}, "Row 2 of the results contradicts itself: method full"),
        ({"num_train_epochs": 3, "score_n": 3}, "3 rows are counted, 2 are listed"),
        ({"method": "qlora"}, "Row 2 of the results has the method 'qlora'"),
    ],
)
def test_a_bad_row_is_refused_by_its_number(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = archive(tmp_path / "a.zip", [ROW, {**ROW, **change}])

    with pytest.raises(TableError, match=says):
        exchange.import_version(path, grids.local())

    assert "t1" not in [grid.version for grid in grids.versions()]


def test_a_file_with_fewer_rows_than_its_manifest_counts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="counts 9 results, but the table has 1"):
        exchange.import_version(archive(tmp_path / "a.zip", [ROW], present=9), grids.local())


def test_a_version_never_replaces_another(tmp_path: Path) -> None:
    exchange.import_version(archive(tmp_path / "a.zip", [ROW]), grids.local())

    with pytest.raises(TableError, match="There is a version 't1' already"):
        exchange.import_version(archive(tmp_path / "b.zip", [ROW]), grids.local())


@pytest.mark.parametrize("version", ["../../x", "a/b", ""])
def test_a_version_cannot_be_written_elsewhere(tmp_path: Path, version: str) -> None:
    with pytest.raises(TableError, match="is no name of a version"):
        exchange.import_version(archive(tmp_path / "a.zip", [ROW], version=version), grids.local())


def test_what_is_not_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("hello")

    with pytest.raises(TableError, match="is not a zip of a grid version"):
        exchange.import_version(tmp_path / "a.zip", grids.local())


def test_shipped_and_current_versions_cannot_be_removed(tmp_path: Path) -> None:
    exchange.import_version(archive(tmp_path / "a.zip", [ROW]), grids.local())
    grids.set_current("t1")

    with pytest.raises(ConfigError, match="t1 is what shortlists come from"):
        exchange.remove_version("t1")
    with pytest.raises(ConfigError, match="v1 came with the product"):
        exchange.remove_version("v1")


def run_of(number: int) -> RunSpec:
    return RunSpec(
        run=f"s-00000001-abcdef-{number:02d}",
        study="s-00000001-abcdef",
        kind=RunKind.BASE,
        name="a",
        dataset="d",
        task=Task.QA,
        model="m",
        method=Method.FULL,
        metric="token_f1",
    )


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], Artifacts]:
    return lambda name: Artifacts(str(tmp_path / name), tmp_path / f"{name} scratch")


def test_an_unfinished_grid_goes_on_elsewhere(tmp_path: Path, place: Callable[[str], Artifacts]) -> None:
    here, there, runs = place("here"), place("there"), [run_of(1), run_of(2)]
    here.write_result(RunResult(runs[0].run, 1, RunStatus.FINISHED, dev=Score(0.5, 0.4, 0.6, 10)))

    sent = exchange.export_results(runs, here.read_result, tmp_path / "x.parquet")
    taken = [exchange.import_results(runs, tmp_path / "x.parquet", there) for _ in range(2)]

    assert (sent, taken) == (1, [1, 0])
    assert there.read_result(runs[0].run) == here.read_result(runs[0].run)
    assert there.read_spec(runs[0].run) == runs[0]


def test_results_of_another_grid_or_other_results_are_refused(
    tmp_path: Path, place: Callable[[str], Artifacts]
) -> None:
    here, there, runs = place("here"), place("there"), [run_of(1)]
    here.write_result(RunResult(runs[0].run, 1, RunStatus.FINISHED, dev=Score(0.5, 0.4, 0.6, 10)))
    there.write_result(RunResult(runs[0].run, 1, RunStatus.FINISHED, dev=Score(0.6, 0.4, 0.7, 10)))
    exchange.export_results(runs, here.read_result, tmp_path / "x.parquet")

    with pytest.raises(TableError, match="Row 1: run .* does not belong to this grid"):
        exchange.import_results([run_of(2)], tmp_path / "x.parquet", there)
    with pytest.raises(TableError, match="Row 1: run .* has another result here"):
        exchange.import_results(runs, tmp_path / "x.parquet", there)
