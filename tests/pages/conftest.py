"""The pages over real parts: Redis without workers, the database, a small grid, a study that has ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine import dataset, evaluate, grids, models
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.records import RunKind, RunResult, RunStatus, Study, Task
from jobs import collector, stack
from pages import live
from tests import studies
from tests.engine import gridfiles

PAGES = Path(__file__).resolve().parents[2] / "pages"


@pytest.fixture(autouse=True)
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One published grid of three datasets and three configs of full fine-tuning."""
    folder = gridfiles.publish(tmp_path / "grids")
    results = pd.read_parquet(folder / "results.parquet").assign(task="classification", metric="accuracy")
    results.to_parquet(folder / "results.parquet")
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    return folder


@pytest.fixture(autouse=True)
def tiny_models_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a package with a model is installed plays no part."""
    monkeypatch.setattr(models, "PACKAGED", ())


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Artifacts]:
    """What the pages read: run folders and the database; nothing can be queued."""
    st.cache_data.clear()
    st.cache_resource.clear()
    monkeypatch.setattr(live, "_stack_problem", None)
    collector.start()
    yield live.files()
    collector.stop()


@pytest.fixture
def queued(home: Path, monkeypatch: pytest.MonkeyPatch, served: Artifacts) -> Iterator[None]:
    """A real job queue beside that, without workers."""
    with stack.start(user="test", workers=0):
        yield


@pytest.fixture
def app(served: Artifacts) -> AppTest:
    """The application on its first page."""
    return AppTest.from_file(PAGES / "__init__.py", default_timeout=30).run()


def opened(app: AppTest, page: str, **query: str) -> AppTest:
    """A page of the application, as its address opens it."""
    app.switch_page(f"{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def choose(app: AppTest, model: str) -> AppTest:
    """Another model, as a click on its row in the list of Tune does it."""
    app.session_state["model"] = model
    return app.run()


def texts(app: AppTest) -> str:
    """Everything that a person reads on the page, outside tables."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "text", "error", "warning", "info")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))


def finished_study(files: Artifacts) -> tuple[Study, Dataset]:
    """A study of a base, a default and one shortlist run on a kept dataset; the shortlist run wins."""
    rows = PAGES.parent / "samples" / "support_tickets.csv"
    data = dataset.build(rows)
    dataset.save(data, rows, files.datasets_root)
    study = studies.study(runs=3, dataset=data.id)
    kinds = {RunKind.BASE: 0.2, RunKind.DEFAULT: 0.5, RunKind.SHORTLIST: 0.9}
    for run, (kind, right) in zip(study.runs, kinds.items(), strict=True):
        files.write_spec(studies.spec(run, kind, "shortlist 1" if kind is RunKind.SHORTLIST else str(kind)))
        files.write_result(_scored(files, data, run, right))
    files.write_study(study)
    return study, data


def _scored(files: Artifacts, data: Dataset, run: str, right: float) -> RunResult:
    splits = {name: data.split(name) for name in ("dev", "test")}
    answers = {
        name: [r.targets[0] if i < right * len(rows) else "?" for i, r in enumerate(rows)]
        for name, rows in splits.items()
    }
    table = evaluate.prediction_table(Task.CLASSIFICATION, data.labels, splits, answers)
    table.to_parquet(files.attempt_folder(run, 1) / "predictions.parquet")
    steps = [{"epoch": number / 3, "loss": 3 - number, "step": number} for number in (1, 2)]
    events = [{"seq": d["step"], "time": 1.0, "kind": "progress", "data": d} for d in steps]
    text = "".join(json.dumps(event) + "\n" for event in events)
    (files.attempt_folder(run, 1) / "events.jsonl").write_text(text)
    metrics = evaluate.scores(table, Task.CLASSIFICATION)
    scores = metrics["accuracy"]
    return RunResult(run, 1, RunStatus.FINISHED, scores["dev"], scores["test"], 12.0, metrics=metrics)
