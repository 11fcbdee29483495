"""Why an address is whose it is: never another answer than the one that edges are made with."""

from ipaddress import ip_address
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.flows.engine.explained import AddressView
from periplus_hub.flows.engine.explanation import Explainer
from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.model import Fleet

from tests.unit.hub.flows.test_owners import (
    EAST,
    HOUR,
    MINE,
    ONE,
    SOUTH,
    THEIRS,
    THREE,
    TWO,
    WEST,
    Had,
    Means,
    fleet,
    identities,
    meanings,
)

IP = "10.0.0.1"


def number(ip: str) -> int:
    address = ip_address(ip)
    return int(address) if address.version == 6 else 0xFFFF << 32 | int(address)


def explainer(where: Fleet, *rows: Had, ip: str = IP, minute: int = 0) -> Explainer:
    return Explainer(identities(*(each for each in rows if each.ip == ip)), where, number(ip), HOUR + 60 * minute)


def from_east(where: Fleet, *rows: Had, ip: str = IP, minute: int = 0) -> AddressView:
    view = explainer(where, *rows, ip=ip, minute=minute).from_cluster(EAST)
    assert view is not None
    return view


def outcomes(view: AddressView) -> dict[str, str]:
    return {each.rule: each.outcome.value for each in view.ranks}


def reasons(view: AddressView) -> dict[str, tuple[str, str | None]]:
    return {each.end.name: (each.reason.value, each.rule) for each in view.holders}


def test_each_lookup_says_what_it_found() -> None:
    node = Had(EAST, IP, "node", "internalip")
    view = from_east(fleet(together=True), MINE, node, THEIRS, Had(WEST, IP, "api", "clusterip"))
    assert (view.owner.name, view.rule, view.owner.registration_id) == ("mine", "own-pod", EAST)
    nothing = {"own": "nobody", "domain": "nobody", "flat": "not_connected", "nat": "not_connected"}
    assert outcomes(view) == {
        **{rule: nothing.get(rule.partition("-")[0], "not_public") for rule in outcomes(view)},
        "own-pod": "decided",
        **dict.fromkeys(("own-node", "domain-pod", "domain-node"), "outranked"),
    }
    assert reasons(view) == {
        "mine": ("decided", "own-pod"),
        "node": ("outranked", "own-node"),
        "theirs": ("outranked", "domain-pod"),
        "api": ("other_cluster", None),
    }


@pytest.mark.promise("owners-are-not-guessed")
def test_of_several_all_are_candidates() -> None:
    view = from_east(fleet(together=True), THEIRS, Had(WEST, IP, "twin"))
    assert (view.owner.kind, view.rule) == ("ambiguous", "domain-pod")
    assert sorted(each.name for each in view.candidates) == ["theirs", "twin"]
    assert {reason for reason, _ in reasons(view).values()} == {"decided"}


def test_why_others_are_not_the_answer() -> None:
    assert reasons(from_east(fleet(), THEIRS)) == {"theirs": ("not_connected", None)}
    assert reasons(from_east(fleet(nat=True), THEIRS)) == {"theirs": ("behind_nat", None)}
    assert reasons(from_east(fleet(), Had(UUID(int=9), IP, "gone"))) == {"gone": ("not_member", None)}
    late = Had(EAST, IP, "late", since=30)
    assert reasons(from_east(fleet(), late)) == {"late": ("other_time", "own-pod")}
    assert reasons(from_east(fleet(), late, minute=30)) == {"late": ("decided", "own-pod")}
    assert from_east(fleet(), late, minute=29).rule == "unknown"


def test_a_domain_looks_as_a_cluster_that_does_not_have_the_address() -> None:
    views = explainer(fleet(flat=True), MINE).from_everywhere()
    found = {(view.viewer, view.domain_id): (view.owner.name, view.rule) for view in views}
    assert found[EAST, ONE] == ("mine", "own-pod")
    assert found[None, ONE] == ("mine", "domain-pod")
    assert found[None, TWO] == ("mine", "flat-pod")
    assert (views[-1].viewer, views[-1].rule) == (None, "unknown")
    assert all(not each.rule.startswith("own-") for view in views if view.viewer is None for each in view.ranks)
    assert explainer(fleet(), MINE).from_cluster(UUID(int=9)) is None


def test_ranges_around_the_address_say_why_they_are_not_the_answer() -> None:
    rows = [
        Means(ONE, "10.0.0.0/8", "vpc", "enteredrange"),
        Means(WEST, "10.0.0.0/16", "pods", "clusterrange", "cluster-range", WEST),
        Means(WEST, "10.0.0.0/12", "services", "innerrange", "cluster-range", WEST),
        Means(UUID(int=9), "10.0.0.0/12", "gone", "clusterrange", "cluster-range", UUID(int=9)),
    ]
    where = fleet(together=True)
    found = Explainer(identities(), where, number(IP), HOUR, meanings=meanings(*rows)).from_cluster(EAST)
    assert found is not None
    assert (found.owner.kind, found.owner.name, found.rule) == ("cluster-range", "pods", "domain-range")
    assert reasons(found) == {
        "vpc": ("outranked", "domain-entered"),
        "pods": ("decided", "domain-range"),
        "services": ("other_cluster", None),
        "gone": ("not_member", None),
    }
    apart = Explainer(identities(), fleet(), number(IP), HOUR, meanings=meanings(*rows)).from_everywhere()
    assert {(view.viewer, view.domain_id): (view.owner.name, view.rule) for view in apart} == {
        (WEST, TWO): ("pods", "own-range"),
        (None, ONE): ("vpc", "domain-entered"),
        (None, TWO): ("pods", "domain-range"),
        (None, THREE): (IP, "unknown"),
    }


HELD = st.builds(
    Had,
    st.sampled_from((EAST, WEST, SOUTH)),
    st.sampled_from((IP, "203.0.113.7")),
    st.sampled_from(("a", "b", "c")),
    st.sampled_from(("pod", "internalip", "externalip", "clusterip", "published")),
    st.sampled_from((-600, 5, 20.5)),
    st.sampled_from((None, 20, 20.5, 40)),
)


@given(
    rows=st.lists(HELD, max_size=8),
    where=st.builds(fleet, st.booleans(), st.booleans(), st.booleans()),
    ip=st.sampled_from((IP, "203.0.113.7")),
    minute=st.integers(0, 59),
)
def test_what_is_explained_is_what_edges_are_made_with(rows: list[Had], where: Fleet, ip: str, minute: int) -> None:
    clusters = [EAST, WEST, SOUTH]
    asked = pa.table(
        {
            "lookup": pa.array(range(3), pa.uint64()),
            "registration": pa.array([each.bytes for each in clusters], pa.binary(16)),
            "address": pa.array([number(ip).to_bytes(16, "big")] * 3, pa.binary(16)),
            "host": pa.array([""] * 3),
        }
    )
    made: dict[bytes, tuple[object, ...]] = {}
    for row in resolved(asked, HOUR, Owners(identities(*rows), where)).to_pylist():
        if row["since"] <= HOUR + 60 * minute:
            made[row["registration"]] = (row["kind"], row["workload"], row["rule"])
    explained = explainer(where, *rows, ip=ip, minute=minute)
    for each in clusters:
        view = explained.from_cluster(each)
        assert view is not None
        assert (view.owner.kind, view.owner.name, view.rule) == made[each.bytes]
        decisive = [rank.rule for rank in view.ranks if rank.outcome.value in {"decided", "ambiguous"}]
        assert decisive == ([] if view.rule in {"unknown", "outside"} else [view.rule])
