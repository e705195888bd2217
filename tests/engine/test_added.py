"""Models that the admin adds from a folder: what is checked, what is kept, and that they can be trained."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from engine import added, dataset, loading, models
from engine.errors import ModelError
from engine.models import Provenance
from engine.records import Config, RunStatus
from engine.train import run
from tests.studies import spec
from tests.tiny import tiny_classification, tiny_model, write_jsonl

ARCHITECTURES = ("Llama", "Mistral", "Qwen2", "Qwen3")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved model of each architecture; all but Llama in several files."""
    root = tmp_path_factory.mktemp("saved")
    for name in ARCHITECTURES:
        tiny_model(root / name, architecture=name, shard="50GB" if name == "Llama" else "100KB")
    return root


@pytest.fixture
def llama(saved: Path, tmp_path: Path) -> Path:
    """A copy of the Llama that a test may spoil."""
    return shutil.copytree(saved / "Llama", tmp_path / "llama")


@pytest.fixture
def mistral(saved: Path, tmp_path: Path) -> Path:
    """A copy of the Mistral, which has an index and five files of weights."""
    return shutil.copytree(saved / "Mistral", tmp_path / "mistral")


def edit(path: Path, **values: Any) -> None:
    """Change some keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refused(folder: Path, home: Path) -> str:
    """The sentence with which a folder is refused; nothing of it is kept."""
    with pytest.raises(ModelError) as caught:
        models.add_local("mine", folder, home)
    assert added.read(home) == {}
    assert not list((home / "models" / "local").glob("*"))
    return str(caught.value)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_sound_folder_becomes_a_model_of_the_registry(architecture: str, saved: Path, home: Path) -> None:
    from transformers import AutoModelForCausalLM

    models.add_local("mine", saved / architecture, home)

    model = models.get("mine")
    loaded = AutoModelForCausalLM.from_pretrained(models.path(model))
    assert type(loaded).__name__ == f"{architecture}ForCausalLM"
    assert model.parameters == loaded.num_parameters()
    assert (model.embedded, model.launchable, model.context_length) == (False, True, 512)
    assert model.shortlist is Provenance.NONE


@pytest.mark.parametrize("architecture", ["Qwen2", "Qwen3"])
def test_adapter_weights_of_every_shape_are_counted_as_peft_counts_them(
    architecture: str, saved: Path, home: Path
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = models.add_local("mine", saved / architecture, home)
    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(models.path(model)),
        LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"),
    )

    assert model.shape.adapter_parameters(4) == adapted.get_nb_trainable_parameters()[0]


def test_of_the_generation_settings_the_end_marks_are_kept(llama: Path, home: Path) -> None:
    settings = {"eos_token_id": [0, 5], "pad_token_id": 1, "custom_generate": "x/y", "temperature": 0.6}
    (llama / "generation_config.json").write_text(json.dumps(settings))

    model = models.add_local("mine", llama, home)

    kept = json.loads((models.path(model) / "generation_config.json").read_text())
    assert kept == {"eos_token_id": [0, 5], "pad_token_id": 1}
    assert loading.load_model(models.path(model)).generation_config.eos_token_id == [0, 5]


def test_only_files_of_the_model_are_kept(llama: Path, home: Path) -> None:
    (llama / "modeling_mine.py").write_text("raise SystemExit")
    (llama / "training_args.bin").write_bytes(b"a pickle")

    model = models.add_local("mine", llama, home)

    assert {path.name for path in models.path(model).iterdir()} == {
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_an_added_model_of_a_known_size_gets_the_shortlist_of_its_kind(llama: Path, home: Path) -> None:
    kept = models.add_local("mine", llama, home)
    facts = added.read(home)["mine"].checkpoint.to_dict()
    registry = home / "models" / "registry.json"
    edit(
        registry,
        models={"mine": {"source": "x", "created": 1.0, "checkpoint": {**facts, "parameters": 8 * 10**9}}},
    )

    assert kept.shortlist is Provenance.NONE
    assert models.get("mine").shortlist is Provenance.TRANSFERRED
    assert models.relatives(models.get("mine"))[0].id == "Meta-Llama-3-8B"


def test_the_folder_may_be_moved_away_afterwards(llama: Path, home: Path) -> None:
    model = models.add_local("mine", llama, home)
    digest = models.sha256(model)
    shutil.rmtree(llama)

    assert models.path(model).is_dir()
    assert models.sha256(models.get("mine")) == digest


def test_weights_that_change_after_the_check_are_not_loaded(llama: Path, home: Path) -> None:
    model = models.add_local("mine", llama, home)
    with (llama / "model.safetensors").open("r+b") as file:  # the same file: weights are linked
        file.seek(-4, os.SEEK_END)
        file.write(struct.pack("<f", 1e9))

    with pytest.raises(ModelError, match="were changed since they were checked"):
        models.path(model)


def test_a_removed_model_is_gone_with_its_files_and_its_folder_stays(llama: Path, home: Path) -> None:
    model = models.add_local("mine", llama, home)

    models.remove_local("mine", home)

    assert not Path(str(model.folder)).exists()
    assert (llama / "model.safetensors").exists()
    with pytest.raises(ModelError, match="There is no model 'mine'"):
        models.get("mine")
    with pytest.raises(ModelError, match="There is no added model 'mine'; added: none"):
        models.remove_local("mine", home)


@pytest.mark.parametrize(
    "name", ["", "x", "../up", "a/b", "a..b", "-rf", "shortlist-tiny-4m", "Shortlist-Tiny-x", "Qwen3-8b"]
)
def test_a_name_is_no_path_and_no_other_models(name: str, llama: Path, home: Path) -> None:
    with pytest.raises(ModelError):
        models.add_local(name, llama, home)


def test_a_name_is_used_once(llama: Path, home: Path) -> None:
    models.add_local("mine", llama, home)

    with pytest.raises(ModelError, match="was added before"):
        models.add_local("mine", llama, home)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"auto_map": {"AutoModelForCausalLM": "modeling_mine.Mine"}}, "can make a loader run code"),
        ({"_attn_implementation_internal": "someone/kernel"}, "can make a loader run code"),
        ({"attn_implementation": "someone/kernel"}, "can make a loader run code"),
        ({"quantization_config": {"quant_method": "gptq"}}, "The model is quantized"),
        ({"architectures": ["FalconForCausalLM"], "model_type": "falcon"}, "must be one of LlamaForCausalLM"),
        ({"model_type": "mistral"}, "must be one of LlamaForCausalLM"),
        ({"architectures": [["LlamaForCausalLM"]]}, "must be one of LlamaForCausalLM"),
        ({"hidden_size": 128}, "by config.json, but is"),
        ({"num_hidden_layers": 3}, "The weights lack model.layers.2."),
        ({"num_hidden_layers": 10**9}, "must be a whole number from 1 to 1,000"),
        ({"vocab_size": -1}, "vocab_size in config.json must be a whole number"),
        ({"max_position_embeddings": 16}, "must read 128 tokens or more"),
        ({"tie_word_embeddings": False}, "The weights lack lm_head.weight"),
    ],
)
def test_a_config_that_runs_code_or_does_not_fit_is_refused(
    values: dict[str, Any], words: str, llama: Path, home: Path
) -> None:
    edit(llama / "config.json", **values)

    assert words in refused(llama, home)


def test_of_a_config_only_known_keys_are_kept(llama: Path, home: Path) -> None:
    unknown = {"_name_or_path": "/home/me/secret", "some_hook": "os.system", "text_config": {"auto_map": 1}}
    edit(llama / "config.json", **unknown, _attn_implementation_autoset=True)

    model = models.add_local("mine", llama, home)

    kept = json.loads((models.path(model) / "config.json").read_text())
    assert not {*unknown, "_attn_implementation_autoset", "transformers_version"} & set(kept)
    assert kept["rope_parameters"]["rope_type"] == "default"


def test_a_folder_of_pickles_is_refused(llama: Path, home: Path) -> None:
    (llama / "model.safetensors").rename(llama / "pytorch_model.bin")

    assert "pytorch_model.bin is a pickle" in refused(llama, home)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_symbolic_link_in_the_folder_is_refused(name: str, llama: Path, home: Path, tmp_path: Path) -> None:
    (llama / name).rename(tmp_path / "elsewhere")
    (llama / name).symlink_to(tmp_path / "elsewhere")

    assert f"{name} is a symbolic link" in refused(llama, home)


@pytest.mark.parametrize("name", ["../llama/model.safetensors", "/etc/passwd", "sub/model.safetensors"])
def test_an_index_that_leads_out_of_the_folder_is_refused(name: str, mistral: Path, home: Path) -> None:
    index = mistral / "model.safetensors.index.json"
    weights = json.loads(index.read_text())["weight_map"]
    edit(index, weight_map={**weights, "model.norm.weight": name})

    assert "must name files beside it" in refused(mistral, home)


def test_a_missing_or_cut_file_of_weights_is_named(mistral: Path, home: Path) -> None:
    shard = mistral / "model-00002-of-00005.safetensors"
    content = shard.read_bytes()
    shard.write_bytes(content[:-10])
    assert "model-00002-of-00005.safetensors is not a complete safetensors file" in refused(mistral, home)

    shard.unlink()
    assert "model-00002-of-00005.safetensors is missing" in refused(mistral, home)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 16,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 10) + b'{"a": {}} ',
        struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,-4],"b":1}}',
        struct.pack("<Q", 58) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}   ' + bytes(16),
        struct.pack("<Q", 56) + b'{"a":{"dtype":"I8","shape":[8],"data_offsets":[0,8]}}   ' + bytes(8),
    ],
    ids=["empty", "huge header", "a list", "no tensor", "negative", "a hole", "whole numbers"],
)
def test_a_file_whose_header_lies_is_refused(content: bytes, llama: Path, home: Path) -> None:
    (llama / "model.safetensors").write_bytes(content)

    assert refused(llama, home)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "There is no tokenizer.json"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "not a tokenizer that can be read"),
        (lambda f: edit(f / "tokenizer_config.json", auto_map={"AutoTokenizer": "x.Y"}), "run code"),
        (lambda f: edit(f / "tokenizer_config.json", eos_token=None), "must name an eos_token"),
        (lambda f: (f / "config.json").write_text("{" * 100_000), "cannot be read as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "must hold a JSON object"),
        (lambda f: shutil.rmtree(f), "There is no folder"),
    ],
)
def test_what_is_missing_or_broken_is_named(spoil: Any, words: str, llama: Path, home: Path) -> None:
    spoil(llama)

    assert words in refused(llama, home)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["Llama", "Mistral", "Qwen3"])
@pytest.mark.parametrize("rank", [None, 4])
def test_an_added_model_is_trained_and_scored_like_any_other(
    architecture: str, rank: int | None, saved: Path, home: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    models.add_local("mine", saved / architecture, home)
    data = dataset.build(write_jsonl(tmp_path / "rows.jsonl", tiny_classification(60)))
    config = Config(3e-3, 2, 8, lora_r=rank, lora_alpha=None if rank is None else 8)
    wanted = replace(spec(), model="mine", method=config.method, config=config, dataset=data.id)

    found = run(wanted, data, tmp_path / "attempt", 1, lambda kind, values: None, lambda: None)

    assert found.status is RunStatus.FINISHED, found.error
    assert found.test is not None
    assert found.facts["model_sha256"] == models.sha256(models.get("mine"))
    kept = tmp_path / "attempt" / ("model" if rank is None else "adapter")
    assert list(kept.glob("*.safetensors"))
