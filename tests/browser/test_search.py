"""In a real browser: from a finished study to a search of six runs, then to the protocol."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

WIDE, NARROW = 1440, 800
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "study" / "studies"
MINUTES = 60_000  # milliseconds

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def link() -> str:
    """The Search section of the sample study that a fresh home comes with."""
    return f"/studies?study={next(SAMPLE.iterdir()).name}&study_section=Search"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A window of 1440 x 900."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    yield context.new_page()
    context.close()


def test_six_runs_are_searched_and_judged(page: Page, link: str, screenshots: Path, tmp_path: Path) -> None:
    page.goto(link)
    runs = page.locator(".st-key-search_runs input")
    runs.fill("6", timeout=MINUTES)
    runs.press("Enter")
    page.get_by_role("radio", name="TPE").click()
    start = page.get_by_role("button", name=re.compile("Search 6 more configs with TPE, about"))
    start.wait_for(timeout=MINUTES)
    page.locator(".st-key-search_space summary").click()
    _pictures(page, screenshots, "study-search-start", "Search further")

    start.click()
    expect(page.get_by_text(re.compile("[1-5] of 6 runs ended"))).to_be_visible(timeout=10 * MINUTES)
    _pictures(page, screenshots, "study-search-running", "Search: TPE, 6 runs")

    sentence = page.get_by_role("heading", name=re.compile("^6 more runs( \\(. failed\\))? gained"))
    expect(sentence).to_be_visible(timeout=20 * MINUTES)
    expect(page.get_by_text(re.compile("of the differences between 11 trainings"))).to_be_visible(
        timeout=MINUTES
    )
    expect(
        page.get_by_text("2 workers were busy").or_(page.get_by_text("One worker was busy"))
    ).to_be_visible()
    _pictures(page, screenshots, "study-search-found", "What the search found")
    page.locator(".st-key-search_tried summary").click()
    expect(page.locator(".st-key-search_tried [data-testid=stDataFrame] canvas").first).to_be_visible(
        timeout=MINUTES
    )
    page.wait_for_timeout(1000)  # the table takes its height late and pushes the button down
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all trainings").click()
    download.value.save_as(tmp_path / "trials.csv")
    rows = list(csv.DictReader((tmp_path / "trials.csv").read_text().splitlines()))
    assert sum(row["search"] == "01" for row in rows) == 6
    assert all(row["why"] for row in rows if row["search"])


def test_the_protocol_fills_its_plan(page: Page, link: str, screenshots: Path) -> None:
    page.goto(link)
    page.get_by_role("radio", name="Protocol").click(timeout=MINUTES)
    page.get_by_role("button", name=re.compile("Run the protocol: up to 5 runs, about")).click()

    plan = page.locator(".st-key-protocol_plan")
    expect(plan.get_by_text(re.compile("roughness|least dev loss"))).to_be_visible(timeout=10 * MINUTES)
    _pictures(page, screenshots, "study-search-protocol", "Search: protocol, 5 runs")

    expect(page.get_by_role("heading", name=re.compile("more runs"))).to_be_visible(timeout=20 * MINUTES)
    expect(plan.get_by_text("The full training has ended")).to_be_visible(timeout=MINUTES)
    _pictures(page, screenshots, "study-search-protocol-found", "What the search found")


def _pictures(page: Page, folder: Path, name: str, heading: str) -> None:
    """The section in a wide and in a narrow window; nothing goes over its edge, nothing has failed."""
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_role("heading", name=heading).scroll_into_view_if_needed(timeout=MINUTES)
        page.wait_for_timeout(3000)
        page.get_by_role("heading", name=heading).evaluate("element => element.scrollIntoView()")
        page.wait_for_timeout(500)
        page.screenshot(path=folder / f"{name}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.get_by_text("Something went wrong").count() == 0
