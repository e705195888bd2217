"""Importance on surfaces whose decomposition one can compute by hand."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from engine import exploration, importance
from engine.exploration import Filters, View


def table(score: Callable[[float, int, str], float], datasets: str = "abcd") -> pd.DataFrame:
    """Two learning rates x two numbers of epochs on each dataset; rank and alpha change together."""
    rows = [
        {"dataset": name, "learning_rate": rate, "num_train_epochs": epochs, "lora_r": 8, "lora_alpha": 16,
         "score": score(rate, epochs, name)}
        for name in datasets for rate in (1e-3, 1e-2) for epochs in (1, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(model="m", method="lora")


def seen(frame: pd.DataFrame) -> View:
    view = exploration.view(frame, Filters())
    assert view is not None
    return view


def shares(view: View) -> dict[tuple[str, ...], float]:
    found = importance.importance(view)
    assert found is not None
    return {effect.factors: round(effect.share, 6) for effect in (*found.effects, found.rest)}


def test_a_setting_that_decides_alone_has_all_of_the_variance() -> None:
    view = seen(table(lambda rate, epochs, name: 1.0 if rate == 1e-2 else 0.5))

    assert shares(view)[("learning_rate",)] == 1
    assert shares(view)[("learning_rate", "num_train_epochs")] == 0


def test_two_additive_settings_share_the_variance_by_their_squared_effects() -> None:
    # 0.4, 0.5, 0.8, 0.9: a difference of 0.4 and one of 0.1, so 16 : 1
    view = seen(table(lambda rate, epochs, name: 0.4 + 0.4 * (rate == 1e-2) + 0.1 * (epochs == 3)))

    assert shares(view)[("learning_rate",)] == pytest.approx(16 / 17, abs=1e-6)
    assert shares(view)[("num_train_epochs",)] == pytest.approx(1 / 17, abs=1e-6)


def test_a_pure_interaction_is_no_main_effect() -> None:
    view = seen(table(lambda rate, epochs, name: 1.0 if (rate == 1e-2) == (epochs == 3) else 0.5))

    assert shares(view)[("learning_rate", "num_train_epochs")] == 1
    assert shares(view)[("learning_rate",)] == 0


def test_datasets_are_averaged_and_give_the_interval() -> None:
    view = seen(
        table(lambda rate, epochs, name: 0.5 + 0.5 * ((rate == 1e-2) if name in "abc" else (epochs == 3)))
    )

    found = importance.importance(view)

    assert found is not None
    first = found.effects[0]
    assert (first.factors, first.share, first.by_unit) == (("learning_rate",), 0.75, (1, 1, 1, 0))
    assert first.low is not None
    assert first.high is not None
    assert 0 <= first.low < 0.75 < first.high == 1


def test_two_datasets_are_too_few_for_an_interval() -> None:
    found = importance.importance(seen(table(lambda rate, epochs, name: rate + epochs, "ab")))

    assert found is not None
    assert (found.effects[0].low, found.effects[0].high) == (None, None)


def test_settings_that_change_together_are_one_factor() -> None:
    frame = table(lambda rate, epochs, name: rate + epochs)
    twin = frame.assign(lora_r=32, lora_alpha=64, score=frame["score"] + 1)

    found = importance.factors(seen(pd.concat([frame, twin])))

    assert [factor.name for factor in found] == [
        "learning_rate",
        "num_train_epochs",
        "lora_r with lora_alpha",
    ]
    assert found[-1].levels == ((8, 16), (32, 64))


def test_combinations_that_were_not_run_are_filled_and_counted() -> None:
    frame = table(lambda rate, epochs, name: rate + epochs)
    more = frame.assign(num_train_epochs=frame["num_train_epochs"] + 4, score=frame["score"] + 1)
    both = pd.concat([frame, more], ignore_index=True)

    found = importance.importance(seen(both.drop(index=0)))

    assert found is not None
    assert (found.filled, found.combinations) == (1, 32)


def test_a_value_that_was_hardly_run_is_dropped_and_named() -> None:
    frame = table(lambda rate, epochs, name: rate + epochs)
    once = frame.iloc[:1].assign(learning_rate=5e-1, score=0.9)

    found = importance.importance(seen(pd.concat([frame, once])))

    assert found is not None
    assert found.dropped == ("learning_rate 0.5",)


def test_one_config_has_no_importance() -> None:
    frame = table(lambda rate, epochs, name: rate)
    assert importance.importance(seen(frame[frame["learning_rate"] == 1e-3].iloc[::2])) is None


def test_the_scores_sampling_error_is_told_as_a_share_of_the_variance() -> None:
    # scores 0.5 and 1.0: variance 1/16; a half-width of 1.96 x 0.05 gives a squared error of 1/400
    frame = table(lambda rate, epochs, name: 1.0 if rate == 1e-2 else 0.5).assign(train_size=100)
    half = importance.Z95 * 0.05
    frame = frame.assign(score_low=frame["score"] - half, score_high=frame["score"] + half)

    found = importance.importance(seen(frame))

    assert found is not None
    assert found.noise == pytest.approx(16 / 400)
