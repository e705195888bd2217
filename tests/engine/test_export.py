"""An export of real runs: its files answer as the run did, its script repeats it, damage is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from engine import configfile, dataset, export, export_rows, export_weights, models, parity, settings, train
from engine.errors import ConfigError, ModelError
from engine.export_parts import Base, Cancelled, Hooks, Trained, What
from engine.records import Config, Method, RunSpec
from tests import studies, tiny

LORA = Config(1e-2, 4, 8, lora_r=8, lora_alpha=16, lora_dropout=0.0)
FULL = Config(3e-3, 3, 8)
QUIET = Hooks(lambda text: None, lambda: False)
SMALL = "shortlist-tiny-1m"

pytestmark = pytest.mark.timeout(300)  # real trainings, and new processes that load them


@pytest.fixture(scope="module", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_HOME", str(tmp_path_factory.mktemp("home")))
        yield


def trained(folder: Path, config: Config, model: str = SMALL) -> Trained:
    """A run of an embedded model on rows that it can learn."""
    if model not in {model.id for model in models.registry()}:
        pytest.skip("the weights of models/ are missing")
    data = dataset.build(tiny.write_jsonl(folder / "colours.jsonl", tiny.tiny_classification(120)))
    spec = replace(studies.spec(), dataset=data.id, config=config, method=config.method, model=model)
    result = train.run(spec, data, folder / "attempt", 1, lambda kind, values: None, lambda: None)
    assert result.test is not None, result.error
    study = replace(studies.study(), name="Colours [x](http://evil) <b>")
    return Trained(spec, result, folder / "attempt", data, study, (), "f" * 64)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory, own_home: None) -> Trained:
    return trained(tmp_path_factory.mktemp("lora"), LORA)


@pytest.fixture(scope="module")
def exported(lora: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, export.Written]:
    """Everything of a LoRA run."""
    folder = tmp_path_factory.mktemp("export")
    return folder, export.write(lora, What.ALL, folder, QUIET)


@pytest.mark.slow
def test_adapter_and_merged_model_answer_every_row_as_the_run_did(
    exported: tuple[Path, export.Written],
) -> None:
    folder, found = exported

    assert [(entry.part, entry.sentence) for entry in found.parity] == [
        ("merged", "Same answers on 29 of 29 test rows"),
        ("adapter", "Same answers on 29 of 29 test rows"),
        ("gguf-f16", "Same answers on 29 of 29 test rows"),
        ("gguf-q8_0", "Same answers on 29 of 29 test rows"),
    ]
    assert all(entry.study == entry.export for entry in found.parity)
    assert found.left_out == {}
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "config.yaml", "metrics.json", "prompt.json", "parity.json"),
        *(
            "adapter",
            "merged",
            "gguf-f16",
            "gguf-q8_0",
            "base",
            "answer.py",
            "train.py",
            "requirements.txt",
            "data",
        ),
    }
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pth", ".pkl")]


@pytest.mark.slow
def test_the_script_repeats_the_run_without_this_project(
    exported: tuple[Path, export.Written], lora: Trained, tmp_path: Path
) -> None:
    folder, _ = exported
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [sys.executable, "-I", str(folder / "train.py"), "--out", str(tmp_path / "trained")]

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "trained" / "scores.json").read_text())
    assert lora.result.test is not None
    assert scores["test"]["study"] == lora.result.test.to_dict()
    assert scores["test"]["within"] and scores["dev"]["within"]
    assert (tmp_path / "trained" / "adapter_model.safetensors").exists()


@pytest.mark.slow
def test_full_fine_tuning_has_no_adapter_and_its_model_is_the_merged_one(tmp_path: Path) -> None:
    run = trained(tmp_path, FULL)
    (tmp_path / "out").mkdir()

    found = export.write(run, What.MERGED, tmp_path / "out", QUIET)

    assert [entry.sentence for entry in found.parity] == ["Same answers on 29 of 29 test rows"]
    with pytest.raises(ModelError, match="there is no adapter"):
        export.write(run, What.ADAPTER, tmp_path / "out", QUIET)
    assert not (tmp_path / "out" / "data").exists()


@pytest.mark.slow
def test_an_export_with_other_weights_is_marked(
    exported: tuple[Path, export.Written], lora: Trained, tmp_path: Path
) -> None:
    folder, _ = exported
    text = export_rows.encoder_of(lora, _base())
    asked = export_rows.asked(lora.dataset, text, "test")
    weights = folder / "adapter" / "adapter_model.safetensors"
    kept = load_file(weights)
    save_file({name: -values if "lora_B" in name else values for name, values in kept.items()}, weights)
    try:
        found = parity.check(parity.Exported(folder, "adapter"), lora, asked, QUIET)
    finally:
        save_file(kept, weights)

    study = pd.read_parquet(lora.attempt / "predictions.parquet")
    wrong = len(found.differing)
    assert 0 < wrong <= 29 and set(found.differing) <= set(study[study["split"] == "test"]["row"])
    assert found.sentence == f"Differs on {wrong} of 29 test rows"
    assert found.export.value != found.study.value
    assert parity.Parity.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.slow
def test_files_that_cannot_be_loaded_are_an_error_in_one_sentence(
    exported: tuple[Path, export.Written], lora: Trained
) -> None:
    with pytest.raises(ModelError, match="The exported nothing cannot be loaded afresh"):
        parity.check(parity.Exported(exported[0], "nothing"), lora, [{"prompt": "x"}], QUIET)


@pytest.mark.slow
def test_the_card_tells_scores_data_licence_and_how_to_serve(
    exported: tuple[Path, export.Written], lora: Trained
) -> None:
    folder, _ = exported
    text = (folder / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(text.split("---")[1])

    assert (front["license"], front["library_name"]) == ("apache-2.0", "transformers")
    assert "base_model" not in front
    assert "Same answers on 29 of 29 test rows" in text
    assert "f" * 64 in text and lora.result.facts["model_sha256"] in text
    for split in ("train", "dev", "test"):
        assert parity_digest(folder / "data" / f"{split}.jsonl") in text
    assert "vllm serve merged" in text and "ollama create" in text and "do not publish" in text
    assert "[x](http" not in text and "<b>" not in text
    assert configfile.read_config((folder / "config.yaml").read_text()) == LORA
    facts = json.loads((folder / "metrics.json").read_text())
    assert lora.result.test is not None
    assert facts["metrics"]["accuracy"]["test"] == lora.result.test.to_dict()
    assert facts["processor"] in text and facts["number_format"] in text


@pytest.mark.slow
def test_a_gguf_file_alone_is_made_of_a_merged_model_that_goes_again(lora: Trained, tmp_path: Path) -> None:
    found = export.write(lora, What.GGUF_Q8_0, tmp_path, QUIET)

    assert [entry.sentence for entry in found.parity] == ["Same answers on 29 of 29 test rows"]
    assert {path.name for path in (tmp_path / "gguf-q8_0").iterdir()} == {"model-Q8_0.gguf", "Modelfile"}
    assert not (tmp_path / "merged").exists() and not (tmp_path / "base").exists()
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "library_name: gguf" in text and "llama-server -m gguf-q8_0/model-Q8_0.gguf" in text
    assert "from_pretrained" not in text and "cd gguf-q8_0 && ollama create" in text


@pytest.mark.slow
def test_a_model_that_has_no_gguf_form_is_exported_without_and_the_card_says_why(
    lora: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export.export_gguf, "obstacle", lambda folder, longest: "No GGUF of this one.")

    with pytest.raises(ModelError, match="No GGUF of this one"):
        export.write(lora, What.GGUF_F16, tmp_path, QUIET)
    found = export.write(lora, What.ALL, tmp_path, QUIET)

    assert [entry.part for entry in found.parity] == ["merged", "adapter"]
    assert found.left_out == dict.fromkeys((What.GGUF_F16, What.GGUF_Q8_0), "No GGUF of this one.")


def parity_digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_the_adapter_names_its_base_by_the_folder_beside_it(exported: tuple[Path, export.Written]) -> None:
    config = json.loads((exported[0] / "adapter" / "adapter_config.json").read_text())

    assert config["base_model_name_or_path"] == "base"
    hub = Base(models.get("Mistral-7B-v0.3"), Path("nowhere"))
    assert export_weights.base_name(hub) == "mistralai/Mistral-7B-v0.3"


@pytest.mark.slow
def test_a_cancel_ends_an_export_between_its_steps_and_while_it_answers(
    lora: Trained, tmp_path: Path
) -> None:
    said: list[str] = []
    (tmp_path / "out").mkdir()

    with pytest.raises(Cancelled):
        export.write(lora, What.ADAPTER, tmp_path / "out", Hooks(said.append, lambda: len(said) > 1))
    assert said == ["Writing the rows", "Writing the adapter"]

    said.clear()
    stop_later: Iterator[Any] = iter([False, False, False])
    (tmp_path / "again").mkdir()
    with pytest.raises(Cancelled):
        hooks = Hooks(said.append, lambda: next(stop_later, True))
        export.write(lora, What.ADAPTER, tmp_path / "again", hooks)
    assert said[-1] == "Checking adapter: loading it afresh"


@pytest.mark.slow
def test_another_base_than_the_one_trained_on_is_refused(lora: Trained, tmp_path: Path) -> None:
    facts = {**lora.result.facts, "model_sha256": "0" * 64}

    with pytest.raises(ModelError, match="has other weights now"):
        export.write(replace(lora, result=replace(lora.result, facts=facts)), What.ADAPTER, tmp_path, QUIET)


@pytest.mark.slow
def test_a_base_that_is_not_given_along_is_asked_for_and_found_here_for_the_check(tmp_path: Path) -> None:
    models.add_local("mine", tiny.tiny_model(tmp_path / "saved"), settings.current().home)
    run = trained(tmp_path, LORA, "mine")
    out = tmp_path / "out"
    out.mkdir()

    found = export.write(run, What.ALL, out, QUIET)

    assert [entry.same for entry in found.parity] == [True] * 4
    assert not (out / "base").exists()
    assert 'required=True, help="folder of the base model mine"' in (out / "train.py").read_text()
    with pytest.raises(ModelError, match="The adapter needs --base, the folder of the base model mine"):
        parity.check(parity.Exported(out, "adapter"), run, [{"prompt": "x"}], QUIET)
    card = (out / "README.md").read_text()
    assert "not given along" in card and "licence of its owner" in card


def test_a_pack_comes_out_as_it_went_in_and_only_into_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "deep" / "w.safetensors").write_bytes(bytes(100))

    export.pack(tmp_path / "in", tmp_path / "x.zip", "run-1")
    export.unpack(tmp_path / "x.zip", tmp_path / "out")

    assert zipfile.ZipFile(tmp_path / "x.zip").namelist() == ["run-1/a.txt", "run-1/deep/w.safetensors"]
    assert (tmp_path / "out" / "deep" / "w.safetensors").read_bytes() == bytes(100)
    with pytest.raises(ConfigError, match="must be a new or empty folder"):
        export.unpack(tmp_path / "x.zip", tmp_path / "out")
    with pytest.raises(ConfigError, match="must be a new file"):
        export.check_target(tmp_path / "x.zip", as_file=True)


@pytest.mark.parametrize("name", ["run/../../evil", "run/", "evil", "run/a/../../../evil"])
def test_an_archive_writes_nothing_outside_its_folder(name: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, "x")

    with pytest.raises(ConfigError, match="outside its folder"):
        export.unpack(tmp_path / "x.zip", tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("evil")] == []


def _base() -> Base:
    entry = models.get(SMALL)
    return Base(entry, models.path(entry))


def test_all_of_a_run_without_weights_is_its_script_and_card() -> None:
    spec: RunSpec = replace(studies.spec(), method=Method.FULL, config=FULL)
    refused = export.refusals(spec, studies.result(), {"predictions.parquet"})

    assert set(refused) == {What.ADAPTER, What.MERGED, What.GGUF_F16, What.GGUF_Q8_0, What.BASELINE}
    assert "kept no weights" in refused[What.MERGED]
    assert "no adapter" in refused[What.ADAPTER]


def test_a_model_of_a_package_is_given_along_and_its_origin_is_named(weights: Path) -> None:
    from engine.catalogue import SMOLLM2
    from engine.export_card import _base_sentence

    base = Base(SMOLLM2, weights)

    assert base.shipped
    said = _base_sentence(base).replace("\\", "")
    assert said.startswith("smollm2-135m (SmolLM2-135M-Instruct), 134,515,008 parameters, from the package ")
    assert "4-bit weights dequantized, so not bit for bit the original; `base/` is a copy." in said
