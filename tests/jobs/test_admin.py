"""The admin token is made once, is readable by its owner alone, and nothing else opens the door."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

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


def test_a_session_opens_the_door_until_it_ends_or_the_token_changes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = admin.session()
    assert admin.is_session(session)

    end, _, signature = session.partition(".")
    assert not admin.is_session(f"{int(end) + 1}.{signature}")
    assert not any(admin.is_session(text) for text in (None, "", end, f"{end}.", "é.x", admin.token()[0]))
    monkeypatch.setattr(admin.time, "time", lambda: int(end) + 1.0)
    assert not admin.is_session(session)
    monkeypatch.undo()
    monkeypatch.setenv("SHORTLIST_HOME", str(home))
    (home / "admin-token").write_text("another\n")
    assert not admin.is_session(session)
