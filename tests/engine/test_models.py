"""The allow-list of base models."""

import hashlib
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine import grids, models
from engine.errors import ModelError
from engine.models import BaseModel, Provenance, Shape
from tests.engine.gridfiles import publish
from tests.tiny import tiny_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random-weights model, made once."""
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def folder(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with both embedded models, and no grid."""
    for name in models.EMBEDDED:
        shutil.copytree(weights, tmp_path / "models" / name)
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    return tmp_path / "models"


def test_the_facts_of_an_embedded_model_come_from_its_own_files(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = models.get("shortlist-tiny-4m")

    loaded = AutoModelForCausalLM.from_pretrained(folder / model.id)
    assert model.parameters == loaded.num_parameters()
    assert (model.context_length, model.embedded, model.launchable) == (512, True, True)
    assert models.path(model) == folder / model.id


def test_the_digest_is_that_of_the_weights(folder: Path) -> None:
    model = models.get("shortlist-tiny-1m")

    content = (folder / model.id / "model.safetensors").read_bytes()
    assert models.sha256(model) == hashlib.sha256(content).hexdigest()


def test_adapter_weights_are_counted_as_peft_counts_them(folder: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = models.get("shortlist-tiny-4m")
    loaded = AutoModelForCausalLM.from_pretrained(folder / model.id)
    adapted = get_peft_model(loaded, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))

    assert model.shape.adapter_parameters(4) == adapted.get_nb_trainable_parameters()[0]


def test_adapter_weights_of_an_8b_model_are_those_known_for_it() -> None:
    shape = Shape(layers=32, width=4096, inner=14336, key_value_width=1024)

    assert shape.adapter_parameters(8) == 20_971_520


@pytest.mark.parametrize("text", ["../secrets", "/etc", "meta-llama/Meta-Llama-3-8B", "gpt2", ""])
def test_no_typed_path_or_hub_id_is_a_model(folder: Path, text: str) -> None:
    with pytest.raises(ModelError, match="There is no model"):
        models.get(text)


def test_hub_models_are_published_and_pinned_to_a_commit() -> None:
    model = models.get("Mistral-7B-v0.3")

    assert (model.embedded, model.launchable, model.shortlist) == (False, True, Provenance.PUBLISHED)
    assert all(re.fullmatch("[0-9a-f]{40}", str(model.revision)) for model in models.HUB_MODELS)


def test_a_hub_model_without_a_pinned_revision_cannot_be_trained() -> None:
    model = replace(models.get("Mistral-7B-v0.3"), revision=None)

    assert not model.launchable
    with pytest.raises(ModelError, match="its revision is not pinned"):
        models.path(model)


VOCABULARIES = {"Meta-Llama-3": 128_256, "Llama-3": 128_256, "Mistral": 32_768, "Qwen3": 151_936}
TIED = ("Llama-3.2-1B", "Llama-3.2-3B", "Qwen3-4B-Instruct-2507")


@pytest.mark.parametrize("model", models.HUB_MODELS, ids=lambda model: model.id)
def test_the_parameters_of_a_hub_model_follow_from_its_shape(model: BaseModel) -> None:
    shape = model.shape
    vocabulary = next(size for name, size in VOCABULARIES.items() if model.id.startswith(name))
    query = shape.query_width or shape.width
    norms = 2 * shape.width + (2 * 128 if "Qwen3" in model.id else 0)
    attention = 2 * shape.width * query + 2 * shape.width * shape.key_value_width
    layer = attention + 3 * shape.width * shape.inner + norms
    embeddings = (1 if model.id in TIED else 2) * vocabulary * shape.width

    assert model.parameters == shape.layers * layer + embeddings + shape.width


def test_a_model_without_its_weights_is_left_out_and_says_what_to_restore(folder: Path) -> None:
    (folder / "shortlist-tiny-1m" / "model.safetensors").unlink()

    assert "shortlist-tiny-1m" not in [model.id for model in models.registry()]
    with pytest.raises(ModelError, match="weights of shortlist-tiny-1m are missing"):
        models.get("shortlist-tiny-1m")


def test_a_grid_measures_its_model_and_transfers_to_the_other(folder: Path) -> None:
    assert models.get("shortlist-tiny-4m").shortlist is Provenance.NONE

    publish(grids.FOLDER)

    assert models.get("shortlist-tiny-4m").shortlist is Provenance.MEASURED
    assert models.get("shortlist-tiny-1m").shortlist is Provenance.TRANSFERRED
