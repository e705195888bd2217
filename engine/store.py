"""The DuckDB file: every study, run, result and event as tables for pages and figures.

It holds nothing that run folders do not hold and can be rebuilt from them. One process opens it, and takes an
flock before it connects: DuckDB 2.0.0 silently loses commits when processes take turns (measured: 19 of
7,600 commits). Readers of that process use cursors of the one connection. Events go in as Arrow batches
(30,000 a second against 12 one by one, measured); inserting an event again changes nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from filelock import FileLock, Timeout

from engine.artifacts import Artifacts
from engine.errors import BusyError, NotFoundError, ShortlistError
from engine.records import Event, RunResult, RunSpec, RunStatus, Score, Study
from engine.settings import Settings

MEASURED = ("step", "epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second")
UNREADABLE = (ShortlistError, LookupError, TypeError, ValueError)
"""What reading a run folder raises that somebody edited or half deleted."""
_EVENT_COLUMNS = pa.schema(
    [
        ("run", pa.string()),
        ("attempt", pa.int32()),
        ("seq", pa.int32()),
        ("time", pa.float64()),
        ("kind", pa.string()),
        *((name, pa.float64()) for name in MEASURED),
        ("data", pa.string()),
    ]
)
_INSERT_EVENTS = """
    INSERT INTO events SELECT batch.* FROM batch ANTI JOIN (
        SELECT run, attempt, seq FROM events WHERE run IN (SELECT run FROM batch)
    ) AS known USING (run, attempt, seq)
"""
_STUDY_ROWS = """
    SELECT studies.record, count(*) AS total, count(results.run) AS ended,
        count(*) FILTER (results.status = 'finished') AS finished,
        count(*) FILTER (results.status = 'stopped') AS stopped,
        count(*) FILTER (results.run IS NULL AND begun.run IS NOT NULL) AS running,
        arg_max(results.record, CASE WHEN studies.metric = 'loss' THEN -results.dev ELSE results.dev END)
            FILTER (runs.kind <> 'baseline') AS best,
        coalesce(bit_xor(hash(results.record)), 0)::VARCHAR AS digest
    FROM studies JOIN runs USING (study) LEFT JOIN results USING (run)
        LEFT JOIN (SELECT DISTINCT run FROM events WHERE kind = 'started') AS begun USING (run)
    WHERE NOT studies.deleted
    GROUP BY studies.study, studies.record, studies.created ORDER BY studies.created DESC
"""
_SCORED_RUNS = """
    SELECT runs.run, runs.record, studies.name FROM runs JOIN studies USING (study) JOIN results USING (run)
    WHERE NOT studies.deleted AND results.test IS NOT NULL
    ORDER BY studies.created DESC, runs.position LIMIT $most
"""
_CURVE = """
    SELECT step, epoch, loss, learning_rate, grad_norm, tokens_per_second, time FROM events
    WHERE run = $run AND kind = 'progress'
        AND attempt = (SELECT max(attempt) FROM events WHERE run = $run) ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class StudyRow:
    """A line of the list of studies. `best`: of all runs with a model by dev; `test`: its score.

    `digest` differs where any result does.
    """

    study: Study
    status: RunStatus
    runs: int
    ended: int
    test: Score | None
    best: str | None = None
    digest: str = ""

    @property
    def is_over(self) -> bool:
        """Whether every run has ended."""
        return self.ended == self.runs


@dataclass(frozen=True, slots=True)
class Known:
    """Records of studies and results by id; how many bytes of each (run, attempt) event file are in."""

    studies: Mapping[str, str]
    results: Mapping[str, str]
    bytes: Mapping[tuple[str, int], int]


class Store:
    """The tables; all methods may be called from any thread, writers take turns."""

    def __init__(self, path: Path | None) -> None:
        """None: in memory. Raises BusyError when another process has the file."""
        self._lock = None if path is None else _locked(path)
        self._connection = duckdb.connect(
            ":memory:" if path is None else str(path),
            config={"autoinstall_known_extensions": False, "autoload_known_extensions": False},
        )
        self._writing = threading.Lock()
        _migrate(self._connection)

    def close(self) -> None:
        """Close the file and let another process have it."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put_study(self, study: Study, specs: Iterable[RunSpec] = ()) -> None:
        """Insert or replace a study and the given runs."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO studies VALUES ($study, $name, $dataset, $task, $model, $method,"
                " $metric, $created, $deleted, $record)",
                _named(study.to_dict(), "study name dataset task model method metric created deleted"),
            )
            for spec in specs:
                values = _named(
                    spec.to_dict(), "run study kind name dataset task model method rank train_size"
                )
                values["position"] = study.runs.index(spec.run)
                values["config"] = None if spec.config is None else spec.config.to_json()
                connection.execute(
                    "INSERT OR REPLACE INTO runs VALUES ($run, $study, $position, $kind, $name, $dataset,"
                    " $task, $model, $method, $rank, $train_size, $config, $record)",
                    values,
                )

    def remove_study(self, study: str) -> None:
        """Forget a study and all that belongs to it."""
        with self._transaction() as connection:
            for table in ("events", "attempts", "metrics", "results"):
                connection.execute(
                    f"DELETE FROM {table} WHERE run IN (SELECT run FROM runs WHERE study = $study)",
                    {"study": study},
                )
            connection.execute("DELETE FROM runs WHERE study = $study", {"study": study})
            connection.execute("DELETE FROM studies WHERE study = $study", {"study": study})

    def put_result(self, result: RunResult) -> None:
        """Insert or replace the result of a run, with its metrics."""
        values = _named(result.to_dict(), "run attempt status seconds error")
        values["dev"] = None if result.dev is None else result.dev.value
        values["test"] = None if result.test is None else result.test.value
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO results VALUES"
                " ($run, $attempt, $status, $dev, $test, $seconds, $error, $record)",
                values,
            )
            connection.execute("DELETE FROM metrics WHERE run = $run", {"run": result.run})
            for row in _metric_rows(result):
                connection.execute("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def remove_result(self, run: str) -> None:
        """Make a run unfinished again."""
        with self._transaction() as connection:
            for table in ("metrics", "results"):
                connection.execute(f"DELETE FROM {table} WHERE run = $run", {"run": run})

    def add_events(self, events: Iterable[Event], read: Mapping[tuple[str, int], int] | None = None) -> None:
        """Add the events that are new. `read`: bytes of (run, attempt) files that these events complete."""
        batch = _event_batch(events)
        with self._transaction() as connection:
            if batch.num_rows:
                connection.register("batch", batch)
                connection.execute(_INSERT_EVENTS)
                connection.unregister("batch")
            for (run, attempt), size in (read or {}).items():
                connection.execute("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?)", [run, attempt, size])

    def study_rows(self) -> list[StudyRow]:
        """All studies that are not deleted, newest first."""
        return [_study_row(*row) for row in self._rows(_STUDY_ROWS)]

    def scored_runs(self, most: int) -> dict[str, tuple[RunSpec, str]]:
        """The newest runs with a test score by id, each with the name of its study."""
        return {
            run: (RunSpec.from_dict(json.loads(record)), name)
            for run, record, name in self._rows(_SCORED_RUNS, {"most": most})
        }

    def study(self, study: str) -> Study:
        """Raises NotFoundError."""
        rows = self._rows("SELECT record FROM studies WHERE study = $study", {"study": study})
        if not rows:
            raise NotFoundError(f"There is no study {study}. Open the list of studies to see what exists.")
        return Study.from_dict(json.loads(rows[0][0]))

    def results(self, study: str) -> dict[str, RunResult]:
        """Results of a study's runs that have ended, by run."""
        rows = self._rows(
            "SELECT results.record FROM results JOIN runs USING (run) WHERE study = $study ORDER BY position",
            {"study": study},
        )
        found = (RunResult.from_dict(json.loads(record)) for (record,) in rows)
        return {result.run: result for result in found}

    def events(self, run: str) -> list[Event]:
        """All events of a run, attempt by attempt."""
        rows = self._rows(
            "SELECT run, attempt, seq, time, kind, data FROM events WHERE run = $run ORDER BY attempt, seq",
            {"run": run},
        )
        return [
            Event(name, attempt, seq, at, kind, json.loads(data))
            for name, attempt, seq, at, kind, data in rows
        ]

    def known(self) -> Known:
        """What the tables hold, to compare with run folders."""
        return Known(
            studies=dict(self._rows("SELECT study, record FROM studies")),
            results=dict(self._rows("SELECT run, record FROM results")),
            bytes={(run, attempt): size for run, attempt, size in self._rows("SELECT * FROM attempts")},
        )

    def counts(self) -> dict[str, int]:
        """Rows of studies, runs and events."""
        tables = ("studies", "runs", "events")
        return {name: int(self._rows(f"SELECT count(*) FROM {name}")[0][0]) for name in tables}

    def curve(self, run: str) -> pd.DataFrame:
        """Step, epoch, loss, learning_rate, grad_norm, tokens_per_second and time of the newest attempt."""
        return self.read(_CURVE, {"run": run})

    def read(self, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """The answer to a query, on a cursor of its own."""
        with self._connection.cursor() as cursor:
            return cursor.execute(sql, dict(values or {})).df()

    def _rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            return list(cursor.execute(sql, dict(values or {})).fetchall())

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._writing, self._connection.cursor() as connection:
            connection.begin()
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()


def reconcile(store: Store, files: Artifacts, *, everything: bool) -> list[str]:
    """Bring the tables to what the run folders hold; else only studies that are new or not over.

    Returns the studies whose files cannot be read: they are left out, the others are not held up.
    """
    broken = []
    there, known = files.studies(), store.known()
    for study in set(known.studies).difference(there):
        store.remove_study(study)
    unfinished = {row.study.study for row in store.study_rows() if row.ended < row.runs}
    for study in there:
        if everything or study not in known.studies or study in unfinished:
            try:
                collect_study(store, files, study, known)
            except UNREADABLE:
                broken.append(study)
    return broken


def collect_study(store: Store, files: Artifacts, study: str, known: Known | None = None) -> None:
    """Bring one study's rows to what its folders hold; writes only what differs."""
    known = known or store.known()
    found = files.read_study(study)
    if known.studies.get(study) != json.dumps(found.to_dict()):
        store.put_study(found, [files.read_spec(run) for run in found.runs])
    for run in found.runs:
        result = files.read_result(run)
        if known.results.get(run) != (None if result is None else json.dumps(result.to_dict())):
            put_or_remove(store, run, result)
        for attempt in files.attempts(run):
            size = files.event_bytes(run, attempt)
            if known.bytes.get((run, attempt)) != size:
                store.add_events(files.events(run, attempt), {(run, attempt): size})


def put_or_remove(store: Store, run: str, result: RunResult | None) -> None:
    """Store a run's result; None: the run is to be done again."""
    if result is None:
        store.remove_result(run)
    else:
        store.put_result(result)


def rebuild(path: Path, files: Artifacts) -> dict[str, int]:
    """Make the database file anew from the run folders; its numbers of rows by table. Raises BusyError."""
    lock = _locked(path)
    fresh = path.with_name(f"{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with Store(fresh) as store:
            reconcile(store, files, everything=True)
            counts = store.counts()
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        os.replace(fresh, path)
    finally:
        lock.release()
    return counts


def refuse_second(settings: Settings) -> None:
    """Raises BusyError when a process has this home's database open, before anything heavy is started."""
    _locked(settings.database).release()


def _locked(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        home = path.parent
        raise BusyError(
            f"Another Shortlist is using {home}. Close it first, or set SHORTLIST_HOME to another folder."
        ) from None
    return lock


def _first(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
        CREATE TABLE studies (study VARCHAR PRIMARY KEY, name VARCHAR, dataset VARCHAR, task VARCHAR,
            model VARCHAR, method VARCHAR, metric VARCHAR, created DOUBLE, deleted BOOLEAN, record VARCHAR);
        CREATE TABLE runs (run VARCHAR PRIMARY KEY, study VARCHAR, position INTEGER, kind VARCHAR,
            name VARCHAR, dataset VARCHAR, task VARCHAR, model VARCHAR, method VARCHAR, rank INTEGER,
            train_size INTEGER, config VARCHAR, record VARCHAR);
        CREATE TABLE attempts (run VARCHAR, attempt INTEGER, bytes BIGINT, PRIMARY KEY (run, attempt));
        CREATE TABLE results (run VARCHAR PRIMARY KEY, attempt INTEGER, status VARCHAR, dev DOUBLE,
            test DOUBLE, seconds DOUBLE, error VARCHAR, record VARCHAR);
        CREATE TABLE metrics (run VARCHAR, attempt INTEGER, metric VARCHAR, split VARCHAR, value DOUBLE,
            low DOUBLE, high DOUBLE, n INTEGER);
        CREATE TABLE events (run VARCHAR, attempt INTEGER, seq INTEGER, time DOUBLE, kind VARCHAR,
            step DOUBLE, epoch DOUBLE, loss DOUBLE, learning_rate DOUBLE, grad_norm DOUBLE,
            tokens_per_second DOUBLE, data VARCHAR);
    """)


MIGRATIONS: Sequence[Callable[[duckdb.DuckDBPyConnection], None]] = (_first,)


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, applied DOUBLE)")
    done = {number for (number,) in connection.execute("SELECT number FROM migrations").fetchall()}
    for number, migration in enumerate(MIGRATIONS, start=1):
        if number not in done:
            connection.begin()
            migration(connection)
            connection.execute("INSERT INTO migrations VALUES (?, ?)", [number, time.time()])
            connection.commit()


def _named(record: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {**{name: record[name] for name in names.split()}, "record": json.dumps(record)}


def _metric_rows(result: RunResult) -> Iterator[list[Any]]:
    for metric, by_split in result.metrics.items():
        for split, score in by_split.items():
            place = [result.run, result.attempt, metric, split]
            yield [*place, score.value, score.low, score.high, score.n]


def _event_batch(events: Iterable[Event]) -> pa.Table:
    unique = {(event.run, event.attempt, event.seq): event for event in events}.values()
    rows = [
        {
            "run": event.run,
            "attempt": event.attempt,
            "seq": event.seq,
            "time": event.time,
            "kind": event.kind,
            **{name: event.data.get(name) for name in MEASURED},
            "data": json.dumps(dict(event.data)),
        }
        for event in unique
    ]
    return pa.Table.from_pylist(rows, schema=_EVENT_COLUMNS)


def _study_row(
    record: str,
    total: int,
    ended: int,
    finished: int,
    stopped: int,
    running: int,
    best: str | None,
    digest: str,
) -> StudyRow:
    if ended < total:
        status = RunStatus.RUNNING if running or ended else RunStatus.QUEUED
    elif finished:
        status = RunStatus.FINISHED
    else:
        status = RunStatus.STOPPED if stopped else RunStatus.FAILED
    result = None if best is None else RunResult.from_dict(json.loads(best))
    study = Study.from_dict(json.loads(record))
    if result is None:
        return StudyRow(study, status, total, ended, None, digest=digest)
    return StudyRow(study, status, total, ended, result.test, result.run, digest)
