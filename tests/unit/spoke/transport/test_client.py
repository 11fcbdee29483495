"""A hub is as little trusted as any peer: every request ends, whatever comes back."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from periplus_spoke.kit.errors import ConfigError
from periplus_spoke.transport import client as client_module
from periplus_spoke.transport.client import HubClient, NoAnswerError
from periplus_spoke.transport.session import describe

from tests.support.certificates import self_signed, untrustworthy
from tests.support.clock import FakeClock
from tests.support.fake_hub import FakeHub, Handler, Misbehaviour, answer, flood


async def drip(request: web.Request, handler: Handler) -> web.StreamResponse:
    """One byte now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.01)


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize(("behaviour", "reason"), [(drip, "timeout"), (flood, "answer_too_large")])
async def test_endless_answers_end(monkeypatch: pytest.MonkeyPatch, behaviour: Misbehaviour, reason: str) -> None:
    monkeypatch.setattr(client_module, "ANSWER_S", 0.2 if behaviour is drip else 30.0)
    async with FakeHub() as hub, HubClient(hub.url, FakeClock()) as client:
        hub.misbehave("/v1/contract", behaviour)
        with pytest.raises(NoAnswerError) as failed:
            await client.get("/v1/contract")
    assert failed.value.reason == reason


@pytest.mark.promise("spokes-know-their-hub")
async def test_redirects_are_not_followed() -> None:
    async with FakeHub() as elsewhere, FakeHub() as hub, HubClient(hub.url, FakeClock()) as client:
        hub.misbehave("/v1/contract", answer(302, Location=f"{elsewhere.url}/v1/contract"))
        assert (await client.get("/v1/contract")).status == 302
    assert elsewhere.requests == []


@pytest.mark.promise("spokes-know-their-hub")
async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    async with FakeHub() as hub, HubClient(hub.url, FakeClock()) as client:
        assert (await client.get("/v1/contract")).status == 200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("Thu, 01 Jan 2026 00:00:30 GMT", 30.0), ("-1", None), ("later", None), ("9" * 5000, None)],
)
async def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    async with FakeHub() as hub, HubClient(hub.url, FakeClock()) as client:
        hub.misbehave("/v1/contract", answer(503, **{"Retry-After": value}))
        found = (await client.get("/v1/contract")).retry_after_s
    assert found == seconds or (len(value) > 100 and found is not None)


async def test_nobody_listening_is_an_ordinary_answer() -> None:
    async with HubClient("http://127.0.0.1:1", FakeClock()) as client:
        with pytest.raises(NoAnswerError, match="no answer from") as failed:
            await client.get("/v1/contract")
    assert failed.value.reason == "hub_unreachable"


@pytest.mark.promise("spokes-know-their-hub")
@pytest.mark.parametrize(
    ("trouble", "said", "remedy"),
    [
        ("unknown authority", "self-signed", "--hub-ca "),
        ("other name", "not valid for '127.0.0.1'", "--hub "),
        ("expired", "has expired", "Renew"),
        ("not yet valid", "not yet valid", "clock"),
    ],
)
async def test_a_hub_that_is_not_trusted_names_the_setting(
    tmp_path: Path, trouble: str, said: str, remedy: str
) -> None:
    certificate, key = untrustworthy(tmp_path, trouble)
    known = None if trouble == "unknown authority" else certificate
    async with tls_server(certificate, key) as url, HubClient(url, FakeClock(), known) as client:
        with pytest.raises(NoAnswerError, match="is not trusted") as failed:
            await client.get("/v1/contract")
    assert failed.value.reason == "tls"
    assert said in str(failed.value)
    assert remedy in failed.value.remedy


async def test_a_port_with_tls_that_is_asked_without_is_hinted_at(tmp_path: Path) -> None:
    async with tls_server(*self_signed(tmp_path, "127.0.0.1")) as url:
        client = HubClient(url.replace("https:", "http:"), FakeClock())
        with pytest.raises(NoAnswerError) as failed:
            async with client:
                await client.get("/v1/contract")
    assert "https://" in failed.value.remedy


@asynccontextmanager
async def tls_server(certificate: Path, key: Path) -> AsyncIterator[str]:
    """The URL of one that hangs up on whoever comes as far as a request."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_port_without_tls_is_said_to_be_one() -> None:
    async with FakeHub() as hub, HubClient(hub.url.replace("http:", "https:"), FakeClock()) as client:
        with pytest.raises(NoAnswerError, match="no TLS connection") as failed:
            await client.get("/v1/contract")
    assert "http://" in failed.value.remedy


@pytest.mark.parametrize("status", [200, 302, 401, 404])
async def test_what_is_no_spoke_listener_is_told_apart_from_a_hub_that_is_away(status: int) -> None:
    async with FakeHub() as hub, HubClient(hub.url, FakeClock()) as client:
        hub.misbehave("/v1/contract", answer(status, b"{}"), answer(502))
        with pytest.raises(NoAnswerError, match="not a hub's spoke listener") as failed:
            await describe(client)
        assert "--hub" in failed.value.remedy
        with pytest.raises(NoAnswerError) as away:
            await describe(client)
    assert (failed.value.reason, away.value.reason) == ("not_spoke_listener", "hub_unreachable")


def test_a_bundle_that_is_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(ConfigError, match="hub_ca"):
        HubClient("https://hub", FakeClock(), file)
