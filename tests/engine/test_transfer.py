"""What a config becomes on a larger model, or with another effective batch."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import transfer
from engine.errors import ConfigError
from engine.records import Config, RunStatus
from engine.search import Objective, Trial
from tests.engine.driving import CONFIG

FULL = Config(1e-3, 3, 8, weight_decay=0.01, warmup_ratio=0.05)


def trial(run: str, loss: float, score: float, status: RunStatus = RunStatus.FINISHED) -> Trial:
    config = replace(CONFIG, learning_rate=loss / 1000)
    return Trial(run, config, status, True, loss=loss, score=score)


def test_the_rank_doubles_alpha_goes_with_it_and_the_rest_stays() -> None:
    config = replace(CONFIG, lora_dropout=0.1, weight_decay=0.02, lora_alpha=4)
    assert transfer.carry(config, learning_rate_factor=0.5) == replace(
        config, learning_rate=1.5e-3, lora_r=16, lora_alpha=8
    )


@pytest.mark.parametrize(("rank", "carried"), [(4, 8), (32, 64), (48, 64), (64, 64), (128, 128)])
def test_the_rank_stops_at_its_cap_and_is_never_lowered(rank: int, carried: int) -> None:
    config = replace(CONFIG, lora_r=rank, lora_alpha=2 * rank)
    found = transfer.carry(config, learning_rate_factor=1.0)
    assert (found.lora_r, found.lora_alpha) == (carried, 2 * carried)


def test_full_fine_tuning_carries_all_but_the_learning_rate() -> None:
    assert transfer.carry(FULL, learning_rate_factor=0.2) == replace(FULL, learning_rate=2e-4)


def test_a_factor_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="learning-rate factor must be above 0"):
        transfer.carry(FULL, learning_rate_factor=0.0)


def test_every_stated_factor_has_a_source() -> None:
    assert [factor.value for factor in transfer.RATE_FACTORS] == [1.0, 1 / 2, 1 / 3, 1 / 5]
    assert all(factor.source for factor in transfer.RATE_FACTORS)


def test_the_top_are_the_best_finished_trainings_each_config_once() -> None:
    trials = [
        trial("a", 0.9, 0.5),
        trial("b", 0.5, 0.6),
        trial("c", 0.5, 0.6),
        trial("d", 0.1, 0.9, RunStatus.STOPPED),
        trial("e", 0.7, 0.8),
        replace(trial("f", 0.6, 0.4), loss=None),
    ]
    assert [found.run for found in transfer.top(trials)] == ["b", "e", "a"]
    assert [found.run for found in transfer.top(trials, 2, Objective.METRIC)] == ["e", "b"]


def test_four_times_the_batch_takes_twice_the_learning_rate() -> None:
    config, note = transfer.scaled_for_batch(CONFIG, 16, 64)
    assert config == replace(CONFIG, learning_rate=6e-3)
    assert note is not None
    assert note.text == "Batch 16 became 64: learning rate 3e-3 x sqrt(64/16) = 6e-3 goes with it."


def test_beyond_16_to_256_the_note_says_that_the_rule_is_not_stated_there() -> None:
    _, note = transfer.scaled_for_batch(CONFIG, 8, 512)
    assert note is not None
    assert note.text.endswith("(stated for 16 to 256).")


def test_the_same_batch_changes_nothing() -> None:
    assert transfer.scaled_for_batch(CONFIG, 32, 32) == (CONFIG, None)


def test_a_batch_without_rows_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 row"):
        transfer.scaled_for_batch(CONFIG, 0, 8)


@given(st.integers(1, 512), st.integers(1, 512))
def test_there_and_back_is_where_it_was(old: int, new: int) -> None:
    there, _ = transfer.scaled_for_batch(CONFIG, old, new)
    back, _ = transfer.scaled_for_batch(there, new, old)
    assert back.learning_rate == pytest.approx(CONFIG.learning_rate, rel=0.01)
