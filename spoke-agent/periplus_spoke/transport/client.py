"""HTTP to the hub, and to nobody else: no redirects, no proxy variables, no cookies, answers capped at 64 KiB.

A hub is as little trusted as any peer. Whatever it answers, a request ends within its time, and its answer is read
no further than the contract's limit.
"""

import asyncio
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

import aiohttp

from periplus_contract.limits import MAX_MESSAGE_BYTES
from periplus_contract.tls_trouble import TlsTrouble, tls_trouble
from periplus_spoke.kit.clock import Clock
from periplus_spoke.kit.http import plain_session, trust

CONNECT_S: Final = 10.0
ANSWER_S: Final = 30.0
"""For a whole answer once the request is sent; also the base for the request."""
SLOWEST_BYTES_PER_S: Final = 4096
"""A link slower than this cannot carry a batch."""
_JSON: Final = "application/json"
_DROPPED: Final = (aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError, ConnectionResetError)
"""How a port that speaks TLS meets a plain request."""


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str
    retry_after_s: float | None
    body: bytes


class NoAnswerError(Exception):
    """The hub could not be reached, or its answer says nothing; `reason` is a slug.

    Waiting may cure it, so the spoke goes on. `remedy` is what a person can do meanwhile; empty when that is nothing.
    """

    def __init__(self, reason: str, message: str, retry_after_s: float | None = None, *, remedy: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        self.remedy = remedy


class HubClient:
    """One connection pool to one hub. Use as an async context manager."""

    def __init__(self, url: str, clock: Clock, ca_file: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self._clock = clock
        self._tls = trust(ca_file, "hub_ca", "the hub")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = plain_session(tls=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Reply:
        """GET; raises NoAnswerError."""
        return await self._request("GET", path, None, {})

    async def post(self, path: str, body: bytes, *, bearer: str = "", content_type: str = _JSON) -> Reply:
        """POST; raises NoAnswerError."""
        headers = {"Content-Type": content_type}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return await self._request("POST", path, body, headers)

    async def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Reply:
        if self._session is None:
            raise NoAnswerError("closed", "the connection to the hub is closed")
        patience = aiohttp.ClientTimeout(
            total=ANSWER_S + len(body or b"") / SLOWEST_BYTES_PER_S, sock_connect=CONNECT_S
        )
        try:
            async with self._session.request(
                method, self.url + path, data=body, headers=headers, timeout=patience, allow_redirects=False
            ) as response:
                async with asyncio.timeout(ANSWER_S):
                    content = await _read(response)
                retry_after_s = self._retry_after(response.headers.get("Retry-After", ""))
                return Reply(response.status, response.content_type, retry_after_s, content)
        except TimeoutError:
            raise NoAnswerError("timeout", f"the hub at {self.url} did not answer in time") from None
        except aiohttp.ClientSSLError as error:
            raise distrust(self.url, error) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: aiohttp's answer to headers that are not HTTP.
            is_dropped = isinstance(error, _DROPPED) and self.url.startswith("http://")
            remedy = _PLAIN_DROPPED if is_dropped else _WAY
            raise NoAnswerError("hub_unreachable", f"no answer from {self.url}: {error}", remedy=remedy) from error

    def _retry_after(self, value: str) -> float | None:
        """Seconds; the header is a number or a date."""
        if value.isascii() and value.isdigit():
            return float(value[:12])
        try:
            return (parsedate_to_datetime(value) - self._clock.now()).total_seconds()
        except (TypeError, ValueError, OverflowError):
            return None


def distrust(url: str, error: BaseException) -> NoAnswerError:
    """Why TLS to the hub failed, and the setting that would cure it."""
    trouble, said = tls_trouble(error)
    if trouble in {TlsTrouble.NO_TLS, TlsTrouble.OTHER}:
        message = f"no TLS connection to {url}: {said}"
    else:
        message = f"the certificate of {url} is not trusted: {said}"
    return NoAnswerError("tls", message, remedy=_REMEDIES[trouble])


_NO_TLS: Final = (
    "Check that --hub names a port that speaks TLS; for one that does not, write http:// (and --allow-plain-http)."
)
_REMEDIES: Final = {
    TlsTrouble.NO_TLS: _NO_TLS,
    TlsTrouble.OTHER_NAME: "Name the hub in --hub as its certificate does, or give it a certificate with this name.",
    TlsTrouble.WRONG_TIME: "Renew the hub's certificate, or set this machine's clock.",
    TlsTrouble.UNKNOWN_AUTHORITY: "Give --hub-ca the PEM file of the authority that signed the hub's certificate; of a "
    "self-signed one that is the certificate itself.",
    TlsTrouble.OTHER: _NO_TLS,
}
_WAY: Final = "Check that --hub names the right scheme, host and port, and the way there (firewall, DNS)."
_PLAIN_DROPPED: Final = "If the hub has a certificate, write https:// in --hub; else check the port and the way there."


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > MAX_MESSAGE_BYTES:
            raise NoAnswerError("answer_too_large", f"the hub's answer exceeds {MAX_MESSAGE_BYTES} bytes")
    return bytes(content)
