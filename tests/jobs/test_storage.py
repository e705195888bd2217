"""What the disk holds is counted by kind, and only what nobody needs can be removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from redis import Redis

from engine import dataset, grids
from engine import settings as settings_module
from jobs import gridboard, storage, studies, tasks
from jobs.gridboard import GridState
from jobs.gridfiles import GridFiles, Kept, kept_versions
from tests import studies as study_files
from tests.jobs import gridsource
from tests.tiny import tiny_classification, write_jsonl


@pytest.fixture(autouse=True)
def no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")


def grid(version: str = "t1") -> GridFiles:
    """The files of a grid that was started once."""
    files = GridFiles(settings_module.current(), version)
    files.write_kept(Kept(gridsource.spec(version), "/data", {}, 1.0, 1))
    return files


def names() -> dict[str, str]:
    return {item.id: item.name for item in storage.removable()}


def test_an_empty_home_uses_nothing(home: Path) -> None:
    home.mkdir()

    assert storage.use() == []
    assert storage.removable() == []
    assert storage.free() > 0


def test_the_largest_kind_stands_first(home: Path) -> None:
    (home / "logs").mkdir(parents=True)
    (home / "logs" / "web.log").write_bytes(b"x" * 2000)
    (home / "uploads" / "a").mkdir(parents=True)
    (home / "uploads" / "a" / "rows.csv").write_bytes(b"x" * 5000)

    assert [(entry.kind, entry.bytes) for entry in storage.use()] == [("Uploads", 5000), ("Logs", 2000)]


def test_runs_of_a_grid_are_removed_only_while_it_is_not_active(client: Redis) -> None:
    grid("t1"), grid("t2")
    gridboard.set_state(client, "t1", GridState.PAUSED)

    assert names() == {"grid-t2": "t2"}
    storage.remove(["grid-t1", "grid-t2"])

    assert kept_versions(settings_module.current()) == ["t1"]
    assert gridboard.states(client) == {"t1": GridState.PAUSED}


def test_a_dataset_that_a_study_uses_and_a_fresh_upload_stay(home: Path, tmp_path: Path) -> None:
    files = tasks.artifacts(settings_module.current())
    used, unused = (
        write_jsonl(tmp_path / f"{name}.jsonl", tiny_classification(60, seed=seed))
        for seed, name in enumerate(("used", "unused"))
    )
    kept = [dataset.build(path) for path in (used, unused)]
    for built, path in zip(kept, (used, unused), strict=True):
        dataset.save(built, path, files.datasets_root)
    study_files.write(files, study_files.study(dataset=kept[0].id))
    for name, age in (("old", 2 * 3600), ("fresh", 0)):
        folder = home / "uploads" / name
        folder.mkdir(parents=True)
        (folder / f"{name}.csv").touch()
        os.utime(folder, (time.time() - age,) * 2)

    assert names() == {f"data-{kept[1].id}": "unused", "upload-old": "old.csv"}
    storage.remove([f"data-{found.id}" for found in kept])

    assert [found.id for found in dataset.list_saved(files.datasets_root)] == [kept[0].id]


def test_a_deleted_study_can_be_removed_for_good(client: Redis) -> None:
    files = tasks.artifacts(settings_module.current())
    study = study_files.write(files)
    studies.delete(study.study)

    assert names() == {study.study: study.name}
    assert storage.remove([study.study]) > 0
    assert files.studies() == []
