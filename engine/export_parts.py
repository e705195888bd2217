"""What can be taken out of Shortlist of a trained run, and why something of it sometimes cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine import models
from engine.baselines import TITLES
from engine.catalogue import BaseModel
from engine.dataset import Dataset
from engine.errors import ModelError
from engine.records import Config, Method, RunKind, RunResult, RunSpec, RunStatus, Study


class What(StrEnum):
    """A part of an export, or all that there is."""

    ADAPTER = "adapter"
    MERGED = "merged"
    GGUF_F16 = "gguf-f16"
    GGUF_Q8_0 = "gguf-q8_0"
    SCRIPT = "script"
    BASELINE = "baseline"
    CARD = "card"
    ALL = "all"


GGUFS = (What.GGUF_F16, What.GGUF_Q8_0)
OF_MODELS = (What.ADAPTER, What.MERGED, *GGUFS, What.SCRIPT)  # what only a tuned model has
PARTS = (*OF_MODELS, What.BASELINE, What.CARD)
NOT_ALONE = {
    "lead_sentence": "The lead sentence has no model to export: it is each text up to its first full stop. "
    "Predict and Try it give it.",
    "extractive": "The trained pick of sentences describes texts by Shortlist's own code, so it cannot stand "
    "alone. Predict and Try it use it.",
    "extractive_answer": "The trained pick of a passage describes texts by Shortlist's own code, so it "
    "cannot stand alone. Predict and Try it use it.",
}


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
    """A run that trained, or a baseline, with all that an export tells of it.

    `attempt` is the folder of the result's attempt; `beside` are the study's other runs that have a score;
    `file_sha256` is the digest of the uploaded file; `verdict` says what the study recommends, and why.
    """

    spec: RunSpec
    result: RunResult
    attempt: Path
    dataset: Dataset
    study: Study
    beside: tuple[tuple[RunSpec, RunResult], ...]
    file_sha256: str | None
    verdict: str = ""

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
    if spec.kind is RunKind.BASELINE:
        return _of_baseline(spec, result)
    if not spec.kind.trains:
        why = f"{spec.name} is no tuned model: there is nothing of it to export. Choose a run that trained."
        return dict.fromkeys(PARTS, why)
    if result is None or result.test is None:
        return dict.fromkeys(PARTS, f"{spec.name} has no score yet. Choose a run that has finished.")
    found = {What.BASELINE: f"{spec.name} is a tuned model and no baseline: take adapter or merged."}
    if spec.method is Method.FULL:
        found[What.ADAPTER] = "Full fine-tuning changes the whole model, so there is no adapter: take merged."
    if not {"adapter", "model"} & set(kept):
        why = f"{spec.name} kept no weights here. Train it again to export them."
        found = dict.fromkeys((What.ADAPTER, What.MERGED, *GGUFS), why) | found
    if spec.score_epochs:
        found[What.SCRIPT] = (
            "A run that was scored at several epochs is several models: no script repeats it."
        )
    return found


def _of_baseline(spec: RunSpec, result: RunResult | None) -> dict[What, str]:
    title = TITLES[spec.name]
    if result is None or result.test is None:
        return dict.fromkeys(PARTS, f"{title[0].upper()}{title[1:]} has no score yet. Wait until it has run.")
    why = f"{title[0].upper()}{title[1:]} has no language model: take baseline."
    return dict.fromkeys(OF_MODELS, why) | (
        {What.BASELINE: NOT_ALONE[spec.name]} if spec.name in NOT_ALONE else {}
    )


def left_out(what: What, spec: RunSpec, refused: Mapping[What, str]) -> dict[What, str]:
    """What an export of all lacks, and why; what runs of this kind never have is not missed."""
    never = OF_MODELS if spec.kind is RunKind.BASELINE else (What.BASELINE,)
    return {part: why for part, why in refused.items() if what is What.ALL and part not in never}


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
