"""The search space, the default config and the names that hyperparameters go by."""

from dataclasses import fields

import pytest

from engine import space
from engine.errors import ConfigError
from engine.records import Method

EMBEDDED = "shortlist-tiny-4m"


@pytest.mark.parametrize("method", Method)
def test_the_embedded_space_has_12_to_24_different_configs_of_the_method(method: Method) -> None:
    configs = space.search_space(EMBEDDED, method)

    assert 12 <= len(configs) <= 24
    assert len({config.to_json() for config in configs}) == len(configs)
    assert {config.method for config in configs} == {method}


@pytest.mark.parametrize(("method", "low", "high"), [(Method.FULL, 1e-4, 3e-3), (Method.LORA, 3e-4, 1e-2)])
def test_embedded_learning_rates_lie_in_the_measured_range(method: Method, low: float, high: float) -> None:
    rates = [config.learning_rate for config in space.search_space(EMBEDDED, method)]

    assert low <= min(rates) < max(rates) <= high


def test_configs_that_share_a_training_stand_together_in_rising_epochs() -> None:
    epochs = [config.num_train_epochs for config in space.search_space(EMBEDDED, Method.LORA)]

    assert epochs == [1, 3, 5] * (len(epochs) // 3)


def test_a_model_without_a_space_is_refused() -> None:
    with pytest.raises(ConfigError, match="no search space for Mistral-7B"):
        space.search_space("Mistral-7B-v0.3", Method.LORA)


def test_the_default_is_that_of_the_installed_trl_and_peft() -> None:
    from peft import LoraConfig
    from trl import SFTConfig

    config = space.default_config("Mistral-7B-v0.3", Method.LORA).to_dict()
    trl = {field.name: field.default for field in fields(SFTConfig)}
    peft = {f"lora_{f.name}".replace("lora_lora", "lora"): f.default for f in fields(LoraConfig)}

    assert config == {name: (peft if name.startswith("lora") else trl)[name] for name in config}
    assert trl["max_steps"] == -1


@pytest.mark.parametrize(("method", "rate"), [(Method.FULL, 1e-3), (Method.LORA, 3e-3)])
def test_the_embedded_default_differs_in_the_learning_rate_alone(method: Method, rate: float) -> None:
    embedded = space.default_config(EMBEDDED, method).to_dict()
    library = space.default_config("Mistral-7B-v0.3", method).to_dict()

    assert embedded == {**library, "learning_rate": rate}


def test_names_people_arrive_with_become_trl_and_peft_names() -> None:
    arrived = {
        "lora_rank": 8,
        "lr": 1e-3,
        "epochs": 3,
        "batch_size": 8,
        "cutoff_len": 256,
        "scheduler": "cosine",
    }

    assert space.normalize_names({**arrived, "warmup_steps": 5}) == {
        "lora_r": 8,
        "learning_rate": 1e-3,
        "num_train_epochs": 3,
        "per_device_train_batch_size": 8,
        "max_length": 256,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 5,
    }
    assert set(space.ALIASES.values()) <= space.HYPERPARAMETERS


def test_two_names_for_one_thing_are_refused() -> None:
    with pytest.raises(ConfigError, match="Two values mean learning_rate"):
        space.normalize_names({"learning_rate": 1e-3, "lr": 1e-4})
