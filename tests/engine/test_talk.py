"""One text to a model: the prompt is the study's, the answer grows token by token, a seed repeats a draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import dataset as datasets
from engine import generate, loading, talk
from engine.dataset import Dataset
from engine.errors import ConfigError, DatasetError
from engine.records import Role, RunSpec
from engine.talk import Sampling
from tests import studies
from tests.tiny import tiny_classification, tiny_model, tiny_questions, write_jsonl


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def model(folder: Path) -> Any:
    return loading.load_model(folder)


@pytest.fixture
def tokenizer(folder: Path) -> Any:
    return loading.load_tokenizer(folder)


@pytest.fixture
def colours(tmp_path: Path) -> Dataset:
    return datasets.build(write_jsonl(tmp_path / "colours.jsonl", tiny_classification()))


def spec(**changed: Any) -> RunSpec:
    return replace(studies.spec(), **changed)


def asked(tokenizer: Any, text: str, most: int | None = None) -> talk.Prompt:
    ids = tuple(tokenizer(text)["input_ids"])[:most]
    return talk.Prompt(ids, text, cut=False, one_line=True, ends=(tokenizer.eos_token_id,))


def test_the_prompt_is_the_text_in_the_template_of_the_study(colours: Dataset, tokenizer: Any) -> None:
    row = talk.row({"source": "a red frog"})

    plain = talk.prompt(spec(), colours, tokenizer, row)
    own = talk.prompt(spec(template="Say the colour of {source} now:"), colours, tokenizer, row)

    assert plain.text == "Text: a red frog\nLabel:"
    assert own.text == "Say the colour of a red frog now:"
    assert not plain.cut and plain.one_line
    assert list(plain.ids) == tokenizer(plain.text)["input_ids"]


def test_a_text_of_100_000_characters_is_cut_to_what_the_model_reads(
    colours: Dataset, tokenizer: Any
) -> None:
    found = talk.prompt(spec(max_length=64), colours, tokenizer, talk.row({"source": "red frog " * 12_000}))

    assert found.cut and len(found.ids) < 64
    assert found.text.endswith("\nLabel:")


def test_an_empty_or_a_missing_field_is_named(tokenizer: Any, tmp_path: Path) -> None:
    questions = datasets.build(write_jsonl(tmp_path / "qa.jsonl", tiny_questions()))

    with pytest.raises(DatasetError, match="The field question is empty"):
        talk.row({"context": "The frog is green.", "question": "  "})
    with pytest.raises(DatasetError, match="The field question is missing"):
        talk.prompt(spec(task=questions.task), questions, tokenizer, talk.row({"context": "green"}))


def test_a_typed_message_opens_a_conversation() -> None:
    row = talk.row({"messages": 'say "hi"'})

    assert row.inputs[Role.MESSAGES] == '[{"role": "user", "content": "say \\"hi\\""}]'


def test_pieces_put_together_are_the_answer_that_scoring_generates(model: Any, tokenizer: Any) -> None:
    ids = asked(tokenizer, "Text: a red apple\nLabel:")
    limits = generate.Limits((tokenizer.eos_token_id,), tokenizer.pad_token_id, 40)
    (whole,) = generate.generate(model, [ids.ids], limits)

    pieces = list(talk.stream(model, tokenizer, ids, Sampling(max_new_tokens=40)))

    text = tokenizer.decode(whole, skip_special_tokens=True)
    assert len(pieces) == len(whole)
    assert "".join(pieces) == text.rstrip(talk.UNFINISHED)


def test_the_same_seed_draws_the_same_answer_and_another_a_different_one(model: Any, tokenizer: Any) -> None:
    ids = asked(tokenizer, "Text: a red apple\nLabel:")

    def drawn(seed: int) -> list[str]:
        return list(talk.stream(model, tokenizer, ids, Sampling(30, temperature=1.0, seed=seed)))

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_a_tiny_top_p_leaves_only_the_likeliest_token(model: Any, tokenizer: Any) -> None:
    ids = asked(tokenizer, "Text: a red apple\nLabel:")
    greedy = list(talk.stream(model, tokenizer, ids, Sampling(20)))

    drawn = list(talk.stream(model, tokenizer, ids, Sampling(20, temperature=2.0, top_p=1e-6)))

    assert drawn == greedy


def test_an_answer_ends_where_the_context_is_full(model: Any, tokenizer: Any) -> None:
    ids = asked(tokenizer, "red " * 600, most=507)

    assert len(list(talk.stream(model, tokenizer, ids, Sampling(max_new_tokens=100)))) <= 5


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_setting_out_of_range_is_named(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be"):
        Sampling(**changed)
