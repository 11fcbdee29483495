"""Hubble Relay with TLS and mutual TLS, as Cilium's chart sets it up, and what is said where they do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from periplus_spoke.collectors.hubble import CONDITION
from periplus_spoke.collectors.hubble_relay import relay_address
from periplus_spoke.grpc.address import Address, Tls
from periplus_spoke.kit.config import load

from tests.cluster.rig.hubble import Hubble, ServerTls
from tests.cluster.rig.hubble_listener import HOUR_S, HubbleListener, lines
from tests.cluster.rig.hubble_shop import WEB_TO_API, furnish, leaving, listening
from tests.cluster.rig.pki import Pki
from tests.support.collector_contract import running

MISSING = "Hubble Relay is not heard, so that flows of this time are missing: "


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority as the chart makes it; whom the relay serves knows it by no address."""
    made = Pki(tmp_path / "pki", "Cilium CA")
    made.create()
    return made


@contextmanager
def serving(programs: Mapping[str, Path], folder: Path, pki: Pki, *, asks_who: bool = False) -> Iterator[Hubble]:
    pair = pki.issue("relay", user="*.hubble-relay.cilium.io", hosts=["DNS:*.hubble-relay.cilium.io"])
    tls = ServerTls(pair.certificate, pair.key, pki.ca.certificate if asks_who else None)
    made = Hubble(programs, folder, tls)
    try:
        made.start()
        for node in made.nodes:
            furnish(node)
        yield made
    finally:
        made.stop()


def configured(hubble: Hubble, scheme: str = "https", **settings: Path | str) -> Address:
    """As the spoke is told of it; the port of the relay is reached at 127.0.0.1."""
    given = {name: str(value) for name, value in settings.items()}
    said = {"hub": "https://hub.example", "hubble_relay": f"{scheme}://127.0.0.1:{hubble.relay.port}", **given}
    address = relay_address(load(said, {}))
    assert address is not None
    return address


async def is_heard(hubble: Hubble, tls: Tls | None) -> None:
    async with listening(hubble, tls) as it:
        hubble.a.perf(HOUR_S + 11, leaving(WEB_TO_API))
        await it.heard(1)
        assert it.conditions[CONDITION] == ""
        told = await it.windows()
    assert lines(told) == ["client: shop/Deployment/web > 10.2.0.20, 8080/6, forwarded, connections_opened 1"]


async def why_not(address: Address) -> str:
    it = HubbleListener(address)
    async with running(it.collector, it):
        await it.until(lambda: it.conditions.get(CONDITION))
        why = it.conditions[CONDITION]
    assert why.startswith(MISSING)
    return why.removeprefix(MISSING)


async def test_a_relay_with_tls_is_heard_by_the_name_of_its_certificate(
    hubble_programs: Mapping[str, Path], tmp_path: Path, pki: Pki
) -> None:
    with serving(hubble_programs, tmp_path, pki) as hubble:
        await is_heard(hubble, configured(hubble, hubble_ca=pki.ca.certificate).tls)


async def test_a_relay_that_asks_who_it_is_hears_it(
    hubble_programs: Mapping[str, Path], tmp_path: Path, pki: Pki
) -> None:
    client = pki.issue("client", user="*.hubble-relay.cilium.io")
    files = {"hubble_ca": pki.ca.certificate, "hubble_certificate": client.certificate, "hubble_key": client.key}
    with serving(hubble_programs, tmp_path, pki, asks_who=True) as hubble:
        await is_heard(hubble, configured(hubble, **files).tls)


async def test_what_does_not_fit_is_said(hubble_programs: Mapping[str, Path], tmp_path: Path, pki: Pki) -> None:
    other = Pki(tmp_path / "other", "another")
    other.create()
    stranger = other.issue("stranger", user="stranger")
    ca, files = pki.ca.certificate, {"hubble_certificate": stranger.certificate, "hubble_key": stranger.key}
    with serving(hubble_programs, tmp_path, pki, asks_who=True) as hubble:
        unknown = await why_not(configured(hubble, hubble_ca=other.ca.certificate))
        misnamed = await why_not(configured(hubble, hubble_ca=ca, hubble_server_name="hubble-relay.kube-system.svc"))
        nameless = await why_not(configured(hubble, hubble_ca=ca))
        strange = await why_not(configured(hubble, hubble_ca=ca, **files))
        in_clear = await why_not(configured(hubble, "http"))
    assert "certificate verify failed: unable to get local issuer certificate" in unknown
    assert "Hostname mismatch, certificate is not valid for 'hubble-relay.kube-system.svc'" in misnamed
    assert "certificate required" in nameless
    assert strange.startswith("the connection broke: ")
    assert in_clear == "the server closed the connection before it said anything: it may speak TLS"


async def test_a_relay_without_tls_is_not_taken_for_one_with_it(hubble: Hubble) -> None:
    assert "wrong version number" in await why_not(configured(hubble))
