"""No test touches the developer's home, a network or another test's processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# As workers have it: on a busy machine two spinning threads wait for each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Shortlist home of the test's own; nothing is downloaded, no outer setting gets in."""
    folder = tmp_path / "home"
    for name in ("REDIS_URL", *(name for name in os.environ if name.startswith("SHORTLIST_"))):
        if name != "SHORTLIST_SCREENSHOTS":
            monkeypatch.delenv(name, raising=False)
    for name in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"SHORTLIST_JUDGE_{name}", raising=False)
    monkeypatch.setenv("SHORTLIST_HOME", str(folder))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    return folder
