"""Answers of Hubble Relay in bytes of Cilium's field numbers, and what is asked of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.conversion.hubble.messages import (
    ACK,
    RST,
    SYN,
    End,
    SeenFlow,
    SeenLoss,
    SeenNodes,
    flows_request,
    read_nodes,
    read_response,
)
from periplus_spoke.conversion.protobuf import Malformed, nested, repeated, singles, text

from tests.support import hubble_bytes as hubble
from tests.support.hubble_bytes import Event, put


def read(message: bytes) -> SeenFlow | SeenNodes | SeenLoss | None:
    return read_response(memoryview(message))


def test_a_flow_has_what_rows_are_made_of() -> None:
    event = Event(time_s=1_767_225_610.5, policies=((21001, "shop", "allow-api"), (21001, "", "cluster-wide")))
    assert read(event.response()) == SeenFlow(
        time_ns=1_767_225_610_500_000_000,
        node="here/node-1",
        verdict=1,
        drop_reason=0,
        protocol=6,
        flags=SYN,
        source=End("10.0.1.2", 41000, 77, "shop", "Deployment", "web", "here"),
        destination=End("10.0.2.3", 8080, 0, "shop", "", "", "here"),
        is_reply=False,
        direction=2,
        event_type=4,
        observation_point=4,
        trace_reason=1,
        policies=("cluster-wide", "shop/allow-api"),
    )


@pytest.mark.parametrize(("is_reply", "expected"), [(True, True), (False, False), (None, None)])
def test_whether_it_is_a_reply_may_be_unknown(is_reply: bool | None, expected: bool | None) -> None:
    seen = read(Event(is_reply=is_reply).response())
    assert isinstance(seen, SeenFlow)
    assert seen.is_reply is expected


@pytest.mark.parametrize(("protocol", "number"), [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmp6", 58), ("sctp", 132)])
def test_protocols_are_ianas_numbers(protocol: str, number: int) -> None:
    seen = read(Event(protocol=protocol).response())
    assert isinstance(seen, SeenFlow)
    assert seen.protocol == number


def test_flags_and_nodes_named_beside_the_flow() -> None:
    seen = read(put(1, Event(flags="RA", node="").flow()) + put(1000, "here/node-9"))
    assert isinstance(seen, SeenFlow)
    assert (seen.flags, seen.node) == (RST | ACK, "here/node-9")


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ((), ""),
        (("Pay.Shop.svc.cluster.local.", "pay.shop.svc.cluster.local"), "pay.shop.svc.cluster.local"),
        (("a.example.com", "b.example.com"), ""),
        (("localhost", "10.0.0.1"), ""),
    ],
)
def test_the_name_of_a_destination_is_the_only_one_that_was_looked_up(names: tuple[str, ...], host: str) -> None:
    seen = read(put(1, Event().flow() + b"".join(put(14, name) for name in names)))
    assert isinstance(seen, SeenFlow)
    assert (seen.source.host, seen.destination.host) == ("", host)


def test_what_came_later_is_passed_over() -> None:
    later = put(9_999, "a text") + put(10_000, 5) + put(150_000, put(1, "type.googleapis.com/x"))
    event = Event(verdict=77, direction=9, reason=42, more=later)
    seen = read(event.response() + put(2_000, "more"))
    assert isinstance(seen, SeenFlow)
    assert (seen.verdict, seen.direction, seen.trace_reason) == (77, 9, 42)
    assert read(put(9, "an answer of another kind")) is None


def test_an_empty_flow_says_nothing_and_is_one() -> None:
    seen = read(put(1, b""))
    assert isinstance(seen, SeenFlow)
    assert (seen.time_ns, seen.source, seen.is_reply) == (0, End(), None)


def test_nodes_and_losses() -> None:
    assert read(hubble.nodes(hubble.NODE_ERROR, "here/a", "here/b")) == SeenNodes(4, ("here/a", "here/b"))
    assert read(hubble.lost(300)) == SeenLoss(300)


def test_the_relays_nodes() -> None:
    states = {"a": hubble.CONNECTED, "b": hubble.UNAVAILABLE, "c": hubble.NODE_ERROR, "d": 0, "e": 9}
    found = read_nodes(memoryview(hubble.node_list(**states)))
    assert found.addresses == {f"here/{name}": f"192.0.2.{index}:4244" for index, name in enumerate(states)}
    assert found.away == ("here/b", "here/c", "here/d", "here/e")
    assert read_nodes(memoryview(b"")) == ({}, ())


@given(st.binary(max_size=400))
def test_any_bytes_are_an_answer_or_malformed(message: bytes) -> None:
    for at in (1, 2, 3):
        try:
            read(put(at, message))
            read_nodes(memoryview(message))
        except Malformed:
            continue


def test_a_request_follows_and_asks_for_few_fields() -> None:
    said = singles(memoryview(flows_request(1_767_225_610_000_000_007)))
    assert (said[3], singles(nested(said[7]))) == (1, {1: 1_767_225_610, 2: 7})
    paths = [text(path) for path in repeated(nested(said[10]), 1)]
    assert {"time", "verdict", "IP", "l4", "source", "destination", "is_reply", "destination_names"} <= set(paths)
    assert len(repeated(memoryview(flows_request(None)), 6)) == 5
    assert 7 not in singles(memoryview(flows_request(None)))


def test_a_request_asks_for_resets_among_answers_alone_and_for_no_answers_of_datagrams() -> None:
    filters = [singles(nested(each)) for each in repeated(memoryview(flows_request(None)), 6)]
    assert [each.get(15) for each in filters] == [None, None, None, 1, 0]
