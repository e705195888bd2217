"""Who may change grids and machines: whoever holds the token that the first start of the pages makes."""

from __future__ import annotations

import hmac
import os
import secrets

from engine import settings as settings_module
from engine.settings import Settings

TOKEN_BYTES = 18


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
