from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine import store as stores
from engine.artifacts import Artifacts
from engine.errors import BusyError, NotFoundError
from engine.records import RunResult, RunStatus
from engine.settings import Settings
from engine.store import Store
from tests.studies import RUN, STUDY, event, result, spec, study, write

TABLES = ("studies", "runs", "results", "metrics", "attempts", "events")


def dump(store: Store) -> dict[str, str]:
    return {
        name: store.read(f"SELECT * FROM {name} ORDER BY ALL").to_json(orient="records") for name in TABLES
    }


def test_an_event_added_twice_is_there_once() -> None:
    with Store(None) as store:
        store.add_events([event(seq=0), event(seq=1), event(seq=1)])
        store.add_events([event(seq=1), event(seq=2), event(seq=1, attempt=2)])

        assert [(e.attempt, e.seq) for e in store.events(RUN)] == [(1, 0), (1, 1), (1, 2), (2, 1)]
        assert store.events(RUN)[0] == event(seq=0)


def test_the_curve_is_that_of_the_newest_attempt() -> None:
    with Store(None) as store:
        store.add_events(
            [event(seq=0, loss=3.0), event(seq=0, attempt=2, loss=2.0), event(seq=1, attempt=2, loss=1.5)]
        )

        curve = store.curve(RUN)

    assert list(curve["loss"]) == [2.0, 1.5]
    assert list(curve["step"]) == [0, 1]


def test_a_study_and_its_results_come_back() -> None:
    with Store(None) as store:
        store.put_study(study(), [spec(run) for run in study().runs])
        store.put_result(result())
        store.put_result(result(dev=0.9))

        assert store.study(STUDY) == study()
        assert store.results(STUDY) == {RUN: result(dev=0.9)}
        assert len(store.read("SELECT * FROM metrics")) == 2
        with pytest.raises(NotFoundError):
            store.study("s-20260131-zzzzzz")


def test_the_list_shows_the_test_score_of_the_best_dev_score() -> None:
    first, second = study().runs
    with Store(None) as store:
        store.put_study(study(), [spec(first), spec(second)])
        assert [row.status for row in store.study_rows()] == [RunStatus.QUEUED]

        store.put_result(result(first, dev=0.8, test=0.9))
        assert [row.status for row in store.study_rows()] == [RunStatus.RUNNING]

        store.put_result(result(second, dev=0.9, test=0.7))
        (row,) = store.study_rows()

    assert row.status is RunStatus.FINISHED
    assert row.test is not None and row.test.value == 0.7
    assert (row.runs, row.ended) == (2, 2)


def test_a_study_whose_runs_all_failed_is_failed() -> None:
    with Store(None) as store:
        store.put_study(study(), [spec(run) for run in study().runs])
        for run in study().runs:
            store.put_result(RunResult(run, 1, RunStatus.FAILED, error="No memory."))

        (row,) = store.study_rows()

    assert row.status is RunStatus.FAILED and row.test is None


def test_a_second_process_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "shortlist.duckdb"
    program = f"from engine.store import Store; from pathlib import Path; Store(Path({str(path)!r}))"
    with Store(path):
        second = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        with pytest.raises(BusyError, match="Another Shortlist is using"):
            stores.rebuild(path, Artifacts(str(tmp_path / "root"), tmp_path))
        with pytest.raises(BusyError, match="Another Shortlist is using"):
            stores.refuse_second(Settings(home=tmp_path))

    assert "BusyError: Another Shortlist is using" in second.stderr
    stores.refuse_second(Settings(home=tmp_path))
    Store(path).close()


def test_a_reopened_file_keeps_its_rows_and_migrates_once(tmp_path: Path) -> None:
    path = tmp_path / "shortlist.duckdb"
    with Store(path) as store:
        store.add_events([event()])
    with Store(path) as store:
        assert len(store.events(RUN)) == 1
        assert list(store.read("SELECT number FROM migrations")["number"]) == [1]


def test_readers_and_a_writer_share_the_connection() -> None:
    with Store(None) as store:
        seen: list[int] = []

        def read() -> None:
            for _ in range(20):
                seen.append(int(store.read("SELECT count(*) AS n FROM events")["n"][0]))

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for batch in range(20):
            store.add_events([event(seq=batch * 10 + i) for i in range(10)])
        for reader in readers:
            reader.join()

        assert all(count % 10 == 0 for count in seen)
        assert len(store.events(RUN)) == 200


def test_a_database_rebuilt_from_run_folders_equals_the_original(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    path = tmp_path / "shortlist.duckdb"
    write(files)
    events = [event(seq=seq) for seq in range(3)]
    lines = [json.dumps({"seq": e.seq, "time": e.time, "kind": e.kind, "data": dict(e.data)}) for e in events]
    (files.attempt_folder(RUN, 1) / "events.jsonl").write_text("\n".join(lines) + "\n")
    with Store(path) as store:
        stores.collect_study(store, files, STUDY)
        store.add_events(events)
        files.write_result(result())
        stores.reconcile(store, files, everything=False)
        original = dump(store)
    path.unlink()

    assert stores.rebuild(path, files) == {"studies": 1, "runs": 2, "events": 3}

    with Store(path) as store:
        assert dump(store) == original
        assert len(store.events(RUN)) == 3


def test_a_study_whose_files_are_broken_does_not_hold_up_the_others(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    write(files)
    for name, content in (("s-20260131-bbbbbb", "{not json"), ("s-20260131-cccccc", '{"study": "x"}')):
        folder = tmp_path / "root" / "studies" / name
        folder.mkdir()
        (folder / "study.json").write_text(content)
    (tmp_path / "root" / "studies" / "s-20260131-dddddd").mkdir()

    with Store(None) as store:
        broken = stores.reconcile(store, files, everything=True)

        assert broken == ["s-20260131-dddddd", "s-20260131-cccccc", "s-20260131-bbbbbb"]
        assert [row.study.study for row in store.study_rows()] == [STUDY]


def test_a_study_deleted_from_disk_leaves_the_tables(tmp_path: Path) -> None:
    files = Artifacts(str(tmp_path / "root"), tmp_path / "scratch")
    write(files)
    with Store(None) as store:
        stores.reconcile(store, files, everything=True)
        store.put_result(result())
        store.add_events([event()])
        files.delete_study(STUDY)

        stores.reconcile(store, files, everything=False)

        assert all(rows == "[]" for rows in dump(store).values())
