"""Where tests find the shared datasets that live beside the checkout; the product runs without them."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(name: str) -> Path:
    """The path of a shared file; without it the test is skipped, and in CI it fails."""
    path = SHARED / name
    if not path.exists():
        reason = f"needs ../shared/{name}, which is not beside this checkout"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
