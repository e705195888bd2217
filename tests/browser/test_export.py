"""In a real browser: the sample study is exported, the files answer as the run did, the script repeats it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import models

SAMPLE = "s-20261121-5pnsyk"
WINNER = f"{SAMPLE}-04"
WIDE, NARROW = 1440, 800

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


def test_everything_of_the_winner_is_exported_compared_and_repeated(
    browser: Browser, address: str, screenshots: Path, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    page = context.new_page()
    page.goto(f"/studies?study={SAMPLE}&study_section=Export")
    page.get_by_role("button", name="Export everything").click()
    page.get_by_role("button", name="Cancel").wait_for(timeout=60_000)

    badges = page.get_by_text("Same answers on 103 of 103 test rows")
    expect(badges).to_have_count(2, timeout=300_000)
    _picture(page, screenshots, WIDE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download zip").click()
    assert download.value.suggested_filename == f"shortlist-{WINNER}.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    page.set_viewport_size({"width": NARROW, "height": 900})
    _picture(page, screenshots, NARROW)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()

    _the_script_scores_within_the_interval(tmp_path / f"shortlist-{WINNER}", tmp_path / "trained")


def _the_script_scores_within_the_interval(export: Path, trained: Path) -> None:
    """SHORTLIST_TRL_PYTHON names the Python of an environment that has TRL's stack alone."""
    python = os.environ.get("SHORTLIST_TRL_PYTHON", sys.executable)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, "-I", str(export / "train.py"), "--out", str(trained)]

    subprocess.run(command, cwd=export, env={**environment, "HF_HUB_OFFLINE": "1"}, check=True)

    scores = json.loads((trained / "scores.json").read_text())
    assert scores["test"]["within"], scores["test"]


def _picture(page: Page, screenshots: Path, width: int) -> None:
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=30_000
    )
    page.locator(".st-key-export_choice").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    page.screenshot(path=screenshots / f"study-export-{width}.png")
