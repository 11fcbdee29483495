"""Complete is only a cluster of which everything that feeds addresses is known whole, here and current."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from periplus_contract.covers import EVERY_ALLOCATION
from periplus_hub.addresses.ipam.engine.knowledge import FEEDING, NOT_FEEDING, Evidence, Knowledge, known
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.fleet.model import CONNECTED_WITHIN, Registration, State
from periplus_hub.inventory.model import Source

from tests.support.clock import START

A = UUID(int=1)


def registration(**changes: Any) -> Registration:
    values: dict[str, Any] = dict.fromkeys(Registration.__dataclass_fields__)
    values |= {"id": A, "name": "a", "state": State.ACTIVE, "last_seen_at": START}
    return Registration(**values | changes)


def source(name: str, state: str = "ok", **more: Any) -> Source:
    values: dict[str, Any] = dict.fromkeys(Source.__dataclass_fields__)
    return Source(**values | {"registration_id": A, "name": name, "state": state, "observed_at": START} | more)


def evidence(*sources: Source, **changes: Any) -> Evidence:
    """Everything read whole, but for these."""
    named = {name: source(name) for name in (*FEEDING, *NOT_FEEDING)} | {each.name: each for each in sources}
    whole = Evidence(
        registration=registration(),
        sources=tuple(named.values()),
        inventory_since=START,
        stated=frozenset(EVERY_ALLOCATION),
        rows_aside=0,
        exact=frozenset({AllocationKind.POD, AllocationKind.SERVICE}),
    )
    return replace(whole, **changes)


def missing(seen: Evidence) -> list[str]:
    return [each.source for each in known(seen, START).missing]


def test_all_that_feeds_addresses_read_whole_is_complete() -> None:
    assert known(evidence(), START).knowledge is Knowledge.COMPLETE


@pytest.mark.parametrize("state", ["forbidden", "failed", "slow", "a-later-word"])
@pytest.mark.parametrize("name", [name for name in FEEDING if name != "pods"])
def test_each_source_of_addresses_makes_incomplete(name: str, state: str) -> None:
    seen = evidence(source(name, state))
    assert known(seen, START).knowledge is Knowledge.INCOMPLETE
    assert missing(seen) == [name]


@pytest.mark.parametrize("name", sorted(NOT_FEEDING))
def test_what_feeds_no_address_hides_none(name: str) -> None:
    assert known(evidence(source(name, "forbidden")), START).knowledge is Knowledge.COMPLETE


def test_what_is_not_there_is_not_missing() -> None:
    absent = [source(name, "absent", reason="not_found") for name in FEEDING if name != "nodes"]
    assert known(evidence(*absent), START).knowledge is Knowledge.COMPLETE


def test_pods_matter_where_no_node_range_is_known() -> None:
    refused = source("pods", "forbidden")
    assert missing(evidence(refused)) == []
    assert missing(evidence(refused, exact=frozenset())) == ["pods"]
    assert missing(evidence(refused, source("nodes", "failed"))) == ["nodes", "pods"]


def test_an_allocator_nobody_thought_of_feeds_addresses() -> None:
    assert missing(evidence(source("cilium.io/ciliumpodippools", "forbidden"))) == ["cilium.io/ciliumpodippools"]
    assert missing(evidence(source("ipam/kubernetes", "failed"))) == ["ipam/kubernetes"]


def test_what_was_never_told_is_missing() -> None:
    seen = evidence()
    untold = replace(seen, sources=tuple(each for each in seen.sources if each.name != "services"))
    assert missing(untold) == ["services"]
    assert known(untold, START).missing[0].state == "unknown"


def test_objects_left_out_are_missing() -> None:
    odd = source("nodes", reason="unknown_shape", message="1 objects were left out")
    assert [each.message for each in known(evidence(odd), START).missing] == ["1 objects were left out"]


def test_the_important_ones_come_first() -> None:
    names = ["zzz.example.com/pools", "apis", "networking.k8s.io/servicecidrs", "services", "pods", "nodes"]
    assert missing(evidence(*(source(name, "failed") for name in names))) == [
        "nodes",
        "pods",
        "services",
        "networking.k8s.io/servicecidrs",
        "apis",
        "zzz.example.com/pools",
    ]


@pytest.mark.parametrize("kind", ["pod", "service", "node", "loadbalancer", "external"])
def test_a_statement_that_never_came_in_is_missing(kind: str) -> None:
    stated = frozenset(EVERY_ALLOCATION) - {f"allocations/{kind}"}
    seen = evidence(stated=stated)
    assert known(seen, START).knowledge is Knowledge.INCOMPLETE
    assert missing(seen) == [f"allocations/{kind}"]


def test_a_silent_cluster_is_stale_whatever_it_told() -> None:
    late = START + CONNECTED_WITHIN + timedelta(seconds=1)
    assert known(evidence(), START + CONNECTED_WITHIN).knowledge is Knowledge.COMPLETE
    assert known(evidence(), late).knowledge is Knowledge.STALE
    assert known(evidence(source("nodes", "failed")), late).missing


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"inventory_since": None}, Knowledge.UNREAD),
        ({"registration": registration(last_seen_at=None)}, Knowledge.UNREAD),
        ({"registration": registration(state=State.PENDING)}, Knowledge.PENDING),
        ({"registration": registration(state=State.REVOKED)}, Knowledge.REVOKED),
    ],
)
def test_nothing_is_said_of_what_is_not_here(changes: dict[str, Any], expected: Knowledge) -> None:
    verdict = known(evidence(**changes), START)
    assert (verdict.knowledge, verdict.missing) == (expected, ())


def test_what_was_set_aside_is_not_known() -> None:
    seen = evidence(rows_aside=3)
    assert known(seen, START).knowledge is Knowledge.INCOMPLETE
    (told,) = known(seen, START).missing
    assert (told.source, told.reason) == ("allocations", "set_aside")
    assert "3 of its rows" in told.message


@pytest.mark.parametrize(("skew_ms", "whole"), [(None, True), (-900_000, True), (600_000, True), (600_001, False)])
def test_what_a_clock_far_ahead_reports_is_set_aside_so_nothing_is_known(*, skew_ms: int | None, whole: bool) -> None:
    seen = evidence(registration=registration(clock_skew_ms=skew_ms))
    assert missing(seen) == ([] if whole else ["clock"])
