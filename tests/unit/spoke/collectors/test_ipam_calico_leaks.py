"""What Calico holds for pods and nodes that are gone, what nodes lend each other, and what nobody can be given."""

import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_spoke.collectors.ipam.base import DetectFacts
from periplus_spoke.collectors.ipam.calico import Calico
from periplus_spoke.collectors.ipam.calico_ranges import (
    BLOCKS,
    INSTALLATIONS,
    POOLS,
    RESERVATIONS,
    SETTINGS,
)
from periplus_spoke.conversion.calico_objects import IPAMBlock
from periplus_spoke.conversion.ipam import IpamView, Pool
from periplus_spoke.conversion.presence import Listing

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import node, pod

Object = dict[str, Any]
ADAPTER = Calico()
LISTING = Listing(began_us=1_772_445_600_000_000)
"""On 2026-03-02 at 10:00."""
OLD = "2026-03-01 10:00:00.123456789 +0000 UTC"
YOUNG = "2026-03-02 09:59:00 +0000 UTC"
WINDOWS = {"handle_id": "Windows-Reserved-IPAM-Handle", "secondary": {"note": "windows host rsvd"}}


def of_pod(name: str, owner: str = "n1", since: str | None = OLD, **more: str) -> Object:
    """An attribute as the network plugin writes it."""
    namespace, _, short = name.partition("/")
    held = {"namespace": namespace, "pod": short, "node": owner, "timestamp": since, **more}
    return {"handle_id": f"k8s-pod-network.{short}", "secondary": held}


def of_tunnel(owner: str) -> Object:
    return {"handle_id": f"vxlan-tunnel-addr-{owner}", "secondary": {"node": owner, "type": "vxlanTunnelAddress"}}


def block(cidr: str, attributes: dict[int, Object], owner: str = "n1", size: int = 64) -> Object:
    """`attributes` by the ordinal of the address."""
    order = list(attributes)
    allocations = [order.index(at) if at in attributes else None for at in range(size)]
    return {
        "spec": {
            "cidr": cidr,
            "affinity": f"host:{owner}" if owner else None,
            "allocations": allocations,
            "unallocated": [at for at in range(size) if at not in attributes],
            "attributes": list(attributes.values()),
        }
    }


def view(*blocks: Object, listing: Listing | None = LISTING, strict: bool | None = False, **more: Any) -> IpamView:
    """Pods default/a and default/b, of which b is on n2, and the nodes n1 and n2."""
    custom = {POOLS[0]: [{"metadata": {"name": "p"}, "spec": {"cidr": "10.1.0.0/24"}}], BLOCKS[0]: list(blocks)}
    custom |= {} if strict is None else {SETTINGS[0]: [{"spec": {"strictAffinity": strict}}]}
    return view_of(
        nodes=[node("n1"), node("n2")],
        pods=[pod("a", ("10.1.0.1",)), pod("b", ("10.1.0.2",), node="n2"), pod("job", node="n1", phase="Succeeded")],
        cnis=("calico",),
        custom=custom | more.pop("custom", {}),
        listing=listing,
        **more,
    )


def pools(seen: IpamView) -> dict[str, Pool]:
    """By node; that of the cluster has the name of the pool."""
    return {pool.node or pool.name: pool for pool in ADAPTER.pools(seen, lambda _: None)}


def leaky() -> IpamView:
    return view(
        block(
            "10.1.0.0/26",
            {
                1: of_pod("default/a"),
                2: of_pod("default/b", "n2"),
                3: of_pod("default/gone"),
                4: of_pod("default/b", "n1"),
                5: of_tunnel("n1"),
                6: of_tunnel("n9"),
                7: of_pod("default/gone-lately", since=YOUNG),
                8: of_pod("default/gone-from-n2", "n2"),
                9: of_pod("default/job"),
                10: {**of_pod("default/gone"), "releasedAt": "2026-03-02T09:59:00Z"},
                11: of_pod("default/virt-launcher-x", **{"vmi-name": "vm"}),
                12: {"handle_id": "somebody"},
            },
        )
    )


class TestCalicoWithLeaks(IpamAdapterContract):
    adapter = ADAPTER

    def ordinary(self) -> list[IpamView]:
        return [leaky(), windows(), lost_node(strict=True), lost_node(strict=False), lost_node(strict=None)]

    def broken(self) -> IpamView:
        return view_of(cnis=("calico",), custom={INSTALLATIONS: [installation("10.1.0.1/16")]}, listing=LISTING)

    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={"apps": ("v1",)}, configs={})


def test_an_address_is_leaked_where_who_has_it_is_gone_and_the_evidence_says_who() -> None:
    found = pools(leaky())["p"]
    assert (found.used, found.leaked, found.cooling, found.free) == (7, 4, 1, 256 - 12)
    assert found.evidence == (
        "10.1.0.3: pod default/gone is not there",
        "10.1.0.4: pod default/b of node n1 is on node n2 now",
        "10.1.0.6: node n9 is not there",
        "10.1.0.8: pod default/gone-from-n2 is not there",
    )
    assert (pools(leaky())["n1"].leaked, pools(leaky())["n1"].evidence) == (4, found.evidence)


def test_borrowed_is_what_is_in_use_on_another_node_than_the_blocks() -> None:
    assert (pools(leaky())["p"].borrowed, pools(leaky())["n1"].borrowed) == (1, 1)
    orphan = view(block("10.1.0.0/26", {1: of_pod("default/a")}, owner=""))
    assert pools(orphan)["p"].borrowed == 0


@pytest.mark.promise("unknown-is-not-zero")
@pytest.mark.parametrize(
    "listing", [None, Listing(began_us=LISTING.began_us, stale=frozenset({"crd.projectcalico.org/ipamblocks"}))]
)
def test_where_pods_or_nodes_or_blocks_are_not_known_whole_leaks_are_not_either(listing: Listing | None) -> None:
    seen = view(block("10.1.0.0/26", {3: of_pod("default/gone")}), listing=listing)
    assert {(pool.leaked, pool.used, pool.free) for pool in pools(seen).values()} == {(None, 1, 255), (None, 1, 63)}
    assert pools(view())["p"].leaked == 0


def test_a_pod_that_went_lately_is_no_leak() -> None:
    lately = Listing(began_us=LISTING.began_us, departed={"default/gone", "n9"})
    seen = view(block("10.1.0.0/26", {3: of_pod("default/gone"), 6: of_tunnel("n9")}), listing=lately)
    assert (pools(seen)["p"].leaked, pools(seen)["p"].used) == (0, 2)


def windows() -> IpamView:
    return view(block("10.1.0.0/26", {0: WINDOWS, 1: WINDOWS, 2: WINDOWS, 63: WINDOWS, 5: of_pod("default/a")}))


def test_what_windows_needs_of_a_block_is_unusable() -> None:
    found = pools(windows())
    assert [(pool.used, pool.unusable, pool.leaked) for pool in found.values()] == [(1, 4, 0)] * 2
    assert [pool.free for pool in found.values()] == [256 - 5, 64 - 5]


def lost_node(*, strict: bool | None) -> IpamView:
    """A block of a node that is gone, with a pod that another node borrowed an address for."""
    held = block("10.1.0.64/26", {1: of_pod("default/b", "n2"), 2: of_pod("default/gone", "n9")}, "n9")
    reserved = {RESERVATIONS[0]: [{"metadata": {"name": "r"}, "spec": {"reservedCIDRs": ["10.1.0.127"]}}]}
    return view(held, strict=strict, custom=reserved)


@pytest.mark.parametrize(("strict", "unusable", "free"), [(False, 0, 253), (True, 61, 192), (None, None, 253)])
def test_a_block_of_a_node_that_is_gone_is_lost_where_nodes_may_not_borrow(
    strict: bool | None, unusable: int | None, free: int
) -> None:
    found = pools(lost_node(strict=strict))
    assert (found["p"].used, found["p"].leaked, found["p"].borrowed, found["p"].reserved) == (1, 1, 1, 1)
    assert (found["p"].unusable, found["p"].free) == (unusable, free)
    assert (found["n9"].unusable, found["n9"].free) == (unusable, free - 192)


def test_a_block_of_endless_addresses_that_tells_of_none_costs_nothing() -> None:
    """It would be a mask of 2^96 bits."""
    wide = {"metadata": {"name": "w"}, "spec": {"cidr": "fd00::/32", "affinity": "host:n9", "allocations": [None]}}
    pool = {POOLS[0]: [{"metadata": {"name": "p"}, "spec": {"cidr": "fd00::/16"}}]}
    found = pools(view(wide, strict=True, custom=pool))
    assert (found["p"].assigned, found["p"].used, found["p"].unusable) == (2**96, None, None)


def test_without_knowing_the_nodes_it_is_not_known_which_blocks_are_lost() -> None:
    held = block("10.1.0.64/26", {}, "n9")
    assert pools(view(held, strict=True, listing=None))["p"].unusable is None


def test_many_leaks_are_counted_and_the_first_of_them_named() -> None:
    found = pools(view(block("10.1.0.0/26", {at: of_pod(f"default/gone-{at}") for at in range(64)})))["p"]
    assert (found.leaked, found.used, len(found.evidence)) == (64, 0, 20)
    assert found.evidence[0] == "10.1.0.0: pod default/gone-0 is not there"
    assert found.evidence[-1] == "and more"


def test_owners_that_cannot_be_are_left_alone() -> None:
    odd = [
        of_pod("default/a\n9 default/b"),
        of_pod("default/a b"),
        of_pod("default/"),
        {"handle_id": None, "secondary": None},
        {"secondary": {"node": "n9", "type": "service"}},
        {"secondary": {"pod": "gone", "namespace": "default", "timestamp": "no time"}},
    ]
    found = pools(view(block("10.1.0.0/26", dict(enumerate(odd)))))["p"]
    assert (found.used, found.leaked) == (len(odd), 0)


def test_holders_do_not_fit_into_a_pool_that_is_smaller_than_the_block() -> None:
    small = {POOLS[0]: [{"metadata": {"name": "p"}, "spec": {"cidr": "10.1.0.0/29"}}]}
    seen = view(block("10.1.0.0/26", {3: of_pod("default/x"), 9: of_pod("default/y")}), custom=small)
    found = pools(seen)["p"]
    assert (found.leaked, found.evidence) == (1, ("10.1.0.3: pod default/x is not there",))


def test_who_has_the_addresses_of_five_thousand_pods_is_kept_in_half_a_mebibyte() -> None:
    names = (f"a-namespace/a-deployment-7d4b9c6f5d-{at:05}" for at in range(5_000))
    blocks = [
        block("10.1.0.0/26", {at: of_pod(next(names)) for at in range(50)}, owner=f"node-{n}") for n in range(100)
    ]
    kept = [msgspec.convert(each, IPAMBlock).spec for each in blocks]
    fields = ((getattr(spec, name) for name in spec.__struct_fields__) for spec in kept)
    size = sum(sys.getsizeof(spec) + sum(map(sys.getsizeof, values)) for spec, values in zip(kept, fields, strict=True))
    assert sum(len(list(spec.holders())) for spec in kept) == 5_000
    assert size < 512 * 1_024


HOLDERS = {
    "here": of_pod("default/a"),
    "lent": of_pod("default/b", "n2"),
    "gone": of_pod("default/gone"),
    "young": of_pod("default/gone", since=YOUNG),
    "cooling": {**of_pod("default/gone"), "releasedAt": "2026-03-02T09:59:00Z"},
    "windows": WINDOWS,
}


@given(st.dictionaries(st.integers(0, 63), st.sampled_from(sorted(HOLDERS))))
def test_every_address_counts_once(kinds: dict[int, str]) -> None:
    found = pools(view(block("10.1.0.0/26", {at: HOLDERS[kind] for at, kind in kinds.items()})))["p"]
    tally = [list(kinds.values()).count(kind) for kind in ("here", "lent", "gone", "young", "cooling", "windows")]
    here, lent, gone, young, cooling, withheld = tally
    assert (found.used, found.borrowed, found.leaked) == (here + lent + young, lent, gone)
    assert (found.cooling, found.unusable, found.free) == (cooling, withheld, 256 - len(kinds))


def installation(cidr: str, **more: Any) -> Object:
    told = {"name": "default-ipv4-ippool", "cidr": cidr, "encapsulation": "VXLAN", "natOutgoing": "Enabled"}
    return {"metadata": {"name": "default"}, "spec": {"calicoNetwork": {"ipPools": [told]}, **more}}


def test_where_pools_may_not_be_read_the_operator_says_what_it_made() -> None:
    seen = view_of(cnis=("calico",), custom={INSTALLATIONS: [installation("10.1.0.0/16")]})
    (claim,) = ADAPTER.allocations(seen, lambda _: None)
    assert (claim.cidr, claim.source, claim.quality) == ("10.1.0.0/16", "Installation", "derived")
    (pool,) = ADAPTER.pools(seen, lambda _: None)
    assert (pool.capacity, pool.used, pool.leaked, pool.quality) == (65_536, 0, None, "derived")
    assert [item.source for item in ADAPTER.allocations(view(), lambda _: None)] == ["IPPool"]
    read = view(custom={INSTALLATIONS: [installation("10.9.0.0/16")]})
    assert [item.cidr for item in ADAPTER.allocations(read, lambda _: None)] == ["10.1.0.0/24"]


@pytest.mark.parametrize(
    ("spec", "computed", "cidrs"),
    [
        ({"cni": {"type": "AmazonVPC", "ipam": {"type": "AmazonVPC"}}}, None, []),
        ({"cni": {"type": "Calico", "ipam": {"type": "HostLocal"}}}, None, []),
        ({"cni": {"type": "Calico", "ipam": {"type": "Calico"}}}, None, ["10.1.0.0/16"]),
        ({}, {"calicoNetwork": {"ipPools": [{"cidr": "10.2.0.0/16"}]}}, ["10.2.0.0/16"]),
        ({"calicoNetwork": None}, {}, []),
    ],
)
def test_only_pools_of_calicos_own_address_management_count(
    spec: Object, computed: Object | None, cidrs: list[str]
) -> None:
    told = {**installation("10.1.0.0/16", **spec), "status": {"computed": computed}}
    seen = view_of(cnis=("calico",), custom={INSTALLATIONS: [told]})
    assert [item.cidr for item in ADAPTER.allocations(seen, lambda _: None)] == cidrs
