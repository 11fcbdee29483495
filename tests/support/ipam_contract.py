"""What every IPAM adapter must hold, whatever it reads. Subclass it, name the adapter, and give it views."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from periplus_contract.limits import MAX_EVIDENCE
from periplus_contract.tables import IP_ADDRESSES, NODES, PODS, SERVICE_CIDRS, SERVICES
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.conversion.cidr import parse_cidr
from periplus_spoke.conversion.ipam import ConfigMaps, Flags, IpamView, WantedKind
from periplus_spoke.conversion.objects import Node, Pod, Service, ServiceCidr
from periplus_spoke.conversion.presence import Listing
from periplus_spoke.conversion.text import LabelFilter

from tests.support.decoding import decode

_READ = (NODES, PODS, SERVICES, SERVICE_CIDRS, IP_ADDRESSES)
_SCOPES = {"cluster", "node", "namespace", "lb", "service", "external"}
_KINDS = {"pod", "service", "loadbalancer", "external", "reserved"}
_QUALITIES = {"exact", "derived", "nominal"}


def view_of(
    *,
    nodes: Sequence[dict[str, object]] = (),
    pods: Sequence[dict[str, object]] = (),
    services: Sequence[dict[str, object]] = (),
    service_cidrs: Sequence[dict[str, object]] = (),
    cnis: Sequence[str] = ("unknown",),
    configs: ConfigMaps | None = None,
    custom: Mapping[WantedKind[Any], Sequence[dict[str, object]]] | None = None,
    flags: Flags | None = None,
    absent: Collection[WantedKind[Any]] = (),
    listing: Listing | None = None,
    groups: Collection[str] = (),
) -> IpamView:
    """A view on Kubernetes objects given as JSON; who is missing can be told where there is a `listing`."""
    inventory = Inventory(LabelFilter())
    for index, thing in enumerate(nodes):
        inventory.node(decode(Node, thing, f"node-{index}"), 1)
    for index, thing in enumerate(pods):
        inventory.pod(decode(Pod, thing, f"pod-{index}"), 1)
    for index, thing in enumerate(services):
        inventory.service(decode(Service, thing, f"service-{index}"), 1)
    for index, thing in enumerate(service_cidrs):
        inventory.service_cidr(decode(ServiceCidr, thing, f"cidr-{index}"), 1)
    tables = {table.name: inventory.state.rows(table) for table in _READ}
    objects = {
        kind.source: [msgspec.convert(thing, kind.type) for thing in things] for kind, things in (custom or {}).items()
    }
    return IpamView(
        tables,
        cnis,
        configs or {},
        objects,
        flags=flags,
        notes=inventory.node_notes,
        absent=frozenset(kind.source for kind in absent),
        listing=listing,
        groups=groups,
    )


class IpamAdapterContract(ABC):
    """Inherit, and say what stands below."""

    adapter: IpamAdapter
    last_resort = False
    """Whether it speaks for any cluster that no other adapter speaks for."""

    @abstractmethod
    def ordinary(self) -> list[IpamView]:
        """Clusters where this allocator is at work."""

    @abstractmethod
    def broken(self) -> IpamView:
        """A cluster with ranges or addresses that cannot be, and no others."""

    @abstractmethod
    def elsewhere(self) -> DetectFacts:
        """A cluster where another allocator is at work."""

    def views(self) -> list[IpamView]:
        """All of them."""
        return [*self.ordinary(), self.broken()]

    def test_its_name_is_a_provider(self) -> None:
        assert self.adapter.name == self.adapter.name.lower().replace("_", "-")
        assert self.adapter.name

    def test_it_speaks_for_others_only_as_the_last_resort(self) -> None:
        assert self.adapter.detect(self.elsewhere()) is self.last_resort

    def test_it_finds_something_where_it_is_at_work(self) -> None:
        for view in self.ordinary():
            assert self.adapter.pools(view, lambda _: None)
            assert self.adapter.allocations(view, lambda _: None)

    def test_it_is_pure(self) -> None:
        for view in self.views():
            pools = [self.adapter.pools(view, lambda _: None) for _ in range(2)]
            allocations = [self.adapter.allocations(view, lambda _: None) for _ in range(2)]
            assert (pools[0], allocations[0]) == (pools[1], allocations[1])

    def test_no_two_pools_are_one_for_the_hub(self) -> None:
        for view in self.views():
            pools = [(pool.name, pool.family, pool.node) for pool in self.adapter.pools(view, lambda _: None)]
            assert len(set(pools)) == len(pools)

    def test_pools_add_up(self) -> None:
        for view in self.views():
            for pool in self.adapter.pools(view, lambda _: None):
                assert pool.provider == self.adapter.name
                assert (pool.scope in _SCOPES, pool.quality in _QUALITIES) == (True, True)
                assert (pool.scope == "node") == (pool.node is not None)
                overlapping = (pool.capacity, pool.assigned, pool.borrowed)
                counts = (*overlapping, pool.used, pool.reserved, pool.cooling, pool.leaked, pool.unusable, pool.free)
                assert all(count is None or count >= 0 for count in counts)
                assert all(parse_cidr(cidr).version == pool.family for cidr in pool.cidrs)
                assert (pool.borrowed or 0) <= (pool.used or 0)
                assert bool(pool.evidence) is bool(pool.leaked)
                assert len(pool.evidence) <= MAX_EVIDENCE
                if pool.capacity is not None:
                    parts = (pool.used, pool.reserved, pool.cooling, pool.leaked, pool.unusable, pool.free)
                    assert sum(count or 0 for count in parts) <= pool.capacity, pool
                    assert (pool.assigned or 0) <= pool.capacity, pool

    def test_allocations_are_its_own_and_in_canonical_form(self) -> None:
        for view in self.views():
            for item in self.adapter.allocations(view, lambda _: None):
                assert item.provider == self.adapter.name
                assert item.kind in _KINDS
                assert item.source
                assert str(parse_cidr(item.cidr)) == item.cidr

    def test_where_the_pod_range_is_shared_its_addresses_are_only_seen(self) -> None:
        for view in self.ordinary():
            if self.adapter.shares_pod_range(view):
                pods = [item for item in self.adapter.allocations(view, lambda _: None) if item.kind == "pod"]
                assert {item.quality for item in pods} <= {"seen"}

    def test_impossible_ranges_are_told_and_left_out(self) -> None:
        told: list[str] = []
        assert self.adapter.pools(self.broken(), told.append) == []
        assert self.adapter.allocations(self.broken(), told.append) == []
        assert told
        assert all(told)

    def test_ordinary_clusters_have_no_faults(self) -> None:
        told: list[str] = []
        for view in self.ordinary():
            self.adapter.pools(view, told.append)
            self.adapter.allocations(view, told.append)
        assert told == []

    def test_an_empty_cluster_has_nothing(self) -> None:
        empty = view_of()
        assert self.adapter.pools(empty, lambda _: None) == []
        assert self.adapter.allocations(empty, lambda _: None) == []
