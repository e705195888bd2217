"""A hub on 127.0.0.1 that takes a new repository and one commit, and remembers both."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from tests.localserver import serving

ACCOUNT = "somebody"


class PushHub:
    """What the tests set and what they look at afterwards."""

    def __init__(self) -> None:
        self.url = ""
        self.refuse: int | None = None
        self.created: list[dict[str, Any]] = []
        self.tokens: set[str | None] = set()
        self.files: dict[str, bytes] = {}


@contextmanager
def serve() -> Iterator[PushHub]:
    """Run it while the block lasts."""
    hub = PushHub()
    with serving(_Handler, hub=hub) as url:
        hub.url = url
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: PushHub

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.hub.tokens.add(self.headers.get("Authorization"))
        if self.hub.refuse is not None:
            self._answer({"error": "refused"}, self.hub.refuse)
        elif path == "/api/repos/create":
            self.hub.created.append(json.loads(content))
            self._answer({"url": f"{self.hub.url}/{self._repository()}", "id": self._repository()})
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = json.loads(content)["files"]
            kept = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]
            self._answer({"files": kept})
        elif "/commit/" in path:
            self._keep(content)
            self._answer({"commitUrl": f"{self.hub.url}/{self._repository()}/commit/abc", "commitOid": "abc"})
        else:
            self._answer({"error": path}, 404)

    def do_GET(self) -> None:
        self._answer({"id": self._repository(), "sha": "0" * 40, "siblings": []})

    def _repository(self) -> str:
        made = self.hub.created[-1]
        return f"{made.get('organization') or ACCOUNT}/{made['name']}"

    def _keep(self, content: bytes) -> None:
        for line in content.splitlines():
            entry = json.loads(line)
            if entry["key"] == "file":
                self.hub.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])

    def _answer(self, values: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(values).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output stays clean."""
