"""In a real browser: a file goes in, runs train, a verdict comes out; every page opens at both widths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import models

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
TRAIN = re.compile("^Train (2 configs and )?the default, about|^Train 2 configs")
PAGES = {"tune": "", "studies": "studies", "explore": "explore", "admin": "admin"}
WIDE, NARROW = 1440, 800

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


@pytest.fixture
def wide(browser: Browser, address: str) -> Iterator[Page]:
    """A window of 1440 x 900 on the first page."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    page = context.new_page()
    page.goto("/")
    yield page
    context.close()


def test_a_file_becomes_a_verdict(wide: Page, browser: Browser, address: str, screenshots: Path) -> None:
    page = wide
    page.get_by_text("The real thing").or_(page.get_by_text("A tour")).first.wait_for(timeout=30_000)
    _chooses(page, "shortlist-tiny-4m")
    page.locator("input[type=file]").first.set_input_files(SAMPLES / "support_tickets.csv")
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_role("slider").press("ArrowLeft")
    page.get_by_role("button", name=TRAIN).wait_for(timeout=30_000)
    _settle(page)
    page.locator("[data-testid=stMain]").evaluate("main => main.scrollTo(0, 0)")
    page.screenshot(path=screenshots / "tune-1440.png")

    page.get_by_role("button", name=TRAIN).click()
    page.wait_for_url("**/studies?study=*", timeout=30_000)
    page.get_by_text("runs ended").wait_for(timeout=30_000)
    page.locator(".st-key-curves .js-line").first.wait_for(state="attached", timeout=120_000)
    page.screenshot(path=screenshots / "running-1440.png")

    page.locator(".st-key-verdict").wait_for(timeout=400_000)
    expect(page).to_have_title(re.compile("^Done: "))
    expect(page.locator(".st-key-verdict")).to_contain_text("103 test rows")
    _settle(page)
    page.screenshot(path=screenshots / "studies-1440.png")

    _the_address_works_elsewhere(browser, page.url)
    _the_winner_answers_new_rows(page)


def _chooses(page: Page, model: str) -> None:
    """Click the model's row in the list."""
    table = page.locator(".st-key-model_table [data-testid=stDataFrame]")
    table.locator("tbody tr", has_text=model).wait_for(state="attached", timeout=30_000)
    names = table.locator("tbody tr").all_inner_texts()
    row = next(number for number, text in enumerate(names) if model in text)
    table.click(position={"x": 15, "y": 35 * (row + 1) + 17})
    expect(page.locator(".st-key-model_details")).to_contain_text(model, timeout=30_000)


def _the_address_works_elsewhere(browser: Browser, url: str) -> None:
    other = browser.new_context()
    page = other.new_page()
    page.goto(url)
    expect(page.locator(".st-key-verdict")).to_contain_text("103 test rows", timeout=30_000)
    other.close()


def _the_winner_answers_new_rows(page: Page) -> None:
    rows = b"message\nI was charged twice this month\nthe parcel never came\n"
    file = {"name": "new.csv", "mimeType": "text/csv", "buffer": rows}
    page.get_by_role("radio", name="Predict", exact=True).click()
    page.locator("input[type=file]").set_input_files(files=[file])
    page.get_by_text("2 rows given back, 2 answered").wait_for(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download your file with answers").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 3
    assert "I was charged twice this month" in lines[1]


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_the_window_and_shows_no_error(
    name: str, width: int, browser: Browser, address: str, screenshots: Path
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=address)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    page.goto(f"/{PAGES[name]}")
    page.get_by_role("heading", level=1).wait_for(timeout=30_000)
    _settle(page)
    title = {"tune": "tune-empty", "studies": "studies-list"}.get(name, name)
    page.screenshot(path=screenshots / f"{title}-{width}.png")

    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.get_by_role("alert").count() == 0
    assert problems == []
    context.close()


def _settle(page: Page) -> None:
    """Wait until the script has run and what it sent is drawn."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=30_000
    )
    page.wait_for_timeout(1500)
