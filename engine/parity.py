"""Do exported files answer as the study's model did? Loaded afresh in another process, on all test rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import pandas as pd

from engine import evaluate
from engine.errors import ModelError
from engine.export_parts import Cancelled, Hooks, Trained, What
from engine.export_rows import Line, jsonl
from engine.metrics import METRICS, TITLES, lower_is_better, number
from engine.records import Score

LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Parity:
    """One exported part against the run: numbers of the test rows whose answer differs, and both scores."""

    part: str
    rows: int
    differing: tuple[int, ...]
    metric: str
    study: Score
    export: Score

    @property
    def same(self) -> bool:
        """Whether every answer is the same."""
        return not self.differing

    @property
    def sentence(self) -> str:
        """The badge."""
        if self.same:
            return f"Same answers on {self.rows} of {self.rows} test rows"
        return f"Differs on {len(self.differing)} of {self.rows} test rows"

    @property
    def scores(self) -> str:
        """Both scores in points, losses in nats."""
        loss = lower_is_better(self.metric)
        study, export = (number(score.value, loss) for score in (self.study, self.export))
        return f"{TITLES[self.metric]} {study} in the study, {export} as exported"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "part": self.part,
            "rows": self.rows,
            "differing": list(self.differing),
            "metric": self.metric,
            "study": self.study.to_dict(),
            "export": self.export.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of to_dict."""
        scores = {name: Score.from_dict(values[name]) for name in ("study", "export")}
        return cls(**{**values, "differing": tuple(values["differing"]), **scores})


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported folder and which part of it to load; `base`: where an adapter's base is on this machine."""

    folder: Path
    part: str
    base: Path | None = None

    def command(self, rows: Path, out: Path) -> list[str]:
        """How its own script answers a file; -I: neither this project nor a PYTHONPATH can be imported."""
        if self.part == What.BASELINE:
            return [sys.executable, "-I", str(self.folder / "predict.py"), str(rows), "--out", str(out)]
        command = [sys.executable, "-I", str(self.folder / "answer.py")]
        command += ["--model", str(self.folder / self.part), "--rows", str(rows), "--out", str(out)]
        return command if self.base is None else [*command, "--base", str(self.base)]

    @property
    def key(self) -> str:
        """What the script calls its answer."""
        return "prediction" if self.part == What.BASELINE else "answer"


def check(exported: Exported, trained: Trained, asked: Sequence[Line], hooks: Hooks) -> Parity:
    """Answer the test rows with the export's own script; raises ModelError when it cannot be loaded."""
    spec, dataset = trained.spec, trained.dataset
    answers = _answers(exported, asked, hooks)
    rows = {"test": dataset.split("test")}
    table = evaluate.prediction_table(spec.task, dataset.labels, rows, {"test": answers})
    study = pd.read_parquet(trained.attempt / "predictions.parquet")
    study = study[study["split"] == "test"].reset_index(drop=True)
    # an answer has no loss: for a study that selects by loss the task's first metric is compared
    metric = METRICS[spec.task][0] if lower_is_better(spec.metric) else spec.metric
    both = [evaluate.score(found, metric, "test") for found in (study, table)]
    assert both[0] is not None and both[1] is not None
    return Parity(exported.part, len(table), differing(study, table), metric, both[0], both[1])


def differing(study: pd.DataFrame, export: pd.DataFrame) -> tuple[int, ...]:
    """Numbers of the rows whose prediction is another; raises ModelError unless both have the same rows."""
    if sorted(study["row"]) != sorted(export["row"]):
        raise ModelError("The run's predictions are not those of its dataset's test rows. Train it again.")
    both = study.merge(export, on="row", suffixes=("", "_export"))
    other = both[both["prediction"] != both["prediction_export"]]
    return tuple(int(number) for number in other["row"])


def _answers(exported: Exported, asked: Sequence[Line], hooks: Hooks) -> list[str]:
    with TemporaryDirectory() as folder:
        names = ("rows.jsonl", "answers.jsonl", "said", "wrong")
        rows, out, said, wrong = (Path(folder, name) for name in names)
        rows.write_bytes(jsonl(asked))
        with said.open("wb") as stdout, wrong.open("wb") as stderr:
            process = subprocess.Popen(
                exported.command(rows, out),
                cwd=folder,
                env=_environment(),
                stdout=stdout,
                stderr=stderr,
                preexec_fn=hooks.in_child,
            )
            _watch(process, exported.part, said, hooks)
        if process.returncode:
            reason = wrong.read_text(errors="replace").strip().splitlines()[-1:] or ["it was ended"]
            raise ModelError(f"The exported {exported.part} cannot be loaded afresh: {reason[0]}")
        lines = out.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line)[exported.key] for line in lines]


def _environment() -> dict[str, str]:
    """This process's, offline, with the share of the cores that this process has."""
    import torch

    return {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(torch.get_num_threads())}


def _watch(process: subprocess.Popen[bytes], part: str, said: Path, hooks: Hooks) -> None:
    """Pass on how far it is until it ends; on a cancel end it."""
    told = ""
    while process.poll() is None:
        if hooks.stopped():
            process.kill()
            process.wait()
            raise Cancelled
        lines = said.read_text(errors="replace").splitlines()
        if lines and lines[-1] != told:
            told = lines[-1]
            hooks.say(f"Checking {part}: {told} test rows")
        time.sleep(LOOK_SECONDS)
