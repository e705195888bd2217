"""In a real browser: the sample study is exported, the files answer as the run did, the script repeats it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from engine import models

SAMPLE = "s-20261121-5pnsyk"
WINNER = f"{SAMPLE}-04"
WIDE, NARROW = 1440, 800
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # as in the Makefile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # an environment is installed, with torch
    pytest.mark.skipif(
        not any(model.launchable for model in models.registry()), reason="the weights of models/ are missing"
    ),
]


def test_everything_of_the_winner_is_exported_compared_and_repeated(
    browser: Browser, address: str, screenshots: Path, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": WIDE, "height": 900}, base_url=address)
    page = context.new_page()
    page.goto(f"/studies?study={SAMPLE}&study_section=Export&export_run=shortlist+3+%28first+on+dev%29")
    page.get_by_role("button", name="Export everything").click()
    page.get_by_role("button", name="Cancel").wait_for(timeout=60_000)

    page.get_by_role("button", name="Download zip").wait_for(timeout=400_000)
    assert page.get_by_text("Same answers on 103 of 103 test rows").count() >= 3  # the 8-bit file may differ
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

    export = tmp_path / f"shortlist-{WINNER}"
    python = _environment_with_trl_alone(tmp_path / "environment", export / "requirements.txt")
    _the_script_scores_within_the_interval(python, export, tmp_path / "trained")


def _environment_with_trl_alone(folder: Path, requirements: Path) -> Path:
    """The Python of a new environment that has what the export asks for, in the build of torch used here."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    command = [python, "-m", "pip", "install", "--quiet", f"torch=={version('torch')}", "-r", requirements]
    for more in ([], ["--extra-index-url", TORCH_CPU_INDEX]):
        done = subprocess.run([*command, *more], capture_output=True, text=True)
        if done.returncode == 0:
            break
    else:
        reason = f"the export's requirements cannot be installed here: {done.stderr[-500:]}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)

    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True)
    names = {package["name"] for package in json.loads(listed.stdout)}
    assert {"torch", "transformers", "trl", "peft"} <= names
    assert not names & {"streamlit", "rq", "redis", "duckdb", "scikit-learn", "rouge-score", "plotly"}
    return python


def _the_script_scores_within_the_interval(python: Path, export: Path, trained: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, "-I", export / "train.py", "--out", trained]

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
