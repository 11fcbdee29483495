"""What RFC 9112 asks of a request's head and the parser lets through: version, method, target, Host, body's framing.

Whatever two readers of the same bytes could understand differently is refused, so that nothing in front of the hub
sees another request, or another host, than the hub does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import AddressValueError, IPv6Address
from typing import Final

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
VERSIONS: Final = frozenset({"1.0", "1.1"})
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]*)", re.IGNORECASE)
_AUTHORITY: Final = re.compile(
    rb"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::(?P<port>\d{0,5}))?"
)
_MOST_PORT: Final = 65_535

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a request is not taken, what it is answered, and how it is counted."""

    status: HTTPStatus
    reason: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as the parser has it; header names are in lower case, `upgrades` is what the parser thinks."""

    method: str
    target: bytes
    version: str
    headers: Headers
    upgrades: bool

    def values(self, name: bytes) -> list[bytes]:
        """Of all lines of this name."""
        return [value for found, value in self.headers if found == name]

    @property
    def has_body(self) -> bool:
        """Whether bytes of a body follow; the parser has seen that Content-Length is one number."""
        return bool(self.values(b"transfer-encoding")) or any(int(n) > 0 for n in self.values(b"content-length"))


def trouble_with(head: Head) -> Trouble | None:
    """The first rule that the head breaks."""
    return _of_request_line(head) or _of_host(head) or _of_framing(head)


def host_of_target(target: bytes) -> bytes | None:
    """The host of a target in absolute form, which stands above the Host header (RFC 9112, 3.2.2)."""
    found = _ABSOLUTE.match(target)
    return None if found is None else found[1]


def bad_version() -> Trouble:
    """Of a request in another HTTP."""
    text = "the hub speaks HTTP/1.1 and HTTP/1.0"
    return Trouble(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "malformed", text, "Send HTTP/1.1.")


def bad_method() -> Trouble:
    """Of a request for what the hub does not do at all, anywhere."""
    remedy = f"Use one of {', '.join(sorted(METHODS))}."
    return Trouble(HTTPStatus.NOT_IMPLEMENTED, "malformed", "no such method is known here", remedy)


def bad_request(detail: str, remedy: str = "Send a request as RFC 9112 describes it.") -> Trouble:
    """Of a request that is none."""
    return Trouble(HTTPStatus.BAD_REQUEST, "malformed", detail, remedy)


def _of_request_line(head: Head) -> Trouble | None:
    if head.version not in VERSIONS:
        return bad_version()
    if head.method not in METHODS:
        return bad_method()
    if head.target.startswith(b"/") and b"#" not in head.target:
        return None
    host = host_of_target(head.target)
    if host is None or b"#" in head.target or not _is_authority(host):
        return bad_request("the target of the request is no path", "Ask for a path, like /healthz, without a fragment.")
    return None


def _of_host(head: Head) -> Trouble | None:
    hosts = head.values(b"host")
    if len(hosts) > 1:
        return bad_request("there is more than one Host header", "Send one.")
    if not hosts and head.version != "1.0":
        return bad_request("there is no Host header", "Send Host with the name and port you dialled.")
    if hosts and not _is_authority(hosts[0]):
        return bad_request("the Host header is not a host with or without a port", "Send it as 'name' or 'name:port'.")
    return None


def _is_authority(text: bytes) -> bool:
    found = _AUTHORITY.fullmatch(text)
    # `Host: name:` with nothing behind the colon is allowed (RFC 3986, 3.2.3).
    if found is None or int(found["port"] or 0) > _MOST_PORT:
        return False
    try:
        return found["v6"] is None or IPv6Address(found["v6"].decode()) is not None
    except AddressValueError:
        return False


def _of_framing(head: Head) -> Trouble | None:
    codings, lengths = head.values(b"transfer-encoding"), head.values(b"content-length")
    if codings and head.version == "1.0":
        return bad_request("HTTP/1.0 has no Transfer-Encoding", "Send Content-Length, or HTTP/1.1.")
    # RFC 9112, 6.1 lets a server read Transfer-Encoding and forget the length. A proxy that does the other sees a
    # second request in the body (request smuggling), so there is no telling here who is right.
    if codings and lengths:
        return bad_request("Transfer-Encoding and Content-Length are both there", "Send one of them.")
    if codings and (trouble := _of_codings(codings)):
        return trouble
    if head.upgrades and head.has_body:
        return bad_request("a request for another protocol (Upgrade) has a body", "Leave out Upgrade, or the body.")
    return None


def _of_codings(lines: Sequence[bytes]) -> Trouble | None:
    *inner, last = (coding.strip(b" \t").lower() for coding in b",".join(lines).split(b","))
    remedy = "Send the body chunked, or with its length."
    # Also for "chunked, " and "chunked, chunked": parsers differ over them.
    if last != b"chunked" or not {b"", b"chunked"}.isdisjoint(inner):
        return bad_request("where the body ends cannot be told from Transfer-Encoding", remedy)
    if inner or len(lines) > 1:
        detail = "the only transfer coding known here is chunked"
        return Trouble(HTTPStatus.NOT_IMPLEMENTED, "malformed", detail, remedy)
    return None
