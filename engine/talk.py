"""One text to the untuned base, a tuned model or a baseline of a study: the prompt and the growing answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine import baselines, encode, few_shot, generate, loading, models, predict
from engine.dataset import Dataset
from engine.errors import ConfigError, DatasetError
from engine.records import Role, Row, RunSpec

MOST_NEW_TOKENS = 1024
UNFINISHED = "\ufffd"  # what bytes of a letter decode to before its last one has come


class Side(StrEnum):
    """Who speaks, in this order: the untuned base, then the run; beside a baseline no base speaks."""

    BASE = "base"
    TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen, by the names of transformers; temperature 0 takes the likeliest."""

    max_new_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.max_new_tokens <= MOST_NEW_TOKENS:
            raise ConfigError(
                f"max_new_tokens must be 1 to {MOST_NEW_TOKENS:,}, but is {self.max_new_tokens:,}."
            )
        if not (math.isfinite(self.temperature) and 0 <= self.temperature <= 5):
            raise ConfigError(f"temperature must be 0 to 5, but is {self.temperature:g}.")
        if not 0 < self.top_p <= 1:
            raise ConfigError(f"top_p must be above 0 and at most 1, but is {self.top_p:g}.")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed must be 0 or more, but is {self.seed}.")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model reads, as ids and as the text that these spell, special tokens included.

    `cut`: the input was shortened to what the study's model reads; `one_line`: scoring reads only the first
    line of an answer; an answer stops at any of the ids `ends`.
    """

    ids: tuple[int, ...]
    text: str
    cut: bool
    one_line: bool
    ends: tuple[int, ...]


def row(texts: Mapping[str, str]) -> Row:
    """What a person typed, by role; a text for `messages` is the first turn of a conversation.

    Raises DatasetError for an empty field.
    """
    for name, text in texts.items():
        if not text.strip():
            raise DatasetError(f"The field {name} is empty. Write the text that the models are to answer.")
    inputs = {Role(name): text for name, text in texts.items()}
    if Role.MESSAGES in inputs:
        inputs[Role.MESSAGES] = json.dumps(
            [{"role": "user", "content": inputs[Role.MESSAGES]}], ensure_ascii=False
        )
    return Row(1, inputs, ())


def prompt(
    spec: RunSpec, dataset: Dataset, tokenizer: Any, asked: Row, facts: Mapping[str, Any] | None = None
) -> Prompt:
    """The prompt of this text, as the run reads its rows: its template, its length, its room for the answer.

    `facts` of a few-shot run put its examples before the text.
    Raises DatasetError when the text lacks a field of the dataset.
    """
    _check_fields(dataset, asked)
    text = few_shot.restored(encode.of_run(spec, dataset, tokenizer), dataset.rows, facts or {})
    ids = text.encode_prompt(asked)
    return Prompt(tuple(ids), tokenizer.decode(ids), text.cuts_prompt(asked), text.one_line, text.ends)


def of_baseline(spec: RunSpec, dataset: Dataset, asked: Row) -> str:
    """The answer of a baseline; raises DatasetError when the text lacks a field of the dataset."""
    _check_fields(dataset, asked)
    train_rows = dataset.train_subset(spec.train_size, spec.seed)
    return baselines.predict(spec.name, train_rows, [asked], spec.task)[0]


def _check_fields(dataset: Dataset, asked: Row) -> None:
    lacking = [role for role in dataset.rows[0].inputs if role not in asked.inputs]
    if lacking:
        raise DatasetError(f"The field {lacking[0]} is missing: the study's rows have it. Add it.")


def load(side: Side, spec: RunSpec, attempt: Path) -> Any:
    """The untuned base of a run, or the model that its attempt left; raises NotFoundError without weights."""
    base = models.path(models.get(spec.model))
    return loading.load_model(base) if side is Side.BASE else predict.tuned(spec, base, attempt)


def stream(model: Any, tokenizer: Any, asked: Prompt, sampling: Sampling) -> Iterator[str]:
    """The answer as text, one piece for each token; '' for a token that does not yet complete a letter.

    It ends with the model's end mark, at max_new_tokens, or where the model's context is full.
    """
    context = min(int(tokenizer.model_max_length), int(model.config.max_position_embeddings))
    most = min(sampling.max_new_tokens, context - len(asked.ids))
    ends = generate.ends(model, asked.ends)
    said: list[int] = []
    shown = ""
    for token in generate.stream(model, asked.ids, ends, most, _chooser(sampling)):
        said.append(token)
        text = tokenizer.decode(said, skip_special_tokens=True)
        if text.endswith(UNFINISHED):
            yield ""
            continue
        yield text[len(shown) :]
        shown = text


def _chooser(sampling: Sampling) -> Callable[[Any], int]:
    """Greedy, or nucleus sampling (Holtzman et al. 2020); drawn on the CPU: a seed fits any device."""
    import torch

    if sampling.temperature == 0:
        return lambda logits: int(logits.argmax())
    draw = torch.Generator().manual_seed(sampling.seed)

    def choose(logits: Any) -> int:
        shares, tokens = (logits.cpu() / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
        before = shares.cumsum(-1) - shares
        kept = shares * (before < sampling.top_p)
        return int(tokens[torch.multinomial(kept, 1, generator=draw)])

    return choose
