"""Admin, Models: what the admin sees when a folder is added, refused or removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import models
from engine.errors import ModelError
from tests.pages.conftest import texts
from tests.tiny import tiny_model


@pytest.fixture
def part(home: Path) -> AppTest:
    """The part of the page alone."""
    return AppTest.from_string(
        "from pages import admin_models\n\nadmin_models.draw()\n", default_timeout=30
    ).run()


def add(part: AppTest, name: str, folder: str) -> None:
    """Fill the form and send it."""
    part.text_input(key="model_name").set_value(name)
    part.text_input(key="model_folder").set_value(folder)
    part.button(key="add_model_now").click().run()


def test_without_added_models_the_part_says_what_it_is_for(part: AppTest) -> None:
    assert part.header[0].value == "0 models added to those that come with Shortlist"
    assert "can be tuned like those of the list" in texts(part)
    assert not part.exception


def test_a_folder_is_added_shown_and_removed(part: AppTest, tmp_path: Path) -> None:
    add(part, "mine", str(tiny_model(tmp_path / "model", architecture="Mistral")))

    row = part.dataframe[0].value.iloc[0]
    assert (row["Model"], row["Kind"], row["Reads"]) == ("mine", "mistral", "512 tokens")
    assert models.get("mine").launchable

    part.button(key="remove_model").click().run()

    assert part.header[0].value == "0 models added to those that come with Shortlist"
    with pytest.raises(ModelError):
        models.get("mine")
    assert not part.exception


def test_a_folder_that_is_refused_is_explained_in_a_sentence(part: AppTest, tmp_path: Path) -> None:
    add(part, "mine", str(tmp_path / "nowhere"))

    assert "There is no folder" in part.error[0].value
    add(part, "mine", " ")
    assert "Give the folder" in part.error[0].value
    assert not part.exception
