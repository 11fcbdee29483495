"""Whose an address was: ranks from the asker's own cluster outwards, at a time, and never a guess."""

from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

import pyarrow as pa
import pytest

from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.model import ClusterPlace, Fleet

HOUR = 1_767_225_600
EAST, WEST, SOUTH = (UUID(int=number) for number in (1, 2, 3))
ONE, TWO, THREE = (UUID(int=number) for number in (101, 102, 103))
FOREVER = 2**62


@dataclass(frozen=True)
class Had:
    """`workload` of a cluster had `ip`, from and until a minute of the hour."""

    cluster: UUID
    ip: str
    workload: str
    layer: str = "pod"
    since: float = -600
    until: float | None = None


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
            "since": pa.array([moment(each.since) for each in rows], pa.int64()),
            "until": pa.array([moment(each.until) for each in rows], pa.int64()),
        }
    )


def fleet(flat: bool = False, nat: bool = False, together: bool = False) -> Fleet:
    """East and south, and west in a domain of its own unless `together`."""
    places = [ClusterPlace(registration_id=EAST, domain_id=ONE), ClusterPlace(registration_id=SOUTH, domain_id=THREE)]
    places.append(ClusterPlace(registration_id=WEST, domain_id=ONE if together else TWO))
    pair = frozenset({(ONE, TWO)})
    return Fleet(clusters=tuple(places), flat=pair if flat else frozenset(), nat=pair if nat else frozenset())


def ask(where: Fleet, ip: str, *rows: Had, asker: UUID = EAST) -> list[dict[str, object]]:
    """The slices of what an address was, seen from a cluster."""
    address = ip_address(ip)
    number = int(address) if address.version == 6 else 0xFFFF << 32 | int(address)
    asked = pa.table(
        {
            "lookup": pa.array([1], pa.uint64()),
            "registration": pa.array([asker.bytes], pa.binary(16)),
            "address": pa.array([number.to_bytes(16, "big")], pa.binary(16)),
        }
    )
    return resolved(asked, HOUR, Owners(identities(*rows), where)).to_pylist()


def named(where: Fleet, ip: str, *rows: Had) -> tuple[object, object, object]:
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


def test_a_cluster_that_nobody_knows_asks_in_vain() -> None:
    [found] = ask(fleet(together=True), "10.0.0.1", THEIRS, asker=UUID(int=9))
    assert (found["kind"], found["workload"]) == ("address", "10.0.0.1")
