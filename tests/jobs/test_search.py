"""A search is driven from run folders alone: what it starts, when it ends, and that a kill costs nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from redis import Redis

from engine import settings
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.records import Config, RunKind, RunResult, RunStatus
from engine.search import Search, SearchMethod
from jobs import queue, search, studies, tasks, views, webhook
from jobs.search import SearchRequest
from tests.studies import STUDY, result, spec, study

RANDOM = SearchRequest(SearchMethod.RANDOM, runs=3)


@pytest.fixture
def files(client: Redis) -> Artifacts:
    """A study that is over: default, base and one config of the shortlist."""
    found = tasks.artifacts(settings.current())
    of = study(runs=3)
    for place, (run, name) in enumerate(zip(of.runs, ("default", "shortlist 1", "base"), strict=True)):
        kind = RunKind(name.split()[0])
        found.write_spec(spec(run, kind, name))
        found.write_result(replace(result(run, dev=0.5 + place / 10), facts={"dev_loss": 2.0 - place / 10}))
    found.write_study(of)
    return found


def searched(files: Artifacts) -> list[str]:
    """The runs that searches added, oldest first."""
    return [run for run in files.read_study(STUDY).runs if files.read_spec(run).search]


def finish(files: Artifacts, run: str, status: RunStatus = RunStatus.FINISHED, **facts: object) -> None:
    """What a worker leaves behind."""
    queue.forget(queue.connection(settings.current()), run)
    whole = status is RunStatus.FINISHED
    found = result(run) if whole else RunResult(run, 1, status, seconds=30.0)
    files.write_result(replace(found, seconds=30.0, facts={"dev_loss": 1.5, **facts} if whole else facts))


def to_its_end(files: Artifacts, seconds: float = 20.0) -> Search:
    """Drive the search, finishing each run at once."""
    deadline = time.monotonic() + seconds
    while search.advance(STUDY):
        assert time.monotonic() < deadline
        for run in searched(files):
            if files.read_result(run) is None:
                finish(files, run)
    return search.of_study(STUDY)[-1]


def test_a_search_trains_as_many_configs_as_asked_and_says_why_it_ended(files: Artifacts) -> None:
    search.start(STUDY, RANDOM)

    ended = to_its_end(files)

    runs = [files.read_spec(run) for run in searched(files)]
    assert [run.name for run in runs] == ["random 1", "random 2", "random 3"]
    assert all(run.kind is RunKind.SEARCH and run.why and run.early_stopping_patience for run in runs)
    assert len({run.config for run in runs}) == 3
    assert ended.ended is not None and ended.why == "All 3 runs of the search have ended."


def test_no_more_runs_wait_than_there_are_workers(files: Artifacts) -> None:
    search.start(STUDY, RANDOM)

    assert search.advance(STUDY) and search.advance(STUDY)

    assert len(searched(files)) == 1
    assert not views.study(STUDY).is_over


def test_a_study_is_over_only_when_its_search_is(files: Artifacts) -> None:
    found = search.start(STUDY, RANDOM)

    view = views.study(STUDY)
    assert not view.is_over and view.is_readable and view.status is RunStatus.RUNNING

    search.stop(STUDY, found.search)
    assert views.study(STUDY).is_over


def test_nobody_is_told_of_an_end_between_two_runs_of_a_search(files: Artifacts) -> None:
    assert webhook._end(files, STUDY) is not None
    search.start(STUDY, RANDOM)
    assert webhook._end(files, STUDY) is None


def test_a_run_that_was_written_but_never_queued_is_queued(files: Artifacts, client: Redis) -> None:
    search.start(STUDY, RANDOM)
    search.advance(STUDY)
    (run,) = searched(files)
    queue.forget(client, run)  # as if the driver had been killed before it queued the run

    search.advance(STUDY)

    assert queue.waiting(client) == [run]
    assert searched(files) == [run]


def test_a_search_goes_on_after_its_driver_was_killed_in_the_middle_of_a_decision(
    files: Artifacts, client: Redis
) -> None:
    search.start(STUDY, RANDOM)
    client.lock(f"shortlist:search-driver:{STUDY}", timeout=1).acquire()
    assert search.advance(STUDY) and searched(files) == []

    time.sleep(1.1)

    search.advance(STUDY)
    assert len(searched(files)) == 1


def test_time_that_is_spent_starts_nothing_more(files: Artifacts) -> None:
    search.start(STUDY, replace(RANDOM, runs=9, minutes=0.9))

    ended = to_its_end(files)

    assert len(searched(files)) == 2  # of half a minute each
    assert ended.why == "The 0.9 minutes are spent, on 2 finished runs."


def test_a_stopped_search_keeps_what_has_finished(files: Artifacts) -> None:
    found = search.start(STUDY, RANDOM)
    search.advance(STUDY)
    finish(files, searched(files)[0])
    search.advance(STUDY)

    search.stop(STUDY, found.search)

    assert not search.advance(STUDY)
    results = [files.read_result(run) for run in searched(files)]
    assert [r.status for r in results if r] == [RunStatus.FINISHED, RunStatus.STOPPED]
    assert search.of_study(STUDY)[0].why == "Stopped by hand."


def test_stopping_the_study_stops_its_search(files: Artifacts) -> None:
    search.start(STUDY, RANDOM)
    studies.stop(STUDY)
    assert not search.advance(STUDY) and searched(files) == []


def test_a_failed_run_counts_and_the_search_goes_on(files: Artifacts) -> None:
    search.start(STUDY, RANDOM)
    search.advance(STUDY)
    finish(files, searched(files)[0], RunStatus.FAILED)

    to_its_end(files)

    assert len(searched(files)) == 3


def test_one_search_at_a_time(files: Artifacts) -> None:
    search.start(STUDY, RANDOM)
    with pytest.raises(ConfigError, match="goes on already"):
        search.start(STUDY, RANDOM)


def test_a_second_search_of_a_method_goes_on_counting(files: Artifacts) -> None:
    search.start(STUDY, replace(RANDOM, runs=1))
    to_its_end(files)
    search.start(STUDY, replace(RANDOM, runs=1, seed=1))
    to_its_end(files)
    assert [files.read_spec(run).name for run in searched(files)] == ["random 1", "random 2"]
    assert [found.search for found in search.of_study(STUDY)] == ["01", "02"]


def test_a_search_that_is_too_long_for_a_study_is_refused(files: Artifacts) -> None:
    with pytest.raises(ConfigError, match="at most 64 runs"):
        search.start(STUDY, replace(RANDOM, runs=62))


def test_the_web_process_drives_a_search_that_a_terminal_left(files: Artifacts, client: Redis) -> None:
    search.start(STUDY, RANDOM)
    client.delete(queue.SEARCHING)  # as after a restart with an empty Redis
    driver = search.Driver()
    driver.start()
    deadline = time.monotonic() + 15
    while not searched(files):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    driver.stop()


def standing(files: Artifacts, run: str, loss: float) -> None:
    """A training that stands at a quarter of its schedule."""
    paused = {"at": 0.25, "loss": loss, "row_losses": [loss - 0.1, loss + 0.1]}
    finish(files, run, RunStatus.STOPPED, paused=paused)


def test_of_a_shortlist_that_stops_early_the_two_with_the_least_loss_go_on(
    files: Artifacts, client: Redis
) -> None:
    configs = [Config(rate, 4, 8, lora_r=8, lora_alpha=16) for rate in (1e-3, 2e-3, 3e-3, 4e-3)]
    of = study(runs=4)
    for place, (run, config) in enumerate(zip(of.runs, configs, strict=True), start=1):
        like = replace(spec(run, name=f"shortlist {place}"), config=config)
        files.write_spec(replace(like, search="01", pause_at=0.25))
        files.delete_result(run)
        standing(files, run, loss=float(place))
    files.write_study(of)
    found = Search.from_dict({**search_of(RANDOM).to_dict(), "method": "shortlist", "runs": 4})
    files.write_search(found)

    for run in of.runs[:2]:
        assert search.advance(STUDY)
        assert queue.waiting(client) == [run]
        finish(files, run)

    assert not search.advance(STUDY)
    assert [files.read_spec(run).pause_at for run in of.runs] == [None, None, 0.25, 0.25]
    assert views.study(STUDY).is_over
    dropped = views.study(STUDY).runs[3]
    assert dropped.status is RunStatus.STOPPED

    studies.retry(dropped.spec.run)  # a person wants it all the same

    assert files.read_spec(dropped.spec.run).pause_at is None
    assert queue.waiting(client) == [dropped.spec.run]


def search_of(request: SearchRequest) -> Search:
    """A search as `start` would write it."""
    from engine.records import Method
    from engine.searchspace import space_of

    space = space_of("shortlist-tiny-1m", Method.LORA)
    return Search("01", STUDY, request.method, request.objective, request.runs, space, 0.0, ())
