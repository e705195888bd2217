"""Answers, losses and label likelihoods against those of transformers: one pass gives what three would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine import generate, loading, scoring
from engine.encode import Encoder, encoder
from engine.generate import Asked, Limits
from engine.prompts import Form
from engine.records import Role, Row, Task
from tests.tiny import tiny_model

LABELS = ("green", "deep blue sea")


class Reader(NamedTuple):
    model: Any
    text: Encoder
    rows: list[Row]

    @property
    def prompts(self) -> list[list[int]]:
        return [self.text.encode_prompt(row) for row in self.rows]


@pytest.fixture(scope="module", params=["{source}", "Say which colour the text is about.\n{source}"])
def reader(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Prompts that have nothing in common, and prompts that begin alike."""
    folder = tiny_model(tmp_path_factory.mktemp("model"))
    rows = [
        Row(n, {Role.SOURCE: f"{n} " + "red apple " * (1 + n % 7)}, (LABELS[n % 2],)) for n in range(1, 24)
    ]
    form = Form(Task.CLASSIFICATION, request.param, LABELS)
    return Reader(loading.load_model(folder), encoder(form, loading.load_tokenizer(folder), rows), rows)


def limits(most: int, *ends: int) -> Limits:
    return Limits(ends, 1, most)


def plain_losses(model: Any, prompt: list[int], answer: list[int]) -> Any:
    """The log-probabilities of an answer's tokens in one forward pass of its own."""
    import torch

    with torch.no_grad():
        logs = model(input_ids=torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return logs[len(prompt) - 1 : -1].gather(1, torch.tensor(answer)[:, None])[:, 0]


def test_generation_gives_the_tokens_of_transformers(reader: Reader) -> None:
    import torch

    prompts = reader.prompts
    free = generate.generate(reader.model, prompts, limits(12))
    end = free[3][4]  # a token that some answers hold and some do not

    found = generate.generate(reader.model, prompts, limits(12, end))

    for prompt, answer in zip(prompts, found, strict=True):
        whole = reader.model.generate(
            input_ids=torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=12,
            do_sample=False,
            eos_token_id=end,
            pad_token_id=1,
        )[0, len(prompt) :].tolist()
        assert answer == (whole[: whole.index(end)] if end in whole else whole)
    assert {len(answer) for answer in found} - {12}


def test_an_answer_ends_at_any_of_the_end_marks(reader: Reader) -> None:
    free = generate.generate(reader.model, reader.prompts[:1], limits(12))[0]

    (found,) = generate.generate(reader.model, reader.prompts[:1], limits(12, free[7], free[4]))

    first = min(free.index(free[7]), free.index(free[4]))
    assert found == free[:first]


def test_the_models_own_end_marks_count_too(reader: Reader) -> None:
    reader.model.generation_config.eos_token_id = [7, 9]

    assert generate.ends(reader.model, (0, 9)) == (0, 9, 7)
    reader.model.generation_config.eos_token_id = None
    assert generate.ends(reader.model, (0,)) == (0,)


def test_one_pass_gives_the_answers_losses_and_likelihoods_of_three(reader: Reader) -> None:
    prompts = reader.prompts
    right = [reader.text.encode(row).completion for row in reader.rows]
    labels = [reader.text.encode_answer(label, reader.rows[0]) for label in LABELS]

    found = generate.answer(
        reader.model, [Asked(*pair) for pair in zip(prompts, right, strict=True)], limits(8, 0), labels
    )

    assert [one.tokens for one in found] == generate.generate(reader.model, prompts, limits(8, 0))
    for one, prompt, completion in zip(found, prompts, right, strict=True):
        loss = -float(plain_losses(reader.model, prompt, completion).mean())
        assert one.loss == pytest.approx(loss, rel=1e-4)
        plain = [float(plain_losses(reader.model, prompt, label).sum()) for label in labels]
        assert one.labels == pytest.approx(plain, abs=1e-3)


def test_a_row_without_a_right_answer_has_no_loss(reader: Reader) -> None:
    asked = [Asked(reader.prompts[0], (5, 6)), Asked(reader.prompts[1])]

    found = generate.answer(reader.model, asked, limits(0))

    assert found[0].loss is not None and found[1].loss is None
    assert [one.tokens for one in found] == [[], []]


def test_few_tokens_at_once_give_the_same_answers(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = generate.generate(reader.model, reader.prompts, limits(8))

    monkeypatch.setattr(generate, "TOKENS_PER_BATCH", 64)
    monkeypatch.setattr(generate, "POSITIONS", 3)

    assert generate.generate(reader.model, reader.prompts, limits(8)) == whole


def test_training_and_scoring_read_the_same_prompt(reader: Reader) -> None:
    for row in reader.rows:
        assert reader.text.encode(row).prompt == reader.text.encode_prompt(row)
        assert reader.text.encode(row).completion[-1] == reader.text.tokenizer.eos_token_id


def test_a_row_that_is_cut_has_the_loss_of_what_was_learned(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path)
    rows = [
        Row(1, {Role.SOURCE: "red apple " * 200}, ("the red apple fell " * 3,)),
        Row(2, {Role.SOURCE: "x"}, ("y",)),
    ]
    text = encoder(Form(Task.SUMMARIZATION), loading.load_tokenizer(folder), rows, 64)
    model = loading.load_model(folder)

    losses = scoring.row_losses(model, text, rows)

    for row, loss in zip(rows, losses, strict=True):
        one = text.encode(row)
        assert loss == pytest.approx(-float(plain_losses(model, one.prompt, one.completion).mean()), rel=1e-4)


def test_an_answer_ends_at_a_line_break_when_no_training_answer_has_one(reader: Reader) -> None:
    ids = reader.text.tokenizer(" red\nText: more")["input_ids"]

    assert reader.text.decode(ids) == "red"
