"""The study page says how sure the verdict is, shows each class, and repeats the best with more seeds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.artifacts import Artifacts
from engine.records import Study
from jobs import collector
from pages import live
from tests import studies
from tests.pages.conftest import finished_study, opened, texts


@pytest.fixture
def finished(served: Artifacts) -> Study:
    """A study that has ended, known to the database."""
    study, _ = finished_study(served)
    store.collect_study(collector.store(), served, study.study)
    return study


def test_a_second_measurement_is_told_where_the_verdict_says_how_sure_it_is(
    finished: Study, app: AppTest
) -> None:
    opened(app, "studies", study=finished.study)

    seen = texts(app).replace("\\", "")
    assert "A second measurement, which may lie above or below the test score: when one half of" in seen
    assert "picks a model and the other half scores it, that model scores 90." in seen
    assert not app.exception


def test_each_class_is_listed_with_its_rows_and_intervals(finished: Study, app: AppTest) -> None:
    opened(app, "studies", study=finished.study, study_section="Classes")

    assert not app.exception
    table = next(shown.value for shown in app.dataframe if "recall" in shown.value)
    seen = texts(app).replace("\\", "")
    assert not app.exception
    assert "over the classes alike, on 103 test rows; 10 answers name no class" in seen
    assert set(table.columns) >= {"class", "rows", "recall", "precision"}
    assert int(table["rows"].sum()) == 103


def test_another_run_can_be_looked_at_class_by_class(finished: Study, app: AppTest) -> None:
    opened(app, "studies", study=finished.study, study_section="Classes")

    app.selectbox(key="classes_run").select_index(1).run()

    assert "#### Accuracy 20." in texts(app).replace("\\", "")


def test_the_best_configs_are_repeated_with_one_click(
    queued: None, finished: Study, served: Artifacts, app: AppTest
) -> None:
    default = served.read_spec(finished.runs[1])
    served.write_spec(replace(default, config=replace(studies.CONFIG, num_train_epochs=5)))
    opened(app, "studies", study=finished.study)
    button = app.button(key="repeat")
    label = button.label.replace("\\", "")
    assert label.startswith("Repeat shortlist 1 and default with two more seeds (about ")

    button.click().run()

    assert not app.exception
    assert len(served.read_study(finished.study).runs) == 7
    assert "repeat" not in [button.key for button in app.button]


def test_without_a_queue_nothing_is_offered(
    finished: Study, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_stack_problem", "The queue does not answer.")

    opened(app, "studies", study=finished.study)

    assert "repeat" not in [button.key for button in app.button]
