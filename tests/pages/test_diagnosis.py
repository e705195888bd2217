"""The diagnosis of a study's trainings, the next config, and advice where a config is edited by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from engine import models
from engine.artifacts import Artifacts
from engine.records import Config, RunKind, Study
from tests import studies
from tests.pages.conftest import finished_study, opened, texts
from tests.pages.test_tune import tickets

__all__ = ["tickets"]


@pytest.fixture
def overfit(served: Artifacts) -> Study:
    """A study whose shortlist run learned its three epochs too many; its default was not measured so."""
    study, _ = finished_study(served)
    default, shortlisted = (served.read_result(run) for run in study.runs[1:])
    assert default is not None and shortlisted is not None
    dev = {0: 8.0, 1: 1.0, 2: 2.0, 3: 3.0}
    history: list[dict[str, float]] = [
        {"epoch": e, "step": 10 * e, "eval_loss": loss} for e, loss in dev.items()
    ]
    history += [{"epoch": step / 10, "step": step, "loss": 1.0} for step in range(1, 31)]
    served.write_result(replace(shortlisted, facts={"log_history": history, "steps": 30}))
    return study


def diagnosed(app: AppTest, study: Study) -> AppTest:
    return opened(app, "studies", study=study.study, study_section="Diagnosis")


def test_a_finding_stands_with_its_numbers_and_what_its_label_means(overfit: Study, app: AppTest) -> None:
    diagnosed(app, overfit)

    seen = texts(app).replace("\\", "")
    assert (
        "Dev loss rose from 1.00 (epoch 1) to 3.00 (epoch 3), 200 % above its best: strongly overfit." in seen
    )
    assert "Try next: Train no longer than epoch 1, after which dev loss was lowest." in seen
    assert "Overfit: it learnt its training rows by heart" in seen
    assert app.button(key="train_next").disabled or "about" in app.button(key="train_next").label
    assert not app.exception


def test_the_label_of_a_finding_stands_in_the_table_of_runs(overfit: Study, app: AppTest) -> None:
    opened(app, "studies", study=overfit.study)

    assert list(app.dataframe(key="runs").value["diagnosis"]) == ["", "", "overfit"]


def test_the_diagnosis_opens_on_the_run_to_use(overfit: Study, served: Artifacts, app: AppTest) -> None:
    default, use = (served.read_result(run) for run in overfit.runs[1:])
    assert default is not None and use is not None
    served.write_result(replace(default, facts=use.facts))

    diagnosed(app, overfit)

    assert app.selectbox(key="diagnosis_run").value == overfit.runs[2]


def test_one_click_adds_the_next_config_and_queues_it(
    overfit: Study, served: Artifacts, queued: None, app: AppTest
) -> None:
    diagnosed(app, overfit)
    button = app.button(key="train_next")
    label = "Add and train: lr 3e-3, 1 epoch, batch 8, r 8, alpha 16 (about "
    assert button.label.replace("\\", "").startswith(label)

    button.click().run()

    added = served.read_spec(served.read_study(overfit.study).runs[-1])
    assert added.config == replace(studies.CONFIG, num_train_epochs=1)
    assert (added.kind, added.name) == (RunKind.CUSTOM, "own 1")
    assert (added.early_stopping_patience, added.early_stopping_threshold) == (3, 0.001)
    assert "Waiting" in list(app.dataframe(key="runs").value["status"])
    assert not app.exception


def test_healthy_losses_are_no_excuse_for_answers_no_better_than_the_untuned_base(
    overfit: Study, served: Artifacts, app: AppTest
) -> None:
    base, shortlisted = (served.read_result(overfit.runs[place]) for place in (0, 2))
    assert base is not None and shortlisted is not None
    served.write_result(replace(shortlisted, dev=base.dev))

    diagnosed(app, overfit)

    seen = texts(app).replace("\\", "")
    assert "Lower losses did not bring better answers: accuracy on dev rows is 20." in seen
    assert not app.exception


def test_a_study_whose_losses_were_not_measured_says_so(served: Artifacts, app: AppTest) -> None:
    study, _ = finished_study(served)

    diagnosed(app, study)

    assert "No training of this study can be judged" in texts(app)
    assert not app.exception


def test_a_config_that_is_edited_is_advised_on_with_sources(tickets: AppTest) -> None:
    tickets.button(key="add_config").click().run()

    seen = texts(tickets).replace("\\", "")
    assert "Learning rate 1e-3 is within the usual 3e-4 to 3e-3. Source: the values that our own grid" in seen
    assert "For 208 rows 3 to 5 epochs are usual; this config has 3. Source: the lesson" in seen
    assert not tickets.exception


def test_own_configs_stop_early_unless_that_is_switched_off(
    tickets: AppTest, served: Artifacts, queued: None
) -> None:
    for model in models.EMBEDDED:
        tickets.session_state[f"own_{model}_full"] = [Config(0.3, 3, 8)]
    tickets.run()
    assert tickets.toggle(key="early_stopping").value
    assert "no early stopping" not in texts(tickets)
    tickets.toggle(key="early_stopping").set_value(False).run()
    assert "no early stopping" in texts(tickets)

    tickets.toggle(key="early_stopping").set_value(True).run()
    tickets.button(key="launch").click().run()

    (study,) = served.studies()
    specs = [served.read_spec(run) for run in served.read_study(study).runs]
    patience = {str(spec.kind): spec.early_stopping_patience for spec in specs}
    assert (patience["custom"], patience["shortlist"], patience["default"]) == (3, None, None)
    assert not tickets.exception
