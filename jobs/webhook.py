"""Tells an address of the admin's choice that a study has ended: small JSON, once for each end.

`SHORTLIST_WEBHOOK` comes from the environment alone: an address from a form would let anybody send requests
from this machine. The web process tells (see jobs.collector), and a terminal that waits for its own study.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from redis.exceptions import RedisError

from engine import settings as settings_module
from engine.artifacts import Artifacts
from engine.errors import ConfigError, NotFoundError
from engine.settings import Settings
from jobs import queue, tasks, views

TRIES = 3
PAUSE_SECONDS = 2.0
TIMEOUT_SECONDS = 5.0
REMEMBERED_SECONDS = 90 * 24 * 3600
PROBLEM_SECONDS = 7 * 24 * 3600
PROBLEM_KEY = "shortlist:webhook-problem"
_log = logging.getLogger(__name__)


def tell_beside(study: str) -> None:
    """As `tell`, in a thread: a slow address must not hold the caller up."""
    settings = settings_module.current()
    if settings.webhook is not None:
        threading.Thread(target=tell, args=(study, settings), name="webhook", daemon=True).start()


def tell(study: str, settings: Settings | None = None) -> bool:
    """Post the study's end unless it is not over or was told before; whether this call did."""
    settings = settings or settings_module.current()
    if settings.webhook is None:
        return False
    files, client, key = tasks.artifacts(settings), queue.connection(settings), f"shortlist:told:{study}"
    try:
        end = _end(files, study)
        if end is None or client.get(key) == end.encode():
            return False
        content = message(study, settings)
        if client.set(key, end, get=True, ex=REMEMBERED_SECONDS) == end.encode():
            return False  # another process was quicker
        problem = _post_patiently(settings.webhook.get_secret_value(), content)
        if problem is None:
            client.delete(PROBLEM_KEY)
            return True
        _log.warning("The end of %s was not told: %s", study, problem)
        client.set(PROBLEM_KEY, f"'{content['name']}' was not told: {problem}", ex=PROBLEM_SECONDS)
    except (NotFoundError, RedisError) as error:
        _log.warning("The end of %s was not told: %s", study, error)
    return False


def message(study: str, settings: Settings) -> dict[str, str | None]:
    """What is sent; `text` is what chat programs show."""
    view = views.study(study)
    found = views.summary(study)
    verdict = " ".join(filter(None, (found.decision.headline, found.reason)))
    link = settings.study_link(study)
    return {
        "study": study,
        "name": view.study.name,
        "status": str(view.status),
        "verdict": verdict,
        "link": link,
        "text": " ".join(filter(None, (f"{view.study.name}: {verdict}", link))),
    }


def host(url: str) -> str:
    """The machine that an address names (never the rest, which may hold a token); raises ConfigError."""
    try:
        parts = urlsplit(url)
        name = parts.hostname
    except ValueError:
        parts, name = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not name:
        raise ConfigError("SHORTLIST_WEBHOOK must be an http:// or https:// address.")
    return name


def last_problem(settings: Settings) -> str | None:
    """Why the last study was not told; None: all is well, or nothing runs."""
    if not queue.answers(settings):
        return None
    found = queue.connection(settings).get(PROBLEM_KEY)
    return found.decode() if isinstance(found, bytes) else None


def _end(files: Artifacts, study: str) -> str | None:
    """Names the attempts that a study ended with, so that one that is retried ends anew; None: not over."""
    if study not in files.studies():
        return None
    found = files.read_study(study)
    results = [files.read_result(run) for run in found.runs]
    if found.deleted or any(result is None for result in results):
        return None
    if files.unfinished_search(study) is not None:
        return None
    return " ".join(f"{result.run}:{result.attempt}" for result in results if result is not None)


def _post_patiently(url: str, content: Mapping[str, Any]) -> str | None:
    """None, or why it was not taken after TRIES tries."""
    problem = None
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_SECONDS)
        problem = _post(url, content)
        if problem is None:
            return None
    return problem


def _post(url: str, content: Mapping[str, Any]) -> str | None:
    try:
        name = host(url)
    except ConfigError as error:
        return str(error)
    body, headers = json.dumps(content).encode(), {"Content-Type": "application/json"}
    try:
        with build_opener(_NoRedirect).open(Request(url, body, headers), timeout=TIMEOUT_SECONDS):
            return None
    except HTTPError as error:
        return f"{name} answered {error.code}."
    except (OSError, HTTPException, ValueError) as error:
        return f"{name} could not be reached ({type(error).__name__})."


class _NoRedirect(HTTPRedirectHandler):
    """Only the address that the admin named is told."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None
