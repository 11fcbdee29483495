"""The only way out: requests to addresses somebody configured, which must not reach what only the hub can reach.

A name is resolved once, every address of it is checked, and the connection goes to a checked address: so a name that
answers differently the second time gains nothing. Certificates are checked against the name.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Final

import httpx
from pydantic import AfterValidator

from periplus_hub.kit.errors import Refusal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[list[Address]]]

MAX_ANSWER_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 5.0
_NO_REUSE: Final = httpx.Limits(max_connections=1, max_keepalive_connections=0)
_NAT64: Final = ip_network("64:ff9b::/96")


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Ranges as a setting has them; raises ValueError that says how to write one."""
    try:
        return tuple(ip_network(each) for each in texts)
    except ValueError as error:
        raise ValueError(f"{error}: write a range like 10.1.2.0/24") from error


def _readable(texts: tuple[str, ...]) -> tuple[str, ...]:
    read_networks(texts)
    return texts


NetworkTexts = Annotated[tuple[str, ...], AfterValidator(_readable)]
"""A setting for `read_networks`."""


class OutboundRefusal(Refusal):
    """The call was not made, or its answer not taken."""

    default_slug = "outbound"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def system_resolve(host: str, port: int) -> list[Address]:
    """Every address the machine's resolver gives for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


@dataclass(frozen=True)
class Outbound:
    """`allow` opens private networks on purpose (also to plain HTTP); `deny` closes public ones that are ours.

    A call ends after `timeout_s`, TIMEOUT_S without it.
    """

    allow: Sequence[Network] = ()
    deny: Sequence[Network] = ()
    resolve: Resolve = system_resolve
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    max_answer_bytes: int = MAX_ANSWER_BYTES
    timeout_s: float | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET, without following redirects; raises OutboundRefusal."""
        return await self._send("GET", url, headers, None)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """POST, without following redirects; raises OutboundRefusal."""
        return await self._send("POST", url, headers, content)

    async def _send(self, method: str, url: str, headers: Mapping[str, str] | None, content: bytes | None) -> Answer:
        timeout_s = self.timeout_s or TIMEOUT_S
        try:
            async with asyncio.timeout(timeout_s):
                target = await self._checked(url)
                return await self._exchange(method, target, headers, content)
        except TimeoutError as error:
            raise OutboundRefusal(f"{_shown(url)} did not answer within {timeout_s:.0f} s", "Try later.") from error
        except (httpx.HTTPError, OSError, UnicodeError) as error:  # the last: no resolver takes such a name
            raise OutboundRefusal(f"{_shown(url)} cannot be reached: {error}", "Check the address.") from error

    async def _checked(self, url: str) -> "_Target":
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, TypeError) as error:
            raise OutboundRefusal(f"'{_shown(url)}' is not a URL", "Give one like https://example.org/hook.") from error
        if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
            raise OutboundRefusal(f"{_shown(url)} is not a plain https URL", "Give one like https://example.org/hook.")
        port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
        addresses = await self.resolve(parsed.host, port)
        if not addresses:
            raise OutboundRefusal(f"{parsed.host} has no address", "Check the name.")
        # All of them and not only the one that is used: a name that also leads inside is somebody's try.
        for address in addresses:
            self._check(parsed, address)
        return _Target(parsed, port, addresses[0])

    def _check(self, url: httpx.URL, address: Address) -> None:
        plain = unwrapped(address)
        opened = any(plain in network for network in self.allow)
        closed = any(plain in network for network in self.deny)
        if closed or not (opened or (plain.is_global and not plain.is_multicast)):
            raise OutboundRefusal(
                f"{url.host} leads to {address}, which the hub does not call",
                "Use a public address, or have an operator allow this network.",
            )
        # Without TLS nobody checks that it is the receiver who answers, and what is sent may say where the fleet is
        # weak.
        if url.scheme != "https" and not opened:
            raise OutboundRefusal(f"{_shown(str(url))} is not encrypted", "Use https.")

    async def _exchange(
        self, method: str, target: "_Target", headers: Mapping[str, str] | None, content: bytes | None
    ) -> Answer:
        # A connection is never kept: it was checked for this name only.
        transport = httpx.AsyncHTTPTransport(verify=self.trust, trust_env=False, limits=_NO_REUSE, retries=0)
        timeout_s = self.timeout_s or TIMEOUT_S
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout_s) as client:
            request = client.build_request(
                method,
                target.url.copy_with(host=str(target.address), port=target.port),
                headers={**(headers or {}), "Host": target.url.netloc.decode("ascii")},
                content=content,
                extensions={"sni_hostname": target.url.host},
            )
            answer = await client.send(request, stream=True)
            try:
                body = b""
                async for chunk in answer.aiter_raw():
                    body += chunk
                    # Raw, as it came: unpacking could turn a few bytes into gigabytes before anybody counts.
                    if len(body) > self.max_answer_bytes:
                        raise OutboundRefusal(
                            f"{target.url.host} answers with more than {self.max_answer_bytes} bytes",
                            "Check the address.",
                        )
            finally:
                await answer.aclose()
            return Answer(answer.status_code, dict(answer.headers), body)


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL and the one address it was checked for."""

    url: httpx.URL
    port: int
    address: Address


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only carries it (mapped, NAT64, 6to4, Teredo)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    return inner or address


def _shown(url: str) -> str:
    """The URL without what may be secret in it, as the paths of webhooks are."""
    scheme, divider, rest = url.partition("://")
    return f"{scheme}{divider}{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"[:200]
