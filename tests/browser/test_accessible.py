"""In a real browser: axe finds nothing serious on any page or section, light or dark; Tab reaches each step.

The application is served once, and the sections of a page are walked in one load of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from engine import models
from tests.browser.test_first_light import WIDE
from tests.browser.test_outputs import STUDY

SECONDS = 1000  # in ms
MOST = 180 * SECONDS  # that a busy machine may take for a section
STUDY_SECTIONS = (
    "Scores", "Outputs", "Classes", "Diagnosis", "Try it",
    "Predict", "Search", "Export", "Report", "Continue",
)  # fmt: skip
EXPLORE_SECTIONS = (
    "Overview", "What matters", "LoRA or full", "Rows", "Models", "Curves", "One dataset", "Like mine",
)  # fmt: skip
ADMIN_SECTIONS = ("Machines", "Grids", "Versions", "Storage", "Models")
IN_LIGHT = {"resultTypes": ["violations"]}
IN_DARK = {**IN_LIGHT, "runOnly": ["color-contrast"]}  # the rest does not depend on the theme
SERIOUS = ("serious", "critical")
FOCUSED = """() => {
    const element = document.activeElement, keyed = element.closest('[class*="st-key-"]')
    const key = keyed && [...keyed.classList].find(name => name.startsWith('st-key-')).slice(7)
    return key || element.textContent.trim().slice(0, 40) || element.tagName
}"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """One window for the whole walk."""
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    context.set_default_timeout(MOST)
    yield context.new_page()
    context.close()


def opened(page: Page, path: str) -> Page:
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    return settled(page)


def settled(page: Page) -> Page:
    """The script has run, what it sent is drawn, and nothing fades in or out."""
    page.wait_for_timeout(200)
    running = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(running).to_be_attached(timeout=MOST)
    page.wait_for_timeout(300)
    return page


def faults(page: Page, where: str) -> list[str]:
    """What axe calls serious or critical on the page as it stands, a line for each element."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = []
    for scheme, options in (("light", IN_LIGHT), ("dark", IN_DARK)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.wait_for_timeout(250)
        for violation in page.evaluate("options => axe.run(document, options)", options)["violations"]:
            if violation["impact"] in SERIOUS:
                name = f"{where}, {scheme}, {violation['id']}"
                nodes = violation["nodes"]
                found += [f"{name}: {node['html'][:200]} {node['failureSummary'][-200:]}" for node in nodes]
    page.emulate_media(color_scheme="light")
    return found


def walked(page: Page, key: str, sections: Sequence[str]) -> list[str]:
    """The faults of every section that this control shows."""
    found = []
    for section in sections:
        page.locator(f".st-key-{key}").get_by_role("radio", name=section, exact=True).click()
        found += faults(settled(page), f"{key} {section}")
    return found


def focused(page: Page, most: int) -> list[str]:
    """What Tab comes to, in order, each once; and that it is seen there."""
    order: list[str] = []
    for _ in range(most):
        page.keyboard.press("Tab")
        if (name := page.evaluate(FOCUSED)) not in order:
            order.append(name)
    return order


def test_tune_has_no_serious_fault_empty_and_with_a_file(page: Page) -> None:
    found = faults(opened(page, "/"), "Tune, empty")
    page.locator(".st-key-take_tour button").click()
    page.get_by_role("button", name=re.compile("^Train ")).wait_for()

    assert found + faults(settled(page), "Tune, with a file") == []


def test_tab_goes_through_tune_from_the_file_to_the_start(page: Page) -> None:
    opened(page, "/")
    page.locator(".st-key-take_tour button").click()
    page.get_by_role("button", name=re.compile("^Train ")).wait_for()
    settled(page)
    page.locator("h1").click()

    order = focused(page, 70)

    steps = ["origin", "task", "model_table", "method", "k", "add_config", "launch"]
    assert [name for name in order if name in steps] == steps, order


def test_studies_and_every_section_of_one_have_no_serious_fault(page: Page) -> None:
    found = faults(opened(page, "/studies"), "Studies")
    opened(page, f"/studies?study={STUDY}")
    page.locator(".st-key-study_section").wait_for()

    assert found + walked(page, "study_section", STUDY_SECTIONS) == []


def test_tab_goes_through_a_study_from_its_actions_to_its_sections(page: Page) -> None:
    opened(page, f"/studies?study={STUDY}")
    page.locator(".st-key-study_section").wait_for()
    page.locator("h1").click()

    order = focused(page, 25)

    steps = ["duplicate", "delete", "next_step", "study_section"]
    assert [name for name in order if name in steps] == steps, order


def test_runs_side_by_side_have_no_serious_fault(page: Page) -> None:
    opened(page, f"/studies?compare={STUDY}-01,{STUDY}-02")

    assert faults(page, "Compare") == []


def test_every_section_of_explore_has_no_serious_fault(page: Page) -> None:
    opened(page, "/explore")

    assert walked(page, "explore_section", EXPLORE_SECTIONS) == []


def test_every_section_of_admin_has_no_serious_fault(page: Page, served_home: Path) -> None:
    opened(page, "/admin?admin_section=Models")
    page.get_by_placeholder("Admin token").fill((served_home / "admin-token").read_text().strip())
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Check and add").wait_for()

    assert walked(page, "admin_section", ADMIN_SECTIONS) == []
