"""Ipam batches: what every cluster has, and when allocations are told again."""

from typing import Any

import msgspec
import pytest

from periplus_contract.tables import SOURCES
from periplus_spoke.collectors.coverage import PLUGIN_FACTS
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import DetectFacts, WantedKind
from periplus_spoke.collectors.ipam.calico_ranges import BLOCKS, POOLS
from periplus_spoke.collectors.pools import Pools
from periplus_spoke.conversion.calico_objects import IPAMBlock, IPPool
from periplus_spoke.conversion.cidr import Fault
from periplus_spoke.conversion.ipam import Allocation, IpamView, Pool
from periplus_spoke.conversion.objects import IpAddress, Node, Pod, Service, ServiceCidr
from periplus_spoke.conversion.presence import GRACE_US, Listing
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.conversion.sources import Source
from periplus_spoke.conversion.text import LabelFilter

from tests.support.collecting import EVERYTHING
from tests.support.decoding import decode
from tests.support.kube_objects import node, pod, service

T0 = 1_800_000_030_000_000


def rows(sealable: Sealable, table: str) -> list[dict[str, Any]]:
    for section in sealable.sections:
        if section.table.name == table:
            return [{name: cells[index] for name, cells in section.columns.items()} for index in range(section.rows)]
    raise KeyError(table)


def batch_of(pools: Pools, *, complete: bool = False) -> Sealable:
    batch = pools.batch(T0, 60, complete=complete)
    assert batch is not None
    return batch


def shop() -> Inventory:
    inventory = Inventory(LabelFilter())
    inventory.listed |= EVERYTHING
    inventory.answered |= set(PLUGIN_FACTS)
    inventory.node(decode(Node, node("n1", podCIDRs=["10.244.0.0/24"]), "n1"), 1)
    inventory.pod(decode(Pod, pod("a", ("10.244.0.5",)), "a"), 1)
    inventory.service(
        decode(
            Service,
            service("web", ("10.96.0.10", "fd01::a"), externalIPs=["203.0.113.7"], ingress=[{"ip": "198.51.100.4"}]),
            "web",
        ),
        1,
    )
    return inventory


def test_allocations_of_an_ordinary_cluster() -> None:
    inventory = shop()
    cidr = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/16", "fd01::/112"]}}
    inventory.service_cidr(decode(ServiceCidr, cidr, "c"), 1)
    batch = batch_of(Pools(inventory))
    assert (batch.window_start_s, batch.window_s) == (1_800_000_000, 60)
    found = {(row["kind"], row["cidr"], row["name"]) for row in rows(batch, "allocations")}
    assert found == {
        ("node", "192.168.0.10/32", "n1"),
        ("pod", "10.244.0.0/24", "n1"),
        ("service", "10.96.0.0/16", "kubernetes"),
        ("service", "fd01::/112", "kubernetes"),
        ("loadbalancer", "198.51.100.4/32", "default/web"),
        ("external", "203.0.113.7/32", "default/web"),
    }


def test_service_pools_are_exact_with_ipaddress_objects() -> None:
    inventory = shop()
    cidr = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": ["10.96.0.0/24"]}}
    inventory.service_cidr(decode(ServiceCidr, cidr, "c"), 1)
    pools = Pools(inventory)
    (derived,) = [row for row in rows(batch_of(pools), "pools") if row["scope"] == "service"]
    assert (derived["quality"], derived["capacity"], derived["used"], derived["free"]) == ("derived", "256", "1", "253")
    assert derived["reserved"] == "2"
    for index in (1, 10):
        inventory.ip_address(decode(IpAddress, {"metadata": {"name": f"10.96.0.{index}"}}, str(index)), 2)
    (exact,) = [row for row in rows(batch_of(pools), "pools") if row["scope"] == "service"]
    assert (exact["quality"], exact["used"]) == ("exact", "2")


@pytest.mark.promise("unknown-is-not-zero")
def test_without_servicecidr_the_range_is_unknown_not_zero() -> None:
    batch = batch_of(Pools(shop()))
    services = [row for row in rows(batch, "pools") if row["scope"] == "service"]
    assert [(row["family"], row["capacity"], row["used"]) for row in services] == [(4, None, "1"), (6, None, "1")]
    ranges = [row for row in rows(batch, "allocations") if row["kind"] == "service"]
    assert [(row["cidr"], row["quality"]) for row in ranges] == [("10.96.0.10/32", "seen"), ("fd01::a/128", "seen")]


def test_allocations_are_told_only_when_they_changed() -> None:
    inventory = shop()
    pools = Pools(inventory)
    assert pools.allocations_changed(T0)
    assert len(batch_of(pools).sections) == 2
    assert not pools.allocations_changed(T0)
    inventory.pod(decode(Pod, pod("b", ("10.244.0.6",)), "b"), 2)
    quiet = batch_of(pools)
    assert [section.table.name for section in quiet.sections] == ["pools"]
    assert next(row["used"] for row in rows(quiet, "pools") if row["scope"] == "node") == "2"
    inventory.node(decode(Node, node("n2", podCIDRs=["10.244.1.0/24"]), "n2"), 3)
    assert pools.allocations_changed(T0)
    assert len(batch_of(pools, complete=True).sections) == 2


def test_a_node_that_is_only_late_moves_no_allocation() -> None:
    inventory = shop()
    pools = Pools(inventory)
    batch_of(pools)
    assert not pools.allocations_changed(T0)
    late = node("n1", podCIDRs=["10.244.0.0/24"])
    late["status"]["conditions"] = [{"type": "Ready", "status": "False"}]
    inventory.node(decode(Node, late, "n1"), 2)
    assert not pools.allocations_changed(T0)
    inventory.node(decode(Node, node("n1", podCIDRs=["10.244.7.0/24"]), "n1"), 3)
    assert pools.allocations_changed(T0)


def test_impossible_cidrs_become_a_fact_and_heal() -> None:
    inventory = shop()
    pools = Pools(inventory)
    inventory.node(decode(Node, node("n2", podCIDRs=["10.244.1.1/24"]), "n2"), 2)
    batch_of(pools)
    state, reason, message, *_ = inventory.state.rows(SOURCES)["ipam/node-podcidr"]
    assert (state, reason) == ("failed", "impossible_cidr")
    assert "n2" in str(message)
    assert "10.244.1.0/24" in str(message)
    inventory.node(decode(Node, node("n2", podCIDRs=["10.244.1.0/24"]), "n2"), 3)
    batch_of(pools)
    assert inventory.state.rows(SOURCES)["ipam/node-podcidr"][0] == "ok"


def leaking(pools: Pools) -> list[tuple[object, object]]:
    """(leaked, evidence) of the cluster's pools."""
    batch = pools.batch(T0, 60)
    assert batch is not None
    return [(row["leaked"], row["evidence"]) for row in rows(batch, "pools") if row["scope"] == "cluster"]


def test_a_pod_is_missed_only_once_the_blocks_were_listed_long_after_it_went() -> None:
    inventory = shop()
    for name in ("pods", "nodes"):
        inventory.report(name, Source(state="ok"), T0)
    inventory.facts.groups = {"crd.projectcalico.org": ("v1",)}
    pools = Pools(inventory)
    held = {"secondary": {"namespace": "default", "pod": "a", "node": "n1"}}
    spec = {"cidr": "10.244.0.0/30", "affinity": "host:n1", "allocations": [0, *[None] * 3], "attributes": [held]}
    block = msgspec.convert({"spec": spec}, IPAMBlock)
    pool = msgspec.convert({"metadata": {"name": "p"}, "spec": {"cidr": "10.244.0.0/24"}}, IPPool)
    pools.custom = {POOLS[0].source: [pool], BLOCKS[0].source: [block]}
    assert leaking(pools) == [(None, ())]
    pools.listing = Listing(began_us=T0)
    assert leaking(pools) == [("0", ())]
    inventory.forget_pod("a", T0 + 1)
    assert leaking(pools) == [("0", ())]
    pools.listing = Listing(began_us=T0 + GRACE_US)
    assert leaking(pools) == [("0", ())]
    pools.listing = Listing(began_us=T0 + GRACE_US + 2)
    assert leaking(pools) == [("1", ("10.244.0.0: pod default/a is not there",))]
    inventory.report("pods", Source(state="failed", reason="server_error"), T0)
    assert leaking(pools) == [(None, ())]


class Failing:
    name = "failing"
    kinds: tuple[WantedKind, ...] = ()

    def detect(self, facts: DetectFacts) -> bool:
        return True

    def silent_because(self, view: IpamView) -> str:
        return ""

    def pools(self, view: IpamView, fault: Fault) -> list[Pool]:
        raise ZeroDivisionError

    def allocations(self, view: IpamView, fault: Fault) -> list[Allocation]:
        return []


@pytest.mark.promise("sources-fail-alone")
def test_a_failing_adapter_does_not_silence_the_rest() -> None:
    inventory = shop()
    batch = batch_of(Pools(inventory, (Failing(),)))
    kinds = {row["kind"] for row in rows(batch, "allocations")}
    assert kinds == {"node", "pod", "service", "loadbalancer", "external"}
    assert inventory.sources["ipam/failing"].reason == "spoke_fault"
