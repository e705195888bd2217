"""In a real browser: the report is downloaded and opens without a network, runs are compared."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from engine import models
from tests.browser.conftest import ROOT

WIDE, NARROW = 1440, 800
SAMPLE = ROOT / "samples" / "study" / "studies"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def study() -> str:
    """The sample study that a fresh home comes with."""
    return next(SAMPLE.iterdir()).name


@pytest.fixture
def wide(browser: Browser, address: str) -> Iterator[Page]:
    """A window of 1440 x 900."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    yield context.new_page()
    context.close()


def test_the_report_is_downloaded_and_opens_without_a_network(
    wide: Page, browser: Browser, address: str, study: str, screenshots: Path, tmp_path: Path
) -> None:
    wide.goto(f"/studies?study={study}&study_section=Report")
    html = wide.get_by_role("button", name="Download HTML")
    html.wait_for(timeout=60_000)
    _settle(wide)
    wide.locator(".st-key-report_preview").scroll_into_view_if_needed()
    wide.screenshot(path=screenshots / "study-report-1440.png")
    with wide.expect_download() as download:
        html.click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    with wide.expect_download() as markdown:
        wide.get_by_role("button", name="Download Markdown").click()
    assert Path(markdown.value.path()).read_text().startswith("# Sample: support tickets")

    context = browser.new_context(viewport={"width": WIDE, "height": 900}, offline=True)
    _opens_and_prints(context, file, f"{address}/studies?study={study}", screenshots, tmp_path)
    context.close()


def _opens_and_prints(
    context: BrowserContext, file: Path, link: str, screenshots: Path, tmp_path: Path
) -> None:
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto(file.as_uri())
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    page.screenshot(path=screenshots / "report-1440.png", full_page=True)

    assert page.get_by_role("link", name="Open the study").get_attribute("href") == link
    assert page.locator("tr.marked").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_two_runs_are_compared(
    width: int, browser: Browser, address: str, study: str, screenshots: Path
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 1500}, base_url=address)
    page = context.new_page()

    page.goto(f"/studies?compare={study}-04,{study}-01")
    expect(page.get_by_text(re.compile("is better than .* on the same 103 test rows")).first).to_be_visible(
        timeout=60_000
    )
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=60_000)
    expect(page.get_by_test_id("stDataFrameResizable").last).to_be_visible(timeout=60_000)
    _settle(page)
    page.screenshot(path=screenshots / f"compare-{width}.png")

    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.get_by_role("alert").count() == 0
    page.get_by_text("Show all settings").click()
    _settle(page)
    assert page.get_by_role("alert").count() == 0
    context.close()


@pytest.fixture
def other_study(address: str, served_home: Path) -> str:
    """A study of another model on the sample's rows, trained from the terminal beside the pages."""
    if not any(model.id == "shortlist-tiny-1m" for model in models.registry()):
        pytest.skip("the weights of models/ are missing")
    options = ["--model", "shortlist-tiny-1m", "--method", "full", "--k", "0", "--train-size", "60", "--json"]
    command = [sys.executable, "cli.py", "tune", "samples/support_tickets.csv", *options]
    environment = {**os.environ, "SHORTLIST_HOME": str(served_home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["study"])


def test_runs_of_two_studies_are_compared_on_the_rows_that_both_were_tested_on(
    wide: Page, study: str, other_study: str
) -> None:
    wide.goto(f"/studies?compare={study}-04,{other_study}-02")

    finding = re.compile(r"A: .*\(Sample: support tickets\) .* on the same 103 test rows")
    expect(wide.get_by_role("heading", name=finding)).to_be_visible(timeout=60_000)
    expect(wide.get_by_role("heading", name=re.compile(r"\d+ of \d+ settings differ"))).to_be_visible()
    _settle(wide)
    assert wide.get_by_role("alert").count() == 0


def test_ticked_studies_lead_to_the_comparison(wide: Page, study: str) -> None:
    wide.goto("/studies")
    wide.locator(f".st-key-pick_{study} label").click()
    wide.get_by_role("link", name=re.compile("Compare the best runs")).click()

    wide.wait_for_url("**/studies?compare=*", timeout=30_000)
    expect(wide.get_by_role("heading", name="Compare runs")).to_be_visible(timeout=30_000)


def _settle(page: Page) -> None:
    """Wait until the script has run and what it sent is drawn."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=30_000
    )
    page.wait_for_timeout(1500)
