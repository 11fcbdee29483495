"""A little NetBox: the list of prefixes, in pages, for who has the token."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def prefix(number: int, cidr: str, *, vrf: str | None = None, status: str = "active", **more: Any) -> dict[str, Any]:
    """A row as NetBox 4 has it."""
    return {
        "id": number,
        "url": f"http://elsewhere.test/api/ipam/prefixes/{number}/",
        "family": {"value": 6 if ":" in cidr else 4},
        "prefix": cidr,
        "vrf": None if vrf is None else {"id": 1, "name": vrf},
        "status": {"value": status, "label": status.title()},
        "role": None,
        "tenant": None,
        "description": "",
    } | more


@dataclass
class NetBox:
    """What it has, and what it was asked."""

    prefixes: list[dict[str, Any]] = field(default_factory=list)
    page: int = 2
    """The most rows that it gives at once, whatever is asked for."""
    instead: tuple[int, bytes, dict[str, str]] | None = None
    """What it answers, whatever it is asked."""
    is_silent: bool = False
    """Whether it takes questions and does not answer them, until it is stopped."""
    stopped: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, token: str | None) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        self.asked.append(path)
        if self.is_silent:
            self.stopped.wait()
        parts = urlsplit(path)
        if self.instead is not None:
            return self.instead
        if token != f"Token {TOKEN}":
            return 403, b'{"detail": "Invalid token"}', {}
        if parts.path != "/api/ipam/prefixes/":
            return 404, b"<html>", {}
        query = parse_qs(parts.query)
        wanted = query.get("status", [])
        rows = [each for each in self.prefixes if not wanted or each["status"]["value"] in wanted]
        start, size = int(query.get("offset", ["0"])[0]), min(int(query.get("limit", ["50"])[0]), self.page)
        more = "http://elsewhere.test/next" if start + size < len(rows) else None
        body = {"count": len(rows), "next": more, "previous": None, "results": rows[start : start + size]}
        return 200, json.dumps(body).encode(), {"Content-Type": "application/json"}


@contextmanager
def netbox() -> Iterator[NetBox]:
    """One that listens on loopback."""
    box = NetBox()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = box.answer(self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    box.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield box
    finally:
        box.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
