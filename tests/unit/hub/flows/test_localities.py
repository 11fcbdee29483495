"""Where ends were: by the node that an address's pod ran on then, and never a guess."""

from dataclasses import dataclass
from ipaddress import ip_address
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from periplus_hub.flows.engine.owners import Owners
from periplus_hub.flows.engine.resolution import resolved

from tests.unit.hub.flows.test_owners import EAST, FOREVER, HOUR, WEST, Had, Means, fleet, identities, meanings


@dataclass(frozen=True)
class Was:
    """A node of the east was somewhere, from and until a minute of the hour."""

    node: str
    region: str = "r"
    zone: str = "a"
    since: float = -600
    until: float | None = None


def owners(*rows: Had | Was | Means) -> Owners:
    had = identities(*(each for each in rows if isinstance(each, Had)))
    means = meanings(*(each for each in rows if isinstance(each, Means)))
    was = [each for each in rows if isinstance(each, Was)]
    nodes = pa.table(
        {
            "registration_id": pa.array([str(EAST)] * len(was), pa.string()),
            **{
                name: pa.array([getattr(each, name) for each in was], pa.string())
                for name in ("node", "region", "zone")
            },
            "since": pa.array([int((HOUR + 60 * each.since) * 1_000_000) for each in was], pa.int64()),
            "until": pa.array(
                [FOREVER if each.until is None else int((HOUR + 60 * each.until) * 1_000_000) for each in was],
                pa.int64(),
            ),
        }
    )
    return Owners(had, fleet(together=True), means, nodes)


def places(known: Owners, ip: str, asker: UUID = EAST) -> list[tuple[int, str, str, str]]:
    """From which minute on an address was whose, in which region and zone."""
    number = 0xFFFF << 32 | int(ip_address(ip))
    asked = pa.table(
        {
            "lookup": pa.array([1], pa.uint64()),
            "registration": pa.array([asker.bytes], pa.binary(16)),
            "address": pa.array([number.to_bytes(16, "big")], pa.binary(16)),
            "host": pa.array([""]),
        }
    )
    texts = known.localities.names.texts.to_pylist()
    return [
        ((row["since"] - HOUR) // 60, row["workload"], *texts[row["locality"]].values())
        for row in resolved(asked, HOUR, known).to_pylist()
    ]


def usual(known: Owners, workload: str) -> tuple[str, str]:
    """Where a workload of the east is said to have been in the whole hour."""
    ends = {"owner": pa.array([EAST.bytes], pa.binary(16)), "namespace": ["shop"], "kind": ["Deployment"]}
    [number] = known.usual_locality(pa.table({**ends, "workload": [workload]})).tolist()
    region, zone = known.localities.names.texts.to_pylist()[number].values()
    return region, zone


WEB = Had(EAST, "10.0.0.1", "web", node="n1")
FAR = Had(EAST, "10.0.0.2", "web", node="n2")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([WEB, Was("n1")], [(0, "web", "r", "a")]),
        ([WEB], [(0, "web", "", "")]),
        ([WEB, Was("n2")], [(0, "web", "", "")]),
        ([WEB, Was("n1", zone="")], [(0, "web", "r", "")]),
        ([WEB, Was("n1", region="")], [(0, "web", "", "a")]),
        ([WEB, FAR, Was("n1"), Was("n2", zone="b")], [(0, "web", "r", "a")]),
        ([WEB, FAR, Was("n1")], [(0, "web", "r", "a")]),
        ([WEB, FAR, Was("n2")], [(0, "web", "", "")]),
        (
            [WEB, Was("n1", until=20), Was("n1", zone="b", since=20)],
            [(0, "web", "r", "a"), (20, "web", "r", "b")],
        ),
        # In one minute it was in both, as far as is known; the region is the same.
        (
            [WEB, Was("n1", until=20.5), Was("n1", zone="b", since=20.5)],
            [(0, "web", "r", "a"), (20, "web", "r", ""), (21, "web", "r", "b")],
        ),
        (
            [WEB, Was("n1", until=20), Was("n1", "s", "b", since=30)],
            [(0, "web", "r", "a"), (20, "web", "", ""), (30, "web", "s", "b")],
        ),
        # The address goes from one pod of a workload to another, elsewhere: the owner stays.
        (
            [
                Had(EAST, "10.0.0.1", "web", until=30, node="n1"),
                Had(EAST, "10.0.0.1", "web", since=30, node="n2"),
                *(Was("n1"), Was("n2", zone="b")),
            ],
            [(0, "web", "r", "a"), (30, "web", "r", "b")],
        ),
        # Two pods of a workload with one address at once: whose it is is known, and where is not.
        (
            [WEB, Had(EAST, "10.0.0.1", "web", node="n2"), Was("n1"), Was("n2", "s", "b")],
            [(0, "web", "", "")],
        ),
        ([Had(EAST, "10.0.0.1", "n1", "internalip", node="n1"), Was("n1")], [(0, "n1", "r", "a")]),
        ([Had(EAST, "10.0.0.1", "front", "clusterip"), Was("n1")], [(0, "front", "", "")]),
    ],
    ids=str,
)
def test_by_the_node_of_the_pod_that_had_the_address(
    rows: list[Had | Was], expected: list[tuple[int, str, str, str]]
) -> None:
    assert places(owners(*rows), "10.0.0.1") == expected
    assert places(owners(*reversed(rows)), "10.0.0.1") == expected


def test_who_asks_changes_nothing() -> None:
    known = owners(WEB, FAR, Was("n1"), Was("n2", zone="b"))
    assert places(known, "10.0.0.2", WEST) == [(0, "web", "r", "b")]


def test_nodes_of_other_clusters_with_one_name_are_others() -> None:
    known = owners(Had(WEST, "10.0.0.1", "web", node="n1"), Was("n1"))
    assert places(known, "10.0.0.1", WEST) == [(0, "web", "", "")]


def test_an_address_that_stands_for_a_workload_is_where_all_of_it_was() -> None:
    door = Means(EAST, "10.9.0.9/32", "web", "global", kind="Deployment", cluster=EAST)
    assert places(owners(WEB, door, Was("n1")), "10.9.0.9") == [(0, "web", "r", "a")]
    both = owners(WEB, FAR, door, Was("n1"), Was("n2", zone="b"))
    assert places(both, "10.9.0.9") == [(0, "web", "r", "")]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([WEB, FAR, Was("n1"), Was("n2")], ("r", "a")),
        ([WEB, FAR, Was("n1"), Was("n2", zone="b")], ("r", "")),
        ([WEB, FAR, Was("n1"), Was("n2", "s", "b")], ("", "")),
        ([WEB, FAR, Was("n1")], ("", "")),
        ([WEB, Was("n1", until=20), Was("n1", zone="b", since=20)], ("r", "")),
        ([], ("", "")),
    ],
    ids=str,
)
def test_a_workload_is_where_all_its_pods_were(rows: list[Had | Was], expected: tuple[str, str]) -> None:
    assert usual(owners(*rows), "web") == expected


def test_without_nodes_nothing_is_known() -> None:
    known = Owners(identities(WEB), fleet())
    assert places(known, "10.0.0.1") == [(0, "web", "", "")]
    assert set(known.localities.names.texts.column("zone").to_pylist()) == {""}
    assert known.localities.usual(np.array([-2, -1])).tolist() == [0, 0], "of nobody"
