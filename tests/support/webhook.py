"""A webhook that misbehaves as it is told, and counts each change once, by its key."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What comes of a request: a status, with a Retry-After if there is one, or a way to misbehave.
HANG, CUT, TAKE_AND_CUT = "hang", "cut", "take and cut"
Step = int | tuple[int, str] | str


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Webhook:
    """A receiver on this machine.

    Parameters
    ----------
    script : what comes of the first requests, in their order; all others are answered with 200.
    poison : addresses for which a request is answered with 422.
    hang_seconds : how long a request hangs that does.
    """

    script: list[Step] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    hang_seconds: float = 1.0
    requests: list[Received] = field(default_factory=list)
    applied: Counter[str] = field(default_factory=Counter)
    held: dict[str, set[str]] = field(default_factory=dict)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def keys(self) -> list[str]:
        """Idempotency keys in the order of the requests."""
        return [request.headers["Idempotency-Key"] for request in self.requests]

    def receive(self, request: Received) -> Step:
        """Note a request, and say what comes of it."""
        with self._lock:
            self.requests.append(request)
            step: Step = self.script.pop(0) if self.script else 200
            changes = request.body.get("changes", []) if isinstance(request.body, dict) else []
            if step == 200 and any(change.get("email") in self.poison for change in changes):
                return 422
            if step in (200, TAKE_AND_CUT):
                for change in changes:
                    self._apply(change)
            return step

    def _apply(self, change: dict[str, Any]) -> None:
        """Take a change, unless one with its key was taken before."""
        key = change["outbox_id"]
        if self.applied[key]:
            return
        self.applied[key] += 1
        audience = self.held.setdefault(change["audience_id"], set())
        (audience.add if change["operation"] == "add" else audience.discard)(change["email"])

    def wait(self) -> None:
        """Hang, but no longer than the test."""
        self._stop.wait(self.hang_seconds)


@contextmanager
def webhook(**given: Any) -> Iterator[Webhook]:
    """Start a receiver; it ends with the block."""
    hook = Webhook(**given)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            text = self.rfile.read(length)
            body = json.loads(text) if text else None
            step = hook.receive(Received(self.command, self.path, dict(self.headers), body))
            if step == HANG:
                hook.wait()
            if isinstance(step, str):
                self.close_connection = True
                self.connection.close()
                return
            status, after = step if isinstance(step, tuple) else (step, None)
            self.send_response(status)
            if after is not None:
                self.send_header("Retry-After", after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_DELETE = do_POST  # noqa: N815 - as http.server calls it

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # a connection that the script has cut

    server = Server(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        hook._stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
