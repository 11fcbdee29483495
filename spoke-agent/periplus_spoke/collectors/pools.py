"""From the inventory to ipam batches: which adapters speak, what is impossible, what has changed."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from periplus_contract.covers import pools as pool_cover
from periplus_contract.tables import IP_ADDRESSES, NODES, PODS, SERVICE_CIDRS, SERVICES
from periplus_spoke.collectors.coverage import Evidence, allocation_covers, pool_covers
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.collectors.ipam.reading import SERVICE_RANGE, faults_source, read_adapters, service_range
from periplus_spoke.collectors.ipam.registry import ADAPTERS
from periplus_spoke.conversion.allocations import core_allocations, service_pools, service_ranges
from periplus_spoke.conversion.cidr import told_elsewhere
from periplus_spoke.conversion.cni import uses_pod_cidr
from periplus_spoke.conversion.ipam import (
    Allocation,
    ConfigMaps,
    Flags,
    IpamView,
    Pool,
    Statement,
    covered,
    digest,
    ipam_batch,
    unique,
)
from periplus_spoke.conversion.presence import GRACE_US, Listing
from periplus_spoke.conversion.records import Sealable
from periplus_spoke.conversion.rows import positions

_READ: Final = (NODES, PODS, SERVICES, SERVICE_CIDRS, IP_ADDRESSES)
_BOUNDS: Final = (SERVICES, SERVICE_CIDRS)
"""With the nodes' addresses and ranges, what allocations are made of; pods only tell which ranges are believed."""
_NODE_CELLS: Final = tuple(positions(NODES)[name] for name in ("name", "addresses", "pod_cidrs"))
_MICROS: Final = 1_000_000
_CORE: Final = "ipam/kubernetes"


class _Result(msgspec.Struct):
    pools: list[Pool]
    pool_covers: tuple[str, ...]
    allocations: list[Allocation]
    allocation_covers: tuple[str, ...]
    digest: bytes


class Pools:
    """Recomputes only when something it looks at has changed."""

    def __init__(self, inventory: Inventory, adapters: Sequence[IpamAdapter] = ADAPTERS) -> None:
        self._inventory = inventory
        self._adapters = adapters
        kinds = (kind for adapter in adapters for kind in adapter.kinds)
        self._balancer_sources = tuple(kind.source for kind in kinds if kind.has_balancer_ranges)
        self._seen: tuple[object, ...] = ()
        self._result = _Result([], (), [], (), digest((), ()))
        self._bounds: tuple[object, ...] = ()
        self._nodes_seen = -1
        self._nodes_hash = 0
        self._told = self._result.digest
        self.configs: ConfigMaps = {}
        self.flags: Flags = {}
        self.custom: Mapping[str, Sequence[object]] = {}
        self.has_custom = True
        """Whether `custom` has every kind that is served."""
        self.absent: frozenset[str] = frozenset()
        """Sources of kinds that the API server does not serve."""
        self.listing: Listing | None = None
        """How `custom` was listed."""

    def allocations_changed(self, at_us: int) -> bool:
        """Whether the allocations, or the kinds of which all are known, are not those last told.

        Pods alone do not move it at once: their comings and goings count with the next window.
        """
        revisions = self._inventory.state.revisions
        tables = (revisions[each.name] for each in _BOUNDS)
        settings = (self.configs, self.flags, self._inventory.node_notes_revision)
        bounds = (self._node_bounds(revisions[NODES.name]), *tables, *settings, self._evidence())
        if bounds != self._bounds:
            self._bounds = bounds
            self.refresh(at_us)
        return self._result.digest != self._told

    def _node_bounds(self, revision: int) -> int:
        """Changes when a node's addresses or ranges do; not when it is only late or ready again."""
        if revision != self._nodes_seen:
            self._nodes_seen = revision
            rows = self._inventory.state.rows(NODES).values()
            self._nodes_hash = hash(frozenset(tuple(row[index] for index in _NODE_CELLS) for row in rows))
        return self._nodes_hash

    def batch(self, at_us: int, window_s: int, *, complete: bool = False) -> Sealable | None:
        """The batch of the window around `at_us`: all pools, and the allocations when they changed or `complete`.

        Only of what could be read whole: None while that is nothing.
        """
        self.refresh(at_us)
        result = self._result
        tell = complete or result.digest != self._told
        # Told with this batch: the outbox keeps it or says that everything is to be told again.
        self._told = result.digest
        start_s = at_us // _MICROS
        statement = Statement(
            pools=result.pools,
            allocations=result.allocations if tell else (),
            covers=(*result.pool_covers, *(result.allocation_covers if tell else ())),
        )
        if not statement.covers:
            return None
        return ipam_batch(
            statement,
            window_start_s=start_s - start_s % window_s,
            window_s=window_s,
            observed_at_us=at_us,
        )

    def refresh(self, at_us: int) -> None:
        """Compute anew what is not up to date; what is said of the adapters' sources is told on the way."""
        state = self._inventory.state
        cnis = self._inventory.cnis()
        tables = (state.revisions[table.name] for table in _READ)
        settings = (self.configs, self.flags, self.custom, self.absent, self._inventory.node_notes_revision)
        seen = (*tables, cnis, *settings, self._evidence(), self.listing, self._inventory.is_current(NODES, PODS))
        # Before it is computed: an adapter that fails is not asked again until something it looks at has changed.
        if seen != self._seen:
            self._seen = seen
            self._result = self._compute(cnis, at_us)

    def _evidence(self) -> Evidence:
        lacks = any(map(self._is_unread, self._balancer_sources))
        return msgspec.structs.replace(
            self._inventory.evidence(), has_custom=self.has_custom, lacks_balancer_ranges=lacks
        )

    def _is_unread(self, source: str) -> bool:
        known = self._inventory.sources.get(source)
        return known is not None and known.state not in {"ok", "absent"} and source not in self.custom

    def _departures(self) -> Listing | None:
        """The listing with who went since; None while it is not known who is there."""
        if self.listing is None or not self._inventory.is_current(NODES, PODS):
            return None
        departed = self._inventory.departures.since(self.listing.began_us - GRACE_US)
        return None if departed is None else msgspec.structs.replace(self.listing, departed=departed)

    def _compute(self, cnis: tuple[str, ...], at_us: int) -> _Result:
        tables = {table.name: self._inventory.state.rows(table) for table in _READ}
        evidence = self._evidence()
        view = IpamView(
            tables,
            cnis,
            self.configs,
            self.custom,
            has_pods=PODS.name in evidence.listed,
            flags=self.flags,
            notes=self._inventory.node_notes,
            absent=self.absent,
            listing=self._departures(),
            groups=self._inventory.facts.groups,
        )
        facts = DetectFacts(cnis=cnis, groups=self._inventory.facts.groups, configs=self.configs)
        faults: list[str] = []
        pools = service_pools(view, faults.append)
        allocations = core_allocations(view, faults.append)
        reading = read_adapters(self._adapters, view, facts, at_us)
        sources = {_CORE: faults_source(faults, at_us), SERVICE_RANGE: service_range(allocations, at_us)}
        for name, source in (sources | reading.sources).items():
            self._inventory.report(name, source, at_us, quietly=True)
        known = allocation_covers(
            evidence,
            has_ranges=any(True for _ in service_ranges(view, told_elsewhere)),
            uses_pod_cidr=uses_pod_cidr(cnis, self.configs),
        )
        scopes = pool_covers(evidence)
        named = covered(unique([*allocations, *reading.allocations]), known)
        sampled = [pool for pool in (*pools, *reading.pools) if pool_cover(pool.scope) in scopes]
        return _Result(sampled, scopes, named, known, digest(named, known))
