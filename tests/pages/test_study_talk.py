"""The section Try it: what is asked, how it waits, and the answers side by side."""

from __future__ import annotations

import json
import shutil

import pytest
from streamlit.testing.v1 import AppTest

from engine import settings
from engine.artifacts import Artifacts
from engine.records import RunResult, RunStatus, Study
from jobs import queue
from tests.pages.conftest import PAGES, finished_study, opened, texts

SAMPLE = "s-20261121-5pnsyk"


@pytest.fixture
def study(served: Artifacts) -> Study:
    return finished_study(served)[0]


@pytest.fixture
def section(study: Study, app: AppTest) -> AppTest:
    return opened(app, "studies", study=study.study, study_section="Try it")


def seen(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def test_the_field_holds_a_test_row_and_the_button_names_both_models(section: AppTest, study: Study) -> None:
    assert section.text_area(key=f"talk_source_{study.study}").value
    assert section.button(key="talk_ask").label == "Ask the base and shortlist 1"
    assert "The answers appear below" in texts(section)
    assert not section.exception


def test_a_question_waits_for_a_worker_and_can_be_stopped(queued: None, section: AppTest) -> None:
    section.button(key="talk_ask").click().run()
    assert "Waiting for a free worker: place 1." in seen(section)

    section.button(key="talk_stop").click().run()

    assert "Stopped." in seen(section)
    assert queue.waiting(queue.connection(settings.current())) == []
    assert not section.exception


def test_answers_stand_side_by_side_with_the_exact_prompt_and_their_speed(
    queued: None, section: AppTest
) -> None:
    section.button(key="talk_ask").click().run()
    client = queue.connection(settings.current())
    (request,) = queue.waiting(client)
    said = [
        {"kind": "prompt", "text": "Text: <b>\nLabel:", "tokens": 9, "cut": False, "one_line": True},
        {"kind": "begins", "side": "base"},
        {"kind": "token", "side": "base", "text": " *no*"},
        {"kind": "ends", "side": "base", "seconds": 0.5},
        {"kind": "begins", "side": "tuned"},
        {"kind": "token", "side": "tuned", "text": " bil"},
        {"kind": "token", "side": "tuned", "text": "ling"},
        {"kind": "ends", "side": "tuned", "seconds": 0.5},
        {"kind": "done"},
    ]
    for event in said:
        client.xadd(f"shortlist:talk:{request}:said", {"event": json.dumps(event)})

    section.run()

    assert "*no*" in [text.value for text in section.text] and "billing" in [
        text.value for text in section.text
    ]
    assert "2 tokens in 0.50 s, 4 tokens/s" in seen(section)
    assert "Text: &lt;b&gt;\nLabel:" in section.get("html")[0].proto.body
    assert "Scores read only the first line" in seen(section)
    assert not section.exception


def test_an_empty_field_is_named_and_nothing_is_queued(queued: None, section: AppTest, study: Study) -> None:
    section.text_area(key=f"talk_source_{study.study}").set_value("  ")
    section.button(key="talk_ask").click().run()

    assert "The field source is empty" in section.error[0].value.replace("\\", "")
    assert queue.waiting(queue.connection(settings.current())) == []


def test_without_a_job_queue_the_page_says_how_to_start_it(section: AppTest) -> None:
    section.button(key="talk_ask").click().run()

    assert "No job queue answers" in section.error[0].value
    assert not section.exception


def test_a_study_without_a_tuned_model_says_so(served: Artifacts, app: AppTest) -> None:
    study = finished_study(served)[0]
    for run in study.runs[1:]:
        served.write_result(RunResult(run, 1, RunStatus.FAILED, error="The loss is not finite."))

    opened(app, "studies", study=study.study, study_section="Try it")

    assert "there is no tuned model to try" in texts(app)
    assert not app.exception


def test_a_baseline_that_no_model_beat_is_asked_alone(served: Artifacts, queued: None, app: AppTest) -> None:
    shutil.copytree(PAGES.parent / "samples" / "study", served.datasets_root, dirs_exist_ok=True)
    opened(app, "studies", study=SAMPLE, study_section="Try it")
    assert app.button(key="talk_ask").label == r"Ask TF\-IDF \+ logistic regression"
    assert not app.number_input

    app.button(key="talk_ask").click().run()
    client = queue.connection(settings.current())
    (request,) = queue.waiting(client)
    for event in (
        {"kind": "begins", "side": "tuned"},
        {"kind": "token", "side": "tuned", "text": "billing"},
        {"kind": "ends", "side": "tuned", "seconds": 0.5},
        {"kind": "done"},
    ):
        client.xadd(f"shortlist:talk:{request}:said", {"event": json.dumps(event)})
    app.run()

    said = [text.value for text in app.text]
    assert "billing" in said and "Answered." in said
    assert "0.50 s, learning from the training rows included" in seen(app)
    assert "untuned base" not in seen(app).partition("Answered.")[2]
    assert not app.exception


def test_predict_offers_the_baseline_that_no_model_beat_first(served: Artifacts, app: AppTest) -> None:
    shutil.copytree(PAGES.parent / "samples" / "study", served.datasets_root, dirs_exist_ok=True)

    opened(app, "studies", study=SAMPLE, study_section="Predict")

    options = app.selectbox(key="predict_run").options
    assert options[:2] == ["TF-IDF + logistic regression (recommended)", "shortlist 3 (first on dev)"]
    assert not app.exception
