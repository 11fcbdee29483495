import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from periplus_hub.kit import http_out
from periplus_hub.kit.http_out import Address, Outbound, OutboundRefusal, unwrapped

from tests.support.certificates import self_signed

pytestmark = pytest.mark.usefixtures("patient_http")


LOOPBACK = [ip_network("127.0.0.0/8")]


def resolving(*addresses: str) -> http_out.Resolve:
    async def resolve(_host: str, _port: int) -> list[Address]:
        return [ip_address(address) for address in addresses]

    return resolve


@pytest.mark.parametrize(
    ("wrapped", "inner"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
        ("2002:7f00:1::", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
def test_addresses_that_carry_another_are_judged_by_that(wrapped: str, inner: str) -> None:
    assert unwrapped(ip_address(wrapped)) == ip_address(inner)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::",
    ],
)  # fmt: skip
async def test_what_only_the_hub_can_reach_is_refused(address: str) -> None:
    with pytest.raises(OutboundRefusal, match="which the hub does not call"):
        await Outbound(resolve=resolving(address)).get("https://hooks.example.org/x")


async def test_a_name_that_no_resolver_takes_is_refused() -> None:
    with pytest.raises(OutboundRefusal, match="cannot be reached"):
        await Outbound().get(f"https://{'a' * 70}.example.org/")


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(OutboundRefusal, match=r"10\.0\.0\.1"):
        await Outbound(resolve=resolving("8.8.8.8", "10.0.0.1")).get("https://hooks.example.org/")


async def test_an_operator_can_close_public_networks() -> None:
    outbound = Outbound(deny=[ip_network("8.8.0.0/16")], resolve=resolving("8.8.8.8"))
    with pytest.raises(OutboundRefusal, match="does not call"):
        await outbound.get("https://dns.example.org/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/", "not a plain https URL"),
        ("https://", "not a plain https URL"),
        ("https://user:pw@example.org/", "not a plain https URL"),
        ("http://example.org/", "not encrypted"),
        ("https://exa mple.org:x/", "not a URL"),
    ],
)
async def test_only_plain_https_urls_are_called(url: str, words: str) -> None:
    with pytest.raises(OutboundRefusal, match=words):
        await Outbound(resolve=resolving("8.8.8.8")).get(url)


@asynccontextmanager
async def serving(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Its port, and what it was asked. It ends when every connection has, so that none outlives the test's loop."""
    seen: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1], seen
    while connections := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(connections)


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest", "/elsewhere"])
async def test_redirects_are_not_followed(location: str) -> None:
    redirect = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    async with serving(redirect) as (port, seen):
        outbound = Outbound(allow=LOOPBACK, resolve=resolving("127.0.0.1"))
        answer = await outbound.post(f"http://hook.test:{port}/x", b"{}", {"X-A": "b"})
        assert answer.status == 302
        assert len(seen) == 1
        assert f"host: hook.test:{port}".encode() in seen[0].lower()


async def test_an_answer_without_end_is_cut_off() -> None:
    body = b"x" * (http_out.MAX_ANSWER_BYTES + 1)
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n" + body) as (port, _):
        with pytest.raises(OutboundRefusal, match="more than"):
            await Outbound(allow=LOOPBACK, resolve=resolving("127.0.0.1")).get(f"http://hook.test:{port}/")


async def test_a_receiver_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_out, "TIMEOUT_S", 0.05)
    async with serving(b"") as (port, _):
        with pytest.raises(OutboundRefusal, match=r"cannot be reached|did not answer"):
            await Outbound(allow=LOOPBACK, resolve=resolving("127.0.0.1")).get(f"http://hook.test:{port}/?secret=1")


async def test_the_certificate_is_checked_for_the_name_and_not_the_address(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "hook.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async with serving(b"HTTP/1.1 204 No Content\r\n\r\n", context) as (port, _):
        trust = ssl.create_default_context(cafile=certificate)
        outbound = Outbound(allow=LOOPBACK, resolve=resolving("127.0.0.1"), trust=trust)
        assert (await outbound.get(f"https://hook.test:{port}/")).status == 204
        with pytest.raises(OutboundRefusal, match=r"cannot be reached: .*not valid for 'other\.test'"):
            await outbound.get(f"https://other.test:{port}/")
