from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from engine import artifacts
from engine.artifacts import Artifacts
from engine.errors import NotFoundError
from tests.studies import RUN, STUDY, result, spec, study, write


@pytest.fixture(params=["local", "remote"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Artifacts]:
    if request.param == "local":
        yield Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
        return
    yield Artifacts("memory://root", tmp_path / "scratch")
    fsspec.filesystem("memory").store.clear()


def test_study_spec_and_result_come_back_as_written(files: Artifacts) -> None:
    write(files)
    files.write_result(result())

    assert files.read_study(STUDY) == study()
    assert files.read_spec(RUN) == spec()
    assert files.read_result(RUN) == result()


def test_a_run_without_a_result_has_not_ended(files: Artifacts) -> None:
    write(files)

    assert files.read_result(RUN) is None


def test_a_result_taken_back_makes_the_run_unfinished_again(files: Artifacts) -> None:
    write(files)
    files.write_result(result())

    files.delete_result(RUN)

    assert files.read_result(RUN) is None


def test_studies_are_listed_newest_day_first(files: Artifacts) -> None:
    assert files.studies() == []

    for study_id in ("s-20260101-aaaaaa", "s-20260301-aaaaaa", "s-20260201-aaaaaa"):
        files.write_study(study(study_id))

    assert files.studies() == ["s-20260301-aaaaaa", "s-20260201-aaaaaa", "s-20260101-aaaaaa"]


def test_a_deleted_study_leaves_nothing_behind(files: Artifacts) -> None:
    write(files)

    files.delete_study(STUDY)

    assert files.studies() == []
    with pytest.raises(NotFoundError, match="There is no study"):
        files.read_study(STUDY)


def test_another_machine_reads_the_files_of_a_published_attempt(files: Artifacts, tmp_path: Path) -> None:
    folder = files.attempt_folder(RUN, 1)
    (folder / "adapter").mkdir()
    (folder / "adapter" / "weights").write_bytes(b"w")
    (folder / "events.jsonl").write_text('{"seq": 0, "time": 1.0, "kind": "started", "data": {}}\n')
    files.publish_attempt(RUN, 1)
    other = Artifacts("memory://root", tmp_path / "other") if not files.is_local else files

    assert (other.open_attempt(RUN, 1) / "adapter" / "weights").read_bytes() == b"w"
    assert [event.kind for event in other.events(RUN, 1)] == ["started"]
    assert other.event_bytes(RUN, 1) == files.event_bytes(RUN, 1) > 0
    assert other.attempts(RUN) == [1]


def test_an_attempt_that_does_not_exist_is_named(files: Artifacts) -> None:
    with pytest.raises(NotFoundError, match="no files of attempt 3"):
        files.open_attempt(RUN, 3)


def test_a_line_that_a_crash_cut_off_is_left_out(files: Artifacts) -> None:
    line = json.dumps({"seq": 0, "time": 1.0, "kind": "started", "data": {}})
    (files.attempt_folder(RUN, 1) / "events.jsonl").write_text(f'{line}\n{{"seq": 1, "ti')

    assert [event.seq for event in files.events(RUN, 1)] == [0]


@pytest.mark.parametrize(
    "bad", ["../../etc", "s-20260131-abc123/..", "s-20260131-ABC123", "", "s-20260131-abc123\n"]
)
def test_an_id_that_could_leave_the_root_is_refused(files: Artifacts, bad: str) -> None:
    with pytest.raises(NotFoundError, match="looks like"):
        files.read_study(bad)
    with pytest.raises(NotFoundError, match="looks like"):
        files.read_spec(f"{bad}-01")
    with pytest.raises(NotFoundError):
        files.pull_dataset(bad)


def test_a_crash_while_writing_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "result.json"
    artifacts.write_whole(target, b"old")

    def crash(*_: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr("engine.artifacts.os.replace", crash)
    with pytest.raises(OSError, match="disk gone"):
        artifacts.write_whole(target, b"new and longer")

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
