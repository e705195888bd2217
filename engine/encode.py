"""Turns rows into the token ids that a model trains on and answers from, and its tokens back into answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine import models, prompts
from engine.catalogue import BaseModel
from engine.errors import DatasetError
from engine.kept import Dataset
from engine.prompts import Form
from engine.records import Row, RunSpec, Task

ANSWER_QUANTILE = 0.95
OUTLIER = 1.5  # times the usual longest answer: beyond, one answer would set the price of every row [ours]
PROMPT_SHARE = 4  # an answer too long for the model leaves a quarter of the length to the prompt [ours]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row in tokens; the completion ends with the end mark unless it was cut. `turns`: the places (from,
    to) in the prompt that are learnt too."""

    prompt: list[int]
    completion: list[int]
    truncated: bool
    turns: tuple[tuple[int, int], ...] = ()

    @property
    def labels(self) -> list[int]:
        """What the loss covers, -100 elsewhere, as transformers wants it."""
        covered = [-100] * len(self.prompt)
        for start, stop in self.turns:
            covered[start:stop] = self.prompt[start:stop]
        return covered + self.completion


@dataclass(frozen=True, slots=True)
class Written:
    """One row as the text behind its tokens; `ends`: the tokenizer's end mark follows, since the answer is
    whole and the text has no end mark of its own. `turns`: the parts of the prompt that are learnt too."""

    prompt: str
    completion: str
    ends: bool
    truncated: bool
    turns: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Encoder:
    """The one way rows are read in a run, so that training and scoring see the same text.

    `max_length` tokens hold prompt and answer; `answer_tokens` is the most that a generated answer may have,
    end mark included; `one_line` says that no training answer has a line break, so an answer ends at the
    first; an answer ends at any of the ids `ends`.
    """

    form: Form
    tokenizer: Any
    max_length: int
    answer_tokens: int
    one_line: bool
    ends: tuple[int, ...]

    def with_examples(self, examples: Sequence[Row]) -> Encoder:
        """The same, with answered rows before every row: few-shot prompting."""
        return replace(self, form=replace(self.form, examples=tuple(examples)))

    def encode(self, row: Row) -> Encoded:
        """The tokens of a written row. Prompt and completion are tokenized as one text, since the first word
        of an answer may have other tokens alone; where a token spans both, they are tokenized apart."""
        text = self.write(row)
        prompt = prompts.prompt_ids(text.prompt, self.tokenizer)
        end = [self.tokenizer.eos_token_id] if text.ends else []
        turns = tuple(self._places(text.prompt, text.turns))
        return Encoded(prompt, self._after(text.prompt, text.completion) + end, text.truncated, turns)

    def write(self, row: Row) -> Written:
        """Prompt and completion of a row within max_length: the whole answer first, then the prompt."""
        whole = prompts.render(row, self.form, self.tokenizer)
        closed = self._is_closed(whole.completion)
        asked, said = (
            self._count(whole.prompt),
            len(self._after(whole.prompt, whole.completion)) + (not closed),
        )
        if asked + said <= self.max_length:
            return Written(whole.prompt, whole.completion, not closed, False, whole.turns)
        room = self.max_length - min(asked, max(1, self.max_length // PROMPT_SHARE))
        if said > room:
            completion, ends = prompts.first_tokens(whole.completion, self.tokenizer, room), False
        else:
            completion, ends = whole.completion, not closed
        budget = self.max_length - min(said, room)
        prompt = whole.prompt if asked <= budget else self._shortened(row, budget)
        return Written(prompt, completion, ends, True, whole.turns if prompt == whole.prompt else ())

    def encode_prompt(self, row: Row) -> list[int]:
        """The tokens of a row's prompt alone."""
        return prompts.prompt_ids(self.write_prompt(row), self.tokenizer)

    def write_prompt(self, row: Row) -> str:
        """The prompt alone, with the same room for the answer in every row."""
        bare = _unanswered(row)
        prompt = prompts.render(bare, self.form, self.tokenizer).prompt
        budget = self.max_length - self.answer_tokens
        return prompt if self._count(prompt) <= budget else self._shortened(bare, budget)

    def cuts_prompt(self, row: Row) -> bool:
        """Whether the row's prompt is longer than what is read of it."""
        whole = prompts.render(_unanswered(row), self.form, self.tokenizer).prompt
        return self.write_prompt(row) != whole

    def shown(self, row: Row) -> dict[str, Any]:
        """The exact text of a row, and how many tokens it has."""
        text, ids = self.write(row), self.encode(row)
        return {
            "prompt": text.prompt,
            "completion": text.completion,
            "tokens": len(ids.prompt) + len(ids.completion),
        }

    def cuts_answer(self, row: Row) -> bool:
        """Whether the row's answer is longer than what is learnt of it."""
        whole = prompts.render(row, self.form, self.tokenizer).completion
        return self.write(row).completion != whole

    def encode_answer(self, answer: str, row: Row) -> list[int]:
        """The tokens of one possible answer after the row's prompt, with its end mark: "1" is not "10"."""
        labelled = replace(row, targets=(answer,))
        text = prompts.render(labelled, self.form, self.tokenizer)
        ids = self._after(text.prompt, text.completion)
        place = next((i for i, token in enumerate(ids) if token in self.ends), None)
        return [*ids, self.tokenizer.eos_token_id] if place is None else ids[: place + 1]

    def decode(self, ids: Sequence[int]) -> str:
        """The answer that these generated tokens spell; spaces that begin a line of code are kept."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True)
        if self.one_line:
            return text.strip().split("\n", 1)[0].strip()
        own = text if self.tokenizer.chat_template else text.removeprefix(" ")
        return own.strip("\n").rstrip()

    def _shortened(self, row: Row, budget: int) -> str:
        return prompts.shorten(row, self.form, self.tokenizer, budget)

    def _count(self, prompt: str) -> int:
        return prompts.count(prompt, self.tokenizer)

    def _after(self, prompt: str, completion: str) -> list[int]:
        """The tokens that the completion adds to those of the prompt."""
        asked = prompts.prompt_ids(prompt, self.tokenizer)
        both = prompts.prompt_ids(prompt + completion, self.tokenizer)
        if both[: len(asked)] == asked:
            return both[len(asked) :]
        ids: list[int] = self.tokenizer(completion, add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _is_closed(self, completion: str) -> bool:
        """Whether the text has an end mark of its own, as chat templates write it."""
        ids = self.tokenizer(completion[-64:], add_special_tokens=False, verbose=False)["input_ids"]
        return any(token in self.ends for token in ids)

    def _places(self, prompt: str, turns: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Where in the prompt's tokens these parts of its text are."""
        return [(self._count(prompt[:start]), self._count(prompt[:stop])) for start, stop in turns]


def _unanswered(row: Row) -> Row:
    return replace(row, targets=())


def readable(dataset: Dataset, tokenizer: Any) -> tuple[Dataset, dict[int, str]]:
    """The dataset without the conversations that the model's chat template refuses, and why, by row number.

    Raises DatasetError when a split would be left empty.
    """
    why = prompts.refused(dataset.rows, Form(dataset.task), tokenizer)
    if not why:
        return dataset, why
    kept = {
        name: tuple(i for i in members if dataset.rows[i].number not in why)
        for name, members in dataset.splits.items()
    }
    if not all(kept.values()):
        raise DatasetError(
            f"{next(iter(why.values()))} So it is with {len(why)} of {len(dataset.rows)} rows."
        )
    return replace(dataset, splits=kept), why


def train_rows(spec: RunSpec, usable: Dataset) -> tuple[Row, ...]:
    """The rows that a run trains on, of a `readable` dataset."""
    most = len(usable.splits["train"])
    return usable.train_subset(None if spec.train_size is None else min(spec.train_size, most), spec.seed)


def of_run(spec: RunSpec, dataset: Dataset, tokenizer: Any) -> Encoder:
    """The encoder of a run: its template, its rows and labels, and the model's context."""
    form = Form(spec.task, spec.template, dataset.labels, all_turns=spec.assistant_only_loss)
    rows = train_rows(spec, readable(dataset, tokenizer)[0])
    return encoder(form, tokenizer, rows, models.get(spec.model).reads(spec.max_length))


def of_rows(
    dataset: Dataset,
    model: BaseModel,
    tokenizer: Any,
    template: str | None = None,
    max_length: int | None = None,
) -> Encoder:
    """How a run of this model would read a dataset, all training rows taken."""
    form = Form(dataset.task, prompts.chosen_template(template, dataset, model), dataset.labels)
    usable, _ = readable(dataset, tokenizer)
    return encoder(form, tokenizer, usable.split("train"), model.reads(max_length))


def encoder(form: Form, tokenizer: Any, train_rows: Sequence[Row], max_length: int | None = None) -> Encoder:
    """The encoder for a run; the room for answers comes from the labels or the training rows alone.

    Without `max_length` a row may be as long as the model's context.
    """
    limit = min(max_length or _context(tokenizer), _context(tokenizer))
    answers = _answers(form, train_rows)
    room = answer_room(form, train_rows, lambda text: _count(text, tokenizer))
    one_line = not any("\n" in answer.strip() for answer in answers)
    most = max(1, limit - limit // PROMPT_SHARE)
    return Encoder(form, tokenizer, limit, min(room, most), one_line, _ends(tokenizer))


def answer_room(form: Form, train_rows: Sequence[Row], count: Callable[[str], int]) -> int:
    """The most tokens of a generated answer, as `count` counts a text: the end mark and a space included."""
    lengths = sorted(count(" " + answer) for answer in _answers(form, train_rows))
    return (lengths[-1] if form.task is Task.CLASSIFICATION and form.labels else _usual(lengths)) + 2


def _answers(form: Form, train_rows: Sequence[Row]) -> Sequence[str]:
    labelled = form.task is Task.CLASSIFICATION and form.labels
    return form.labels if labelled else [row.targets[0] for row in train_rows]


def _usual(lengths: Sequence[int]) -> int:
    position = min(len(lengths) - 1, math.ceil(ANSWER_QUANTILE * len(lengths)) - 1)
    return min(lengths[-1], math.ceil(OUTLIER * lengths[position]))


def _ends(tokenizer: Any) -> tuple[int, ...]:
    """The tokenizer's end mark, and that with which the chat template ends a turn (Llama-3's is another)."""
    written = prompts.end_of_turn(tokenizer)
    ids = tokenizer(written, add_special_tokens=False, verbose=False)["input_ids"] if written else []
    special = set(tokenizer.all_special_ids) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    marks = [token for token in ids if token in special][:1]
    return tuple(dict.fromkeys([*marks, tokenizer.eos_token_id]))


def _context(tokenizer: Any) -> int:
    """Some tokenizers state no limit and report an astronomically large one."""
    return min(int(tokenizer.model_max_length), 1 << 20)


def _count(text: str, tokenizer: Any) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
