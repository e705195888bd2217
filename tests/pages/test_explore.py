"""Explore: the finding first, in every section, over the shipped grid, one dataset and nothing."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine import grids
from engine.artifacts import Artifacts
from jobs import predictions
from pages import explore_chart
from tests.pages.conftest import finished_study, opened, texts

SHIPPED = Path(__file__).resolve().parents[2] / "grids" / "v1"


@pytest.fixture
def v1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The first shipped grid and no other: six datasets, one model, both methods, 100 rows."""
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "shipped")
    return Path(shutil.copytree(SHIPPED, tmp_path / "shipped" / "v1"))


def heading(app: AppTest) -> str:
    """The finding of the section, as a reader sees it."""
    return str(app.header[0].value).replace("\\", "")


def test_the_overview_says_first_how_many_configs_are_enough(app: AppTest) -> None:
    opened(app, "explore")

    assert heading(app) == "3 configs are enough to be within 3 % of the best on 3 of 3 datasets"
    assert len(app.dataframe[0].value) == 3
    assert not app.exception


def test_without_a_grid_the_page_says_so(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "FOLDER", tmp_path / "nothing")

    opened(app, "explore")

    assert "No grid is published yet" in texts(app)
    assert not app.exception


def test_filters_that_nothing_fits_say_what_to_do(app: AppTest, grid: Path) -> None:
    results = pd.read_parquet(grid / "results.parquet")
    other = results[results["dataset"] == "trec"].assign(model="other")
    pd.concat([results, other]).to_parquet(grid / "results.parquet")

    opened(app, "explore", explore_model="other", explore_datasets="clapnq")

    assert heading(app) == "No result fits these filters"
    assert "other, full, clapnq" in texts(app).replace("\\", "")
    assert not app.exception


def test_an_address_opens_explore_as_it_was(app: AppTest) -> None:
    opened(app, "explore", explore_datasets="clapnq")

    assert app.multiselect(key="explore_datasets").value == ["clapnq"]
    assert heading(app) == "1 config is within 3 % of the best on 1 of 1 datasets"


def test_an_unknown_value_in_the_address_is_ignored(app: AppTest) -> None:
    opened(app, "explore", explore_datasets="nowhere", explore_model="../../etc", explore_version="v9")

    assert app.metric[0].value == "3 of 3"
    assert not app.exception


def test_the_shipped_grid_names_the_datasets_that_it_leaves_out(v1: Path, app: AppTest) -> None:
    opened(app, "explore", explore_method="Full fine-tuning")

    assert app.metric[0].value == "4 of 6"
    assert "clapnq and xquad_en" in texts(app).replace("\\", "")
    assert not app.exception


@pytest.mark.parametrize(
    ("section", "finding"),
    [
        ("What matters", "60 % of the differences between configs come from epochs, 12 % from"),
        ("LoRA or full", "LoRA and full fine-tuning cannot be told apart on any of 6 datasets"),
        ("Rows", "Only one number of training rows here, so there is nothing to compare"),
        ("Models", "Only one model here, so there is nothing to compare"),
        ("Curves", "The config with the least dev loss is a top config on "),
        ("One dataset", "On cfpb_complaints the first 4 configs of the other datasets reach "),
        ("Like mine", "Which datasets of the grid are like yours?"),
    ],
)
def test_every_section_of_the_shipped_grid_begins_with_its_finding(
    section: str, finding: str, v1: Path, app: AppTest
) -> None:
    opened(app, "explore", explore_section=section, explore_method="Full fine-tuning")

    assert heading(app).startswith(finding)
    assert not app.exception


SECTIONS = (
    "Overview",
    "What matters",
    "LoRA or full",
    "Rows",
    "Models",
    "Curves",
    "One dataset",
    "Like mine",
)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_says_what_one_dataset_cannot_show(section: str, v1: Path, app: AppTest) -> None:
    opened(app, "explore", explore_section=section, explore_datasets="xquad_en")

    assert app.header
    assert not app.error
    assert not app.exception


OF_OTHERS = [
    *((section, "tinker-sft") for section in SECTIONS),
    *(
        (section, name)
        for section in ("Overview", "LoRA or full")
        for name in ("litgpt-hub", "peft-comparison")
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("section", "version"), OF_OTHERS)
def test_tables_of_others_open_in_every_section_and_name_their_source(
    section: str, version: str, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grids, "FOLDER", SHIPPED.parent)

    opened(app, "explore", explore_section=section, explore_version=version)

    assert app.header
    assert "Published by others, not measured here" in texts(app).replace("\\", "")
    assert not app.error
    assert not app.exception


def test_a_kept_dataset_is_compared_with_those_of_the_grid(v1: Path, served: Artifacts, app: AppTest) -> None:
    finished_study(served)

    opened(app, "explore", explore_section="Like mine")

    assert heading(app).startswith("trec is most like ")
    assert list(app.dataframe[0].value["Dataset"]) == ["trec", "cfpb_complaints"]
    assert not app.exception


def test_a_file_that_is_no_dataset_is_refused_in_a_sentence(v1: Path, app: AppTest) -> None:
    opened(app, "explore", explore_section="Like mine")

    app.file_uploader(key="explore_file").upload("rows.csv", b"text,label\n", "text/csv").run()

    assert len(app.error) == 1
    assert not app.exception


@pytest.mark.slow
@pytest.mark.parametrize("section", ["Overview", "What matters", "LoRA or full", "Curves", "One dataset"])
def test_the_numbers_behind_every_figure_can_be_taken_away(
    section: str, v1: Path, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[pd.DataFrame] = []

    def take(numbers: pd.DataFrame, key: str, note: str = "") -> None:
        for suffix in (".csv", ".parquet"):
            assert predictions.encode(numbers, suffix), key
        taken.append(pd.read_csv(io.BytesIO(predictions.encode(numbers, ".csv"))))

    monkeypatch.setattr(explore_chart, "downloads", take)

    opened(app, "explore", explore_section=section)

    assert taken
    assert all(len(table) for table in taken)
    assert not app.exception
