"""A random model in place of the embedded one, and a small dataset that it learns in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import dataset, models
from engine.dataset import Dataset
from tests import tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the models, with one in it."""
    folder = tmp_path_factory.mktemp("models")
    tiny.tiny_model(folder / "shortlist-tiny-1m")
    return folder


@pytest.fixture
def colours(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """42 training rows: 11 steps per epoch at 4 rows each."""
    monkeypatch.setattr(models, "FOLDER", weights)
    return dataset.build(tiny.write_jsonl(weights / "colours.jsonl", tiny.tiny_classification(80)))
