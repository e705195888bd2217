"""A random model in place of the embedded one, and a small dataset that it learns in seconds."""

from __future__ import annotations

from dataclasses import replace
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


@pytest.fixture
def swapped(tmp_path: Path) -> Dataset:
    """Colours for the smallest embedded model, but each dev row answers with the next colour.

    What is learned must be wrong on dev, so that dev loss rises in every number format: the surer of train,
    the worse on dev. A random model would hardly learn with LoRA, and its dev loss creep down for long.
    """
    colours = dataset.build(tiny.write_jsonl(tmp_path / "colours.jsonl", tiny.tiny_classification(80)))
    after = dict(zip(tiny.LABELS, (*tiny.LABELS[1:], tiny.LABELS[0]), strict=True))
    dev = set(colours.splits["dev"])
    rows = tuple(
        replace(row, targets=(after[row.targets[0]],)) if place in dev else row
        for place, row in enumerate(colours.rows)
    )
    return replace(colours, rows=rows)
