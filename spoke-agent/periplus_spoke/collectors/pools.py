"""From the inventory to ipam batches: which adapters speak, what is impossible, what has changed."""

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from periplus_contract.covers import pools as pool_cover
from periplus_contract.tables import IP_ADDRESSES, NODES, PODS, SERVICE_CIDRS, SERVICES
from periplus_spoke.collectors.coverage import Evidence, allocation_covers, pool_covers
from periplus_spoke.collectors.facts import CILIUM
from periplus_spoke.collectors.inventory import Inventory
from periplus_spoke.collectors.ipam.base import DetectFacts, IpamAdapter
from periplus_spoke.collectors.ipam.registry import ADAPTERS, LAST_RESORT
from periplus_spoke.fold.allocations import core_allocations, service_pools, service_ranges
from periplus_spoke.fold.cni import uses_pod_cidr
from periplus_spoke.fold.ipam import (
    Allocation,
    ConfigMaps,
    IpamView,
    Pool,
    Statement,
    covered,
    digest,
    ipam_batch,
    unique,
)
from periplus_spoke.fold.records import Sealable
from periplus_spoke.fold.rows import positions
from periplus_spoke.fold.sources import Source

_READ: Final = (NODES, PODS, SERVICES, SERVICE_CIDRS, IP_ADDRESSES)
_BOUNDS: Final = (SERVICES, SERVICE_CIDRS)
"""With the nodes' addresses and ranges, what allocations are made of; pods only tell which ranges are believed."""
_NODE_CELLS: Final = tuple(positions(NODES)[name] for name in ("name", "addresses", "pod_cidrs"))
_MICROS: Final = 1_000_000
_FAULTS_SHOWN: Final = 3
_CORE: Final = "ipam/kubernetes"
_FAULT: Final = Source(
    state="failed",
    reason="spoke_fault",
    message="this IPAM adapter failed",
    remedy="Report it with the spoke's log.",
)

_log: Final = logging.getLogger(__name__)


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
        self._seen: tuple[object, ...] = ()
        self._result = _Result([], (), [], (), digest((), ()))
        self._bounds: tuple[object, ...] = ()
        self._nodes_seen = -1
        self._nodes_hash = 0
        self._told = self._result.digest
        self.configs: ConfigMaps = {}
        self.custom: Mapping[str, Sequence[object]] = {}
        self.has_custom = True
        """Whether `custom` has every kind that is served."""

    def allocations_changed(self, at_us: int) -> bool:
        """Whether the allocations, or the kinds of which all are known, are not those last told.

        Pods alone do not move it at once: their comings and goings count with the next window.
        """
        revisions = self._inventory.state.revisions
        tables = (revisions[each.name] for each in _BOUNDS)
        bounds = (self._node_bounds(revisions[NODES.name]), *tables, self.configs, self._evidence())
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
        seen = (*(state.revisions[table.name] for table in _READ), cnis, self.configs, self.custom, self._evidence())
        if seen != self._seen:
            self._seen = seen
            self._result = self._compute(cnis, at_us)

    def _evidence(self) -> Evidence:
        return msgspec.structs.replace(self._inventory.evidence(), has_custom=self.has_custom)

    def _compute(self, cnis: tuple[str, ...], at_us: int) -> _Result:
        tables = {table.name: self._inventory.state.rows(table) for table in _READ}
        evidence = self._evidence()
        has_pods = PODS.name in evidence.listed
        view = IpamView(tables, cnis, self.configs, self.custom, has_pods=has_pods)
        facts = DetectFacts(cnis=cnis, groups=self._inventory.facts.groups, configs=self.configs)
        faults: list[str] = []
        pools = service_pools(view, faults.append)
        allocations = core_allocations(view, faults.append)
        self._report(_CORE, faults, at_us)
        pod_ranges: list[Allocation] = []
        for adapter in self._adapters:
            try:
                more, ranges = self._ask(adapter, view, facts, at_us)
            except Exception:  # noqa: BLE001 - a fault in one adapter must not silence the others
                _log.exception("IPAM adapter %s failed", adapter.name)
                self._inventory.report(f"ipam/{adapter.name}", _FAULT, at_us, quietly=True)
                continue
            pools += more
            pod_ranges += ranges
        if not pod_ranges:
            pools += LAST_RESORT.pools(view, _told_already)
            pod_ranges = LAST_RESORT.allocations(view, _told_already)
        known = allocation_covers(
            evidence,
            has_ranges=any(True for _ in service_ranges(view, _told_already)),
            uses_pod_cidr=uses_pod_cidr(cnis, self.configs.get(CILIUM, {})),
        )
        scopes = pool_covers(evidence)
        named = covered(unique([*allocations, *pod_ranges]), known)
        sampled = [pool for pool in pools if pool_cover(pool.scope) in scopes]
        return _Result(sampled, scopes, named, known, digest(named, known))

    def _ask(
        self, adapter: IpamAdapter, view: IpamView, facts: DetectFacts, at_us: int
    ) -> tuple[list[Pool], list[Allocation]]:
        silence = adapter.silent_because(view)
        if silence:
            self._say_silent(adapter.name, silence, at_us)
            return [], []
        if not adapter.detect(facts):
            return [], []
        faults: list[str] = []
        found = adapter.pools(view, faults.append), adapter.allocations(view, faults.append)
        self._report(f"ipam/{adapter.name}", faults, at_us)
        return found

    def _report(self, name: str, faults: list[str], at_us: int) -> None:
        distinct = sorted(set(faults))
        if not distinct:
            source = Source(state="ok", as_of_us=at_us)
        else:
            more = f" and {len(distinct) - _FAULTS_SHOWN} more" if len(distinct) > _FAULTS_SHOWN else ""
            source = Source(
                state="failed",
                reason="impossible_cidr",
                message="; ".join(distinct[:_FAULTS_SHOWN]) + more,
                remedy="Correct these objects; they are left out of pools and allocations.",
                objects=len(distinct),
            )
        self._inventory.report(name, source, at_us, quietly=True)

    def _say_silent(self, name: str, reason: str, at_us: int) -> None:
        source = Source(
            state="absent",
            reason="not_used_for_pods",
            message=reason,
            remedy="Nothing: the ranges pods really use are told instead.",
        )
        self._inventory.report(f"ipam/{name}", source, at_us, quietly=True)


def _told_already(_: str) -> None:
    """Faults of the last resort: the adapters before it have met the same objects."""
