"""Admin: the finding first; anybody may look, and nothing is done without the token."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis
from streamlit.testing.v1 import AppTest

from engine import grids, models
from engine import settings as settings_module
from engine.griddiff import MethodDiff, Side
from engine.records import Method
from jobs import admin, grid, gridboard, gridstatus, queue
from jobs.gridboard import Ended, GridState
from jobs.gridfiles import GridFiles
from pages import admin_versions, words
from tests.engine import gridfiles
from tests.jobs import gridsource
from tests.pages.conftest import opened, texts

needs_weights = pytest.mark.skipif(
    not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two datasets that grids may use."""
    folder = gridsource.write(tmp_path / "source", "colours", "tones")
    monkeypatch.setenv("SHORTLIST_GRID_DATASETS", str(folder))
    return folder


@pytest.fixture
def client(queued: None) -> Redis:
    return queue.connection(settings_module.current())


def with_token(app: AppTest, section: str) -> AppTest:
    """A section as an admin sees it."""
    opened(app, "admin", admin_section=section)
    app.text_input(key="admin_given").set_value(admin.token()[0])
    return app.button(key="admin_open").click().run()


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def test_admin_says_first_whether_somebody_works(queued: None, app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "No worker listens yet"
    assert not app.exception


def test_admin_without_a_queue_says_so(app: AppTest) -> None:
    opened(app, "admin")

    assert app.header[0].value == "The job queue does not answer"
    assert not app.exception


@pytest.mark.parametrize("section", ["Grids", "Versions", "Storage", "Models"])
def test_without_the_token_there_is_nothing_but_the_door(
    source: Path, client: Redis, app: AppTest, section: str
) -> None:
    opened(app, "admin", admin_section=section)
    app.text_input(key="admin_given").set_value("guess")
    app.button(key="admin_open").click().run()

    assert keys(app) == {"admin_open"}
    assert "This is not the admin token" in texts(app)
    assert not app.exception


@needs_weights
def test_what_a_grid_will_be_is_counted_while_it_is_defined(
    source: Path, client: Redis, app: AppTest
) -> None:
    with_token(app, "Grids")
    app.text_input(key="full_epochs").set_value("1, 2").run()

    assert app.header[0].value == "No grid was started here yet"
    assert "24 trainings give 60 results in 4 cells; with 2 scorings of untuned models 26 runs." in (
        texts(app).replace("\\", "")
    )
    assert not app.exception


@needs_weights
def test_a_value_that_is_no_number_is_named(source: Path, client: Redis, app: AppTest) -> None:
    with_token(app, "Grids")
    app.text_input(key="lora_rates").set_value("fast").run()

    assert "lora.learning_rate.0" in app.error[0].value.replace("\\", "")
    assert "grid_start" not in keys(app)
    assert not app.exception


def started(source: Path, monkeypatch: pytest.MonkeyPatch) -> GridFiles:
    """A grid that runs, without workers."""
    monkeypatch.setattr(models, "sha256", lambda model: "0" * 64)
    grid.start(gridsource.spec(), source, workers=0)
    return GridFiles(settings_module.current(), "t1")


def test_a_running_grid_is_steered(
    source: Path, client: Redis, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(source, monkeypatch)
    with_token(app, "Grids")
    before, actions = app.header[0].value, keys(app)
    app.button(key="grid_pause").click().run()
    paused = gridstatus.status("t1").state
    app.button(key="grid_stop").click().run()

    assert before == "Grid t1 waits for a worker"
    assert {"grid_pause", "grid_stop"} <= actions
    assert paused is GridState.PAUSED
    assert gridstatus.status("t1").state is GridState.STOPPED
    assert "grid_resume" in keys(app)
    assert not app.exception


@needs_weights
def test_a_second_grid_cannot_start_beside_the_first_and_is_told_so(
    source: Path, client: Redis, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(source, monkeypatch)
    with_token(app, "Grids")

    assert app.button(key="grid_start").disabled
    assert "Grid t1 is active. Stop it, or let it end, before" in texts(app).replace("\\", "")
    assert not app.exception


def test_a_click_counts_only_while_the_token_is_right(
    source: Path, client: Redis, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(source, monkeypatch)
    with_token(app, "Grids")
    (settings_module.current().home / "admin-token").write_text("another\n")

    app.button(key="grid_stop").click().run()

    assert gridstatus.status("t1").state is GridState.RUNNING
    assert "Only an admin can do this" in app.error[0].value
    assert "grid_stop" not in keys(app)


def test_failures_are_shown_with_their_cause_to_anybody(
    source: Path, client: Redis, app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = started(source, monkeypatch).read_plan()
    gridboard.note_end(client, "t1", {first.run: Ended(True, 3.0, "The loss became nan at step 3.")})

    opened(app, "admin", admin_section="Grids")

    assert app.header[0].value == "Grid t1 waits for a worker"
    (failures,) = (table.value for table in app.dataframe if "Cause" in table.value)
    assert list(failures["Cause"]) == ["The loss became nan at step 3."]
    assert "grid_retry" not in keys(app)


def test_versions_are_listed_and_the_one_in_use_can_be_changed(
    client: Redis, app: AppTest, grid: Path
) -> None:
    gridfiles.publish(grid.parent, "v2", created=2.0)
    with_token(app, "Versions")
    before = app.header[0].value
    app.selectbox(key="version").set_value("v1").run()
    app.button(key="version_ask").click().run()
    assert "New studies of everybody here would get these shortlists" in texts(app)
    assert grids.current() == "v2"

    app.button(key="version_use").click().run()

    assert before == words.plain("Shortlists come from v2: 9 results of 9 trainings")
    assert grids.current() == "v1"
    assert app.header[0].value == words.plain("Shortlists come from v1: 9 results of 9 trainings")
    assert list(app.dataframe[0].value["Use"]) == ["in use", ""]
    assert not app.exception


def test_storage_shows_what_would_be_removed_before_it_is(client: Redis, app: AppTest, home: Path) -> None:
    (home / "scratch" / "drafts").mkdir(parents=True)
    (home / "scratch" / "drafts" / "a").write_bytes(b"x" * 1000)

    with_token(app, "Storage")

    assert "are used" in app.header[0].value
    assert list(app.dataframe[1].value["If removed"]) == ["Made again when asked for."]
    assert "clean_up_confirm" not in keys(app)
    assert not app.exception


def test_a_version_without_a_cell_that_counts_covers_nothing_rather_than_0_percent() -> None:
    empty = Side("v2", cells=0, configs=3, coverage=(0.0, 0.0), shares=())
    full = Side("v1", cells=4, configs=3, coverage=(0.5, 0.75), shares=(0.8, 0.9))
    change = MethodDiff("m", Method.FULL, full, empty, ())

    assert admin_versions._sentence(change, "v1") == (
        "With 2 configs: no cell counts, for in none a config is clearly above the floor. "
        "In v1: 75.0 % of the cells covered, 90.0 % of the best."
    )
    assert admin_versions._by_k(change, "v1", "v2")[1] == {
        "Configs": 2,
        "Covered, v1": "75.0 %",
        "Of best, v1": "90.0 %",
        "Covered, v2": "-",
        "Of best, v2": "-",
    }
