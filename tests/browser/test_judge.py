"""In a real browser: a judge is asked after consent, what failed stays missing, the verdict is taken away."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from engine import settings
from jobs import tasks
from tests import judgeserver, studies, summaries
from tests.judgeserver import FakeJudge

WIDE, NARROW = 1440, 800
ROWS = 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeJudge]:
    """A judge that never answers about one row."""
    with judgeserver.serve() as running:
        running.headers["retry-after-ms"] = "1"
        running.reply = lambda pair, n: 500 if _leaks(pair) else judgeserver.prefers_longer(pair, n)
        yield running


def _leaks(pair: judgeserver.Asked) -> bool:
    return any(str(pair[side]).endswith("example.org") for side in "AB")


@pytest.fixture(scope="module")
def served_home(tmp_path_factory: pytest.TempPathFactory, server: FakeJudge) -> Iterator[Path]:
    """A home with a finished study of summaries, and the judge in the environment of `serve`."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHORTLIST_HOME", str(folder))
        patch.setenv("SHORTLIST_JUDGE_URL", server.url)
        patch.setenv("SHORTLIST_JUDGE_MODEL", judgeserver.MODEL)
        summaries.write_study(tasks.artifacts(settings.current()), folder)
        yield folder


def test_a_judge_compares_two_runs_after_consent(
    browser: Browser, address: str, server: FakeJudge, screenshots: Path, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    page = context.new_page()
    page.goto(f"/studies?study={studies.STUDY}&study_section=Judge")
    expect(page.get_by_text("Will be sent to 127.0.0.1")).to_be_visible(timeout=60_000)
    ask = page.get_by_role("button", name=f"Ask the judge about {ROWS} rows")
    expect(ask).to_be_disabled()
    assert server.asked == []
    _pictures(page, tmp_path, "study-judge-consent")

    page.locator(".st-key-judge_consent label").filter(has_text="I agree to send").click()
    expect(ask).to_be_enabled(timeout=30_000)
    ask.click()

    finding = page.get_by_text(f"The judge prefers shortlist 1 to untuned base: of {ROWS - 1} judged rows")
    expect(finding).to_be_visible(timeout=120_000)
    expect(page.locator(".st-key-judge_numbers")).to_contain_text(f"{ROWS - 1} of {ROWS}")
    expect(page.get_by_role("button", name="Ask the judge about 1 row")).to_be_disabled()
    _pictures(page, screenshots, "study-judge")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    verdicts = pd.read_csv(io.BytesIO(Path(download.value.path()).read_bytes()))["verdict"]
    assert dict(verdicts.value_counts()) == {"shortlist 1 better": ROWS - 1, "missing": 1}
    context.close()


def _pictures(page: Page, screenshots: Path, name: str) -> None:
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": 900})
        page.locator(".st-key-study_section").scroll_into_view_if_needed()
        page.locator("[data-testid=stMain]").evaluate(
            "main => main.scrollBy(0, main.querySelector('.st-key-study_section')"
            ".getBoundingClientRect().top - 80)"
        )
        page.wait_for_timeout(1500)
        page.screenshot(path=screenshots / f"{name}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
