"""In a real browser: every section of Explore at three filter settings, clicks and downloads."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, Download, Page, expect

from engine import models
from tests.browser.test_first_light import NARROW, WIDE, _settle

# section: its figures for full fine-tuning in the shipped grid, for classification there, and in tinker-sft
SECTIONS = {
    "Overview": (4, 4, 3),
    "What matters": (4, 4, 4),
    "LoRA or full": (2, 2, 0),
    "Rows": (3, 3, 0),
    "Models": (3, 3, 0),
    "Curves": (2, 2, 0),
    "One dataset": (1, 1, 1),
    "Like mine": (1, 1, 0),
}
SETTINGS = (
    "explore_version=v2&explore_method=Full+fine-tuning",
    "explore_version=v2&explore_task=Classification",
    "explore_version=tinker-sft",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


@pytest.fixture
def window(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window of the width that the test asks for, at the application."""
    width = getattr(request, "param", WIDE)
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=address)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []
    context.close()


def open_section(page: Page, section: str, setting: str) -> None:
    page.goto(f"/explore?explore_section={section.replace(' ', '+')}&{setting}")
    page.get_by_role("heading", level=2).first.wait_for(timeout=60_000)
    _settle(page)


@pytest.mark.parametrize("window", [WIDE, NARROW], indirect=True)
@pytest.mark.parametrize("setting", range(len(SETTINGS)))
def test_every_section_shows_its_figures_with_a_finding_each(
    setting: int, window: Page, screenshots: Path
) -> None:
    width = window.viewport_size["width"] if window.viewport_size else 0
    for section, figures in SECTIONS.items():
        open_section(window, section, SETTINGS[setting])

        expect(window.locator(".js-plotly-plot"), section).to_have_count(figures[setting], timeout=30_000)
        titles = window.locator(".js-plotly-plot .gtitle").all_text_contents()
        assert len(titles) == figures[setting], section
        assert all(re.search(r"\w", title) for title in titles), section
        assert window.get_by_role("alert").count() == 0, section
        assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), section
        if setting == 0 and figures[0] and section != "Overview":  # the plain page is explore-*.png
            name = section.lower().replace(" ", "-")
            window.screenshot(path=screenshots / f"explore-{name}-{width}.png")


def test_filters_are_in_the_address(window: Page, browser: Browser) -> None:
    open_section(window, "Overview", "explore_version=v2")

    window.get_by_role("combobox", name=re.compile("Method")).click()
    window.get_by_role("option", name="Full fine-tuning").click()
    window.get_by_role("radio", name="What matters").click()
    expect(window).to_have_url(re.compile("explore_method=Full.*explore_section=What|explore_section=What.*"))
    _settle(window)

    assert "explore_method=Full" in window.url
    other = browser.new_context().new_page()
    other.goto(window.url)
    heading = window.get_by_role("heading", level=2).first.inner_text()
    expect(other.get_by_role("heading", level=2).first).to_have_text(heading, timeout=30_000)
    other.context.close()


def test_a_click_on_a_square_of_the_heat_map_opens_its_runs(window: Page) -> None:
    open_section(window, "Overview", SETTINGS[0])
    heat = window.locator(".st-key-heat .js-plotly-plot")
    heat.scroll_into_view_if_needed()

    heat.locator(".scatterlayer .point").first.click(force=True)

    clicked = window.locator(".st-key-clicked")
    expect(clicked).to_contain_text("Rank 1 on banking77, 1,000 rows", timeout=30_000)
    expect(clicked.locator("[data-testid=stDataFrame]")).to_be_visible()


def test_a_figure_is_taken_away_as_numbers_and_as_a_picture(window: Page) -> None:
    open_section(window, "LoRA or full", SETTINGS[0])
    figure = window.locator(".st-key-figure_pairs_method")

    table = pd.read_csv(io.BytesIO(read(fetched(window, figure.get_by_role("button", name="CSV")))))
    parquet = pd.read_parquet(io.BytesIO(read(fetched(window, figure.get_by_role("button", name="Parquet")))))
    figure.locator(".js-plotly-plot").hover()
    picture = fetched(window, figure.locator(".modebar-btn[data-title*=png i]"))

    assert list(table["cell"]) == list(parquet["cell"])
    assert len(table) == 18
    assert picture.suggested_filename == "shortlist-pairs_method.png"
    assert read(picture).startswith(b"\x89PNG")


def fetched(page: Page, button: Any) -> Download:
    with page.expect_download() as download:
        button.click()
    found: Download = download.value
    return found


def read(download: Download) -> bytes:
    return Path(download.path()).read_bytes()
