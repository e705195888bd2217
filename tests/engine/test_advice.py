"""What sources advise for a config that was edited by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import advice, models
from engine.advice import Note
from engine.catalogue import BaseModel
from engine.records import Config, Method

FULL = Config(1e-3, 3, 8)
LORA = Config(2e-4, 3, 16, lora_r=16, lora_alpha=16)
EMBEDDED = "shortlist-tiny-1m"


def said(config: Config, model: str = EMBEDDED, rows: int = 300, start: Config | None = None) -> list[Note]:
    return list(advice.notes(config, models.get(model), rows, start or config))


def sized(parameters: float) -> BaseModel:
    return replace(models.get("Qwen3-8B"), id="own", parameters=int(parameters))


@pytest.mark.parametrize(
    ("rate", "word", "outside"),
    [(1e-4, "below", True), (3e-4, "within", False), (3e-3, "within", False), (1e-1, "above", True)],
)
def test_embedded_models_are_held_against_the_rates_of_their_own_grid(
    rate: float, word: str, outside: bool
) -> None:
    note = said(replace(FULL, learning_rate=rate))[0]

    assert f" is {word} the usual 3e-4 to 3e-3." in note.text
    assert note.outside is outside
    assert "our own grid" in note.source


@pytest.mark.parametrize(
    ("parameters", "low", "high"),
    [(1e9, 1e-4, 3e-4), (8e9, 1e-4, 3e-4), (13e9, 5e-5, 2e-4), (7e10, 1e-5, 5e-5)],
)
def test_larger_models_have_the_rates_of_the_nearest_size(parameters: float, low: float, high: float) -> None:
    found = advice.rates(sized(parameters), Method.LORA)

    assert (found.low, found.high) == (low, high)


def test_the_papers_own_recommendation_counts_as_usual_and_is_named() -> None:
    (note, *_) = said(replace(LORA, learning_rate=5e-5), "Meta-Llama-3-8B")

    assert not note.outside
    assert "Halfon et al., arXiv 2407.18990: 5e-5" in note.source and "for 7 B" in note.source


@pytest.mark.parametrize(
    ("rows", "epochs", "outside"), [(999, 3, False), (999, 10, True), (4_000, 5, True), (60_000, 1, False)]
)
def test_epochs_go_with_the_number_of_rows(rows: int, epochs: int, outside: bool) -> None:
    note = said(replace(FULL, num_train_epochs=epochs), rows=rows)[1]

    assert note.text.startswith(f"For {rows:,} rows ")
    assert note.outside is outside


@pytest.mark.parametrize(
    ("alpha", "word", "outside"),
    [(8, "gentle", False), (16, "about neutral", False), (32, "strong", False), (64, "strong", True)],
)
def test_alpha_is_read_with_the_rank_and_the_rate(alpha: int, word: str, outside: bool) -> None:
    note = said(replace(LORA, lora_alpha=alpha))[2]

    assert f"alpha / r is {alpha / 16:g}, {word}: " in note.text
    assert note.outside is outside


def test_a_changed_batch_says_which_rate_goes_with_it() -> None:
    assert said(replace(LORA, per_device_train_batch_size=64), start=LORA)[-1].text == (
        "Batch 16 became 64: learning rate 2e-4 x sqrt(64/16) = 4e-4 goes with it."
    )
    assert said(replace(FULL, per_device_train_batch_size=32), start=FULL)[-1].text.endswith(
        "= 2e-3 goes with it (stated for 16 to 256)."
    )
    assert len(said(FULL)) == 2
