"""What can be taken out of Shortlist of a trained run, and why something of it sometimes cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine import models
from engine.catalogue import BaseModel
from engine.dataset import Dataset
from engine.errors import ModelError
from engine.records import Config, Method, RunResult, RunSpec, RunStatus, Study


class What(StrEnum):
    """A part of an export, or all that there is."""

    ADAPTER = "adapter"
    MERGED = "merged"
    SCRIPT = "script"
    CARD = "card"
    ALL = "all"


PARTS = (What.ADAPTER, What.MERGED, What.SCRIPT, What.CARD)


@dataclass(frozen=True, slots=True)
class Base:
    """The base model of a run and the folder of its weights; `shipped`: small and free to be given along."""

    entry: BaseModel
    folder: Path

    @property
    def shipped(self) -> bool:
        """Whether a copy lies in the export; others are named by hub id and commit, or by their folder."""
        return self.entry.embedded or self.entry.package is not None


@dataclass(frozen=True, slots=True)
class Trained:
    """A run that trained, with all that an export tells of it.

    `attempt` is the folder of the result's attempt; `beside` are the study's other runs that have a score;
    `file_sha256` is the digest of the uploaded file.
    """

    spec: RunSpec
    result: RunResult
    attempt: Path
    dataset: Dataset
    study: Study
    beside: tuple[tuple[RunSpec, RunResult], ...]
    file_sha256: str | None

    @property
    def config(self) -> Config:
        """What it was trained with."""
        assert self.spec.config is not None
        return self.spec.config


@dataclass(frozen=True, slots=True)
class Hooks:
    """Whom an export tells what it does, whom it asks whether to go on, and how its child process begins."""

    say: Callable[[str], None]
    stopped: Callable[[], bool]
    in_child: Callable[[], None] | None = None

    def stage(self, text: str) -> None:
        """Say what comes next; raises Cancelled when nobody wants it any more."""
        if self.stopped():
            raise Cancelled
        self.say(text)


class Cancelled(Exception):
    """A person cancelled the export."""


def base_of(trained: Trained) -> Base:
    """The base model as it was when the run trained; raises ModelError when it is not here or was changed."""
    entry = models.get(trained.spec.model)
    folder = models.path(entry)
    if trained.result.facts.get("model_sha256", models.sha256(entry)) != models.sha256(entry):
        raise ModelError(
            f"{entry.id} has other weights now than when the run was trained. Train it again to export it."
        )
    return Base(entry, folder)


def refusals(spec: RunSpec, result: RunResult | None, kept: Collection[str]) -> dict[What, str]:
    """Why parts cannot be exported, for those that cannot; `kept` names what is in the attempt's folder."""
    if not spec.kind.trains:
        why = f"{spec.name} is no tuned model: there is nothing of it to export. Choose a run that trained."
        return dict.fromkeys(PARTS, why)
    if result is None or result.test is None:
        return dict.fromkeys(PARTS, f"{spec.name} has no score yet. Choose a run that has finished.")
    found: dict[What, str] = {}
    if spec.method is Method.FULL:
        found[What.ADAPTER] = "Full fine-tuning changes the whole model, so there is no adapter: take merged."
    if not {"adapter", "model"} & set(kept):
        why = f"{spec.name} kept no weights here. Train it again to export them."
        found = dict.fromkeys((What.ADAPTER, What.MERGED), why) | found
    if spec.score_epochs:
        found[What.SCRIPT] = (
            "A run that was scored at several epochs is several models: no script repeats it."
        )
    return found


def chosen(what: What, refused: dict[What, str]) -> tuple[What, ...]:
    """The parts to write; raises ModelError when what was asked for cannot be had."""
    if what is not What.ALL:
        if what in refused:
            raise ModelError(refused[what])
        return (what,)
    parts = tuple(part for part in PARTS if part not in refused)
    if not parts:
        raise ModelError(refused[What.CARD])
    return parts


def kept_until(trained: Trained) -> tuple[str, int] | None:
    """The epoch or step whose weights were kept, for a run that does not end with its last; else None."""
    epoch = trained.result.facts.get("kept_epoch")
    if epoch is not None:
        return None if epoch >= trained.config.num_train_epochs else ("epoch", int(epoch))
    if trained.result.status is RunStatus.STOPPED:
        return "step", int(trained.result.facts["steps"])
    return None
