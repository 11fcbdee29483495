"""Calico's pools: what is claimed, and counts that an address-by-address count agrees with."""

import ipaddress
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.calico import Calico
from periplus_spoke.collectors.ipam.calico_ranges import AFFINITIES, BLOCKS, PEERS, POOLS, RESERVATIONS
from periplus_spoke.conversion.ipam import IpamView, Pool, WantedKind

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import node, pod

ADAPTER = Calico()
Custom = dict[WantedKind[Any], list[dict[str, object]]]


def ip_pool(name: str, cidr: str, **spec: object) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"cidr": cidr, "blockSize": 26, **spec}}


def block(
    cidr: str, owner: str = "n1", taken: tuple[int, ...] = (), cooling: tuple[int, ...] = ()
) -> dict[str, object]:
    size = ipaddress.ip_network(cidr, strict=False).num_addresses
    attributes: list[dict[str, object]] = [{"handle_id": "h"}, {"handle_id": "h", "releasedAt": "2026-03-01T10:00:00Z"}]
    allocations = [1 if at in cooling else 0 if at in taken else None for at in range(size)]
    return {
        "spec": {
            "cidr": cidr,
            "affinity": f"host:{owner}",
            "allocations": allocations,
            "unallocated": [at for at, index in enumerate(allocations) if index is None],
            "attributes": attributes,
            "deleted": False,
        }
    }


def affinity(cidr: str, owner: str, **spec: object) -> dict[str, object]:
    return {"spec": {"cidr": cidr, "node": owner, "state": "confirmed", **spec}}


def view(*, absent: Sequence[WantedKind[Any]] = (), **custom: list[dict[str, object]]) -> IpamView:
    """`pools`, `blocks` …: kinds that are named were read, and the others were not."""
    kinds = {"pools": POOLS, "blocks": BLOCKS, "affinities": AFFINITIES, "reservations": RESERVATIONS, "peers": PEERS}
    return view_of(
        nodes=[node("n1"), node("n2")],
        pods=[pod("a", ("10.1.0.1",)), pod("b", ("10.1.0.65",), node="n2")],
        cnis=("calico",),
        custom={kinds[name][0]: objects for name, objects in custom.items()},
        absent=absent,
    )


def healthy() -> IpamView:
    return view(
        pools=[ip_pool("default-ipv4-ippool", "10.1.0.0/16", ipipMode="Always", natOutgoing=True)],
        blocks=[block("10.1.0.0/26", "n1", (0, 1)), block("10.1.0.64/26", "n2", (1,), cooling=(5,))],
        affinities=[affinity("10.1.0.0/26", "n1", deleted="false"), affinity("10.1.0.64/26", "n2", deleted=False)],
        reservations=[{"metadata": {"name": "r"}, "spec": {"reservedCIDRs": ["10.1.0.0/31", "10.1.9.9"]}}],
        peers=[],
    )


def full() -> IpamView:
    everything = tuple(range(64))
    return view(pools=[ip_pool("small", "10.1.0.0/26")], blocks=[block("10.1.0.0/26", "n1", everything)])


def mid_migration() -> IpamView:
    return view(
        pools=[ip_pool("old", "10.1.0.0/24", disabled=True), ip_pool("new", "10.2.0.0/24")],
        blocks=[block("10.1.0.0/26", "n1", (3,)), block("10.1.0.64/26", "n2"), block("10.2.0.0/26", "n2", (1,))],
    )


def dual_stack() -> IpamView:
    return view(
        pools=[ip_pool("v4", "10.1.0.0/16"), ip_pool("v6", "fd00:1::/48", blockSize=122)],
        blocks=[block("10.1.0.0/26", "n1", (1,)), block("fd00:1::/122", "n1", (1,))],
    )


def blocks_forbidden() -> IpamView:
    return view(pools=[ip_pool("default-ipv4-ippool", "10.1.0.0/16")], affinities=[affinity("10.1.0.0/26", "n1")])


def counts(pool: Pool) -> tuple[int | None, ...]:
    return pool.capacity, pool.assigned, pool.used, pool.cooling, pool.reserved, pool.free


def claims(seen: IpamView) -> set[tuple[str, str, str, str]]:
    return {(item.kind, item.cidr, f"{item.source} {item.name}", item.reach) for item in of(seen) if not item.node}


def of(seen: IpamView) -> list[Any]:
    return ADAPTER.allocations(seen, lambda _: None)


class TestCalico(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [healthy(), full(), mid_migration(), dual_stack(), blocks_forbidden()]

    def broken(self) -> IpamView:
        return view(pools=[ip_pool("bad", "10.1.0.1/16"), ip_pool("half", "")], blocks=[block("10.3.0.1/26")])

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={"apps": ("v1",)}, configs={})


def test_a_pool_is_a_claim_of_the_cluster_and_a_block_of_its_node() -> None:
    assert claims(healthy()) == {("pod", "10.1.0.0/16", "IPPool default-ipv4-ippool", "masqueraded")}
    held = {(item.cidr, item.node, item.source) for item in of(healthy()) if item.node}
    assert held == {("10.1.0.0/26", "n1", "IPAMBlock"), ("10.1.0.64/26", "n2", "IPAMBlock")}


def test_the_parts_of_a_pool_are_its_capacity() -> None:
    pools = {(pool.name, pool.node): pool for pool in ADAPTER.pools(healthy(), lambda _: None)}
    assert counts(pools["default-ipv4-ippool", None]) == (65_536, 128, 3, 1, 1, 65_531)
    assert counts(pools["default-ipv4-ippool", "n1"]) == (64, 64, 2, 0, 0, 62)
    assert counts(pools["default-ipv4-ippool", "n2"]) == (64, 64, 1, 1, 0, 62)
    cluster = pools["default-ipv4-ippool", None]
    assert (cluster.scope, cluster.quality, cluster.largest_free_block) == ("cluster", "exact", 17)
    (whole, held) = ADAPTER.pools(full(), lambda _: None)
    assert (counts(whole), whole.largest_free_block) == ((64, 64, 64, 0, 0, 0), None)
    assert (held.node, held.free) == ("n1", 0)


def test_a_disabled_pool_is_a_claim_while_addresses_of_it_are_in_use() -> None:
    assert {cidr for _, cidr, _, _ in claims(mid_migration())} == {"10.1.0.0/24", "10.2.0.0/24"}
    left = view(
        pools=[ip_pool("old", "10.1.0.0/24", disabled=True), ip_pool("new", "10.2.0.0/24")],
        blocks=[block("10.1.0.0/26", "n1")],
    )
    assert {cidr for _, cidr, _, _ in claims(left)} == {"10.2.0.0/24"}
    assert [item.node for item in of(left) if item.node] == []
    unread = view(pools=[ip_pool("old", "10.1.0.0/24", disabled=True)])
    assert {cidr for _, cidr, _, _ in claims(unread)} == {"10.1.0.0/24"}


def test_without_blocks_the_pods_are_counted_and_what_is_left_is_not_known() -> None:
    (only,) = ADAPTER.pools(blocks_forbidden(), lambda _: None)
    assert (counts(only), only.quality) == ((65_536, 64, 2, None, None, None), "derived")
    assert {(item.cidr, item.source) for item in of(blocks_forbidden()) if item.node} == {
        ("10.1.0.0/26", "BlockAffinity")
    }


@pytest.mark.parametrize(
    ("spec", "peers", "reach"),
    [
        ({"natOutgoing": True, "ipipMode": "Always"}, [], "masqueraded"),
        ({"natOutgoing": True, "vxlanMode": "CrossSubnet", "ipipMode": "Never"}, [], "masqueraded"),
        ({"natOutgoing": True, "ipipMode": "Always"}, [{}], ""),
        ({"natOutgoing": True, "ipipMode": "Always", "disableBGPExport": True}, [{}], "masqueraded"),
        ({"natOutgoing": True}, [], ""),
        ({"natOutgoing": False, "ipipMode": "Never", "vxlanMode": "Never"}, [], "routed"),
        ({"ipipMode": "Always"}, [{}], "routed"),
        ({"ipipMode": "Always"}, [], ""),
        ({"disableBGPExport": True}, [{}], ""),
    ],
)
def test_reach_follows_from_the_settings(spec: dict[str, object], peers: list[dict[str, object]], reach: str) -> None:
    seen = view(pools=[ip_pool("p", "10.1.0.0/16", **spec)], blocks=[], peers=peers)
    assert {found for _, _, _, found in claims(seen)} == {reach}


def test_who_may_be_told_the_routes_is_not_known_where_peers_are_not_read() -> None:
    pools = [ip_pool("p", "10.1.0.0/16", natOutgoing=True, ipipMode="Always")]
    assert {found for _, _, _, found in claims(view(pools=pools, blocks=[]))} == {""}
    half = view(absent=PEERS[1:], pools=pools, blocks=[])
    assert {found for _, _, _, found in claims(half)} == {""}
    assert {found for _, _, _, found in claims(view(absent=PEERS, pools=pools, blocks=[]))} == {"masqueraded"}


@pytest.mark.parametrize(
    ("uses", "kind", "scope"),
    [
        (None, "pod", "cluster"),
        (["Workload", "Tunnel"], "pod", "cluster"),
        (["Tunnel"], "reserved", "cluster"),
        (["LoadBalancer"], "loadbalancer", "lb"),
    ],
)
def test_a_pool_is_for_what_its_uses_say(uses: list[str] | None, kind: str, scope: str) -> None:
    seen = view(pools=[ip_pool("p", "10.1.0.0/24", allowedUses=uses)], blocks=[])
    assert [found for found, _, _, _ in claims(seen)] == [kind]
    assert [pool.scope for pool in ADAPTER.pools(seen, lambda _: None)] == [scope]


def test_bad_objects_are_named_and_the_rest_goes_on() -> None:
    shrunk = block("10.1.0.0/26", "n1", tuple(range(40)))
    half: dict[str, object] = {"spec": {"cidr": "10.2.0.0/26", "affinity": "host:n1"}}
    liar: dict[str, Any] = block("10.3.0.0/26", "n1", (1, 2))
    liar["spec"]["unallocated"] = [5]
    faults: list[str] = []
    seen = view(
        pools=[ip_pool("shrunk", "10.1.0.0/27"), ip_pool("half", "10.2.0.0/24"), ip_pool("liar", "10.3.0.0/24")],
        blocks=[
            shrunk,
            half,
            liar,
            block("10.9.0.0/26", "gone", (7,)),
            block("10.8.0.0/26", "gone"),
            block("10.3.0.0/27", "n2", (1,)),
            {"spec": {"cidr": "10.2.0.64/26", "deleted": "true"}},
        ],
    )
    pools = {pool.name: pool for pool in ADAPTER.pools(seen, faults.append) if pool.scope == "cluster"}
    assert sorted(faults) == [
        "IPAMBlock 10.1.0.0/26 reaches beyond IPPool shrunk",
        "IPAMBlock 10.2.0.0/26 tells of 0 of its 64 addresses",
        "IPAMBlock 10.3.0.0/26: of 64 addresses 2 are allocated and 1 are not",
        "IPAMBlock 10.3.0.0/27 overlaps 10.3.0.0/26",
    ]
    assert counts(pools["shrunk"]) == (32, 32, 32, 0, 0, 0)
    assert counts(pools["half"]) == (256, 64, None, None, None, None)
    assert counts(pools["liar"]) == (256, 64, 2, 0, 0, 254)
    assert "10.9.0.0/26" in {item.cidr for item in of(seen)}
    assert "10.8.0.0/26" not in {item.cidr for item in of(seen)}


def test_calico_that_only_enforces_policies_is_silent() -> None:
    given = {POOLS[0]: [ip_pool("p", "192.168.0.0/16")], BLOCKS[0]: list[dict[str, object]]()}
    silent = view_of(pods=[pod("a", ("10.244.0.5",))], cnis=("aws-vpc-cni", "calico"), custom=given)
    assert "aws-vpc-cni" in ADAPTER.silent_because(silent)
    own = view_of(pods=[pod("a", ("10.244.0.5",))], cnis=("calico",), custom=given)
    assert ADAPTER.silent_because(own) == ""
    local = {"kube-system/calico-config": {"cni_network_config": '{"ipam": {"type": "host-local"}}'}}
    assert "podCIDRs" in ADAPTER.silent_because(view_of(cnis=("calico",), custom=given, configs=local))
    assert ADAPTER.silent_because(healthy()) == ""


def test_objects_of_the_newer_group_are_read_where_the_older_is_not() -> None:
    seen = view_of(cnis=("calico",), custom={POOLS[1]: [ip_pool("p", "10.1.0.0/16")]})
    assert [item.name for item in of(seen)] == ["p"]
    assert POOLS[1].unless == POOLS[0].group


BASE = ipaddress.ip_network("10.1.0.0/24")
SPACE = list(ipaddress.ip_network("10.1.0.0/23").subnets(new_prefix=28))


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[dict[str, object]], list[str], str]:
    """Blocks of 16 addresses in and beside a pool, or one block that is wider than the pool; and reservations."""
    pool = draw(st.sampled_from([str(BASE), "10.1.0.0/29", "10.1.0.8/29"]))
    blocks = []
    for network in draw(st.lists(st.sampled_from(SPACE), unique=True, max_size=12)):
        taken = draw(st.sets(st.integers(0, 15)))
        cooling = draw(st.sets(st.sampled_from(sorted(taken)))) if taken else set()
        blocks.append(block(str(network), draw(st.sampled_from(["n1", "n2"])), tuple(taken), tuple(cooling)))
    wide = st.builds(
        lambda first, bits: str(ipaddress.ip_network((first, bits), strict=False)), FIRST, st.integers(22, 32)
    )
    return blocks, draw(st.lists(wide, max_size=4)), pool


FIRST = st.integers(int(BASE.network_address), int(BASE.network_address) + 511)


@given(clusters())
def test_counts_are_those_of_every_single_address(given_: tuple[list[dict[str, object]], list[str], str]) -> None:
    blocks, reserved, cidr = given_
    reservations: list[dict[str, object]] = [{"metadata": {"name": "r"}, "spec": {"reservedCIDRs": reserved}}]
    seen = view(pools=[ip_pool("p", cidr)], blocks=blocks, reservations=reservations)
    states: dict[str, str] = {}
    for item in blocks:
        spec: Any = item["spec"]
        for address, index in zip(ipaddress.ip_network(spec["cidr"]), spec["allocations"], strict=True):
            states[str(address)] = {None: "assigned", 0: "used", 1: "cooling"}[index]
    held = [ipaddress.ip_network(text) for text in reserved]
    tally: Counter[str] = Counter()
    for address in ipaddress.ip_network(cidr):
        state = states.get(str(address), "free")
        tally["assigned"] += state != "free"
        is_idle = state in {"free", "assigned"}
        tally["reserved" if is_idle and any(address in each for each in held) else "free" if is_idle else state] += 1
    pools = [pool for pool in ADAPTER.pools(seen, lambda _: None) if pool.scope == "cluster"]
    size = ipaddress.ip_network(cidr).num_addresses
    assert [counts(pool) for pool in pools] == [
        (size, tally["assigned"], tally["used"], tally["cooling"], tally["reserved"], tally["free"])
    ]


def test_a_whole_api_groups_worth_of_blocks_is_read_in_one_pass() -> None:
    everyone = ipaddress.ip_network("10.0.0.0/12").subnets(new_prefix=26)
    blocks = [block(str(network), f"n{at}", (1, 2)) for at, network in zip(range(2_000), everyone, strict=False)]
    seen = view(pools=[ip_pool("p", "10.0.0.0/12")], blocks=blocks)
    pools = ADAPTER.pools(seen, lambda _: None)
    assert len(pools) == 2_001
    assert counts(pools[0])[1:3] == (128_000, 4_000)
    assert len(of(seen)) == 2_001
