"""Admin: the finding first."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import opened


def test_admin_says_first_whether_somebody_works(queued: None, app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "No worker listens yet"
    assert not app.exception


def test_admin_without_a_queue_says_so(app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "The job queue does not answer"
    assert not app.exception
