"""Runs of chat models on files as people have them: whole answers, odd conversations, all answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import dataset, encode, loading, models, settings
from engine.dataset import Dataset
from engine.records import Config, Method, RunKind, RunResult, RunSpec, RunStatus
from engine.tokens import Tokenizer
from engine.train import run
from tests.chat import chat_tokenizer
from tests.shared import shared
from tests.studies import spec
from tests.tiny import tiny_model

pytestmark = pytest.mark.trains

ONE_EPOCH = Config(learning_rate=1e-3, num_train_epochs=1, per_device_train_batch_size=4)


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lists a tiny model with the chat template of the named one."""
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "home"))

    def add(name: str) -> str:
        folder = tiny_model(tmp_path / name, layers=1, width=32, context=4096, tokenizer=chat_tokenizer(name))
        return models.add_local(f"tiny-{name}", folder, settings.current().home).id

    return add


def spec_of(data: Dataset, model: str, kind: RunKind = RunKind.CUSTOM, **changes: Any) -> RunSpec:
    metric = {"classification": "accuracy", "summarization": "rougeL"}.get(str(data.task), "rougeL")
    config = ONE_EPOCH if kind.trains else None
    base = replace(spec(kind=kind), config=config, rank=None, method=Method.FULL, metric=metric)
    return replace(base, model=model, task=data.task, dataset=data.id, **changes)


def carried_out(asked: RunSpec, data: Dataset, folder: Path) -> RunResult:
    return run(asked, data, folder, 1, lambda kind, values: None, lambda: None)


def test_one_odd_conversation_is_set_aside_and_the_run_ends_well(added: Any, tmp_path: Path) -> None:
    data = dataset.build(shared("cases/80_sharegpt_one_bad_turn.jsonl"))
    asked = spec_of(data, added("mistral"), train_size=8)

    result = carried_out(asked, small(data), tmp_path / "run")

    assert result.status is RunStatus.FINISHED, result.error
    assert result.facts["refused_rows"].keys() == {31}
    assert result.facts["note"].startswith("Row 31 set aside: The model's chat template refuses row 31")


def test_rows_of_two_pages_are_read_whole_by_a_model_that_can(added: Any) -> None:
    data = dataset.build(shared("cases/72_two_page_docs.jsonl"))
    text = reader(data, added("smollm2"))

    assert text.max_length == 4096
    assert not any(text.write(row).truncated or text.cuts_prompt(row) for row in data.rows)


def test_long_answers_are_learned_and_generated_whole(added: Any) -> None:
    data = dataset.build(shared("cases/32_long_answers.jsonl"))
    text = reader(data, added("smollm2"))

    for row in data.rows:
        found = text.encode(row)
        assert not found.truncated
        assert text.decode(found.completion) == row.targets[0].strip()
        assert len(found.completion) <= text.answer_tokens + 1  # a line break behind the end mark


def test_a_label_that_begins_another_can_lose(added: Any) -> None:
    data = dataset.build(shared("cases/35b_prefix_words.csv"))
    text = reader(data, added("llama-3"))

    tokens = {label: text.encode_answer(label, data.rows[0]) for label in data.labels}

    for label, ids in tokens.items():
        assert ids[-1] in text.ends
        assert not any(other != label and ids == tokens[other][: len(ids)] for other in tokens)


def test_all_answers_of_a_conversation_are_learned_when_asked_for(added: Any, tmp_path: Path) -> None:
    data = small(dataset.build(shared("cases/81_multiturn.jsonl")))
    model = added("smollm2")
    every = spec_of(data, model, train_size=8, assistant_only_loss=True)
    tokenizer = loading.load_tokenizer(models.path(models.get(model)))

    learned = [
        sum(label != -100 for row in data.split("train") for label in text.encode(row).labels)
        for text in (
            encode.of_run(one, data, tokenizer) for one in (every, replace(every, assistant_only_loss=False))
        )
    ]
    result = carried_out(every, data, tmp_path / "run")

    assert result.status is RunStatus.FINISHED, result.error
    assert learned[0] > 1.5 * learned[1]
    assert [issue.code for issue in data.issues if issue.code == "several_answers"] == ["several_answers"]


def reader(data: Dataset, model_id: str) -> encode.Encoder:
    model = models.get(model_id)
    return encode.of_rows(data, model, Tokenizer(models.path(model)))


def small(data: Dataset) -> Dataset:
    """With few rows to score, row 31 among them."""
    kept = {name: members[:12] for name, members in data.splits.items()}
    odd = [i for i, row in enumerate(data.rows) if row.number == 31]
    kept["test"] = tuple(dict.fromkeys([*kept["test"], *odd]))
    return replace(
        data, splits={name: tuple(i for i in m if name == "test" or i not in odd) for name, m in kept.items()}
    )
