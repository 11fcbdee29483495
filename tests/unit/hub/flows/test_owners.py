"""Whose an address was: ranks from the asker's own cluster outwards, at a time, and never a guess."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_hub.flows.engine import owners
from periplus_hub.flows.engine.owners import RANKS, Owners, Questions
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.model import ClusterPlace, Fleet
from periplus_hub.inventory.identity import UNKNOWN, Addresses

HOUR = 1_767_225_600
EAST, WEST, SOUTH = (UUID(int=number) for number in (1, 2, 3))
ONE, TWO, THREE = (UUID(int=number) for number in (101, 102, 103))
FOREVER = 2**62
NOWHERE = UUID(int=0)


@dataclass(frozen=True)
class Had:
    """`workload` of a cluster had `ip`, from and until a minute of the hour."""

    cluster: UUID
    ip: str
    workload: str
    layer: str = "pod"
    since: float = -600
    until: float | None = None
    node: str = ""


def identities(*rows: Had) -> pa.Table:
    def hexadecimal(text: str) -> str:
        address = ip_address(text)
        return f"{int(address) if address.version == 6 else 0xFFFF << 32 | int(address):032x}"

    def moment(minute: float | None) -> int:
        return FOREVER if minute is None else int((HOUR + 60 * minute) * 1_000_000)

    return pa.table(
        {
            "registration_id": pa.array([str(each.cluster) for each in rows], pa.string()),
            "layer": pa.array([each.layer for each in rows], pa.string()),
            "address": pa.array([hexadecimal(each.ip) for each in rows], pa.string()),
            "namespace": pa.array(["shop" for _ in rows], pa.string()),
            "kind": pa.array(["Deployment" for _ in rows], pa.string()),
            "workload": pa.array([each.workload for each in rows], pa.string()),
            "node": pa.array([each.node for each in rows], pa.string()),
            "since": pa.array([moment(each.since) for each in rows], pa.int64()),
            "until": pa.array([moment(each.until) for each in rows], pa.int64()),
        }
    )


@dataclass(frozen=True)
class Means:
    """In a scope, a range is named `workload`, from and until a minute of the hour."""

    scope: UUID
    cidr: str
    workload: str
    layer: str
    kind: str = "range"
    cluster: UUID = NOWHERE
    since: float = -600
    until: float | None = None


def meanings(*rows: Means) -> pa.Table:
    ranges = [ip_network(each.cidr) for each in rows]
    alike = identities(
        *(
            Had(each.cluster, str(net.network_address), each.workload, each.layer, each.since, each.until)
            for each, net in zip(rows, ranges, strict=True)
        )
    )
    kinds = pa.array([each.kind for each in rows], pa.string())
    named = alike.set_column(alike.schema.get_field_index("kind"), "kind", kinds)
    lengths = [net.prefixlen + (0 if net.version == 6 else 96) for net in ranges]
    scopes = pa.array([str(each.scope) for each in rows], pa.string())
    return named.append_column("scope", scopes).append_column("length", pa.array(lengths, pa.int64()))


def fleet(flat: bool = False, nat: bool = False, together: bool = False) -> Fleet:
    """East and south, and west in a domain of its own unless `together`."""
    places = [ClusterPlace(registration_id=EAST, domain_id=ONE), ClusterPlace(registration_id=SOUTH, domain_id=THREE)]
    places.append(ClusterPlace(registration_id=WEST, domain_id=ONE if together else TWO))
    pair = frozenset({(ONE, TWO)})
    return Fleet(clusters=tuple(places), flat=pair if flat else frozenset(), nat=pair if nat else frozenset())


def address_bytes(ip: str) -> bytes:
    """128 bits, of IPv4 mapped."""
    address = ip_address(ip)
    return (int(address) if address.version == 6 else 0xFFFF << 32 | int(address)).to_bytes(16, "big")


def ask(where: Fleet, ip: str, *rows: Had | Means, asker: UUID = EAST) -> list[dict[str, object]]:
    """The slices of what an address was, seen from a cluster."""
    asked = pa.table(
        {
            "lookup": pa.array([1], pa.uint64()),
            "registration": pa.array([asker.bytes], pa.binary(16)),
            "address": pa.array([address_bytes(ip)], pa.binary(16)),
            "host": pa.array([""]),
        }
    )
    had = identities(*(each for each in rows if isinstance(each, Had)))
    means = meanings(*(each for each in rows if isinstance(each, Means)))
    return resolved(asked, HOUR, Owners(had, where, means)).to_pylist()


def named(where: Fleet, ip: str, *rows: Had | Means) -> tuple[object, object, object]:
    [found] = ask(where, ip, *rows)
    return found["kind"], found["workload"], found["rule"]


MINE, THEIRS = Had(EAST, "10.0.0.1", "mine"), Had(WEST, "10.0.0.1", "theirs")


@pytest.mark.parametrize(
    ("where", "rows", "expected"),
    [
        (fleet(together=True), [MINE, THEIRS], ("Deployment", "mine", "own-pod")),
        (fleet(together=True), [THEIRS], ("Deployment", "theirs", "domain-pod")),
        (fleet(), [THEIRS], ("address", "10.0.0.1", "unknown")),
        (fleet(flat=True), [THEIRS], ("Deployment", "theirs", "flat-pod")),
        (fleet(nat=True), [THEIRS], ("address", "10.0.0.1", "unknown")),
        (fleet(nat=True), [Had(WEST, "10.0.0.1", "gate", "internalip")], ("Deployment", "gate", "nat-node")),
        (fleet(nat=True), [Had(WEST, "10.0.0.1", "front", "published")], ("Deployment", "front", "nat-service")),
        (fleet(together=True), [Had(WEST, "10.0.0.1", "api", "clusterip")], ("address", "10.0.0.1", "unknown")),
        (fleet(), [Had(EAST, "10.0.0.1", "api", "clusterip")], ("Deployment", "api", "own-service")),
        (
            fleet(),
            [Had(EAST, "10.0.0.1", "node", "internalip"), Had(EAST, "10.0.0.1", "klipper", "published")],
            ("Deployment", "node", "own-node"),
        ),
        (fleet(together=True), [THEIRS, Had(SOUTH, "10.0.0.1", "far")], ("Deployment", "theirs", "domain-pod")),
        (fleet(together=True), [], ("address", "10.0.0.1", "unknown")),
    ],
)
def test_the_nearest_that_has_it_decides(where: Fleet, rows: list[Had], expected: tuple[str, str, str]) -> None:
    assert named(where, "10.0.0.1", *rows) == expected


def test_what_services_publish_on_public_addresses_is_known_everywhere() -> None:
    public = Had(WEST, "203.0.113.7", "front", "published")
    assert named(fleet(), "203.0.113.7", public) == ("Deployment", "front", "public")
    assert named(fleet(), "203.0.113.8", public) == ("external", "203.0.113.0/24", "outside")
    assert named(fleet(), "2001:db8:7:8::9", public) == ("external", "2001:db8:7::/48", "outside")
    assert named(fleet(), "fd00::1", public) == ("address", "fd00::1", "unknown")


@pytest.mark.promise("owners-are-not-guessed")
def test_two_of_one_rank_are_ambiguous_with_both() -> None:
    where = fleet(together=True)
    twin = Had(EAST, "10.0.0.9", "elsewhere"), THEIRS, Had(WEST, "10.0.0.1", "twin")
    [found] = ask(where, "10.0.0.1", *twin)
    assert (found["kind"], found["workload"], found["rule"]) == ("ambiguous", "10.0.0.1", "domain-pod")
    candidates = found["candidates"]
    assert isinstance(candidates, list)
    assert sorted(each["workload"] for each in candidates) == ["theirs", "twin"]


def test_pods_of_one_workload_hand_an_address_on_without_doubt() -> None:
    rows = Had(EAST, "10.0.0.1", "web", until=10.5), Had(EAST, "10.0.0.1", "web", since=10.2)
    assert named(fleet(), "10.0.0.1", *rows) == ("Deployment", "web", "own-pod")


def test_an_address_that_changes_hands_has_a_slice_for_each() -> None:
    rows = Had(EAST, "10.0.0.1", "old", until=10), Had(EAST, "10.0.0.1", "new", since=20)
    found = [
        ((each["since"] - HOUR) // 60, each["workload"], each["slices"]) for each in ask(fleet(), "10.0.0.1", *rows)
    ]  # type: ignore[operator]  # columns of numbers
    assert found == [(0, "old", 3), (10, "10.0.0.1", 3), (20, "new", 3)]


def test_who_had_it_in_any_moment_of_a_minute_had_it_for_all_of_it() -> None:
    short = Had(EAST, "10.0.0.1", "job", since=10.3, until=10.5)
    found = [((each["since"] - HOUR) // 60, each["workload"]) for each in ask(fleet(), "10.0.0.1", short)]  # type: ignore[operator]  # as above
    assert found == [(0, "10.0.0.1"), (10, "job"), (11, "10.0.0.1")]
    within = Had(EAST, "10.0.0.1", "one", until=10.3), Had(EAST, "10.0.0.1", "other", since=10.6)
    assert [each["kind"] for each in ask(fleet(), "10.0.0.1", *within)] == ["Deployment", "ambiguous", "Deployment"]


RANGE_OF_WEST = Means(WEST, "10.0.0.0/16", "10.0.0.0/16", "clusterrange", "cluster-range", WEST)
ENTERED = Means(TWO, "10.0.0.0/8", "warehouse", "enteredrange")


@pytest.mark.parametrize(
    ("where", "rows", "expected"),
    [
        (fleet(together=True), [RANGE_OF_WEST], ("cluster-range", "10.0.0.0/16", "domain-range")),
        (fleet(flat=True), [RANGE_OF_WEST], ("cluster-range", "10.0.0.0/16", "flat-range")),
        (fleet(nat=True), [RANGE_OF_WEST], ("address", "10.0.0.1", "unknown")),
        (fleet(flat=True), [ENTERED], ("range", "warehouse", "flat-entered")),
        (fleet(flat=True), [ENTERED, RANGE_OF_WEST], ("cluster-range", "10.0.0.0/16", "flat-range")),
        (fleet(flat=True), [ENTERED, THEIRS], ("Deployment", "theirs", "flat-pod")),
        (fleet(), [ENTERED], ("address", "10.0.0.1", "unknown")),
        (fleet(), [Means(ONE, "10.0.0.0/8", "vpc", "enteredrange")], ("range", "vpc", "domain-entered")),
        (
            fleet(),
            [Means(ONE, "10.0.0.0/8", "vpc", "enteredrange"), Means(ONE, "10.0.0.0/24", "rack", "enteredrange")],
            ("range", "rack", "domain-entered"),
        ),
        (
            fleet(together=True),
            [Means(WEST, "10.0.0.0/16", "services", "innerrange")],
            ("address", "10.0.0.1", "unknown"),
        ),
        (fleet(), [Means(EAST, "10.0.0.0/16", "10.0.0.0/16", "innerrange")], ("range", "10.0.0.0/16", "own-range")),
    ],
)
def test_of_an_address_of_nobody_its_range_is_known(
    where: Fleet, rows: list[Had | Means], expected: tuple[str, str, str]
) -> None:
    assert named(where, "10.0.0.1", *rows) == expected


def test_a_public_range_that_people_entered_is_known_everywhere() -> None:
    partner = Means(TWO, "203.0.113.0/25", "partner", "enteredrange")
    assert named(fleet(), "203.0.113.7", partner) == ("range", "partner", "public-entered")
    assert named(fleet(), "203.0.113.200", partner) == ("external", "203.0.113.0/24", "outside")


def test_two_clusters_with_one_range_are_ambiguous_with_both() -> None:
    twin = Means(EAST, "10.0.0.0/16", "10.0.0.0/16", "clusterrange", "cluster-range", EAST)
    [found] = ask(fleet(together=True), "10.0.0.1", RANGE_OF_WEST, twin, asker=EAST)
    assert (found["kind"], found["rule"]) == ("cluster-range", "own-range")
    where = Fleet(
        clusters=(*fleet(together=True).clusters, ClusterPlace(registration_id=UUID(int=4), domain_id=ONE)),
        flat=frozenset(),
        nat=frozenset(),
    )
    [found] = ask(where, "10.0.0.1", RANGE_OF_WEST, twin, asker=UUID(int=4))
    assert (found["kind"], found["rule"]) == ("ambiguous", "domain-range")
    assert len(found["candidates"]) == 2  # type: ignore[arg-type]  # they are a list, as above


def test_a_range_that_begins_within_the_hour_counts_from_its_minute() -> None:
    late = Means(ONE, "10.0.0.0/8", "vpc", "enteredrange", since=10, until=20)
    found = [((each["since"] - HOUR) // 60, each["workload"]) for each in ask(fleet(), "10.0.0.1", late)]  # type: ignore[operator]  # as above
    assert found == [(0, "10.0.0.1"), (10, "vpc"), (20, "10.0.0.1")]


_LAYERS = sorted({layer for _, _, layers in RANKS for layer in layers})
_CIDRS = ("10.0.0.1/32", "10.0.0.0/30", "10.0.0.0/8", "203.0.113.7/32", "203.0.113.0/24")
MEANT = st.builds(
    Means,
    st.sampled_from((EAST, WEST, SOUTH, ONE, TWO, THREE)),
    st.sampled_from(_CIDRS),
    st.sampled_from(("a", "b", "c")),
    st.sampled_from(_LAYERS),
    st.just("Deployment"),
    st.sampled_from((EAST, WEST, UUID(int=0))),
    st.sampled_from((-600, 5, 20.5)),
    st.sampled_from((None, 20, 20.5, 40)),
)


@given(
    rows=st.lists(MEANT, max_size=8),
    where=st.builds(fleet, st.booleans(), st.booleans(), st.booleans()),
    ip=st.sampled_from(("10.0.0.1", "10.0.0.2", "203.0.113.7")),
    count=st.integers(0, len(RANKS)),
)
def test_a_lower_rank_never_changes_what_a_higher_one_decides(
    rows: list[Means], where: Fleet, ip: str, count: int
) -> None:
    number = 0xFFFF << 32 | int(ip_address(ip))
    asked = Questions(
        cluster=np.repeat(np.arange(3), 60),
        address=Addresses(np.zeros(180, dtype=np.uint64), np.full(180, number, dtype=np.uint64)),
        time_us=(HOUR + 60 * np.tile(np.arange(60), 3)) * 1_000_000,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owners, "RANKS", RANKS[:count])
        before = Owners(identities(), where, meanings(*rows)).answer(asked)
    after = Owners(identities(), where, meanings(*rows)).answer(asked)
    decided = before.owner != UNKNOWN
    assert (after.owner[decided] == before.owner[decided]).all()
    assert (after.rule[decided] == before.rule[decided]).all()
    assert (after.rule[~decided & (after.owner != UNKNOWN)] >= count).all()


def test_a_cluster_that_nobody_knows_asks_in_vain() -> None:
    [found] = ask(fleet(together=True), "10.0.0.1", THEIRS, asker=UUID(int=9))
    assert (found["kind"], found["workload"]) == ("address", "10.0.0.1")
