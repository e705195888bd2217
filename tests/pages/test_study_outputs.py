"""The section Outputs of a study: the table, its filters in the address, one row in full."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine import evaluate, outputs
from engine.artifacts import Artifacts
from engine.outputs import Outputs
from engine.records import Role, Row, RunKind, Study, Task
from pages import study_output_table, study_outputs
from tests import studies
from tests.pages.conftest import finished_study, opened, texts


@pytest.fixture
def study(served: Artifacts) -> Study:
    return finished_study(served)[0]


def table(app: AppTest) -> pd.DataFrame:
    """The page of rows."""
    (found,) = (frame.value for frame in app.dataframe if "right answer" in frame.value)
    return found


def test_the_test_rows_are_shown_with_the_winner_beside_the_base(study: Study, app: AppTest) -> None:
    opened(app, "studies", study=study.study, study_section="Outputs")

    assert (
        "shortlist 1 answers 93 of 103 test rows right; tuning changed 72 answers, 72 for the better and 0"
        in (texts(app).replace("\\", ""))
    )
    assert list(table(app))[:6] == [
        "row",
        "source",
        "right answer",
        "untuned base",
        "shortlist 1",
        "result",
    ]
    assert len(table(app)) == study_output_table.PAGE
    assert not app.exception


def test_split_run_filter_and_page_come_from_the_address(study: Study, app: AppTest) -> None:
    opened(
        app,
        "studies",
        study=study.study,
        study_section="Outputs",
        outputs_split="dev",
        outputs_run="default",
        outputs_filter="wrong",
        outputs_page="2",
    )

    found = table(app)
    assert set(found["result"]) == {"invalid"}
    assert list(found)[4] == "default"
    assert study_outputs.DEV in texts(app)
    assert not app.exception


def test_a_filter_that_leaves_nothing_says_so(study: Study, served: Artifacts, app: AppTest) -> None:
    run = study.runs[0]
    path = served.open_attempt(run, 1) / "predictions.parquet"
    pd.read_parquet(path).assign(valid=True, prediction="billing").to_parquet(path)

    opened(
        app,
        "studies",
        study=study.study,
        study_section="Outputs",
        outputs_run="untuned base",
        outputs_filter="invalid",
    )

    assert "The filter leaves no test row: invalid." in texts(app)
    assert not app.exception


def test_a_foreign_filter_in_the_address_shows_all(study: Study, app: AppTest) -> None:
    opened(
        app,
        "studies",
        study=study.study,
        study_section="Outputs",
        outputs_filter="'; DROP TABLE",
        outputs_page="999",
    )

    assert len(table(app)) == study_output_table.PAGE
    assert not app.exception


def test_the_base_alone_is_not_compared_with_itself(study: Study, app: AppTest) -> None:
    opened(app, "studies", study=study.study, study_section="Outputs", outputs_run="untuned base")

    assert "untuned base answers 21 of 103 test rows right" in texts(app)
    assert "changed by tuning" not in app.button_group(key="outputs_filter").options
    assert not app.exception


def draw_row() -> None:
    """The detail of a row, without the table: AppTest cannot select a row there."""
    import streamlit as st

    from pages import study_output_row

    study_output_row.show(*st.session_state.row)


def row_page(joined: Outputs, run: str, number: int) -> AppTest:
    page = AppTest.from_function(draw_row)
    page.session_state.row = (joined, run, number)
    return page.run()


def bodies(page: AppTest) -> list[str]:
    return [str(element.proto.body) for element in page.get("html")]


def summaries(text: str, said: dict[RunKind, str]) -> Outputs:
    """One row whose right summary is "the cat sat"."""
    rows = [Row(7, {Role.SOURCE: text}, ("the cat sat",))]
    specs = [
        replace(studies.spec(f"{studies.STUDY}-0{n}", kind), task=Task.SUMMARIZATION, metric="rougeL")
        for n, kind in enumerate(said)
    ]
    tables = {
        spec.run: evaluate.prediction_table(
            Task.SUMMARIZATION, (), {"test": rows}, {"test": [said[spec.kind]]}
        )
        for spec in specs
    }
    return outputs.join(rows, specs, tables, "test")


def test_a_summary_is_compared_with_the_right_one_and_with_the_bases(served: Artifacts) -> None:
    joined = summaries("A cat.", {RunKind.BASE: "a dog sat", RunKind.SHORTLIST: "the dog sat"})

    page = row_page(joined, f"{studies.STUDY}-01", 7)

    assert "<span>the</span> <del>cat</del> <ins>dog</ins> <span>sat</span>" in bodies(page)[3]
    assert "<del>a</del> <ins>the</ins> <span>dog sat</span>" in bodies(page)[4]
    assert not page.exception


def test_texts_are_never_markup_and_are_cut_where_a_browser_would_choke(served: Artifacts) -> None:
    text = "<script>alert(1)</script>" + "x" * 300_000
    joined = summaries(text, {RunKind.SHORTLIST: "<b>fat</b> ![x](http://evil)"})

    page = row_page(joined, f"{studies.STUDY}-00", 7)

    assert bodies(page)[0].startswith('<pre class="prompt">&lt;script&gt;alert(1)')
    assert len(bodies(page)[0]) < 201_000
    assert "&lt;b&gt;fat&lt;/b&gt;" in bodies(page)[2]
    assert "100,025 more characters are in the downloads" in texts(page)
    assert not page.exception
