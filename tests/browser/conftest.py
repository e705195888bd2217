"""The real application on a free port and a home of its own, and the system's Chromium to drive it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Chromium from the system's packages: nothing is downloaded."""
    chromium = shutil.which("chromium")
    if chromium is None:
        reason = "chromium is not installed; `make chromium` does it"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return {"executable_path": chromium, "args": list(CHROMIUM_FLAGS)}


@pytest.fixture(scope="module")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of the application; web.log in it holds what a person reads in the terminal."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def address(served_home: Path) -> Iterator[str]:
    """Where the application answers; it ends with the module."""
    home = served_home
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SHORTLIST_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "cli.py", "serve", "--port", str(port)]
    with (home / "web.log").open("wb") as log:
        web = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/healthz", home / "web.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        web.terminate()
        web.wait(timeout=60)


def _wait_until_healthy(url: str, log: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"The application did not answer within {seconds:.0f} s:\n{log.read_text()[-3000:]}")


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where screenshots go; SHORTLIST_SCREENSHOTS=docs renews those of the documentation."""
    chosen = os.environ.get("SHORTLIST_SCREENSHOTS")
    folder = ROOT / chosen if chosen else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder
