"""What Hubble tells as rows: each connection once for each side, by names where they are known, and no bytes."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from periplus_contract import flow_words
from periplus_contract.flow_words import Reporter, Verdict
from periplus_spoke.conversion.flow_sums import MEASURES, Peer
from periplus_spoke.conversion.hubble.flows import HubbleFlows, Told
from periplus_spoke.conversion.hubble.messages import SeenFlow, read_response

from tests.support import hubble_bytes as hubble
from tests.support.flow_rows import as_read
from tests.support.hubble_bytes import API, WEB, WORLD, Endpoint, Event, answer, arriving, elsewhere

START_S = 1_767_225_600
WEB_PEER = Peer(0, 0, "shop", "Deployment", "web")
API_PEER = Peer(0, 0, "shop", "Deployment", "api")
WEB_ADDRESS = Peer(0, 0xFFFF0A000102)
API_ADDRESS = Peer(0, 0xFFFF0A000203)
BYTES = ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "rtt_us_sum", "rtt_count", "retransmits")


def told(*events: Event, budget: int = 1_000, counts: bool = True, now_s: int = START_S + 30) -> list[Told]:
    flows = HubbleFlows(budget, lambda: counts)
    take(flows, *events, now_s=now_s)
    return list(flows.close(START_S + 3_600))


def take(flows: HubbleFlows, *events: Event, now_s: int = START_S + 30) -> None:
    for event in events:
        seen = read_response(memoryview(event.response()))
        assert isinstance(seen, SeenFlow)
        flows.take(seen, now_s)


def rows(*events: Event, **how: Any) -> list[dict[str, Any]]:
    windows = told(*events, **how)
    return [row for window in windows for row in as_read(window.sums.sections(START_S, 60))]


def lost(*events: Event, **how: Any) -> Counter[str]:
    return sum((window.lost for window in told(*events, **how)), Counter[str]())


def test_a_connection_is_one_row_of_the_side_that_saw_it() -> None:
    [row] = rows(Event())
    assert (row["src"], row["dst"], row["dst_port"], row["protocol"]) == (WEB_PEER, API_ADDRESS, 8080, 6)
    assert (row["reporter"], row["verdict"], row["collector"]) == (Reporter.CLIENT, Verdict.FORWARDED, 2)
    assert (row["connections_opened"], row["failures_refused"]) == (1, 0)


def test_bytes_are_never_known() -> None:
    [row] = rows(Event())
    assert [row[name] for name in BYTES] == [None] * len(BYTES)


def test_policy_and_every_place_on_the_way_are_one_connection() -> None:
    verdict = Event(event_type=hubble.POLICY_VERDICT, reason=0, point=0, policies=((21001, "shop", "to-api"),))
    [row] = rows(verdict, Event(), Event(point=hubble.TO_STACK), Event(time_s=START_S + 11.5))
    assert (row["connections_opened"], row["policy"]) == (1, "shop/to-api")


def test_both_sides_report_as_what_they_are() -> None:
    found = rows(Event(), arriving())
    assert {row["reporter"]: (row["src"], row["dst"], row["connections_opened"]) for row in found} == {
        Reporter.CLIENT: (WEB_PEER, API_ADDRESS, 1),
        Reporter.SERVER: (WEB_ADDRESS, API_PEER, 1),
    }


def test_the_name_is_of_whom_a_client_connects_to() -> None:
    seen = [replace_host(event) for event in (Event(), arriving(), answer("SA"))]
    flows = HubbleFlows(1_000, lambda: True)
    for each in seen:
        flows.take(each, START_S + 30)
    [window] = flows.close(START_S + 3_600)
    found = {row["reporter"]: (row["src"].host, row["dst"].host) for row in as_read(window.sums.sections(START_S, 60))}
    assert found == {Reporter.CLIENT: ("", "api.example.com"), Reporter.SERVER: ("", "")}


def replace_host(event: Event) -> SeenFlow:
    seen = read_response(memoryview(event.response()))
    assert isinstance(seen, SeenFlow)
    return seen._replace(destination=seen.destination._replace(host="api.example.com"))


def test_connections_of_one_workload_add_up() -> None:
    other = Endpoint("10.0.1.9", 5, 78, "shop", "web-2", "web")
    [row] = rows(Event(), Event(source=other), Event(source=Endpoint("10.0.1.2", 41001, 77, "shop", "web-1", "web")))
    assert row["connections_opened"] == 3


def test_a_reply_is_no_edge_the_other_way() -> None:
    assert rows(answer("SA"), answer("A"), answer("FA")) == []
    [row] = rows(Event(), answer("SA", is_reply=None))
    assert (row["src"], row["connections_opened"], row["failures_refused"]) == (WEB_PEER, 1, 0)


def test_a_reset_instead_of_an_answer_is_a_refusal() -> None:
    [row] = rows(Event(), answer("RA"), answer("RA"))
    assert (row["connections_opened"], row["failures_refused"]) == (1, 1)


def test_a_reset_of_what_was_answered_is_none() -> None:
    [row] = rows(Event(), answer("SA"), answer("RA"))
    assert (row["connections_opened"], row["failures_refused"]) == (1, 0)
    assert rows(answer("RA")) == []


def test_packets_of_an_open_connection_open_none() -> None:
    assert rows(Event(reason=hubble.ESTABLISHED), Event(flags="A"), Event(flags="")) == []


def test_udp_counts_what_is_new() -> None:
    [row] = rows(Event(protocol="udp"), Event(protocol="udp", reason=hubble.ESTABLISHED))
    assert (row["protocol"], row["connections_opened"], row["failures_refused"]) == (17, 1, None)


def test_whether_a_datagram_is_a_reply_must_be_known() -> None:
    assert rows(Event(protocol="udp", is_reply=None)) == []
    assert lost(Event(protocol="udp", is_reply=None)) == {flow_words.LOST_UNREADABLE: 1}


def test_a_drop_is_a_failure_with_its_policy_and_reason() -> None:
    denied = arriving(verdict=hubble.DROPPED, drop_reason=133, reason=0, is_reply=None)
    verdict = denied.but(event_type=hubble.POLICY_VERDICT, policies=((21005, "shop", "deny-all"),))
    [row] = rows(verdict, denied.but(event_type=hubble.DROP), denied.but(time_s=START_S + 13))
    assert (row["verdict"], row["policy"], row["drop_reason"]) == (Verdict.DROPPED, "shop/deny-all", "policy_denied")
    assert (row["connections_opened"], row["failures_other"], row["reporter"]) == (0, 1, Reporter.SERVER)


def test_what_one_side_forwards_and_the_other_drops_is_both() -> None:
    found = rows(Event(), arriving(verdict=hubble.DROPPED, drop_reason=181, is_reply=None, reason=0))
    assert sorted((row["verdict"], row["reporter"], row["drop_reason"]) for row in found) == [
        (Verdict.FORWARDED, Reporter.CLIENT, ""),
        (Verdict.DROPPED, Reporter.SERVER, "policy_deny"),
    ]


def test_a_reason_that_came_later_keeps_its_number() -> None:
    [row] = rows(Event(verdict=hubble.DROPPED, drop_reason=250, is_reply=None))
    assert row["drop_reason"] == "cilium_250"


def test_audited_is_what_would_have_been_dropped() -> None:
    audited = Event(event_type=hubble.POLICY_VERDICT, verdict=hubble.AUDIT, policies=((21004, "", "lockdown"),))
    [row] = rows(audited, Event())
    assert (row["verdict"], row["policy"], row["connections_opened"]) == (Verdict.AUDITED, "lockdown", 1)


@pytest.mark.parametrize("verdict", [hubble.TRACED, hubble.TRANSLATED, 0, 99])
def test_what_is_no_packet_is_no_row(verdict: int) -> None:
    assert rows(Event(verdict=verdict, event_type=hubble.TRACE_SOCK)) == []
    [row] = rows(Event(verdict=verdict), Event())
    assert row["connections_opened"] == 1


def test_a_connection_through_a_proxy_counts_once() -> None:
    redirected = arriving(event_type=hubble.POLICY_VERDICT, verdict=hubble.REDIRECTED, reason=0, point=0)
    to_proxy = arriving(point=hubble.TO_PROXY)
    from_proxy = arriving(source=Endpoint("10.0.1.2", 50_999, 0, "shop", "web-1"), time_s=START_S + 10.2)
    [row] = rows(redirected, to_proxy, from_proxy)
    assert (row["connections_opened"], row["verdict"]) == (1, Verdict.FORWARDED)


@pytest.mark.parametrize("name", ["world", "host", "kube-apiserver", "remote-node", "unmanaged"])
def test_reserved_identities_are_known_by_their_address(name: str) -> None:
    end = Endpoint("203.0.113.9", 443, labels=(f"reserved:{name}",), cluster="")
    [row] = rows(Event(destination=end))
    assert row["dst"] == Peer(0, 0xFFFF_CB00_7109)


def test_an_end_in_another_cluster_is_told_with_its_cluster_by_its_address_and_what_else_is_known() -> None:
    remote = Endpoint("10.9.0.3", 8080, 0, "shop", "api-1", "api", cluster="there")
    [row] = rows(Event(destination=elsewhere(remote)))
    assert row["dst"] == Peer(0, 0xFFFF_0A09_0003, cluster="cilium=there")
    [named] = rows(Event(destination=remote))
    assert named["dst"] == Peer(0, 0xFFFF_0A09_0003, "shop", "Deployment", "api", "cilium=there")


def test_a_relay_that_names_no_clusters_tells_none() -> None:
    here, there = (replace(end, cluster="") for end in (WEB, elsewhere(API)))
    [row] = rows(Event(source=here, destination=there))
    assert (row["src"].cluster, row["dst"].cluster) == ("", "")
    [one] = rows(Event(source=here, destination=elsewhere(API)))
    assert one["dst"] == API_ADDRESS


def test_a_bare_pod_and_an_owner_of_an_unknown_kind_are_known_by_their_address() -> None:
    for end in (Endpoint("10.0.1.2", 1, 7, "shop", "web-1"), Endpoint("10.0.1.2", 1, 7, "shop", "w", "w", "Rollout")):
        [row] = rows(Event(source=end))
        assert row["src"] == WEB_ADDRESS


def test_ipv6_ends() -> None:
    [row] = rows(Event(source=Endpoint("fd00::1", 5, 77), destination=Endpoint("2001:db8::7", 443)))
    assert (row["src"], row["dst"]) == (Peer((0xFD00 << 48) - (1 << 64), 1), Peer(0x20010DB8 << 32, 7))


def test_a_direction_that_contradicts_where_the_ends_are_is_not_believed() -> None:
    assert rows(Event(direction=hubble.INGRESS)) == []
    assert rows(Event(direction=0)) == []


def test_a_drop_without_a_direction_is_of_the_end_that_is_there() -> None:
    dropped = Event(direction=0, verdict=hubble.DROPPED, drop_reason=169, is_reply=None)
    [row] = rows(dropped)
    assert row["reporter"] == Reporter.CLIENT
    nobody = dropped.but(source=elsewhere(WEB), destination=WORLD)
    assert rows(nobody) == []
    assert lost(nobody) == {flow_words.LOST_UNREADABLE: 1}


def test_without_an_address_nothing_can_be_told() -> None:
    assert rows(Event(source=Endpoint("", 1, 77)), Event(destination=Endpoint("nonsense", 1))) == []
    assert lost(Event(source=Endpoint("", 1, 77))) == {flow_words.LOST_UNREADABLE: 1}


def test_where_another_source_counts_connections_rows_say_only_that_there_were_some() -> None:
    dropped = Event(verdict=hubble.DROPPED, drop_reason=133, is_reply=None)
    found = {row["verdict"]: row for row in rows(Event(), dropped, counts=False)}
    assert {found[Verdict.FORWARDED][name] for name in MEASURES} == {None}
    assert found[Verdict.DROPPED]["failures_other"] == 1


def test_what_a_node_tells_again_is_not_counted_again() -> None:
    flows = HubbleFlows(100, lambda: True)
    take(flows, *(Event(source=Endpoint("10.0.1.2", port, 77), time_s=START_S + port) for port in range(1, 30)))
    first = sum(window.observed for window in flows.close(START_S + 60))
    take(flows, *(Event(source=Endpoint("10.0.1.2", port, 77), time_s=START_S + port) for port in range(1, 20)))
    assert (first, list(flows.close(START_S + 600))) == (29, [])


def test_a_late_minute_is_told_beside_what_was_told_of_it() -> None:
    flows = HubbleFlows(100, lambda: True)
    take(flows, Event(time_s=START_S + 100, node="here/a"), now_s=START_S + 100)
    [first] = flows.close(START_S + 120)
    late = Event(source=Endpoint("10.0.1.2", 9, 77), time_s=START_S + 80, node="here/b")
    take(flows, late, now_s=START_S + 130)
    [second] = flows.close(START_S + 180)
    assert (first.start_s, second.start_s, second.observed) == (START_S + 60, START_S + 60, 1)


def test_what_is_too_late_or_of_the_future_is_said_to_be_lost() -> None:
    assert lost(Event(time_s=START_S - 3_600)) == {flow_words.LOST_UNREAD: 1}
    assert lost(Event(time_s=START_S + 7_200)) == {flow_words.LOST_UNREADABLE: 1}


def test_a_node_of_the_future_is_heard_again_when_its_clock_is_set() -> None:
    [row] = rows(Event(time_s=START_S + 7_200), Event())
    assert row["connections_opened"] == 1


def test_more_destinations_than_the_budget_end_in_a_row_with_exact_sums() -> None:
    flows = HubbleFlows(500, lambda: True)
    for number in range(5_000):
        address = f"198.51.{number // 250}.{number % 250}"
        seen = read_response(memoryview(Event(destination=Endpoint(address, 443), time_s=START_S + 10).response()))
        assert isinstance(seen, SeenFlow)
        flows.take(seen, START_S + 20)
    [window] = flows.close(START_S + 60)
    found = as_read(window.sums.sections(START_S, 60))
    assert len(found) == 501
    assert sum(row["connections_opened"] for row in found) == 5_000
    assert (window.observed, window.sums.other_rows) == (5_000, 4_500)


def test_drops_stay_when_rows_must_go() -> None:
    drops = [
        Event(destination=API, direction=hubble.EGRESS, verdict=hubble.DROPPED, drop_reason=133, is_reply=None).but(
            source=Endpoint("10.0.1.2", port, 77)
        )
        for port in range(1, 5)
    ]
    many = [Event(destination=Endpoint(f"198.51.100.{number}", 443)) for number in range(1, 100)]
    kept = [row for row in rows(*drops, *many, budget=10) if row["verdict"] == Verdict.DROPPED]
    assert [(row["drop_reason"], row["failures_other"]) for row in kept] == [("policy_denied", 4)]


def test_windows_that_nobody_takes_are_few() -> None:
    flows = HubbleFlows(100, lambda: True)
    for minute in range(30):
        at_s = START_S + 60 * minute
        take(flows, Event(source=Endpoint("10.0.1.2", minute + 1, 77), time_s=at_s), now_s=at_s)
    kept = list(flows.close(START_S + 7_200))
    assert len(kept) == 8
    assert sum(window.observed for window in kept) + in_all(kept)[flow_words.LOST_UNREAD] == 30


def in_all(windows: list[Told]) -> Counter[str]:
    return sum((window.lost for window in windows), Counter[str]())


def test_of_windows_that_nobody_takes_nothing_is_lost_in_silence() -> None:
    flows = HubbleFlows(100, lambda: True)
    for minute in range(30):
        flows.lose(START_S + 60 * minute, flow_words.LOST_EVENTS, 7)
    assert in_all(list(flows.close(START_S + 7_200))) == {flow_words.LOST_EVENTS: 210}


def test_every_event_that_is_taken_is_told_however_late_it_is() -> None:
    flows, now_s = HubbleFlows(100, lambda: True), START_S + 360
    minutes = [7, 6, 5, 4, 3, 2, 1]
    for number, minute in enumerate(minutes):
        event = Event(source=Endpoint("10.0.1.2", minute, 77), time_s=START_S + 60 * minute + 1, node=f"here/{number}")
        take(flows, event, now_s=now_s)
    kept = list(flows.close(START_S + 7_200))
    assert (sum(window.observed for window in kept), in_all(kept)) == (len(minutes), {})
