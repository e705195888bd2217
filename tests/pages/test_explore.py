"""Explore and Admin: the finding first."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import grids
from tests.pages.conftest import opened, texts


def test_explore_says_first_how_many_configs_are_enough(app: AppTest) -> None:
    opened(app, "explore")

    assert app.header[0].value == "3 configs are enough to be within 3 % of the best on 3 of 3 datasets"
    assert len(app.dataframe[0].value) == 3
    assert not app.exception


def test_explore_without_a_grid_says_so(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "nothing")

    opened(app, "explore")

    assert "No grid is published yet" in texts(app)
    assert not app.exception


def test_admin_says_first_whether_somebody_works(queued: None, app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "No worker listens yet"
    assert not app.exception


def test_admin_without_a_queue_says_so(app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "The job queue does not answer"
    assert not app.exception
