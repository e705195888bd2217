"""Predictions on new rows, made by a worker so that neither the page nor the terminal loads a model."""

from __future__ import annotations

import io
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from engine import dataset as datasets
from engine import settings as settings_module
from engine.artifacts import RUN_ID, Artifacts, study_of
from engine.baselines import TITLES
from engine.errors import ConfigError, NotFoundError, ShortlistError, StackError
from engine.given_back import GivenBack, guarded
from engine.records import RunResult
from jobs import queue, tasks, views

if TYPE_CHECKING:
    from engine.predict import Predicted

TASK = "jobs.predictions.answer"
POLL_SECONDS = 0.2
FORMATS = (".csv", ".jsonl", ".parquet")


def predict(study_or_run: str, file: Path) -> GivenBack:
    """What answers for a study, or one run, answers the rows of a file, which comes back whole; waits for the
    worker.

    Raises DatasetError when the file does not have the study's columns, NotFoundError without a model.
    """
    files, run = _files(), run_of(study_or_run)
    _scored(files, run)
    data = datasets.load(files.read_spec(run).dataset, files.datasets_root)
    table, _ = datasets.read_new(file, data)
    request = f"p-{secrets.token_hex(6)}"
    files.write_prediction(request, f"rows{file.suffix}", file.read_bytes())
    client = queue.require(settings_module.current())
    queue.enqueue(client, queue.STUDIES, TASK, request, request, run, f"rows{file.suffix}")
    try:
        answers = _wait(files, request)
        note = files.read_prediction(request, "note.txt") or b""
        return GivenBack(table, answers, tuple(filter(None, [note.decode()])))
    finally:
        files.delete_prediction(request)


def answer(request: str, run: str, name: str) -> None:
    """The RQ job: answer the rows of a request; a failure is written where the answers would be."""
    files = _files()
    content = files.read_prediction(request, name)
    if content is None:
        return
    try:
        found = _answer(files, run, name, content)
    except (ShortlistError, RuntimeError, OSError) as error:
        files.write_prediction(request, "error.txt", " ".join(str(error).split()).encode())
        return
    files.write_prediction(request, "note.txt", found.note.encode())
    files.write_prediction(request, "answers.parquet", encode(found.table, ".parquet"))


def encode(table: pd.DataFrame, suffix: str) -> bytes:
    """The table as .csv, .jsonl or .parquet. In CSV a cell that a spreadsheet would run as a formula gets
    a quote in front."""
    if suffix == ".csv":
        return bytes(table.map(guarded).to_csv(index=False).encode())
    if suffix == ".jsonl":
        return bytes(table.to_json(orient="records", lines=True, force_ascii=False).encode())
    if suffix == ".parquet":
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        return buffer.getvalue()
    raise ConfigError(
        f"Predictions are written as {', '.join(FORMATS)}; {suffix or 'no ending'} is none of them."
    )


def _files() -> Artifacts:
    return tasks.artifacts(settings_module.current())


def run_of(study_or_run: str) -> str:
    """The run itself, or what answers for a study: what its decision names, or else its winner.

    Raises NotFoundError while there is none.
    """
    if RUN_ID.fullmatch(study_or_run):
        return study_or_run
    return _there(views.summary(study_or_run).use, study_or_run)


def model_of(study_or_run: str) -> str:
    """The run itself, or a study's winner, a language model; raises NotFoundError while there is none."""
    if RUN_ID.fullmatch(study_or_run):
        return study_or_run
    return _there(views.summary(study_or_run).winner, study_or_run)


def _there(run: str | None, study: str) -> str:
    if run is None:
        raise NotFoundError(f"Study {study} has no winner yet. Wait until a run has finished.")
    return run


def told(run: str) -> str:
    """Which run was taken for a study, and what its decision says."""
    spec = _files().read_spec(run)
    headline = views.summary(study_of(run)).decision.headline
    return f"Taken: {TITLES.get(spec.name, spec.name)} ({run}). {headline}"


def _scored(files: Artifacts, run: str) -> RunResult:
    result = files.read_result(run)
    if result is None or result.test is None:
        raise NotFoundError(f"Run {run} has no scored model. Choose a run that has finished.")
    return result


def _answer(files: Artifacts, run: str, name: str, content: bytes) -> Predicted:
    from engine import predict as engine_predict

    spec, result = files.read_spec(run), _scored(files, run)
    files.pull_dataset(spec.dataset)
    data = datasets.load(spec.dataset, files.datasets_root)
    folder = files.open_attempt(run, result.attempt)
    path = folder / f".{secrets.token_hex(4)}-{name}"
    try:
        path.write_bytes(content)
        return engine_predict.predict(spec, result, folder, data, datasets.read_unlabelled(path, data))
    finally:
        path.unlink(missing_ok=True)


def _wait(files: Artifacts, request: str) -> pd.DataFrame:
    while True:
        if (content := files.read_prediction(request, "answers.parquet")) is not None:
            return pd.read_parquet(io.BytesIO(content))
        if (error := files.read_prediction(request, "error.txt")) is not None:
            raise StackError(error.decode())
        if request in queue.failed(queue.connection(settings_module.current())):
            raise StackError("The worker was lost while it answered the rows. Try again, with fewer rows.")
        time.sleep(POLL_SECONDS)
