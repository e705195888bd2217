"""In a real browser: an admin gives the token, defines a grid, watches it end, compares and publishes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import dataset, models
from tests.browser.test_first_light import NARROW, SAMPLES, WIDE
from tests.tiny import write_jsonl

SECTIONS = {
    "Machines": "admin",
    "Grids": "admin-grids",
    "Versions": "admin-versions",
    "Storage": "admin-storage",
    "Models": "admin-models",
}
SECONDS = 1000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


@pytest.fixture(scope="module", autouse=True)
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The sample tickets as a dataset of grids; the application is told where."""
    folder = tmp_path_factory.mktemp("sources")
    rows = dataset.build(SAMPLES / "support_tickets.csv").rows
    found = [{"message": "".join(row.inputs.values()), "team": row.targets[0]} for row in rows]
    (folder / "tickets").mkdir()
    write_jsonl(folder / "tickets" / "train.jsonl", found[:240])
    write_jsonl(folder / "tickets" / "test.jsonl", found[240:300])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_GRID_DATASETS", str(folder))
        yield folder


@pytest.fixture
def token(address: str, served_home: Path) -> str:
    """What the terminal printed when the application first started."""
    match = re.search(r"Admin token: (\S+) ", (served_home / "web.log").read_text())
    assert match is not None
    return match[1]


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    yield context.new_page()
    context.close()


def test_a_grid_of_four_runs_from_admin_to_publication(
    page: Page, token: str, screenshots: Path, browser: Browser, address: str
) -> None:
    page.goto("/admin?admin_section=Grids")
    _gives(page, "wrong")
    page.get_by_text("This is not the admin token").wait_for(timeout=30_000)
    assert page.get_by_role("button", name=re.compile("^Start")).count() == 0
    _gives(page, token)

    _defines_a_grid(page)
    page.get_by_text("3 trainings give 3 results in 1 cells; with 1 scoring of").wait_for(timeout=30_000)
    _settle(page)
    _tall(page, screenshots / "admin-new-grid-1440.png")
    page.get_by_role("button", name="Start 3 trainings").click()

    page.get_by_role("heading", name=re.compile("^Grid tiny")).wait_for(timeout=60_000)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for(timeout=30_000)
    page.get_by_text(re.compile("[12] of 4 runs ended")).wait_for(timeout=600 * SECONDS)
    _settle(page)
    page.screenshot(path=screenshots / "admin-grids-1440.png")
    page.get_by_role("heading", name="Grid tiny: 100 % done").wait_for(timeout=600 * SECONDS)

    _go(page, "Versions")
    page.get_by_role("button", name="Compare with the version in use").click()
    page.get_by_role("button", name="Publish tiny").wait_for(timeout=60_000)
    _settle(page)
    _tall(page, screenshots / "admin-publish-1440.png")
    page.get_by_role("button", name="Publish tiny").click()
    page.get_by_text("Version tiny is published").wait_for(timeout=60_000)
    page.get_by_role("button", name="Use tiny").click()
    page.get_by_role("button", name="Let shortlists come from tiny").click()
    page.get_by_role("heading", name=re.compile("Shortlists come from tiny: 3 results")).wait_for(
        timeout=30_000
    )

    for width in (WIDE, NARROW):
        _every_section_fits(browser, address, token, width, screenshots)


def _tall(page: Page, path: Path) -> None:
    """A picture of a page that is longer than the window."""
    height = page.locator("[data-testid=stMain]").evaluate("main => main.scrollHeight")
    page.set_viewport_size({"width": WIDE, "height": max(900, height)})
    _settle(page)
    page.screenshot(path=path)
    page.set_viewport_size({"width": WIDE, "height": 900})


def _gives(page: Page, token: str) -> None:
    page.get_by_placeholder("Admin token").fill(token, timeout=30_000)
    page.get_by_role("button", name="Open").click()


def _defines_a_grid(page: Page) -> None:
    """One dataset, full fine-tuning at three learning rates and one epoch: with the base four runs."""
    page.get_by_label("Name").fill("tiny", timeout=30_000)
    page.get_by_label("Name").press("Enter")
    page.get_by_role("button", name="LoRA").click()
    expect(page.get_by_label("Learning rates")).to_have_count(1, timeout=30_000)
    for label, value in (("Epochs", "1"), ("Batch sizes", "16")):
        page.get_by_label(label).fill(value)
        page.get_by_label(label).press("Enter")
        _settle(page)


def _every_section_fits(browser: Browser, address: str, token: str, width: int, screenshots: Path) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=address)
    page = context.new_page()
    page.goto("/admin?admin_section=Grids")
    _gives(page, token)
    for section, name in SECTIONS.items():
        _go(page, section)
        page.get_by_role("heading", level=2).first.wait_for(timeout=30_000)
        _settle(page)
        if (section, width) != ("Grids", WIDE):
            page.screenshot(path=screenshots / f"{name}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), section
        assert page.get_by_role("alert").count() == 0, section
    context.close()


def _go(page: Page, section: str) -> None:
    sections = page.locator(".st-key-admin_section")
    sections.get_by_text(section, exact=True).click()
    _settle(page)


def _settle(page: Page) -> None:
    """Wait until the script has run and what it sent is drawn."""
    page.wait_for_timeout(500)
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=30_000
    )
    page.wait_for_timeout(1000)
