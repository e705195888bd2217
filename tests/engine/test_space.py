"""The search space, the default config and the names that hyperparameters go by."""

from dataclasses import fields

import pytest

from engine import space
from engine.errors import ConfigError
from engine.records import Config, Method

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


def test_the_library_default_is_that_of_the_installed_trl_and_peft() -> None:
    from peft import LoraConfig
    from trl import SFTConfig

    config = space.library_default(Method.LORA).to_dict()
    trl = {field.name: field.default for field in fields(SFTConfig)}
    peft = {f"lora_{f.name}".replace("lora_lora", "lora"): f.default for f in fields(LoraConfig)}

    assert config == {name: (peft if name.startswith("lora") else trl)[name] for name in config}
    assert trl["max_steps"] == -1


@pytest.mark.parametrize(("method", "rate"), [(Method.FULL, 1e-3), (Method.LORA, 3e-3)])
def test_the_embedded_default_differs_in_the_learning_rate_alone(method: Method, rate: float) -> None:
    embedded = space.default_config(EMBEDDED, method).to_dict()
    library = space.library_default(method).to_dict()

    assert embedded == {**library, "learning_rate": rate}


def test_the_default_of_a_real_llm_is_what_most_people_run() -> None:
    lora = space.default_config("Mistral-7B-v0.3", Method.LORA, 100)
    full = space.default_config("Mistral-7B-v0.3", Method.FULL, 100)

    assert lora.label == "lr 2e-4, 5 epochs, batch 8, r 16, alpha 16"
    assert (lora.lr_scheduler_type, lora.warmup_steps) == ("linear", 5)
    assert full == space.library_default(Method.FULL)


@pytest.mark.parametrize(("rows", "epochs"), [(8, 60), (100, 5), (240, 2), (480, 1), (5000, 1), (None, 1)])
def test_the_lora_default_trains_60_steps_or_one_epoch(rows: int | None, epochs: int) -> None:
    assert space.default_config("SmolLM2", Method.LORA, rows).num_train_epochs == epochs


def test_a_default_says_where_it_comes_from() -> None:
    def title(model: str, config: Config) -> str | None:
        origin = space.default_origin(model, config)
        return origin and origin.title

    for method in Method:
        assert title(EMBEDDED, space.default_config(EMBEDDED, method)) == "TRL's default"
    assert title("SmolLM2", space.default_config("SmolLM2", Method.LORA, 100)) == "Unsloth's notebooks"
    assert title("SmolLM2", space.default_config("SmolLM2", Method.FULL, 100)) == "TRL's default"
    assert title("SmolLM2", space.library_default(Method.LORA)) == "TRL's default"
    assert title("SmolLM2", Config(1e-3, 3, 8)) is None


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
