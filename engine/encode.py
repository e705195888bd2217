"""Turns rows into the token ids that a model trains on and answers from, and its tokens back into answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine import prompts
from engine.records import Row, Task

ANSWER_QUANTILE = 0.95
ANSWER_LIMITS = {Task.QA: 64, Task.SUMMARIZATION: 96, Task.GENERATION: 96}
DEFAULT_MAX_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Encoded:
    """One row in tokens; the completion ends with the end mark unless it was cut."""

    prompt: list[int]
    completion: list[int]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Written:
    """One row as the text behind its tokens; `ends`: the answer is whole, so that the end mark follows it."""

    prompt: str
    completion: str
    ends: bool
    truncated: bool


@dataclass(frozen=True, slots=True)
class Encoder:
    """The one way rows are read in a run, so that training and scoring see the same text.

    `answer_tokens` is the most tokens that an answer may have, end mark included; `one_line` says that no
    training answer has a line break, so an answer ends at the first.
    """

    task: Task
    tokenizer: Any
    max_length: int
    answer_tokens: int
    one_line: bool
    template: str | None = None

    def encode(self, row: Row) -> Encoded:
        """The tokens of a written row."""
        text = self.write(row)
        end = [self.tokenizer.eos_token_id] if text.ends else []
        completion = self._ids(text.completion, special=False)
        return Encoded(self._prompt_ids(text.prompt), completion + end, text.truncated)

    def write(self, row: Row) -> Written:
        """Prompt and completion of a row within max_length; an answer longer than usual gets more room."""
        answer = prompts.render(row, self.task, self.template, self.tokenizer).completion
        reserve = max(self.answer_tokens, _count(answer, self.tokenizer) + 1)
        reserve = min(reserve, max(self.answer_tokens, self.max_length // 2))
        fitted = prompts.fit(row, self.task, self.tokenizer, self.max_length, reserve, self.template)
        return Written(fitted.prompt, fitted.completion, fitted.completion == answer, fitted.truncated)

    def encode_prompt(self, row: Row) -> list[int]:
        """The tokens of a row's prompt alone."""
        return self._prompt_ids(self.write_prompt(row))

    def write_prompt(self, row: Row) -> str:
        """The prompt alone, with the same room for the answer in every row."""
        bare = Row(row.number, row.inputs, (), row.group)
        args = (self.tokenizer, self.max_length, self.answer_tokens, self.template)
        return prompts.fit(bare, self.task, *args).prompt

    def encode_answer(self, answer: str) -> list[int]:
        """The tokens of one possible answer, without end mark."""
        space = "" if self.tokenizer.chat_template else " "
        return self._ids(space + answer, special=False)

    def decode(self, ids: Sequence[int]) -> str:
        """The answer that these generated tokens spell."""
        text: str = self.tokenizer.decode(ids, skip_special_tokens=True).strip()
        return text.split("\n", 1)[0].strip() if self.one_line else text

    def _prompt_ids(self, prompt: str) -> list[int]:
        return self._ids(prompt, special=not self.tokenizer.chat_template)

    def _ids(self, text: str, special: bool) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=special, verbose=False)["input_ids"]
        return ids


def encoder(
    task: Task,
    tokenizer: Any,
    train_rows: Sequence[Row],
    labels: Sequence[str],
    max_length: int | None = None,
    template: str | None = None,
) -> Encoder:
    """The encoder for a run; the room for answers comes from the labels or the training rows alone."""
    limit = min(max_length or DEFAULT_MAX_LENGTH, _context(tokenizer))
    answers = labels if task is Task.CLASSIFICATION else [row.targets[0] for row in train_rows]
    lengths = sorted(_count(" " + answer, tokenizer) for answer in answers)
    room = lengths[-1] + 1 if task is Task.CLASSIFICATION else _usual(lengths, ANSWER_LIMITS[task])
    one_line = not any("\n" in answer.strip() for answer in answers)
    return Encoder(task, tokenizer, limit, min(room, limit // 2), one_line, template)


def _usual(lengths: Sequence[int], limit: int) -> int:
    position = min(len(lengths) - 1, math.ceil(ANSWER_QUANTILE * len(lengths)) - 1)
    return min(lengths[position] + 1, limit)


def _context(tokenizer: Any) -> int:
    """Some tokenizers state no limit and report an astronomically large one."""
    return min(int(tokenizer.model_max_length), 1 << 20)


def _count(text: str, tokenizer: Any) -> int:
    return len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
