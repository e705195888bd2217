"""Studies: the list, and one study from running to verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.artifacts import Artifacts
from engine.errors import ConfigError
from engine.records import RunKind, RunResult, RunStatus, Study
from jobs import collector, views
from pages import study_add
from tests import studies
from tests.pages.conftest import finished_study, opened, texts


@pytest.fixture
def finished(served: Artifacts) -> Study:
    """A study that has ended, known to the database."""
    study, _ = finished_study(served)
    store.collect_study(collector.store(), served, study.study)
    return study


def test_without_a_study_the_list_points_to_tune(app: AppTest) -> None:
    opened(app, "studies")

    assert "No study yet" in texts(app)
    assert not app.exception


def test_the_list_shows_name_status_and_whether_tuning_won(finished: Study, app: AppTest) -> None:
    opened(app, "studies")

    seen = texts(app).replace("\\", "")
    assert "Finished" in seen
    assert "Tuning won" in seen
    assert "Accuracy 90.3, shortlist 1; 69.9 ahead of the untuned model" in seen
    assert not app.exception


def test_a_study_opens_by_its_address_and_says_first_what_to_do(finished: Study, app: AppTest) -> None:
    opened(app, "studies", study=finished.study)

    seen = texts(app).replace("\\", "")
    assert "### Use shortlist 1: clearly better than anything cheaper." in seen
    assert "Accuracy on new rows, shortlist 1\n" in seen and "## 90.3\n" in seen
    assert "Against the untuned model\n" in seen and "## +69.9 points\n" in seen
    assert not app.exception


def test_the_next_step_goes_to_its_section_and_chooses_the_run(finished: Study, app: AppTest) -> None:
    opened(app, "studies", study=finished.study)

    app.button(key="next_step").click().run()

    assert app.session_state["study_section"] == "Export"
    assert app.selectbox(key="export_run").value == finished.runs[2]
    assert not app.exception


def test_a_stopped_study_says_what_is_missing_and_offers_to_finish_it(
    finished: Study, served: Artifacts, app: AppTest
) -> None:
    served.write_result(RunResult(finished.runs[2], 1, RunStatus.STOPPED))

    opened(app, "studies", study=finished.study)

    seen = texts(app).replace("\\", "")
    assert "### Unfinished: shortlist 1 has no score." in seen
    assert "Use the default" not in seen
    assert app.button(key="next_step").label == "Finish what is missing"
    assert not app.exception


def test_a_study_that_is_not_over_has_no_verdict_in_the_list(served: Artifacts, app: AppTest) -> None:
    study = studies.write(served)
    store.collect_study(collector.store(), served, study.study)

    opened(app, "studies")

    assert not {"Tie", "Tuning won", "Runs missing"} & set(texts(app).split("\n"))
    assert not app.exception


def test_runs_are_listed_with_scores_and_their_distance_from_the_winner(
    finished: Study, app: AppTest
) -> None:
    opened(app, "studies", study=finished.study)

    table = app.dataframe(key="runs").value
    assert list(table["run"]) == ["untuned base", "default", "shortlist 1"]
    assert list(table["gap"])[2] == "winner"
    assert list(table["gap"])[0].startswith("69.9 (")


def test_an_unknown_study_is_named_in_one_sentence(app: AppTest) -> None:
    opened(app, "studies", study="s-20260101-zzzzzz")

    assert "There is no study s-20260101-zzzzzz" in app.error[0].value.replace("\\", "")
    assert not app.exception


def test_a_foreign_address_reaches_no_file(app: AppTest) -> None:
    opened(app, "studies", study="../../etc/passwd")

    assert "A study id looks like" in app.error[0].value.replace("\\", "")


def test_a_failed_run_shows_its_cause(served: Artifacts, app: AppTest) -> None:
    study = studies.write(served)
    served.write_result(RunResult(study.runs[0], 1, RunStatus.FAILED, error="The loss is not finite."))

    opened(app, "studies", study=study.study)

    assert "failed: The loss is not finite." in texts(app).replace("\\", "")
    assert not app.exception


def test_delete_can_be_undone(finished: Study, served: Artifacts, app: AppTest) -> None:
    opened(app, "studies", study=finished.study)

    app.button(key="delete").click().run()
    assert served.read_study(finished.study).deleted
    app.button(key="undo").click().run()

    assert not served.read_study(finished.study).deleted
    assert app.title[0].value == "tickets"
    assert not app.exception


def test_a_study_is_renamed_and_noted(finished: Study, served: Artifacts, app: AppTest) -> None:
    opened(app, "studies", study=finished.study)

    app.text_input(key=f"name_{finished.study}").set_value("Spring tickets")
    app.text_area(key=f"note_{finished.study}").set_value("second try")
    app.button(key="save_name").click().run()

    found = served.read_study(finished.study)
    assert (found.name, found.note) == ("Spring tickets", "second try")
    assert not app.exception


def test_an_empty_name_is_refused_where_it_was_typed(
    finished: Study, served: Artifacts, app: AppTest
) -> None:
    opened(app, "studies", study=finished.study)

    app.text_input(key=f"name_{finished.study}").set_value(" ")
    app.button(key="save_name").click().run()

    assert "A name has 1 to 120 characters" in app.error[0].value
    assert app.title[0].value == "tickets" and app.button(key="duplicate")
    assert served.read_study(finished.study).name == "tickets"


def test_a_study_that_was_never_launched_can_be(served: Artifacts, app: AppTest) -> None:
    study = studies.write(served)

    opened(app, "studies", study=study.study)

    assert app.button(key="launch_waiting").label == "Launch it"
    assert not app.exception


def test_a_duplicate_is_tune_filled_in_and_changes_nothing_until_its_launch(
    finished: Study, served: Artifacts, app: AppTest
) -> None:
    opened(app, "studies", study=finished.study)

    app.button(key="duplicate").click().run()

    assert app.title[0].value == "Tune"
    assert app.selectbox(key="kept").value == finished.dataset
    assert app.text_input(key="name").value == f"Copy of {finished.name}"
    assert app.segmented_control(key="method").value == finished.method
    assert len(served.studies()) == 1
    assert not app.exception


def test_a_config_is_added_to_a_study_unless_a_run_has_it(
    queued: None, finished: Study, served: Artifacts
) -> None:
    view = views.study(finished.study)

    with pytest.raises(ConfigError, match="has these values already"):
        study_add.add(view, studies.CONFIG)
    study_add.add(view, replace(studies.CONFIG, num_train_epochs=7))

    added = served.read_spec(served.read_study(finished.study).runs[-1])
    assert (added.name, added.kind) == ("own 1", RunKind.CUSTOM)
    assert added.config is not None and added.config.num_train_epochs == 7


def test_names_are_never_markdown(served: Artifacts, app: AppTest) -> None:
    study = studies.write(served, replace(studies.study(), name="![x](http://evil) :red[hot]"))

    opened(app, "studies", study=study.study)

    assert app.title[0].value == r"\!\[x\]\(http\://evil\) \:red\[hot\]"
