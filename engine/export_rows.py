"""A run's rows as text, exactly as it read them: what the exported script trains on and answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from engine import encode, loading
from engine.dataset import Dataset
from engine.encode import Encoder
from engine.export_parts import Base, Trained
from engine.metrics import lower_is_better
from engine.records import Row

Line = Mapping[str, Any]


def encoder_of(trained: Trained, base: Base) -> Encoder:
    """The encoder that the run had."""
    return encode.of_run(trained.spec, trained.dataset, loading.load_tokenizer(base.folder))


def split_rows(trained: Trained, text: Encoder) -> dict[str, list[Line]]:
    """The lines of train.jsonl, dev.jsonl and test.jsonl. `end_mark`: the tokenizer's follows the completion;
    `turns`: parts of the prompt (from, to) that are learnt too."""
    spec = trained.spec
    dataset, _ = encode.readable(trained.dataset, text.tokenizer)
    found: dict[str, list[Line]] = {"train": [_line(text, row) for row in encode.train_rows(spec, dataset)]}
    for split in ("dev", "test"):
        found[split] = [_scored(text, row, spec.metric) for row in dataset.split(split)]
    return found


def asked(dataset: Dataset, text: Encoder, split: str) -> list[Line]:
    """Each row's number and the prompt that the model was asked."""
    return [{"row": row.number, "prompt": text.write_prompt(row)} for row in dataset.split(split)]


def jsonl(lines: Iterable[Line]) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


def sha256(lines: Iterable[Line]) -> str:
    """The digest of the file that these lines make."""
    return hashlib.sha256(jsonl(lines)).hexdigest()


def _line(text: Encoder, row: Row) -> dict[str, Any]:
    written = text.write(row)
    return {
        "row": row.number,
        "prompt": written.prompt,
        "completion": written.completion,
        "end_mark": written.ends,
        "turns": [list(part) for part in written.turns],
    }


def _scored(text: Encoder, row: Row, metric: str) -> Line:
    """A loss is taken after the prompt of training, an answer to the prompt without any answer."""
    line = _line(text, row)
    if not lower_is_better(metric):
        line["prompt"] = text.write_prompt(row)
    return {**line, "answers": list(row.targets)}
