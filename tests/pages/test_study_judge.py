"""Judge: for free texts only; nothing is sent before the box is ticked; what failed stays in sight."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.artifacts import Artifacts
from engine.records import Study
from jobs import collector, judge, queue
from tests import judgeserver, summaries
from tests.judgeserver import FakeJudge
from tests.pages.conftest import finished_study, opened, texts


@pytest.fixture
def study(served: Artifacts, tmp_path: Path) -> Study:
    found = summaries.write_study(served, tmp_path)
    store.collect_study(collector.store(), served, found.study)
    return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeJudge]:
    with judgeserver.serve() as running:
        running.headers["retry-after-ms"] = "1"
        monkeypatch.setenv("SHORTLIST_JUDGE_URL", running.url)
        monkeypatch.setenv("SHORTLIST_JUDGE_MODEL", judgeserver.MODEL)
        yield running


def seen(app: AppTest) -> str:
    return texts(app).replace("\\", "")


def work(study: Study, server: FakeJudge, rows: int) -> None:
    """What a worker does."""
    pair = (study.runs[2], study.runs[0])
    judge.ask_all(study.study, *pair, str(rows), server.url, judgeserver.MODEL)


def test_labels_are_not_for_a_judge(served: Artifacts, app: AppTest) -> None:
    found, _ = finished_study(served)

    opened(app, "studies", study=found.study, study_section="Judge")

    assert "Judge" not in app.get("button_group")[0].options
    assert not app.exception


def test_without_a_judge_one_line_says_what_an_admin_sets(study: Study, app: AppTest) -> None:
    opened(app, "studies", study=study.study, study_section="Judge")

    assert "An admin sets SHORTLIST_JUDGE_URL" in seen(app)
    assert not app.exception


def test_nothing_is_queued_before_the_box_is_ticked(
    queued: None, study: Study, server: FakeJudge, app: AppTest
) -> None:
    opened(app, "studies", study=study.study, study_section="Judge")

    assert "Will be sent to 127.0.0.1" in seen(app)
    assert "may hold personal data" in seen(app)
    assert app.button(key="judge_ask").disabled

    box = next(box for box in app.checkbox if str(box.key).startswith("judge_agreed"))
    box.check().run()
    app.button(key="judge_ask").click().run()

    client = queue.connection(judge.settings_module.current())
    (job,) = queue.waiting(client)
    assert job.startswith(f"judge-{study.study}")
    assert app.button(key="judge_stop").label == "Stop"
    assert server.asked == []
    assert not app.exception


def test_the_result_names_the_preferred_model_and_what_failed(
    queued: None, study: Study, server: FakeJudge, app: AppTest
) -> None:
    server.reply = lambda pair, n: (
        500 if pair["A"].endswith("example.org") else judgeserver.prefers_longer(pair, n)
    )
    work(study, server, 20)

    opened(app, "studies", study=study.study, study_section="Judge")

    shown = {metric.label.replace("\\", ""): metric.value for metric in app.metric}
    assert "The judge prefers shortlist 1 to untuned base: of 19 judged rows" in seen(app)
    assert shown["Judged, 1 failed"] == "19 of 20"
    table = app.dataframe[-1].value
    assert sorted(set(table["verdict"])) == ["missing", "shortlist 1 better"]
    assert app.button(key="judge_ask").label == "Ask the judge about 1 row"
    assert app.button(key="judge_ask").disabled
    assert not app.exception


def test_a_biased_judge_is_called_one(queued: None, study: Study, server: FakeJudge, app: AppTest) -> None:
    server.reply = judgeserver.always_first
    work(study, server, 20)

    opened(app, "studies", study=study.study, study_section="Judge")

    assert "The judge prefers neither shortlist 1 nor untuned base" in seen(app)
    assert "Both orders agree in 0 of 20 rows" in seen(app)
    assert not app.exception


def test_a_wrong_setting_is_named_and_the_rest_of_the_page_works(
    study: Study, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORTLIST_JUDGE_URL", "nowhere")

    opened(app, "studies", study=study.study, study_section="Judge")

    assert "SHORTLIST_JUDGE_URL must be an http or https address" in seen(app)
    assert app.title[0].value == "notes"
    assert not app.exception
