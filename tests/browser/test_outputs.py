"""In a real browser, on the sample study: outputs, classes and losses; a text answered by base and tuned."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from engine import models
from tests.browser.conftest import ROOT

SAMPLE = ROOT / "samples" / "study"
STUDY = next((path.name for path in SAMPLE.glob("studies/s-*")), "")
WIDTHS = (1440, 800)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


@pytest.fixture(params=WIDTHS)
def window(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": request.param, "height": 900}, base_url=address)
    yield context.new_page()
    context.close()


def open_section(window: Page, name: str, **query: str) -> None:
    """A section of the sample study, as its address opens it."""
    words = "&".join(f"{key}={value}" for key, value in {"study_section": name, **query}.items())
    window.goto(f"/studies?study={STUDY}&{words}")
    window.locator(".st-key-study_section").wait_for(timeout=60_000)
    settle(window)


def settle(window: Page) -> None:
    """Wait until the script has run and what it sent is drawn."""
    expect(window.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=60_000
    )
    window.wait_for_timeout(1500)


def predicted_by_the_winner() -> str:
    """What the run with kept weights answered to the first test row, which the text field starts with."""
    (adapter,) = SAMPLE.glob("studies/*/runs/*/attempt-1/adapter")
    table = pd.read_parquet(adapter.parent / "predictions.parquet")
    return str(table[table["split"] == "test"]["prediction"].iloc[0])


def shoot(window: Page, part: str, screenshots: Path, name: str, alerts: int = 0) -> None:
    """A picture with this part of the page at the top; `alerts`: how many coloured boxes belong there."""
    window.locator("[data-testid=stMain]").evaluate(
        "(main, part) => main.scrollBy(0, document.querySelector(part).getBoundingClientRect().top - 80)",
        part,
    )
    window.wait_for_timeout(500)
    size = window.viewport_size
    assert size is not None
    window.screenshot(path=screenshots / f"{name}-{size['width']}.png")
    assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert window.get_by_role("alert").count() == alerts


def test_the_outputs_are_filtered_by_the_address_read_in_full_and_taken_away(
    window: Page, screenshots: Path
) -> None:
    open_section(window, "Outputs", outputs_filter="wrong", outputs_page="2")
    expect(window.get_by_role("heading", name=re.compile("of 103 test rows right"))).to_be_visible()
    shoot(window, ".st-key-study_section", screenshots, "study-outputs")

    table = window.locator(".st-key-outputs_table [data-testid=stDataFrame]").first
    box = table.bounding_box()
    assert box is not None
    window.mouse.click(box["x"] + 15, box["y"] + 55)
    row = window.locator(".st-key-outputs_row")
    expect(row.get_by_text("Right answer:")).to_be_visible(timeout=30_000)

    with window.expect_download() as download:
        window.locator(".st-key-outputs_take").get_by_role("button", name="CSV").click()
    taken = pd.read_csv(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert (taken["gold"] != taken["shortlist 3"]).all()
    assert len(taken) == 50
    assert "outputs_page=2" in window.url and "outputs_filter=wrong" in window.url


def test_each_class_is_shown_with_its_rows_and_what_it_is_taken_for(window: Page, screenshots: Path) -> None:
    open_section(window, "Classes")

    finding = window.get_by_role(
        "heading", name=re.compile("macro-F1 .* over the classes alike, on 103 test")
    )
    expect(finding).to_be_visible()
    expect(window.locator(".st-key-classes .js-plotly-plot")).to_have_count(2, timeout=60_000)
    expect(window.locator(".st-key-classes")).to_contain_text("The most frequent mistake: ")
    settle(window)
    shoot(window, ".st-key-study_section", screenshots, "study-classes", alerts=1)


def test_the_losses_of_a_training_are_judged_and_a_next_config_is_offered(
    window: Page, screenshots: Path
) -> None:
    open_section(window, "Diagnosis")

    expect(window.get_by_role("heading", name="What the losses show")).to_be_visible()
    expect(window.get_by_role("button", name=re.compile(r"^Add and train: .* \(about .*\)$"))).to_be_enabled()
    expect(window.locator(".st-key-diagnosis_losses .js-plotly-plot")).to_be_visible(timeout=60_000)
    settle(window)
    shoot(window, ".st-key-study_section", screenshots, "study-diagnosis", alerts=1)


def test_a_text_is_answered_by_base_and_tuned_side_by_side(window: Page, screenshots: Path) -> None:
    open_section(window, "Try+it&talk_run=shortlist+3+%28first+on+dev%29")
    field = window.get_by_label("Text", exact=True)
    expect(field).not_to_have_value("")
    text = field.input_value()

    window.get_by_role("button", name=re.compile("Ask the base and")).click()
    window.get_by_text("Both have answered.").wait_for(timeout=90_000)
    settle(window)

    expect(window.locator(".st-key-talk_tuned")).to_contain_text(predicted_by_the_winner())
    for side in ("base", "tuned"):
        expect(window.locator(f".st-key-talk_{side}")).to_contain_text(re.compile(r"[\d,]+ tokens/s"))
    window.get_by_text("Exact prompt, the same for both").click()
    expect(window.locator("pre.prompt")).to_have_text(f"Text: {text}\nLabel:")
    shoot(window, ".st-key-talk_run", screenshots, "study-talk")
