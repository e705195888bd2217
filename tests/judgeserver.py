"""An OpenAI-compatible judge on 127.0.0.1: prefers the longer answer, or fails in the way a test asks for."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.localserver import serving

MODEL = "judge-1"
Asked = dict[str, Any]


class FakeJudge:
    """What tests set, and what was asked. `reply` gets the pair and how many were asked before; an int is an
    HTTP status; None: hang until the client gives up."""

    def __init__(self) -> None:
        self.url = ""
        self.reply: Callable[[Asked, int], str | int | None] = prefers_longer
        self.headers: dict[str, str] = {}
        self.error: dict[str, Any] = {}
        self.pause_seconds = 0.0
        self.asked: list[Asked] = []
        self.bodies: list[Asked] = []
        self.keys: set[str | None] = set()


def prefers_longer(pair: Asked, number: int) -> str:
    a, b = len(pair["A"]), len(pair["B"])
    return "tie" if a == b else "A" if a > b else "B"


def always_first(pair: Asked, number: int) -> str:
    return "A"


@contextmanager
def serve() -> Iterator[FakeJudge]:
    """Run it while the block lasts."""
    judge = FakeJudge()
    with serving(_Handler, judge=judge) as url:
        judge.url = f"{url}/v1"
        yield judge


class _Handler(BaseHTTPRequestHandler):
    judge: FakeJudge

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        judge = self.judge
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        pair = json.loads(body["messages"][-1]["content"].split("\n\n")[1])
        number = len(judge.asked)
        judge.asked.append(pair)
        judge.bodies.append(body)
        judge.keys.add(self.headers["Authorization"])
        time.sleep(judge.pause_seconds)
        reply = judge.reply(pair, number)
        if reply is None:
            time.sleep(2)
        elif isinstance(reply, int):
            self._answer(reply, {"error": judge.error})
        else:
            message = {"role": "assistant", "content": reply}
            self._answer(200, {"object": "chat.completion", "choices": [{"index": 0, "message": message}]})

    def _answer(self, status: int, values: Asked) -> None:
        content = json.dumps(values).encode()
        try:
            self.send_response(status)
            for name, value in self.judge.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:  # the other side gave up
            return

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output stays clean."""
