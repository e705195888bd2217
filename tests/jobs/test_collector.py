from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import BusyError, StackError
from engine.store import Store
from jobs import collector, queue, studies, tasks
from jobs.collector import Collector
from tests.jobs.conftest import eventually
from tests.studies import RUN, STUDY, result, write

TABLES = ("studies", "runs", "results", "metrics", "attempts", "events")


@pytest.fixture
def files() -> Artifacts:
    found = tasks.artifacts(settings.current())
    write(found)
    return found


@pytest.fixture
def running(client: Redis) -> Iterator[Store]:
    yield collector.start()
    collector.stop()


def dump(store: Store) -> dict[str, str]:
    return {
        name: store.read(f"SELECT * FROM {name} ORDER BY ALL").to_json(orient="records") for name in TABLES
    }


def test_events_results_and_studies_reach_the_tables_within_two_seconds(
    client: Redis, running: Store
) -> None:
    files = tasks.artifacts(settings.current())
    studies.rename(write(files).study, "fresh")
    with tasks.Recorder(client, files, RUN, 1) as recorder:
        recorder.emit("progress", {"step": 1, "total_steps": 2, "loss": 2.0})
        eventually(lambda: list(running.curve(RUN)["loss"]) == [2.0], seconds=2)
    tasks.next_attempt(client, files, RUN)
    tasks.record(client, files, result(RUN, attempt=2))

    eventually(lambda: running.results(STUDY).get(RUN) == result(RUN, attempt=2), seconds=2)
    assert [row.study.name for row in running.study_rows()] == ["fresh"]


def test_a_batch_that_was_not_acknowledged_is_collected_again_and_counts_once(
    client: Redis, files: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Collector(settings.current())
    collector._make_group(client, found._group)
    with tasks.Recorder(client, files, RUN, 1) as recorder:
        recorder.emit("progress", {"step": 1, "total_steps": 2, "loss": 2.0})
    acknowledge, found._client.xack = found._client.xack, lambda *_: 0  # type: ignore[method-assign]
    assert found.collect() > 0
    found._client.xack = acknowledge  # type: ignore[method-assign]

    assert found.collect("0") > 0
    assert found.collect("0") == 0

    assert len(found.store.events(RUN)) == 2
    found.store.close()


def test_what_was_written_without_a_collector_is_there_after_the_next_start(
    client: Redis, files: Artifacts
) -> None:
    with tasks.Recorder(client, files, RUN, 1) as recorder:
        recorder.emit("progress", {"step": 1, "total_steps": 2, "loss": 2.0})
    files.write_result(result(RUN))
    client.delete(queue.EVENTS)

    store = collector.start()

    assert store.results(STUDY) == {RUN: result(RUN)}
    assert list(store.curve(RUN)["loss"]) == [2.0]
    collector.stop()


def test_a_rebuilt_database_equals_the_collected_one(client: Redis) -> None:
    store = collector.start()
    files = tasks.artifacts(settings.current())
    studies.rename(write(files).study, "tickets")
    attempt = tasks.next_attempt(client, files, RUN)
    with tasks.Recorder(client, files, RUN, attempt) as recorder:
        for step in range(20):
            recorder.emit("progress", {"step": step, "total_steps": 20, "loss": 1 / (step + 1)})
    tasks.record(client, files, result(RUN))
    tasks.announce_study(client, STUDY)
    eventually(lambda: store.known().bytes and store.results(STUDY), seconds=5)
    with pytest.raises(BusyError, match="Another Shortlist is using"):
        collector.rebuild()
    before = dump(store)
    collector.stop()
    settings.current().database.unlink()

    assert collector.rebuild()["studies"] == 1

    with Store(settings.current().database) as rebuilt:
        assert dump(rebuilt) == before


def test_a_message_that_makes_no_sense_does_not_stop_collecting(client: Redis, running: Store) -> None:
    files = tasks.artifacts(settings.current())
    client.xadd(queue.EVENTS, {"event": "{not json", "run": RUN, "attempt": "1"})
    client.xadd(queue.EVENTS, {"changed run": "../etc"})
    client.xadd(queue.EVENTS, {"changed study": "s-20260131-zzzzzz"})

    with tasks.Recorder(client, files, RUN, 1) as recorder:
        recorder.emit("progress", {"step": 1, "total_steps": 2, "loss": 2.0})

    eventually(lambda: list(running.curve(RUN)["loss"]) == [2.0], seconds=4)
    assert collector.is_alive()


def test_deleted_studies_are_gone_after_the_next_start(client: Redis, files: Artifacts) -> None:
    studies.delete(STUDY)

    store = collector.start()

    assert files.studies() == [] and store.study_rows() == []
    collector.stop()


def test_collecting_waits_for_redis_and_goes_on_when_it_comes(files: Artifacts) -> None:
    from jobs import stack

    store = collector.start()
    try:
        with stack.start(workers=0) as running:
            with tasks.Recorder(running.connection, files, RUN, 1) as recorder:
                recorder.emit("progress", {"step": 1, "total_steps": 2, "loss": 2.0})
            eventually(lambda: list(store.curve(RUN)["loss"]) == [2.0], seconds=10)
    finally:
        collector.stop()


def test_without_a_web_process_the_store_says_how_to_start_one() -> None:
    with pytest.raises(StackError, match="Start the application"):
        collector.store()
