"""Who has to move so that a group is over: the smaller ones, or whoever covers what others are."""

from typing import Any, cast

import pytest

from periplus_hub.api.cli.moves import movers_of, with_moves
from periplus_hub.api.cli.report import GroupLine, HitLine, Severity
from periplus_hub.api.hub_client import HubClient


def known(**nodes: int | None) -> dict[str, dict[str, Any]]:
    """Clusters with so many nodes, and three pods each."""
    return {
        name: {"id": f"Cluster:{name}", "counts": None if count is None else {"nodes": count, "pods": 3, "services": 1}}
        for name, count in nodes.items()
    }


def group(cidr: str, *hits: tuple[str, str], renumbered: str = "pod+service+node") -> GroupLine:
    """Each of the hits is a cluster with what it uses there, worst hit."""
    severity, kinds = Severity.CONFLICT, {kind for _, kinds in hits for kind in kinds.split("+")}
    changed = tuple(kind for kind in renumbered.split("+") if kind in kinds)
    lines = tuple(
        HitLine(cluster=name, network_domain=name, severity=severity, kinds=tuple(kinds.split("+")), member_count=1)
        for name, kinds in hits
    )
    return GroupLine(
        cidr=cidr,
        family=4,
        severity=severity,
        members=(),
        member_count=0,
        clusters=lines,
        cluster_count=len(lines),
        renumbered=changed,
    )


@pytest.mark.parametrize(
    ("hits", "renumbered", "nodes", "expected"),
    [
        ([("big", "pod"), ("small", "pod")], "pod", {"big": 9, "small": 2}, [("small", "pod")]),
        ([("red", "pod"), ("tan", "pod")], "pod", {"red": 2, "tan": 2}, [("tan", "pod")]),
        ([("a", "pod"), ("b", "pod"), ("c", "pod")], "pod", {"a": 1, "b": 3, "c": 2}, [("a", "pod"), ("c", "pod")]),
        ([("big", "pod"), ("blind", "pod")], "pod", {"big": 9, "blind": None}, [("big", "pod")]),
        ([("a", "service"), ("b", "pod")], "service", {"a": 9, "b": 2}, [("a", "service")]),
        ([("a", "pod"), ("b", "node")], "pod", {"a": 9, "b": 2}, [("a", "pod")]),
        ([("own", "service+pod")], "service", {"own": 3}, [("own", "service")]),
        ([("a", "pod+service"), ("b", "node")], "service", {"a": 1, "b": 2}, [("a", "service")]),
        ([("a", "node"), ("b", "node")], "node", {"a": 1, "b": 2}, [("a", "node")]),
        ([("a", "service"), ("b", "service")], "", {"a": 1, "b": 2}, []),
    ],
)
def test_who_has_to_move(
    hits: list[tuple[str, str]], renumbered: str, nodes: dict[str, int | None], expected: list[tuple[str, str]]
) -> None:
    asked = group("10.9.0.0/16", *hits, renumbered=renumbered)
    assert [tuple(each) for each in movers_of(asked, known(**nodes))] == expected


def test_nobody_moves_for_one_address_of_a_node() -> None:
    assert list(movers_of(group("10.9.0.7/32", ("a", "node"), ("b", "node")), known(a=1, b=2))) == []


class Hub:
    """Proposes 10.1.N.0/24 for the Nth use of a cluster."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def ask(self, _document: str, variables: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(variables)
        uses = [(each.partition(":")[2], kind) for each in variables["clusters"] for kind in ("POD", "SERVICE", "NODE")]
        proposals = [
            {"clusterName": name, "allocationKind": kind, "family": 4, "cidr": f"10.1.{at}.0/24", "why": "so"}
            for at, (name, kind) in enumerate(uses)
        ]
        return {"plan": {"proposals": proposals, "notKnownOf": {"names": ["c"], "count": 12}}}


def test_a_range_is_named_in_every_group_it_is_for_and_free_in_the_first() -> None:
    hub = Hub()
    groups = [group(f"10.2.{at}.0/24", ("a", "pod"), ("b", "pod")) for at in range(3)]
    other = group("10.96.0.0/16", ("a", "service"), ("b", "service"))
    found = with_moves(cast("HubClient", hub), [*groups, other], known(a=5, b=2))
    assert [each.free_ranges for each in found] == [("10.1.0.0/24",), (), (), ("10.1.1.0/24",)]
    assert [[move.cidr for move in each.moves] for each in found[:3]] == [["10.1.0.0/24"]] * 3
    assert [each["clusters"] for each in hub.asked] == [["Cluster:b"]]
    assert {(each.free_ranges_not_known_of, each.free_ranges_not_known_count) for each in found} == {(("c",), 12)}


def test_a_cluster_that_the_hub_never_met_may_use_a_free_range_too() -> None:
    both = group("10.2.0.0/24", ("a", "pod"), ("b", "pod"))
    (found,) = with_moves(cast("HubClient", Hub()), [both], known(a=5, b=2), ["unread"])
    assert (found.free_ranges_not_known_of, found.free_ranges_not_known_count) == (("c", "unread"), 13)


def test_of_many_that_have_to_move_the_smallest_are_shown_and_all_are_counted() -> None:
    hits = [(f"c{number}", "pod") for number in range(9)]
    nodes = {f"c{number}": number for number in range(9)}
    (found,) = with_moves(cast("HubClient", Hub()), [group("10.9.0.0/16", *hits)], known(**nodes))
    assert [move.cluster for move in found.moves] == ["c0", "c1", "c2"]
    assert found.move_count == 8


def test_without_anybody_to_move_the_hub_is_not_asked() -> None:
    hub = Hub()
    with_moves(cast("HubClient", hub), [group("10.9.0.7/32", ("a", "node"), ("b", "node"))], known(a=1, b=2))
    assert hub.asked == []
