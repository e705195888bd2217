"""The section Continue says whether more rows would help, with one button."""

from __future__ import annotations

import shutil

from streamlit.testing.v1 import AppTest

from engine.artifacts import Artifacts
from tests.jobs.test_more_rows import SAMPLE, WINNER, WORST, scored
from tests.pages.conftest import PAGES, opened, texts


def test_one_button_trains_on_fewer_rows_and_the_answer_takes_its_place(
    queued: None, served: Artifacts, app: AppTest
) -> None:
    shutil.copytree(PAGES.parent / "samples" / "study", served.datasets_root, dirs_exist_ok=True)
    opened(app, "studies", study=SAMPLE, study_section="Continue")
    app.button(key="more_rows_start").click().run()
    quarter, half = served.read_study(SAMPLE).runs[-2:]
    scored(served, quarter, WORST, 52)
    scored(served, half, WINNER, 104)

    opened(app, "studies", study=SAMPLE, study_section="Continue")

    assert "at 52 rows" in texts(app).replace("\\", "")
    assert not app.exception
