"""Who may change grids and machines: whoever holds the token that the first start of the pages makes."""

from __future__ import annotations

import hmac
import os
import secrets
import time

from engine import settings as settings_module
from engine.settings import Settings

TOKEN_BYTES = 18
SESSION_SECONDS = 12 * 3600
COOKIE = "shortlist_admin"


def token(settings: Settings | None = None) -> tuple[str, bool]:
    """The home's admin token and whether it was made just now; only this user can read its file."""
    path = (settings or settings_module.current()).home / "admin-token"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip(), False
    made = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(made + "\n")
    return made, True


def is_token(text: str | None, settings: Settings | None = None) -> bool:
    """Whether a person gave the admin token; takes as long for a near miss as for a wild guess."""
    known, _ = token(settings)
    return bool(known) and hmac.compare_digest((text or "").encode(), known.encode())


def session(settings: Settings | None = None) -> str:
    """What a browser keeps in place of the token, for SESSION_SECONDS: the time of its end, signed."""
    end = str(int(time.time()) + SESSION_SECONDS)
    return f"{end}.{_signed(end, settings)}"


def is_session(text: str | None, settings: Settings | None = None) -> bool:
    """Whether it was signed with this home's token, as it is now, and has not ended."""
    if not isinstance(text, str):
        return False
    end, _, signature = text.partition(".")
    if not end.isascii() or not end.isdecimal() or int(end) < time.time():
        return False
    return hmac.compare_digest(signature.encode(), _signed(end, settings).encode())


def _signed(text: str, settings: Settings | None) -> str:
    known, _ = token(settings)
    return hmac.digest(known.encode(), text.encode(), "sha256").hex() if known else secrets.token_hex()
