"""What allocators other than Calico hold for pods and nodes that are gone."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from periplus_spoke.collectors.ipam.antrea import POD_POOLS as POD_POOLS_OF_ANTREA
from periplus_spoke.collectors.ipam.antrea import Antrea
from periplus_spoke.collectors.ipam.azure_cni import CONFIG_KIND, AzureCni
from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.collectors.ipam.cilium import NODES, POD_POOLS, Cilium
from periplus_spoke.collectors.ipam.kube_ovn import IPS, SUBNETS, KubeOvn
from periplus_spoke.collectors.ipam.leaks import combined, evidence
from periplus_spoke.collectors.ipam.spiderpool import POOLS, Spiderpool
from periplus_spoke.collectors.ipam.whereabouts import RANGE_POOLS, Whereabouts
from periplus_spoke.conversion.ipam import IpamView, Pool, WantedKind
from periplus_spoke.conversion.presence import Listing

from tests.support.ipam_contract import IpamAdapterContract, view_of
from tests.support.kube_objects import Object, node, pod

LISTING = Listing(began_us=1_772_445_600_000_000)
GONE = "pod default/gone is not there"
Make = Callable[..., IpamView]


def view(custom: Mapping[WantedKind[Any], list[Object]], listing: Listing | None = LISTING, **more: Any) -> IpamView:
    """Pods default/a and default/b, of which b is on n2, and the nodes n1 and n2."""
    return view_of(
        nodes=[node("n1"), node("n2")],
        pods=[pod("a", ("10.1.0.9",)), pod("b", ("10.1.1.9",), node="n2")],
        custom=custom,
        listing=listing,
        **more,
    )


def whereabouts(**more: Any) -> IpamView:
    holders: dict[str, Object] = {"1": {"podref": "default/a"}, "2": {"podref": "default/gone"}, "3": {"podref": ""}}
    holders |= {"4": {"id": "x"}, "900": {"podref": "default/gone"}, "9" * 5_000: {"podref": "default/gone"}}
    holders |= {"five": {"podref": "default/gone"}, "\N{SUPERSCRIPT TWO}": {"podref": "default/gone"}}
    spec = {"range": "10.9.0.0/24", "allocations": holders}
    return view({RANGE_POOLS: [{"metadata": {"name": "lan"}, "spec": spec}]}, **more)


def kube_ovn(**more: Any) -> IpamView:
    def ip(name: str, v4: str, **spec: str) -> Object:
        held = {"subnet": "ovn-default", "podName": name, "namespace": "default", "v4IpAddress": v4, **spec}
        return {"metadata": {"name": name}, "spec": held}

    ips = [
        ip("a", "10.1.0.9"),
        ip("gone", "10.1.0.10", v6IpAddress="fd00::10"),
        ip("web-0", "10.1.0.11", podType="StatefulSet"),
        ip("vm", "10.1.0.12", podType="VirtualMachine"),
        ip("node-n1", "10.1.0.13", namespace=""),
        ip("gone", "10.1.0.14", subnet="elsewhere"),
    ]
    status = {"v4usingIPs": 5, "v4availableIPs": 248, "v6usingIPs": 5, "v6availableIPs": 248}
    spec = {"cidrBlock": "10.1.0.0/24,fd00::/120", "excludeIps": ["10.1.0.1", "fd00::1"]}
    subnet = {"metadata": {"name": "ovn-default"}, "spec": spec, "status": status}
    return view({SUBNETS: [subnet], IPS: ips}, cnis=("kube-ovn",), **more)


def spiderpool(**more: Any) -> IpamView:
    held = {"10.9.0.1": "default/a", "10.9.0.2": "default/gone", "10.9.0.3": ""}
    told = json.dumps({address: {"pod": name, "podUid": "u"} for address, name in held.items()})
    status = {"totalIPCount": 10, "allocatedIPCount": 3, "allocatedIPs": told}
    return view(
        {POOLS: [{"metadata": {"name": "p"}, "spec": {"ips": ["10.9.0.1-10.9.0.10"]}, "status": status}]}, **more
    )


def antrea(**more: Any) -> IpamView:
    def held(address: str, pod_name: str, **owner: Any) -> Object:
        pod_ = {"name": pod_name, "namespace": "default", "containerID": "c", "ifName": "eth0"}
        return {"ipAddress": address, "phase": "Allocated", "owner": {"pod": pod_, **owner}}

    addresses = [
        held("10.9.0.1", "a"),
        held("10.9.0.2", "gone"),
        held("10.9.0.3", "web-0", statefulSet={"name": "web", "namespace": "default", "index": 0}),
        {"ipAddress": "10.9.0.4", "phase": "Reserved", "owner": {"statefulSet": {"name": "web"}}},
        {"ipAddress": "10.9.0.5"},
    ]
    status = {"usage": {"total": 16, "used": 5}, "ipAddresses": addresses}
    pool_ = {"metadata": {"name": "p"}, "spec": {"ipRanges": [{"cidr": "10.9.0.0/28"}]}, "status": status}
    return view({POD_POOLS_OF_ANTREA: [pool_]}, cnis=("antrea",), **more)


def cilium_node(name: str, ipam: Object, status: Object | None = None, owner: str = "Node", **spec: Any) -> Object:
    owners = [{"apiVersion": "v1", "kind": owner, "name": name, "uid": "u"}]
    meta = {"name": name, "ownerReferences": owners}
    return {"metadata": meta, "spec": {"ipam": ipam, **spec}, "status": {"ipam": status or {}}}


def cilium(nodes: list[Object], mode: str = "cluster-pool", **more: Any) -> IpamView:
    config = {"ipam": mode, "cluster-pool-ipv4-cidr": "10.1.0.0/16"}
    pools = [{"metadata": {"name": "mars"}, "spec": {"ipv4": {"cidrs": ["10.1.0.0/16"], "maskSize": 24}}}]
    custom = {NODES: nodes, POD_POOLS: pools}
    return view(custom, cnis=("cilium",), configs={"kube-system/cilium-config": config}, **more)


def cluster_pool(**more: Any) -> IpamView:
    own = {"addresses": [{"type": "CiliumInternalIP", "ip": "10.1.2.7"}]}
    nodes = [
        cilium_node("n1", {"podCIDRs": ["10.1.0.0/24"]}),
        cilium_node("n9", {"podCIDRs": ["10.1.1.0/24", "10.1.2.0/24"]}, **own),
        cilium_node("n8", {"podCIDRs": ["10.1.0.0/24"]}),
        cilium_node("vm", {"podCIDRs": ["10.1.3.0/24"]}, owner="CiliumExternalWorkload"),
    ]
    return cilium(nodes, **more)


def multi_pool(**more: Any) -> IpamView:
    blocks = {"n1": "10.1.0.0/28", "n2": "10.1.1.0/28", "n9": "10.1.2.0/28"}
    held = {name: {"pools": {"allocated": [{"pool": "mars", "cidrs": [cidr]}]}} for name, cidr in blocks.items()}
    return cilium([cilium_node(name, ipam) for name, ipam in held.items()], "multi-pool", **more)


def cloud(**more: Any) -> IpamView:
    given = {f"10.1.0.{at}": {} for at in range(1, 9)}
    used = {
        "10.1.0.1": {"owner": "default/a"},
        "10.1.0.2": {"owner": "default/a [restored]"},
        "10.1.0.3": {"owner": "default/gone"},
        "10.1.0.4": {"owner": "default/b"},
        "10.1.0.5": {"owner": "router"},
        "10.1.0.6": {},
    }
    lost = cilium_node("n9", {"pool": {"10.1.5.1": {}, "10.1.5.2": {}}}, {"used": {"10.1.5.1": {"owner": "health"}}})
    return cilium([cilium_node("n1", {"pool": given}, {"used": used}), lost], "eni", **more)


def azure(**more: Any) -> IpamView:
    def config(name: str, block: str) -> Object:
        told = {"type": "overlay", "primaryIP": block, "subnetAddressSpace": "10.1.0.0/16", "subnetName": "pods"}
        return {"metadata": {"name": name}, "status": {"networkContainers": [told]}}

    configs = [config("n1", "10.1.0.0/24"), config("n9", "10.1.7.0/24")]
    return view({CONFIG_KIND: configs}, cnis=("azure-cni",), **more)


CASES: dict[str, tuple[IpamAdapter, Make]] = {
    "whereabouts": (Whereabouts(), whereabouts),
    "kube-ovn": (KubeOvn(), kube_ovn),
    "spiderpool": (Spiderpool(), spiderpool),
    "cluster-pool": (Cilium(), cluster_pool),
    "multi-pool": (Cilium(), multi_pool),
    "cloud": (Cilium(), cloud),
    "azure": (AzureCni(), azure),
    "antrea": (Antrea(), antrea),
}


def pools(case: str, **more: Any) -> dict[tuple[str, str | None, int], Pool]:
    adapter, make = CASES[case]
    return {(pool.name, pool.node, pool.family): pool for pool in adapter.pools(make(**more), lambda _: None)}


class _WithLeaks(IpamAdapterContract):
    def elsewhere(self) -> DetectFacts:
        return DetectFacts(cnis=("flannel",), groups={}, configs={})


class TestKubeOvn(_WithLeaks):
    adapter = CASES["kube-ovn"][0]

    def ordinary(self) -> list[IpamView]:
        return [kube_ovn()]

    def broken(self) -> IpamView:
        return view({SUBNETS: [{"metadata": {"name": "bad"}, "spec": {"cidrBlock": "rubbish"}}]}, cnis=("kube-ovn",))


class TestCilium(_WithLeaks):
    adapter = CASES["cloud"][0]

    def ordinary(self) -> list[IpamView]:
        return [cluster_pool(), multi_pool(), cloud()]

    def broken(self) -> IpamView:
        bad = cilium_node("n9", {"pool": {"rubbish": {}}}, {"used": {"rubbish": {"owner": "default/gone"}}})
        return cilium([bad], "eni")


@pytest.mark.promise("unknown-is-not-zero")
@pytest.mark.parametrize("case", sorted(CASES))
def test_leaks_are_told_only_where_pods_and_nodes_are_known_whole(case: str) -> None:
    known, unknown = pools(case), pools(case, listing=None)
    assert all(pool.leaked is not None for pool in known.values())
    assert any(pool.leaked for pool in known.values())
    assert {(pool.leaked, pool.evidence) for pool in unknown.values()} == {(None, ())}
    assert {pool.capacity for pool in known.values()} == {pool.capacity for pool in unknown.values()}
    departed = Listing(began_us=LISTING.began_us, departed={"default/gone", "n9", "default/b", "n8"})
    assert {pool.leaked for pool in pools(case, listing=departed).values()} <= {0}


def test_an_allocation_of_whereabouts_is_leaked_with_its_pod() -> None:
    (found,) = pools("whereabouts").values()
    assert (found.used, found.leaked, found.evidence) == (7, 1, (f"10.9.0.2: {GONE}",))


def test_an_address_of_antrea_is_leaked_with_its_pod_unless_that_may_come_back() -> None:
    (found,) = pools("antrea").values()
    assert (found.used, found.leaked, found.free, found.evidence) == (4, 1, 11, (f"10.9.0.2: {GONE}",))


def test_an_ip_of_kube_ovn_is_leaked_with_its_pod_unless_that_may_come_back() -> None:
    found = pools("kube-ovn")
    v4, v6 = found["ovn-default", None, 4], found["ovn-default", None, 6]
    assert (v4.used, v4.leaked, v4.reserved, v4.free) == (4, 1, 1, 248)
    assert (v4.evidence, v6.evidence) == ((f"10.1.0.10: {GONE}",), (f"fd00::10: {GONE}",))


def test_an_address_of_spiderpool_is_leaked_with_its_pod_unless_there_are_virtual_machines() -> None:
    (found,) = pools("spiderpool").values()
    assert (found.used, found.leaked, found.free, found.evidence) == (2, 1, 7, (f"10.9.0.2: {GONE}",))
    (unknown,) = pools("spiderpool", groups={"kubevirt.io"}).values()
    assert (unknown.used, unknown.leaked) == (3, None)


@pytest.mark.parametrize("text", ["{", "[]", '{"10.9.0.1": 3}', "null"])
def test_who_has_which_address_may_be_rubbish(text: str) -> None:
    status = {"totalIPCount": 10, "allocatedIPCount": 3, "allocatedIPs": text}
    pool_ = {"metadata": {"name": "p"}, "spec": {"ips": ["10.9.0.1-10.9.0.10"]}, "status": status}
    faults: list[str] = []
    (found,) = Spiderpool().pools(view({POOLS: [pool_]}), faults.append)
    assert (found.used, found.leaked, found.free) == (3, None, 7)
    assert faults == ["status of SpiderIPPool p: allocatedIPs is no JSON of pods"]


def test_a_block_of_a_node_that_is_gone_is_leaked_as_far_as_no_pod_has_it() -> None:
    found = pools("cluster-pool")
    whole = found["cluster-pool-ipv4-cidr", None, 4]
    assert (whole.assigned, whole.used, whole.leaked) == (1_024, 2, 511)
    assert whole.evidence == ("10.1.1.0/24: node n9 is not there", "10.1.2.0/24: node n9 is not there")
    lost, living = found["n9", "n9", 4], found["n1", "n1", 4]
    assert (lost.used, lost.reserved, lost.leaked, lost.free) == (1, 4, 507, 0)
    assert (living.used, living.leaked, living.free) == (1, 0, 253)


def test_a_block_of_a_multi_pool_is_leaked_with_its_node() -> None:
    found = pools("multi-pool")
    assert (found["mars", None, 4].leaked, found["mars", "n9", 4].leaked) == (16, 14)


def test_in_a_cloud_addresses_are_leaked_with_their_pod_or_node() -> None:
    found = pools("cloud")
    living = found["n1", "n1", 4]
    assert (living.used, living.leaked, living.free) == (4, 2, 2)
    assert living.evidence == (f"10.1.0.3: {GONE}", "10.1.0.4: pod default/b of node n1 is on node n2 now")
    assert (found["n9", "n9", 4].leaked, found["n9", "n9", 4].evidence) == (1, ("10.1.5.1: node n9 is not there",))
    whole = found["all nodes", None, 4]
    assert (whole.used, whole.leaked, len(whole.evidence)) == (4, 3, 3)


def test_an_overlay_block_of_a_node_that_is_gone_is_leaked() -> None:
    found = pools("azure")
    assert (found["n9", "n9", 4].leaked, found["n9", "n9", 4].free) == (256, 0)
    whole = found["overlay", None, 4]
    assert (whole.assigned, whole.leaked, whole.evidence) == (512, 256, ("10.1.7.0/24: node n9 is not there",))


def test_evidence_is_cut_where_it_is_too_long() -> None:
    leaks = [(f"10.0.0.{at}", GONE) for at in range(30)]
    assert len(evidence(leaks[:20])) == 20
    assert evidence(leaks)[18:] == (f"10.0.0.18: {GONE}", "and more")
    assert combined([evidence(leaks[:2]), ()]) == evidence(leaks[:2])
    assert combined([evidence(leaks), evidence(leaks[:2])])[-1] == "and more"
