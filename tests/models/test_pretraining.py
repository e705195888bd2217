"""The pre-training of the embedded models: the tasks, the optimizer and what is exported."""

from __future__ import annotations

from pathlib import Path

import architecture
import corpus
import export
import numpy as np
import pytest
import torch
from curriculum import Alphabet, Stream, Tasks, easy_lookups, repeats
from mixture import lookup_row
from optimizers import orthogonal
from pretrain import SHAPES, Plan, State

SENTENCES = [
    "The harbour of Lisbon was rebuilt in 1755 after the great earthquake.",
    "Most of the merchants sold pepper, cloves and cinnamon to sailors.",
    "Their ships returned before the winter storms closed the river.",
    "A lighthouse on the northern cliff guided the captains home.",
]


@pytest.fixture(scope="module")
def alphabet() -> Alphabet:
    return Alphabet(corpus.load_tokenizer())


@pytest.fixture(scope="module")
def tasks(alphabet: Alphabet) -> Tasks:
    text = alphabet.encode(" ".join(SENTENCES * 60)).astype(np.uint16)
    return Tasks(alphabet, {"history": (Stream(alphabet, [text]), 1.0)})


@pytest.mark.parametrize("form", ["blank", "wh", "fuzzy", "about"])
def test_an_answer_stands_in_its_passage(tasks: Tasks, form: str) -> None:
    random = np.random.default_rng(3)

    for _ in range(20):
        pieces = tasks.asked_passage(random, 60, [form])
        passage, answer = (tasks.alphabet.tokenizer.decode(list(pieces[i].tokens)) for i in (1, -1))

        assert answer.strip() in passage
        assert pieces[-1].tokens[-1] == tasks.alphabet.end


def test_a_prompt_reads_as_the_product_writes_it(tasks: Tasks) -> None:
    pieces = tasks.asked_passage(np.random.default_rng(1), 40, ["wh"])

    text = tasks.alphabet.tokenizer.decode(
        [int(t) for p in pieces for t in p.tokens], skip_special_tokens=False
    )

    assert text.startswith("Passage: ")
    assert "\nQuestion: " in text
    assert "\nAnswer: " in text
    assert text.endswith("<|end|>")


def test_only_what_was_seen_before_counts_in_a_repeat() -> None:
    first, second, third, *_ = repeats(np.random.default_rng(0), np.arange(2, 90), 5, 9)

    assert (first.weight, second.weight, third.weight) == (0.0, 0.0, 1.0)
    assert list(first.tokens) == [*second.tokens, *third.tokens]


def test_a_lookup_asks_for_tokens_of_its_passage(tasks: Tasks) -> None:
    pieces = easy_lookups(tasks, np.random.default_rng(0), np.arange(2, 4096))

    passage = "".join(chr(t) for t in pieces[0].tokens)
    answers = ["".join(chr(t) for t in p.tokens[:-1]) for p in pieces if p.weight]

    assert len(answers) == 10
    assert all(answer in passage for answer in answers)


def test_the_same_seed_gives_the_same_row(tasks: Tasks) -> None:
    one, two = (lookup_row(tasks, np.random.default_rng(7), 0.5) for _ in range(2))

    assert (one[0] == two[0]).all()
    assert len(one[0]) == len(one[1]) == 513


def test_numbers_are_single_digits(alphabet: Alphabet) -> None:
    assert [alphabet.texts[t] for t in alphabet.encode("in 1945")] == ["in", " ", *"1945"]


def test_muon_steps_are_nearly_orthogonal() -> None:
    made = orthogonal(torch.randn(2, 16, 24, generator=torch.Generator().manual_seed(0)))

    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_the_exported_model_computes_what_was_trained(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    shape = architecture.Shape(layers=2, width=32, heads=2, inner=48)
    weights = {n: w.bfloat16().float() for n, w in architecture.initial_weights(shape, 1).items()}
    tokens = torch.arange(2, 130)[None]
    export.save_weights(weights, tmp_path)
    export.save_settings(shape, tmp_path)

    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ours = architecture.final_states(weights, tokens, architecture.rotary_table(shape))
    theirs = loaded(tokens).logits.detach()

    assert torch.allclose(ours @ weights["embedding"].t(), theirs, atol=1e-4)
    again = export.load_weights(tmp_path, shape)
    assert all(torch.equal(again[name], w) for name, w in weights.items())
    assert sum(p.numel() for p in loaded.parameters()) == shape.parameters


def test_progress_is_by_tokens_or_time_whichever_is_further() -> None:
    plan = Plan("shortlist-tiny-4m", tokens=1000, minutes=10, seed=0)

    assert plan.progress(State(seconds=400, mix_seconds=100, mix_tokens=100)) == pytest.approx(1 / 3)
    assert plan.progress(State(seconds=400, mix_seconds=100, mix_tokens=900)) == pytest.approx(0.9)


def test_the_models_have_the_promised_sizes() -> None:
    sizes = {name: shape.parameters for name, shape in SHAPES.items()}

    assert 3e6 < sizes["shortlist-tiny-4m"] < 4e6
    assert 0.9e6 < sizes["shortlist-tiny-1m"] < 1.2e6
