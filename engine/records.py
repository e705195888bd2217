"""The nouns of Shortlist: what a config, a run, a study and a score are. Imports only errors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from engine.errors import ConfigError


class Task(StrEnum):
    """What the rows ask for."""

    CLASSIFICATION = "classification"
    MULTILABEL = "multilabel"
    SUMMARIZATION = "summarization"
    QA = "qa"
    GENERATION = "generation"

    @property
    def has_labels(self) -> bool:
        """Whether an answer is one label, or several, of a fixed list."""
        return self in (Task.CLASSIFICATION, Task.MULTILABEL)


class Role(StrEnum):
    """What a column is used as."""

    SOURCE = "source"
    CONTEXT = "context"
    QUESTION = "question"
    PROMPT = "prompt"
    MESSAGES = "messages"
    TARGET = "target"


class Method(StrEnum):
    """How the weights are adapted."""

    LORA = "lora"
    FULL = "full"


class RunKind(StrEnum):
    """Why a run is in a study."""

    BASE = "base"
    FEW_SHOT = "few_shot"
    BASELINE = "baseline"
    DEFAULT = "default"
    SHORTLIST = "shortlist"
    CUSTOM = "custom"
    SEARCH = "search"
    FEWER_ROWS = "fewer_rows"

    @property
    def trains(self) -> bool:
        """Whether a run of this kind trains the model."""
        return self not in (RunKind.BASE, RunKind.FEW_SHOT, RunKind.BASELINE)

    @property
    def competes(self) -> bool:
        """Whether a run of this kind may be the one to use: others only show what more rows bring."""
        return self is not RunKind.FEWER_ROWS

    @property
    def is_untuned(self) -> bool:
        """Whether a run of this kind asks the model as it is: bare, or with examples in its prompt."""
        return self in (RunKind.BASE, RunKind.FEW_SHOT)


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen unless a person asks for it."""
        return self in (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.STOPPED)


class Severity(StrEnum):
    """How much a finding about a dataset matters."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about a file: a stable code, the row (1-based; None: the whole file), one sentence."""

    severity: Severity
    code: str
    row: int | None
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {
            "severity": str(self.severity),
            "code": self.code,
            "row": self.row,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Config:
    """One point of a search space, in TRL/PEFT names; the LoRA fields are None for full fine-tuning."""

    learning_rate: float
    num_train_epochs: int
    per_device_train_batch_size: int
    gradient_accumulation_steps: int = 1
    lr_scheduler_type: str = "constant_with_warmup"
    warmup_steps: int | None = None
    warmup_ratio: float | None = None
    weight_decay: float = 0.0
    lora_r: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None

    def __post_init__(self) -> None:
        positive = ("learning_rate", "num_train_epochs", "per_device_train_batch_size")
        for name in (*positive, "gradient_accumulation_steps", "lora_r", "lora_alpha"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be above 0, but is {value}. Enter a positive number.")
        if self.learning_rate >= 1:
            raise ConfigError(f"learning_rate must be below 1, but is {self.learning_rate}.")
        if self.lr_scheduler_type not in SCHEDULES:
            raise ConfigError(
                f"lr_scheduler_type must be one of {', '.join(SCHEDULES)}, but is {self.lr_scheduler_type!r}."
            )
        if self.warmup_steps is not None and self.warmup_ratio is not None:
            raise ConfigError("Give warmup_steps or warmup_ratio, not both.")
        for name in ("warmup_ratio", "weight_decay", "lora_dropout"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"{name} must be at least 0 and below 1, but is {value}.")
        if (self.lora_r is None) != (self.lora_alpha is None):
            raise ConfigError("lora_r and lora_alpha belong together: give both or neither.")

    @property
    def method(self) -> Method:
        """LoRA when a rank is given, full fine-tuning otherwise."""
        return Method.FULL if self.lora_r is None else Method.LORA

    @property
    def effective_batch_size(self) -> int:
        """Rows per optimizer step on one device."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def label(self) -> str:
        """Short text for tables and legends, such as 'lr 3e-3, 5 epochs, batch 8, r 8, alpha 16'."""
        epochs = f"{self.num_train_epochs} epoch" + ("s" if self.num_train_epochs != 1 else "")
        text = f"lr {short_rate(self.learning_rate)}, {epochs}, batch {self.effective_batch_size}"
        return text if self.lora_r is None else f"{text}, r {self.lora_r}, alpha {self.lora_alpha}"

    def to_dict(self) -> dict[str, Any]:
        """All fields that have a value, by their TRL/PEFT names."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def to_json(self) -> str:
        """Canonical text (sorted keys): equal configs give equal text; the last tie-break of CBS."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Config:
        """The config of these TRL/PEFT names; raises ConfigError for a name it does not know."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"Unknown hyperparameter {unknown[0]!r}; known: {', '.join(sorted(known))}.")
        missing = sorted({"learning_rate", "num_train_epochs", "per_device_train_batch_size"} - set(values))
        if missing:
            raise ConfigError(f"Hyperparameter {missing[0]} is missing. Add it.")
        return cls(**dict(values))


SCHEDULES = ("constant", "constant_with_warmup", "linear", "cosine")


def short_rate(value: float) -> str:
    """A learning rate as people write it: '3e-4'."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{float(mantissa):g}e{int(exponent)}"


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's value (share, 0 to 1; a loss in nats) with its 95 % interval and the number of rows."""

    value: float
    low: float
    high: float
    n: int

    def to_dict(self) -> dict[str, Any]:
        """As the command line prints it."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Score:
        """Inverse of to_dict."""
        return cls(**dict(values))


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row: 1-based number in the file, text by role, gold answers (the first is trained on).

    `headings`: the columns that a role joins, in order, each under its name; empty when none does.
    """

    number: int
    inputs: Mapping[Role, str]
    targets: tuple[str, ...]
    group: str | None = None
    headings: tuple[str, ...] = ()


def _score(values: Mapping[str, Any] | None) -> Score | None:
    return None if values is None else Score.from_dict(values)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that is needed to repeat a run; written as spec.json into the run folder.

    `early_stopping_*` as in transformers' EarlyStoppingCallback, on the loss of dev rows after each epoch (a
    threshold in nats); with them the run keeps its best epoch's weights, without them its last. With `folds`
    dev is every row outside the test, answered by trainings that did not see it (engine.crossval). `search`
    names the search that decides on the run, `why` what it wants of it; at the share `pause_at` of its own
    schedule (0 to 1) the training stands still with a checkpoint, to be continued or dropped (engine.search).
    """

    run: str
    study: str
    kind: RunKind
    name: str
    dataset: str
    task: Task
    model: str
    method: Method
    metric: str
    seed: int = 0
    rank: int | None = None
    config: Config | None = None
    train_size: int | None = None
    template: str | None = None
    max_length: int | None = None
    assistant_only_loss: bool = False
    time_cap_seconds: float | None = None
    score_epochs: tuple[int, ...] = ()
    folds: int | None = None
    early_stopping_patience: int | None = None
    early_stopping_threshold: float | None = None
    search: str | None = None
    why: str | None = None
    pause_at: float | None = None

    def __post_init__(self) -> None:
        if self.kind.trains != (self.config is not None):
            raise ConfigError(f"A {self.kind} run {'needs' if self.kind.trains else 'has no'} config.")
        patience, threshold = self.early_stopping_patience, self.early_stopping_threshold
        if (patience is None) != (threshold is None):
            raise ConfigError("early_stopping_patience and _threshold belong together: give both or neither.")
        if patience is not None and patience < 1:
            raise ConfigError(f"early_stopping_patience must be at least 1, but is {patience}.")
        if threshold is not None and not (math.isfinite(threshold) and threshold >= 0):
            raise ConfigError(f"early_stopping_threshold must be at least 0, but is {threshold}.")
        if patience is not None and (self.score_epochs or self.config is None):
            raise ConfigError("Early stopping is for trainings that are not scored at chosen epochs.")
        if self.pause_at is not None and not (0 < self.pause_at < 1 and self.config is not None):
            raise ConfigError(f"pause_at must be between 0 and 1, for a training, but is {self.pause_at}.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; the config by TRL/PEFT names."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values["config"] = None if self.config is None else self.config.to_dict()
        values["score_epochs"] = list(self.score_epochs)
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunSpec:
        """Inverse of to_dict."""
        config = values["config"]
        return cls(
            **{
                **values,
                "kind": RunKind(values["kind"]),
                "task": Task(values["task"]),
                "method": Method(values["method"]),
                "config": None if config is None else Config.from_dict(config),
                "score_epochs": tuple(values["score_epochs"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in an attempt at a run; (run, attempt, seq) is unique."""

    run: str
    attempt: int
    seq: int
    time: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How an attempt at a run ended; written as result.json, last of all files.

    `metrics` is metric name -> split -> Score of every metric of the task; `facts` holds what was measured
    beside the scores (tokens, tokens_per_second, peak_memory_mb, steps, truncated_rows, versions, device,
    log_history, epochs: one entry per scored epoch, ...). A value that was not measured is absent.
    """

    run: str
    attempt: int
    status: RunStatus
    dev: Score | None = None
    test: Score | None = None
    seconds: float | None = None
    error: str | None = None
    metrics: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "run": self.run,
            "attempt": self.attempt,
            "status": str(self.status),
            "dev": None if self.dev is None else self.dev.to_dict(),
            "test": None if self.test is None else self.test.to_dict(),
            "seconds": self.seconds,
            "error": self.error,
            "metrics": {
                m: {s: v.to_dict() for s, v in by_split.items()} for m, by_split in self.metrics.items()
            },
            "facts": dict(self.facts),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RunResult:
        """Inverse of to_dict."""
        return cls(
            **{
                **values,
                "status": RunStatus(values["status"]),
                "dev": _score(values["dev"]),
                "test": _score(values["test"]),
                "metrics": {
                    m: {s: Score.from_dict(v) for s, v in by_split.items()}
                    for m, by_split in values["metrics"].items()
                },
            }
        )


@dataclass(frozen=True, slots=True)
class Study:
    """A user's runs on one dataset; written as study.json. `created` is seconds since 1970, UTC.

    `continues`: the study on an earlier version of the dataset, with the same test rows.
    """

    study: str
    name: str
    dataset: str
    dataset_name: str
    task: Task
    model: str
    method: Method
    metric: str
    k: int
    seed: int
    created: float
    runs: tuple[str, ...]
    train_size: int | None = None
    note: str = ""
    shortlist: Mapping[str, Any] = field(default_factory=dict)
    time_cap_minutes: float | None = None
    deleted: bool = False
    continues: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values.update(runs=list(self.runs), shortlist=dict(self.shortlist))
        return {k: str(v) if isinstance(v, StrEnum) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Study:
        """Inverse of to_dict."""
        return cls(
            **{
                **values,
                "task": Task(values["task"]),
                "method": Method(values["method"]),
                "runs": tuple(values["runs"]),
            }
        )
