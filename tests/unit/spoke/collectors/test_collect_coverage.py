"""Which kinds may be called complete, whatever could and could not be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from periplus_contract.covers import EVERY_ALLOCATION, EVERY_POOL, IPAM
from periplus_spoke.collectors.coverage import PLUGIN_FACTS, Evidence, allocation_covers, pool_covers
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.registry import WANTED_KINDS
from periplus_spoke.collectors.pools import Pools
from periplus_spoke.conversion.objects import Node, Pod, Service, Thing
from periplus_spoke.conversion.sources import Source
from periplus_spoke.conversion.text import LabelFilter

from tests.support.collecting import EVERYTHING
from tests.support.decoding import decode
from tests.support.kube_objects import node, pod

SOURCES = {
    "nodes": "nodes",
    "pods": "pods",
    "services": "services",
    "service_cidrs": "networking.k8s.io/servicecidrs",
    "ip_addresses": "networking.k8s.io/ipaddresses",
    "workloads/DaemonSet": "apps/daemonsets",
}


def evidence(*unread: str, refused: tuple[str, ...] = (), unanswered: tuple[str, ...] = ()) -> Evidence:
    """Everything was read but for these."""
    return Evidence(
        listed=EVERYTHING - set(unread) - set(refused),
        answered=frozenset(PLUGIN_FACTS) - set(unanswered),
        refused=frozenset(SOURCES[each] for each in refused),
    )


def kinds(seen: Evidence, *, has_ranges: bool = True, uses_pod_cidr: bool | None = None) -> set[str]:
    found = allocation_covers(seen, has_ranges=has_ranges, uses_pod_cidr=uses_pod_cidr)
    assert set(found) <= IPAM
    return {cover.removeprefix("allocations/") for cover in found}


EVERY_KIND = {cover.removeprefix("allocations/") for cover in EVERY_ALLOCATION}
PODS = {"pod", "reserved"}


def test_all_that_was_read_is_complete() -> None:
    assert kinds(evidence()) == EVERY_KIND
    assert set(pool_covers(evidence())) == set(EVERY_POOL)


def test_nothing_is_complete_at_first() -> None:
    nothing = Evidence(listed=frozenset(), answered=frozenset(), refused=frozenset())
    assert kinds(nothing) == set(pool_covers(nothing)) == set()


def test_without_nodes_what_they_say_is_as_it_was() -> None:
    assert kinds(evidence("nodes")) == EVERY_KIND - PODS - {"node"}
    assert pool_covers(evidence("nodes")) == ("pools/service",)
    assert kinds(evidence(refused=("nodes",))) == EVERY_KIND - PODS - {"node"} | {"pod/seen"}
    assert kinds(evidence("pods", refused=("nodes",))) == EVERY_KIND - PODS - {"node"}


def test_pods_are_asked_only_where_the_plugin_is_unknown() -> None:
    assert kinds(evidence("pods"), uses_pod_cidr=True) == EVERY_KIND
    assert kinds(evidence("pods"), uses_pod_cidr=None) == EVERY_KIND - PODS
    assert kinds(evidence("pods"), uses_pod_cidr=False) == EVERY_KIND - PODS, "then they are all there is"


@pytest.mark.parametrize("fact", PLUGIN_FACTS)
def test_a_plugin_is_known_when_all_its_signs_were_looked_for(fact: str) -> None:
    assert kinds(evidence(unanswered=(fact,)), uses_pod_cidr=True) == EVERY_KIND - PODS
    assert kinds(evidence("workloads/DaemonSet"), uses_pod_cidr=True) == EVERY_KIND - PODS
    assert kinds(evidence(refused=("workloads/DaemonSet",)), uses_pod_cidr=True) == EVERY_KIND


def test_service_ranges() -> None:
    assert kinds(evidence("services")) == EVERY_KIND - {"loadbalancer", "external"}
    assert kinds(evidence("services"), has_ranges=False) == EVERY_KIND - {"loadbalancer", "external", "service"}
    assert kinds(evidence("service_cidrs")) == EVERY_KIND - {"service"}
    refused = evidence(refused=("service_cidrs",))
    assert kinds(refused) == EVERY_KIND
    assert kinds(refused, has_ranges=False) == EVERY_KIND - {"service"} | {"service/seen"}


def balancers(pools: Pools) -> set[str]:
    batch = pools.batch(1, 60, complete=True)
    assert batch is not None
    section = next(each for each in batch.sections if each.table.name == "allocations")
    rows = zip(section.columns["kind"], section.columns["cidr"], strict=True)
    assert {cidr for kind, cidr in rows if kind == "loadbalancer"} == {"192.0.2.7/32"}
    return {cover for cover in batch.covers if "loadbalancer" in cover}


@pytest.mark.parametrize("kind", sorted({each.source for each in WANTED_KINDS if each.has_balancer_ranges}))
@pytest.mark.parametrize(("state", "reason"), [("forbidden", "forbidden"), ("failed", "unknown_version")])
def test_ranges_of_load_balancers_that_were_never_read_are_not_all_there_is(kind: str, state: Any, reason: str) -> None:
    inventory = cluster("nodes", "pods", "services")
    balancer = {"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer"}}
    balancer["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
    inventory.service(decode(Service, balancer, "web"), 1)
    pools = Pools(inventory)
    assert balancers(pools) == {"allocations/loadbalancer"}
    inventory.report(kind, Source(state=state, reason=reason), 1)
    assert balancers(pools) == {"allocations/loadbalancer/seen"}
    inventory.report(kind, Source(state="absent"), 1)
    assert balancers(pools) == {"allocations/loadbalancer"}


def test_ranges_of_load_balancers_that_were_read_before_are_still_known() -> None:
    inventory = cluster("nodes", "pods", "services")
    pools = Pools(inventory)
    pools.custom = {"metallb.io/ipaddresspools": ()}
    inventory.report("metallb.io/ipaddresspools", Source(state="forbidden"), 1)
    batch = pools.batch(1, 60)
    assert batch is not None
    assert "allocations/loadbalancer" in batch.covers


@given(st.sets(st.sampled_from(sorted(SOURCES))), st.sets(st.sampled_from(sorted(SOURCES))))
def test_reading_more_never_covers_less(unread: set[str], more: set[str]) -> None:
    """Otherwise a kind told once would stay as it was for as long as the spoke runs."""
    for uses in (True, False, None):
        before = kinds(evidence(*unread), uses_pod_cidr=uses)
        assert before <= kinds(evidence(*(unread - more)), uses_pod_cidr=uses)
    assert set(pool_covers(evidence(*unread))) <= set(pool_covers(evidence(*(unread - more))))


def cluster(*listed: str) -> Inventory:
    inventory = Inventory(LabelFilter())
    inventory.cluster_uid = "c"
    inventory.answered |= set(PLUGIN_FACTS)
    inventory.listed |= set(listed)
    inventory.node(decode(Node, node("n1", podCIDRs=["10.244.0.0/24"]), "n1"), 1)
    inventory.pod(decode(Pod, pod("a", ("10.244.0.5",)), "a"), 1)
    return inventory


def test_a_batch_names_only_what_it_covers() -> None:
    inventory = cluster("nodes")
    pools = Pools(inventory)
    batch = pools.batch(1, 60)
    assert batch is not None
    (section,) = batch.sections
    assert (batch.covers, section.columns["kind"]) == (("allocations/node",), ["node"])
    assert pools.batch(1, 60) is None, "nothing new of what is known, and nothing known of the rest"
    inventory.listed |= {"pods", "workloads/DaemonSet"}
    assert pools.allocations_changed(1)
    batch = pools.batch(1, 60)
    assert batch is not None
    assert {"allocations/pod", "pools/node"} <= set(batch.covers)


def test_use_is_unknown_where_pods_may_not_be_read() -> None:
    inventory = cluster("nodes", "workloads/DaemonSet")
    inventory.report("pods", Source(state="forbidden"), 1)
    inventory.workload(
        decode(Thing, {"metadata": {"name": "kindnet", "namespace": "kube-system"}}, "d"), "DaemonSet", "apps", 1
    )
    batch = Pools(inventory).batch(1, 60)
    assert batch is not None
    pools = next(section for section in batch.sections if section.table.name == "pools")
    assert (pools.columns["capacity"], pools.columns["used"], pools.columns["free"]) == (["256"], [None], [None])


def test_plugins_do_not_change_with_the_health_of_a_watch() -> None:
    inventory = cluster("workloads/DaemonSet")
    inventory.facts.groups = {"vpcresources.k8s.aws": ("v1alpha1",)}
    inventory.workload(
        decode(Thing, {"metadata": {"name": "kindnet", "namespace": "kube-system"}}, "d"), "DaemonSet", "apps", 1
    )
    assert inventory.cnis() == ("kindnet",)
    for state in ("failed", "forbidden", "slow"):
        inventory.report("apps/daemonsets", Source(state=state), 2)
        assert inventory.cnis() == ("kindnet",)
