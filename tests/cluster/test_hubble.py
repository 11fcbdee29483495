"""What Hubble Relay really tells of nodes that run Cilium's own Hubble server, and what the spoke makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from periplus_contract import flow_words

from tests.cluster.rig.datapath import (
    EGRESS,
    ESTABLISHED,
    FROM_ENDPOINT,
    ICMP,
    INGRESS,
    NEW,
    REPLY,
    SCTP,
    TO_ENDPOINT,
    TO_OVERLAY,
    TO_PROXY,
    TO_STACK,
    UDP,
    UNKNOWN,
    Packet,
    decided,
    drop,
    trace,
)
from tests.cluster.rig.hubble import Hubble
from tests.cluster.rig.hubble_listener import HOUR_S, lines, losses
from tests.cluster.rig.hubble_shop import (
    API,
    API_EP,
    API_IP,
    API_IP6,
    WEB,
    WEB_EP,
    WEB_IP,
    WEB_IP6,
    WEB_TO_API,
    WEST,
    WEST_IP,
    WORLD,
    WORLD_IP,
    arriving,
    leaving,
    listening,
)
from tests.support import hubble_bytes
from tests.support.hubble_bytes import Event

POLICY_DENIED, POLICY_DENY = 133, 181
PROXY_PORT = 15_001
BEGINNING = {flow_words.LOST_UNREAD: 1}
"""Of the window in which a stream begins it is not known what was before."""
AT_S = HOUR_S + 20
LEFT = "client: shop/Deployment/web > 10.2.0.20, 8080/6, forwarded, connections_opened 1"
ARRIVED = "server: 10.1.0.10 > shop/Deployment/api, 8080/6, forwarded, connections_opened 1"
OTHER_PORT = replace(WEB_TO_API, port=7070)
"""No policy knows it."""


async def told_of(hubble: Hubble, events: int, a: list[bytes], b: list[bytes]) -> list[str]:
    """The rows of what nodes a and b see, of which the relay tells so many events."""
    async with listening(hubble) as it:
        hubble.a.perf(AT_S, *a)
        hubble.b.perf(AT_S + 0.5, *b)
        await it.heard(events)
        told = await it.windows()
    assert (losses(told), it.taken) == (BEGINNING, events)
    assert it.conditions == {"hubble": "", "hubble_nodes": ""}
    return lines(told)


async def test_a_connection_is_told_by_both_nodes_once_each(hubble: Hubble) -> None:
    syn, answer, later = WEB_TO_API, WEB_TO_API.back(), replace(WEB_TO_API, flags="A")
    on_a = [
        leaving(syn, FROM_ENDPOINT, UNKNOWN),
        leaving(syn),
        trace(answer, TO_ENDPOINT, REPLY, endpoint=WEB_EP, identities=(API, WEB)),
        leaving(later, reason=ESTABLISHED),
    ]
    on_b = [arriving(syn), trace(answer, TO_OVERLAY, REPLY, endpoint=API_EP, identities=(API, WEB))]
    assert await told_of(hubble, 5, on_a, on_b) == [LEFT, ARRIVED]


async def test_policies_that_let_it_pass_are_named(hubble: Hubble) -> None:
    on_a = [decided(WEB_TO_API, EGRESS, endpoint=WEB_EP, remote=API), leaving(WEB_TO_API)]
    on_b = [decided(WEB_TO_API, INGRESS, endpoint=API_EP, remote=WEB), arriving(WEB_TO_API)]
    assert await told_of(hubble, 4, on_a, on_b) == [
        f"{LEFT}, policy shop/web-8080",
        f"{ARRIVED}, policy shop/api-8080",
    ]


@pytest.mark.parametrize(
    ("packet", "reason", "said"),
    [
        (WEB_TO_API, POLICY_DENY, "8080/6, dropped, failures_other 1, policy shop/web-8080, drop_reason policy_deny"),
        (OTHER_PORT, POLICY_DENIED, "7070/6, dropped, failures_other 1, drop_reason policy_denied"),
    ],
    ids=["a rule denies it", "no rule allows it"],
)
async def test_what_a_policy_denies_is_dropped_once(hubble: Hubble, packet: Packet, reason: int, said: str) -> None:
    refusal = decided(packet, EGRESS, -reason, endpoint=WEB_EP, remote=API)
    dropped = drop(packet, reason, endpoint=WEB_EP, identities=(WEB, API))
    # It is sent again, and dropped again.
    rows = await told_of(hubble, 4, [refusal, dropped, refusal, dropped], [])
    assert rows == [f"client: shop/Deployment/web > 10.2.0.20, {said}"]


async def test_what_arrives_and_is_dropped_is_the_servers(hubble: Hubble) -> None:
    dropped = drop(WEB_TO_API, 202, endpoint=API_EP, identities=(WEB, API))
    assert await told_of(hubble, 1, [], [dropped]) == [
        "server: 10.1.0.10 > shop/Deployment/api, 8080/6, dropped, failures_other 1, drop_reason host_not_ready"
    ]


async def test_what_a_policy_would_deny_is_audited_and_passes(hubble: Hubble) -> None:
    on_b = [decided(WEB_TO_API, INGRESS, endpoint=API_EP, remote=WEB, is_audited=True), arriving(WEB_TO_API)]
    assert await told_of(hubble, 2, [], on_b) == [
        "server: 10.1.0.10 > shop/Deployment/api, 8080/6, audited, connections_opened 1, policy shop/api-8080"
    ]


async def test_what_goes_through_a_proxy_counts_once(hubble: Hubble) -> None:
    onwards = replace(WEB_TO_API, source_port=52_000)
    on_a = [
        decided(WEB_TO_API, EGRESS, PROXY_PORT, endpoint=WEB_EP, remote=API),
        trace(WEB_TO_API, TO_PROXY, NEW, endpoint=WEB_EP, identities=(WEB, API), proxy_port=PROXY_PORT),
        leaving(onwards),
    ]
    assert await told_of(hubble, 4, on_a, [arriving(onwards)]) == [f"{LEFT}, policy shop/web-8080", ARRIVED]


async def test_a_reset_instead_of_an_answer_is_a_refusal(hubble: Hubble) -> None:
    refused = trace(WEB_TO_API.back("RA"), TO_ENDPOINT, REPLY, endpoint=WEB_EP, identities=(API, WEB))
    assert await told_of(hubble, 2, [leaving(WEB_TO_API), refused], []) == [f"{LEFT}, failures_refused 1"]


async def test_a_reset_of_what_was_answered_is_none(hubble: Hubble) -> None:
    answer, reset = (
        trace(WEB_TO_API.back(flags), TO_ENDPOINT, REPLY, endpoint=WEB_EP, identities=(API, WEB))
        for flags in ("SA", "R")
    )
    assert await told_of(hubble, 3, [leaving(WEB_TO_API), answer, reset], []) == [LEFT]


async def test_who_is_not_of_this_cluster_is_an_address(hubble: Hubble) -> None:
    to_world = Packet(WEB_IP, WORLD_IP, port=443)
    from_west = Packet(WEST_IP, API_IP)
    on_a, on_b = [leaving(to_world, TO_STACK, to=WORLD)], [arriving(from_west, source=WEST)]
    assert await told_of(hubble, 2, on_a, on_b) == [
        "client: shop/Deployment/web > 203.0.113.9, 443/6, forwarded, connections_opened 1",
        "server: 10.9.0.30 > shop/Deployment/api, 8080/6, forwarded, connections_opened 1",
    ]


async def test_datagrams_are_told_one_way(hubble: Hubble) -> None:
    dns = Packet(WEB_IP, API_IP, 40_000, 53, UDP)
    ping = Packet(WEB_IP, API_IP, 0, 0, ICMP)
    stream = Packet(WEB_IP, API_IP, 40_000, 3868, SCTP)
    answers = [
        trace(each.back(), TO_ENDPOINT, REPLY, endpoint=WEB_EP, identities=(API, WEB)) for each in (dns, ping, stream)
    ]
    assert await told_of(hubble, 3, [*map(leaving, (dns, ping, stream)), *answers], []) == [
        "client: shop/Deployment/web > 10.2.0.20, 0/1, forwarded, connections_opened 1",
        "client: shop/Deployment/web > 10.2.0.20, 3868/132, forwarded, connections_opened 1",
        "client: shop/Deployment/web > 10.2.0.20, 53/17, forwarded, connections_opened 1",
    ]


async def test_ipv6_is_told_as_ipv4_is(hubble: Hubble) -> None:
    packet = Packet(WEB_IP6, API_IP6)
    assert await told_of(hubble, 2, [leaving(packet, TO_OVERLAY)], [arriving(packet)]) == [
        "client: shop/Deployment/web > fd00:2::20, 8080/6, forwarded, connections_opened 1",
        "server: fd00:1::10 > shop/Deployment/api, 8080/6, forwarded, connections_opened 1",
    ]


async def test_requests_within_connections_are_not_asked_for_unless_they_are_denied(hubble: Hubble) -> None:
    def request(verdict: str, at: str) -> dict[str, object]:
        web: dict[str, object] = {"ID": WEB_EP, "IPv4": WEB_IP, "Port": 41_000, "Identity": WEB}
        api = {"IPv4": API_IP, "Port": 8080, "Identity": API}
        http = {"Method": "GET", "URL": {"Path": "/"}, "Protocol": "HTTP/1.1", "Code": 403}
        ends = {"SourceEndpoint": web, "DestinationEndpoint": api, "ObservationPoint": "Egress"}
        said = {"Type": "Request", "Timestamp": at, "Verdict": verdict, "IPVersion": 0, "TransportProtocol": 6}
        return {**said, **ends, "HTTP": http}

    async with listening(hubble) as it:
        hubble.a.perf(AT_S, leaving(WEB_TO_API))
        for second, verdict in ((21, "Forwarded"), (22, "Denied")):
            log = request(verdict, f"2026-01-01T00:00:{second}Z")
            hubble.a.do(AccessLog=log, TimeNS=(HOUR_S + second) * 1_000_000_000)
        await it.heard(2)
        told = await it.windows()
    assert lines(told) == [
        "client: shop/Deployment/web > 10.2.0.20, 8080/6, dropped, failures_other 1",
        LEFT,
    ]


async def test_events_that_a_node_lost_are_counted(hubble: Hubble) -> None:
    async with listening(hubble) as it:
        hubble.a.lost(AT_S, 7)
        hubble.b.lost(AT_S + 1, 5, source=2)
        hubble.a.perf(AT_S + 2, leaving(WEB_TO_API))
        await it.heard(1)
        told = await it.windows()
    assert lines(told) == [LEFT]
    assert losses(told) == {**BEGINNING, flow_words.LOST_EVENTS: 12}


async def test_numbers_that_came_later_are_passed_over_or_shown(hubble: Hubble) -> None:
    later = hubble_bytes.put(30_000, "a field of another version")
    port = replace(Event().source, port=41_001)
    async with listening(hubble) as it:
        hubble.a.flow(AT_S, Event(more=later).flow())
        hubble.a.flow(AT_S + 1, Event(event_type=hubble_bytes.POLICY_VERDICT, verdict=99, source=port).flow())
        hubble.a.flow(AT_S + 2, Event(event_type=99, source=port).flow())
        dropped = Event(event_type=99, verdict=hubble_bytes.DROPPED, drop_reason=250, source=port)
        hubble.a.flow(AT_S + 3, replace(dropped, point=99, reason=99).flow())
        await it.heard(3)
        told = await it.windows()
    assert lines(told) == [
        "client: shop/Deployment/web > 10.0.2.3, 8080/6, dropped, failures_other 1, drop_reason cilium_250",
        "client: shop/Deployment/web > 10.0.2.3, 8080/6, forwarded, connections_opened 1",
    ]
    assert losses(told) == BEGINNING
