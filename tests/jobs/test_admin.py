"""The admin token is made once, is readable by its owner alone, and nothing else opens the door."""

from __future__ import annotations

import stat
from pathlib import Path

from jobs import admin


def test_the_token_is_made_once_and_only_its_owner_can_read_it(home: Path) -> None:
    first, made = admin.token()
    again, made_again = admin.token()

    assert (made, made_again) == (True, False)
    assert first == again
    assert len(first) >= 24
    assert stat.S_IMODE((home / "admin-token").stat().st_mode) == 0o600


def test_nothing_but_the_token_is_taken_for_it() -> None:
    token, _ = admin.token()

    assert admin.is_token(token)
    assert not any(admin.is_token(text) for text in (None, "", token[:-1], token + "x", "é"))


def test_an_empty_token_file_lets_nobody_in(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "admin-token").touch()

    assert not admin.is_token("")
