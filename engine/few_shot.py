"""Few-shot: the untuned model with training rows as examples in its prompt, a rival of every training.

Which examples, and how many, follows from the seed and from the room in the model's context alone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.dataset import Dataset
from engine.encode import Encoder
from engine.errors import TrainingError
from engine.records import Row, Task

MOST = 8  # examples
MOST_TOKENS = 2048  # of all examples [ours]: each scored row is read behind them
UNCUT = 1 << 30  # tokens: a length that no row has


def choose(
    train_rows: Sequence[Row],
    labels: Sequence[str],
    task: Task,
    seed: int,
    most_tokens: int,
    count_tokens: Callable[[Row], int],
) -> tuple[Row, ...]:
    """At most MOST rows of together at most `most_tokens`, in the order in which they are shown.

    For classification each label in turn, so that every label has one before any has two; while labels are
    without one, a row takes at most an equal share of what is left. A row that does not fit is passed over.
    """
    draw = random.Random(seed)
    waiting = _by_label(draw.sample(list(train_rows), len(train_rows)), labels, task, draw)
    known: dict[int, int] = {}

    def size(row: Row) -> int:
        if row.number not in known:
            known[row.number] = count_tokens(row)
        return known[row.number]

    chosen: list[Row] = []
    left = most_tokens
    first = list(waiting)[:MOST]
    for place, label in enumerate(first):
        left -= _take(waiting[label], left // (len(first) - place), size, chosen)
    taken = True
    while taken:
        taken = False
        for label in waiting:
            tokens = _take(waiting[label], left, size, chosen) if len(chosen) < MOST else 0
            left, taken = left - tokens, taken or tokens > 0
    draw.shuffle(chosen)
    return tuple(chosen)


def added(text: Encoder, model: Any, train_rows: Sequence[Row], seed: int) -> Encoder:
    """The encoder with examples before each row, and as much longer as they are; raises TrainingError.

    A row keeps the room that it has without them; what the model's context leaves is for the examples.
    """
    context = min(int(text.tokenizer.model_max_length), int(model.config.max_position_embeddings))
    whole = replace(text, max_length=UNCUT)
    longest = max(len(whole.encode_prompt(row)) for row in train_rows) + text.answer_tokens
    rows = min(longest, text.max_length)
    room = min(MOST_TOKENS, context - rows)
    form = text.form
    chosen = choose(train_rows, form.labels, form.task, seed, room, lambda row: _tokens(whole, (row,)))
    if not chosen:
        raise TrainingError(
            f"No training row fits into the prompt as an example: the model reads {context:,} tokens, and "
            f"rows with their answers take up to {rows:,} of them."
        )
    length = min(context, text.max_length + _tokens(whole, chosen))
    return replace(text.with_examples(chosen), max_length=length)


def restored(text: Encoder, rows: Sequence[Row], run_facts: Mapping[str, Any]) -> Encoder:
    """The encoder as a run had it, by what its facts say of examples; without any, as it is."""
    if "examples" not in run_facts:
        return text
    by_number = {row.number: row for row in rows}
    examples = tuple(by_number[number] for number in run_facts["examples"]["rows"])
    return replace(text.with_examples(examples), max_length=int(run_facts["max_length"]))


def facts(text: Encoder) -> dict[str, Any]:
    """The examples by row number, how many have each label (classification), and their tokens."""
    found: dict[str, Any] = {
        "rows": [row.number for row in text.form.examples],
        "tokens": _tokens(replace(text, max_length=UNCUT), text.form.examples),
    }
    if text.form.task is Task.CLASSIFICATION:
        found["labels"] = dict(Counter(row.targets[0] for row in text.form.examples))
    return found


def told(run_facts: Mapping[str, Any]) -> str:
    """'8 examples in its prompt'; empty for a run without."""
    number = len(run_facts.get("examples", {}).get("rows", ()))
    return f"{number} example{'s' if number > 1 else ''} in its prompt" if number else ""


def sentence(run_facts: Mapping[str, Any]) -> str:
    """How many examples the prompt of a run holds, of which labels, in how many tokens."""
    found = run_facts["examples"]
    labels = ", ".join(f"{count} {label}" for label, count in found.get("labels", {}).items())
    of_labels = f" ({labels})" if labels else ""
    rows = ", ".join(map(str, found["rows"]))
    start = told(run_facts).replace("its prompt", f"the prompt{of_labels}")
    return f"{start}, {found['tokens']:,} tokens: the training rows {rows}."


def unseen(dataset: Dataset, text: Encoder) -> Dataset:
    """The dataset without dev rows that are examples, or of an example's group: folds make dev of train."""
    groups = {row.group for row in text.form.examples} - {None}
    numbers = {row.number for row in text.form.examples}
    dev = tuple(
        index
        for index in dataset.splits["dev"]
        if dataset.rows[index].number not in numbers and dataset.rows[index].group not in groups
    )
    return replace(dataset, splits={**dataset.splits, "dev": dev})


def _by_label(
    rows: Sequence[Row], labels: Sequence[str], task: Task, draw: random.Random
) -> dict[str, list[Row]]:
    """The rows of each label, labels in an order of their own; all rows together for other tasks."""
    if task is not Task.CLASSIFICATION:
        return {"": list(rows)}
    found = {label: [r for r in rows if r.targets[0] == label] for label in draw.sample(labels, len(labels))}
    return {label: of_label for label, of_label in found.items() if of_label}


def _take(waiting: list[Row], most: int, size: Callable[[Row], int], chosen: list[Row]) -> int:
    """Move the first row that fits from those that wait to the chosen ones; its tokens, 0 when none fits."""
    row = next((row for row in waiting if size(row) <= most), None)
    if row is None:
        return 0
    waiting.remove(row)
    chosen.append(row)
    return size(row)


def _tokens(whole: Encoder, examples: tuple[Row, ...]) -> int:
    """What examples add to a prompt."""
    probe = examples[0]
    bare, full = (whole.with_examples(shown).encode_prompt(probe) for shown in ((), examples))
    return len(full) - len(bare)
