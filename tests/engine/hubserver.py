"""A hub of one model on 127.0.0.1: lists a folder's files and gives them out, or refuses as the hub does."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.localserver import serving

CHUNK = 1 << 14


class FakeHub:
    """What the tests set and what they look at afterwards."""

    def __init__(self, folder: Path, hub_id: str, revision: str) -> None:
        self.folder, self.hub_id, self.revision = folder, hub_id, revision
        self.refuse: tuple[int, str] | None = None
        self.pause_seconds = 0.0
        self.damaged: set[str] = set()
        self.claimed: dict[str, int] = {}
        self.asked: list[str] = []
        self.url = ""

    def tree(self) -> list[dict[str, Any]]:
        """As /api/models/<id>/tree/<revision> answers."""
        return [self._entry(path) for path in sorted(self.folder.iterdir()) if path.is_file()]

    def _entry(self, path: Path) -> dict[str, Any]:
        content = path.read_bytes()
        size = self.claimed.get(path.name, len(content))
        entry = {"type": "file", "path": path.name, "oid": _oid(content), "size": size}
        if path.suffix == ".safetensors":
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": digest, "size": size, "pointerSize": 134}
        return entry


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serve(folder: Path, hub_id: str, revision: str) -> Iterator[FakeHub]:
    """Run it while the block lasts."""
    hub = FakeHub(folder, hub_id, revision)
    with serving(_Handler, hub=hub) as url:
        hub.url = url
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if self.command == "GET":
            self.hub.asked.append(path)
        listing = f"/api/models/{self.hub.hub_id}/tree/{self.hub.revision}"
        resolved = f"/{self.hub.hub_id}/resolve/{self.hub.revision}/"
        file = self.hub.folder / path.removeprefix(resolved)
        if self.hub.refuse is not None:
            self._refuse(*self.hub.refuse)
        elif path == listing:
            self._answer(json.dumps(self.hub.tree()).encode(), "application/json")
        elif path.startswith(resolved) and file.is_file():
            content = file.read_bytes()
            self._answer(bytes(len(content)) if file.name in self.hub.damaged else content)
        else:
            self._refuse(404, "EntryNotFound")

    do_HEAD = do_GET

    def _answer(self, content: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", self.hub.revision)
        self.send_header("ETag", f'"{_oid(content)}"')
        self.end_headers()
        if self.command == "HEAD":
            return
        try:
            for start in range(0, len(content), CHUNK):
                self.wfile.write(content[start : start + CHUNK])
                time.sleep(self.hub.pause_seconds)
        except ConnectionError:  # the other side was stopped
            return

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output stays clean."""
