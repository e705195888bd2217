"""How much text a run reads, learns and writes: rows and tokens, counted in a sample of the rows."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from engine import encode, few_shot, models, prompts
from engine.catalogue import BaseModel
from engine.dataset import Dataset
from engine.metrics import METRICS
from engine.prompts import Form
from engine.records import Row, RunSpec, Task
from engine.tokens import Tokenizer

SAMPLE_ROWS = 64
LETTERS_PER_TOKEN = 4  # of English text, in the vocabularies of real LLMs; a guess


@dataclass(frozen=True, slots=True)
class Work:
    """The size of a run. In tokens: `shared` is what all prompts begin with, `prompt` the mean of what comes
    after it, `answer` the mean right answer with its end mark, `room` the most that is generated, `longest`
    the longest row with its answer, `examples` what few-shot adds, `labels` each label's own.

    `lossy_rows`: the scored rows whose loss is measured too.
    """

    train_rows: int
    dev_rows: int
    test_rows: int
    shared: float
    prompt: float
    answer: float
    room: int
    longest: int
    lossy_rows: int
    examples: float = 0.0
    labels: tuple[int, ...] = ()

    @property
    def tokens_per_row(self) -> float:
        """Mean tokens of prompt and answer."""
        return self.shared + self.prompt + self.answer

    @property
    def scored_rows(self) -> int:
        """Rows that are answered."""
        return self.dev_rows + self.test_rows


Count = Callable[[str], int]


def of_run(spec: RunSpec, dataset: Dataset) -> Work:
    """The work of a run; tokens are counted with the model's own tokenizer, or guessed from the letters while
    the model is not here."""
    model = models.get(spec.model)
    form = Form(spec.task, spec.template, dataset.labels, all_turns=spec.assistant_only_loss)
    train = dataset.train_subset(spec.train_size, spec.seed)
    dev, test = len(dataset.splits["dev"]), len(dataset.splits["test"])
    dev += 0 if spec.folds is None else len(dataset.splits["train"])
    lossy = dev + (test if "loss" in METRICS[dataset.task] else 0)
    rows = Work(len(train), dev, test, 0, 0, 0, 0, 0, lossy)
    return _counted(rows, form, train, model, model.reads(spec.max_length))


def typical(tokens: int) -> Work:
    """Of rows of so many tokens, where there is no dataset yet."""
    return Work(0, 0, 0, 0, tokens * 0.75, tokens * 0.25, tokens // 4, tokens, 0)


def _counted(rows: Work, form: Form, train: Sequence[Row], model: BaseModel, limit: int) -> Work:
    tokenizer, count = _tokenizer(model)
    sample = train[:SAMPLE_ROWS]
    texts = [prompts.render(row, form, tokenizer) for row in sample]
    asked, said = (
        [count(text.prompt) for text in texts],
        [count(text.completion) + _end(tokenizer) for text in texts],
    )
    shared = count(os.path.commonprefix([text.prompt for text in texts])) if len(texts) > 1 else 0
    whole = [min(limit, a + s) for a, s in zip(asked, said, strict=True)]
    answer = min(limit, sum(said) / len(said))
    shared = min(shared, min(asked))
    return replace(
        rows,
        shared=shared,
        prompt=max(1.0, sum(whole) / len(whole) - answer - shared),
        answer=answer,
        room=min(limit, encode.answer_room(form, sample, count)),
        longest=max(whole),
        examples=_examples(form, sample, tokenizer, count, limit - max(whole)),
        labels=tuple(count(" " + label) + 1 for label in form.labels)
        if form.task is Task.CLASSIFICATION
        else (),
    )


def _examples(
    form: Form, sample: Sequence[Row], tokenizer: Tokenizer | None, count: Count, room: int
) -> float:
    """Tokens of as many examples as few-shot takes, at most its budget."""
    bare, shown = (
        prompts.render(sample[0], replace(form, examples=tuple(rows)), tokenizer).prompt
        for rows in ((), sample[: few_shot.MOST])
    )
    return max(0, min(count(shown) - count(bare), few_shot.MOST_TOKENS, room))


def _tokenizer(model: BaseModel) -> tuple[Tokenizer | None, Count]:
    if not models.is_here(model):
        return None, lambda text: -(-len(text) // LETTERS_PER_TOKEN)
    found = _opened(models.path(model))
    return found, lambda text: prompts.count(text, found)


@lru_cache(maxsize=4)
def _opened(folder: Path) -> Tokenizer:
    return Tokenizer(folder)


def _end(tokenizer: Tokenizer | None) -> int:
    """The end mark, which a chat template writes itself."""
    return 0 if tokenizer is not None and tokenizer.chat_template else 1
