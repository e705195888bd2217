"""A small study for tests: its records, and its files when asked for."""

from __future__ import annotations

from engine.artifacts import Artifacts
from engine.records import Config, Event, Method, RunKind, RunResult, RunSpec, RunStatus, Score, Study, Task

STUDY = "s-20260131-abc123"
RUN = f"{STUDY}-01"
CONFIG = Config(
    learning_rate=3e-3, num_train_epochs=3, per_device_train_batch_size=8, lora_r=8, lora_alpha=16
)


def study(study_id: str = STUDY, runs: int = 2, dataset: str = "d0d0d0d0d0d0") -> Study:
    """A LoRA study of a few runs."""
    return Study(
        study=study_id,
        name="tickets",
        dataset=dataset,
        dataset_name="tickets.csv",
        task=Task.CLASSIFICATION,
        model="shortlist-tiny-1m",
        method=Method.LORA,
        metric="accuracy",
        k=runs,
        seed=0,
        created=1_770_000_000.0,
        runs=tuple(f"{study_id}-{number:02d}" for number in range(1, runs + 1)),
        shortlist={"version": "v1"},
    )


def spec(run: str = RUN, kind: RunKind = RunKind.SHORTLIST, name: str = "shortlist 1") -> RunSpec:
    """A run of the study that its id names."""
    of = study(run.rpartition("-")[0])
    return RunSpec(
        run=run,
        study=of.study,
        kind=kind,
        name=name,
        dataset=of.dataset,
        task=of.task,
        model=of.model,
        method=of.method,
        metric=of.metric,
        rank=1 if kind is RunKind.SHORTLIST else None,
        config=CONFIG if kind.trains else None,
    )


def result(run: str = RUN, attempt: int = 1, dev: float = 0.8, test: float = 0.7) -> RunResult:
    """A finished run."""
    scores = {"dev": Score(dev, dev - 0.1, dev + 0.1, 100), "test": Score(test, test - 0.1, test + 0.1, 100)}
    return RunResult(
        run=run,
        attempt=attempt,
        status=RunStatus.FINISHED,
        dev=scores["dev"],
        test=scores["test"],
        seconds=12.5,
        metrics={"accuracy": scores},
        facts={"steps": 39},
    )


def event(run: str = RUN, seq: int = 0, attempt: int = 1, loss: float = 2.0) -> Event:
    """A progress event."""
    data = {"step": seq, "total_steps": 10, "epoch": seq / 10, "loss": loss, "tokens_per_second": 900.0}
    return Event(run, attempt, seq, 1_770_000_000.0 + seq, "progress", data)


def write(files: Artifacts, of: Study | None = None) -> Study:
    """Write a study with its specs; no run has begun."""
    of = of or study()
    for run in of.runs:
        files.write_spec(spec(run))
    files.write_study(of)
    return of
