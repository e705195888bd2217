"""Runs side by side, the report section and going on with newer rows, as a person sees them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine import store
from engine.artifacts import Artifacts
from engine.dataset import Dataset
from engine.records import Study
from jobs import collector
from tests import studies
from tests.pages.conftest import PAGES, finished_study, opened, texts


@pytest.fixture
def finished(served: Artifacts) -> tuple[Study, Dataset]:
    """A study that has ended, known to the database."""
    study, data = finished_study(served)
    store.collect_study(collector.store(), served, study.study)
    return study, data


def test_two_runs_open_by_their_address_with_the_finding_first(
    finished: tuple[Study, Dataset], app: AppTest
) -> None:
    base, default, shortlist = finished[0].runs

    opened(app, "studies", compare=f"{shortlist},{base}")

    seen = texts(app).replace("\\", "")
    assert "A: shortlist 1 is better than B: untuned base by 69.9 (" in seen
    assert "on the same 103 test rows." in seen
    table = app.dataframe[0].value
    assert list(table["run"]) == ["A: shortlist 1", "B: untuned base"]
    assert list(table["rows"]) == ["103", "103"]
    assert not app.exception


def test_settings_that_differ_are_shown_and_all_of_them_on_demand(
    finished: tuple[Study, Dataset], served: Artifacts, app: AppTest
) -> None:
    _, default, shortlist = finished[0].runs
    spec = served.read_spec(default)
    assert spec.config is not None
    served.write_spec(replace(spec, config=replace(spec.config, learning_rate=1e-2)))

    opened(app, "studies", compare=f"{default},{shortlist}")

    assert list(app.dataframe[1].value["setting"]) == ["learning_rate"]
    app.toggle(key="compare_all").set_value(True).run()
    assert {"model", "seed", "lora_r"} <= set(app.dataframe[1].value["setting"])
    assert not app.exception


def test_another_run_joins_and_the_address_follows(finished: tuple[Study, Dataset], app: AppTest) -> None:
    base, default, shortlist = finished[0].runs
    opened(app, "studies", compare=f"{shortlist},{base}")

    app.multiselect(key=f"compare_{shortlist},{base}").select(default).run()

    assert app.query_params["compare"] == f"{shortlist},{base},{default}"
    assert "C: default" in texts(app).replace("\\", "")
    assert not app.exception


def test_runs_that_do_not_exist_are_one_sentence(app: AppTest) -> None:
    opened(app, "studies", compare="../../etc/passwd")

    assert "A run id looks like" in app.error[0].value.replace("\\", "")


def test_without_runs_the_page_says_how_to_choose(finished: tuple[Study, Dataset], app: AppTest) -> None:
    opened(app, "studies", compare="")

    assert "Choose the runs to compare" in texts(app)
    assert not app.exception


def test_ticked_studies_are_compared_by_their_best_runs(
    finished: tuple[Study, Dataset], served: Artifacts, app: AppTest
) -> None:
    opened(app, "studies")

    app.checkbox(key=f"pick_{finished[0].study}").check().run()

    (link,) = [e for e in app.get("page_link") if "Compare" in e.proto.label]
    assert link.proto.query_string == f"compare={finished[0].runs[2]}"
    assert not app.exception


def test_the_report_is_previewed_and_offered_in_both_formats(
    finished: tuple[Study, Dataset], app: AppTest
) -> None:
    opened(app, "studies", study=finished[0].study, study_section="Report")

    seen = texts(app).replace("\\", "")
    assert "**4 Results**" in seen
    assert "With a table of 3 rows and figures of scores and training curves." in seen
    assert {b.proto.label for b in app.get("download_button")} >= {"Download HTML", "Download Markdown"}
    assert not app.exception


def test_a_newer_file_is_understood_before_anything_starts(
    finished: tuple[Study, Dataset], served: Artifacts, queued: None, app: AppTest
) -> None:
    original = (PAGES.parent / "samples" / "support_tickets.csv").read_bytes()
    lines = original.splitlines(keepends=True)
    opened(app, "studies", study=finished[0].study, study_section="Continue")

    app.file_uploader(key="newer_file").upload("v2.csv", b"".join(lines[:-60]), "text/csv").run()

    seen = texts(app).replace("\\", "")
    assert " test." in seen and "Rows: " in seen
    assert app.button(key="start_newer").label.startswith("Train the same plan on the newer rows, about")
    assert served.studies() == [studies.STUDY]
    assert not app.exception


def test_a_file_that_is_no_newer_version_is_refused_in_one_sentence(
    finished: tuple[Study, Dataset], tmp_path: Path, app: AppTest
) -> None:
    rows = b"".join(b"other text %d,label%d\n" % (i * 37, i % 2) for i in range(60))
    opened(app, "studies", study=finished[0].study, study_section="Continue")

    app.file_uploader(key="newer_file").upload("v2.csv", b"message,category\n" + rows, "text/csv").run()

    assert "no newer version" in app.error[0].value.replace("\\", "")
    assert not app.exception
