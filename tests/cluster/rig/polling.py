"""Waiting for something to become true, with a bound and a reason when it does not."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

_T = TypeVar("_T")

INTERVAL_S = 0.05
_PROBE_TIMEOUT_S = 5.0


class WaitedTooLongError(TimeoutError):
    """What was waited for did not happen in the time given."""


def wait_for(what: str, probe: Callable[[], _T | None], *, timeout_s: float, interval_s: float = INTERVAL_S) -> _T:
    """What `probe` returns once it is true; an exception of `probe` ends the wait."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            message = f"{what}: not after {timeout_s:.0f} s"
            raise WaitedTooLongError(message)
        time.sleep(interval_s)


def answers_ok(url: str, ca_file: Path, token: str | None = None) -> bool:
    """Whether a health endpoint says 200 now; not listening yet is a plain no.

    Not `urllib.request`: it would send loopback traffic through a proxy named in the environment.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    connection: HTTPConnection
    if parts.scheme == "https":
        tls = ssl.create_default_context(cafile=str(ca_file))
        connection = HTTPSConnection(host, port, timeout=_PROBE_TIMEOUT_S, context=tls)
    else:
        connection = HTTPConnection(host, port, timeout=_PROBE_TIMEOUT_S)
    try:
        connection.request("GET", parts.path, headers=_bearer(token))
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
