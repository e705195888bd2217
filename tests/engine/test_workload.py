"""How much text a run reads, learns and writes."""

from pathlib import Path

import pytest

from engine import dataset, encode, models, workload
from engine.dataset import Dataset
from engine.loading import load_tokenizer
from engine.models import HUB_MODELS
from engine.records import Method, RunKind, RunSpec
from tests.tiny import tiny_classification, write_jsonl


def spec_of(data: Dataset, model: str = "shortlist-tiny-1m") -> RunSpec:
    return RunSpec("r", "s", RunKind.BASE, "run", data.id, data.task, model, Method.LORA, "accuracy")


def test_tokens_are_those_that_the_run_itself_would_read(colours: Dataset) -> None:
    found = workload.of_run(spec_of(colours), colours)

    text = encode.of_run(
        spec_of(colours), colours, load_tokenizer(models.path(models.get("shortlist-tiny-1m")))
    )
    rows = [text.encode(row) for row in colours.split("train")]
    read = sum(len(row.prompt) + len(row.completion) for row in rows) / len(rows)
    assert found.tokens_per_row == pytest.approx(read, rel=0.1)
    assert found.room == text.answer_tokens
    assert found.train_rows == len(rows)
    assert len(found.labels) == len(colours.labels)
    assert found.examples > 0


def test_tokens_of_a_model_that_is_not_here_are_guessed_from_the_letters(tmp_path: Path) -> None:
    data = dataset.build(write_jsonl(tmp_path / "rows.jsonl", tiny_classification(60)))

    found = workload.of_run(spec_of(data, HUB_MODELS[0].id), data)

    assert 5 < found.tokens_per_row < 20
