"""A config goes to YAML and back, comes in under other tools' names, and is refused in one sentence."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from engine import configfile
from engine.errors import ConfigError
from engine.records import Config
from tests.studies import CONFIG

FULL = Config(learning_rate=1e-3, num_train_epochs=3, per_device_train_batch_size=8, warmup_ratio=0.1)


@pytest.mark.parametrize(
    "config", [CONFIG, FULL, replace(CONFIG, lr_scheduler_type="cosine", warmup_steps=5)]
)
def test_a_config_survives_being_written_and_read(config: Config) -> None:
    text = configfile.write_config(config, "Run 1\nof a study")

    assert text.startswith("# Run 1\n# of a study\n")
    assert configfile.read_config(text) == config


def test_the_names_written_are_those_of_trl() -> None:
    from trl import ModelConfig, SFTConfig

    known = {field.name for of in (SFTConfig, ModelConfig) for field in fields(of)}

    # transformers 5 has warmup_ratio in warmup_steps, as a number below 1
    assert {field.name for field in fields(Config)} - known == {"warmup_ratio"}


def test_other_tools_names_and_spellings_are_understood() -> None:
    text = "lr: 3e-4\nepochs: 3.0\nmicro_batch_size: 8\nlora_rank: 8\nlora_alpha: '16'\nscheduler: cosine\n"

    assert configfile.read_config(text) == Config(
        learning_rate=3e-4,
        num_train_epochs=3,
        per_device_train_batch_size=8,
        lr_scheduler_type="cosine",
        lora_r=8,
        lora_alpha=16,
    )


@pytest.mark.parametrize("name", ["max_length", "cutoff_len", "sequence_len"])
def test_the_length_of_rows_is_the_studys_and_read_apart(name: str) -> None:
    text = configfile.write_config(FULL) + f"{name}: 256\n"

    assert configfile.read(text) == configfile.ConfigFile(FULL, 256)
    with pytest.raises(ConfigError, match="setting of the whole study"):
        configfile.read_config(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate: 1e-3\noptim: lion\n", "optim is no hyperparameter that can be set here"),
        ("learning_rate: fast\n", "learning_rate must be a number such as 3e-4, but is 'fast'"),
        ("num_train_epochs: 2.5\n", "num_train_epochs must be a whole number, but is 2.5"),
        ("num_train_epochs: yes\n", "num_train_epochs must be a whole number, but is True"),
        ("learning_rate: 1e-3\nlr: 1e-4\n", "Two values mean learning_rate"),
        ("learning_rate: 1e-3\n", "num_train_epochs is missing"),
        ("- 1\n- 2\n", "lines of 'name: value'"),
        ("", "lines of 'name: value'"),
        ("lr: [1\n", "not YAML"),
        ("a: &x [1]\nb: *x\n", "must not repeat a part"),
        ("[" * 5000, "nested too deeply|not YAML"),
        ("# " + "x" * 70_000, "at most 64 kB"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_what_is_wrong_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configfile.read_config(text)


def test_a_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("learning_rate: 2\n")

    with pytest.raises(ConfigError, match=r"^mine\.yaml: "):
        configfile.read_path(tmp_path / "mine.yaml")
    with pytest.raises(ConfigError, match="cannot be read as a config"):
        configfile.read_path(tmp_path / "none.yaml")
