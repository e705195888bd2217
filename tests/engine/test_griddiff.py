"""Publishing another version says what it changes."""

from pathlib import Path

import pytest

from engine import griddiff, grids
from engine.records import Method
from tests.engine.gridfiles import MODEL, publish


@pytest.fixture(autouse=True)
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "grids")
    before, after = (
        {1e-3: (0.9, 0.9, 0.9), 3e-3: (0.5, 0.6, 0.5)},
        {1e-3: (0.5, 0.4, 0.5), 3e-3: (0.9, 0.9, 0.9)},
    )
    publish(grids.FOLDER, "old", created=1, scores_by_rate=before)
    publish(grids.FOLDER, "new", created=2, scores_by_rate=after)


def test_ranks_coverage_and_shares_before_and_after() -> None:
    (found,) = griddiff.diff("old", "new")

    assert (found.model, found.method) == (MODEL, Method.FULL)
    assert found.before is not None
    assert found.after is not None
    assert [(r.config["learning_rate"], r.before, r.after) for r in found.ranks] == [
        (3e-3, 2, 1),
        (1e-3, 1, 2),
    ]
    assert found.after.coverage == (1.0, 1.0)
    assert found.after.shares == (1.0, 1.0)


def test_a_first_version_has_nothing_before_it() -> None:
    (found,) = griddiff.diff(None, "new")

    assert found.before is None
    assert [rank.before for rank in found.ranks] == [None, None]
