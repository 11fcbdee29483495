"""Pools and allocations: what allocators hand out of, and every CIDR this cluster has in use."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar, cast

import msgspec

from periplus_contract.column_types import UTF8
from periplus_contract.covers import SEEN, AllocationKind, Scope
from periplus_contract.covers import allocations as cover_of
from periplus_contract.tables import (
    ALLOCATIONS,
    IP_ADDRESSES,
    NODES,
    PODS,
    POOLS,
    SERVICE_CIDRS,
    SERVICES,
    Kind,
    Table,
)
from periplus_spoke.conversion.presence import Listing, Presence
from periplus_spoke.conversion.records import Cell, Sealable, SectionRows
from periplus_spoke.conversion.rows import Row, pod_name, positions

PoolQuality = Literal["exact", "derived", "nominal"]
Quality = Literal["exact", "derived", "nominal", "seen"]
"""Of an allocation; all but `seen` are claims (`periplus_contract.tables.ALLOCATIONS`)."""
Reach = Literal["routed", "masqueraded", ""]
"""Whether addresses are reached from outside the cluster as they are; empty is unknown."""
ConfigMaps = Mapping[str, Mapping[str, str]]
"""`namespace/name` to data, of those that could be read."""

Flags = Mapping[str, tuple[str, ...]]
"""Component (`kube-controller-manager`) to its arguments, of those of the control plane that run as pods here; and
`aws-node` to its settings, `NAME=value` each."""
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

FINISHED: Final = frozenset(("Succeeded", "Failed"))


class Pool(msgspec.Struct, kw_only=True, frozen=True):
    """One row of the table `pools`; counts of addresses, None for unknown.

    What each count is, and which of them may not overlap: `periplus_contract.tables.POOLS`.
    """

    provider: str
    name: str
    family: Literal[4, 6]
    scope: Scope
    source: str
    quality: PoolQuality
    node: str | None = None
    cidrs: tuple[str, ...] = ()
    capacity: int | None = None
    assigned: int | None = None
    used: int | None = None
    reserved: int | None = None
    cooling: int | None = None
    leaked: int | None = None
    borrowed: int | None = None
    unusable: int | None = None
    free: int | None = None
    largest_free_block: int | None = None
    evidence: tuple[str, ...] = ()


class Allocation(msgspec.Struct, kw_only=True, frozen=True, order=True):
    """One row of the table `allocations`."""

    kind: AllocationKind
    cidr: str
    provider: str
    source: str
    name: str = ""
    node: str = ""
    quality: Quality = "exact"
    reach: Reach = ""
    for_some_pods: bool = False
    """Not told: whether only some pods may use it, of a further network or some namespaces, so that it says nothing
    about the range of all others."""


class WantedKind(msgspec.Struct, Generic[T_co], frozen=True, kw_only=True):
    """A kind an adapter wants listed, in all namespaces; the first of `versions` that serves it is read.

    `type` names the fields that are kept, each with a default: thousands of objects of which everything is kept do not
    fit into a spoke's memory.
    """

    group: str
    plural: str
    versions: tuple[str, ...]
    type: type[T_co]
    unless: str = ""
    """An API group that has the same objects and is read instead where it is served."""
    has_balancer_ranges: bool = False
    """Whether an object of it may say which addresses load balancers are given."""

    @property
    def source(self) -> str:
        """The name of its row in the table `sources`."""
        return f"{self.group}/{self.plural}"


class NodeFacts(NamedTuple):
    """A node as allocators see it; of annotations and labels those that `conversion.node_notes` keeps."""

    name: str
    addresses: tuple[str, ...]
    pod_cidrs: tuple[str, ...]
    notes: Mapping[str, str]
    provider_id: str
    pods_allocatable: int | None


class PodFacts(NamedTuple):
    """A pod that may hold addresses of a pod range."""

    name: str
    """`namespace/name`."""
    node: str | None
    addresses: tuple[str, ...]


class ServiceFacts(NamedTuple):
    """A service's addresses."""

    name: str
    cluster_ips: tuple[str, ...]
    load_balancer_ips: tuple[str, ...]
    external_ips: tuple[str, ...]


class IpamView:
    """What adapters may look at. Built from rows each time something changed, never kept."""

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, Row]],
        cnis: Sequence[str],
        configs: ConfigMaps,
        custom: Mapping[str, Sequence[object]],
        *,
        has_pods: bool = True,
        flags: Flags | None = None,
        notes: Mapping[str, Mapping[str, str]] | None = None,
        absent: Collection[str] = (),
        listing: Listing | None = None,
        groups: Collection[str] = (),
    ) -> None:
        self._tables = tables
        self.has_pods = has_pods
        """Whether the pods are all there; if not, what they use is unknown."""
        self.cnis = tuple(cnis)
        self.configs = configs
        self._custom = custom
        self.flags = flags or {}
        self._notes = notes or {}
        self._absent = absent
        self._listing = listing
        self._groups = groups
        self._presence: Presence | None = None

    def objects(self, kind: WantedKind[T]) -> Sequence[T]:
        """All objects of a kind that an adapter asked for; none where it is not served or may not be read."""
        return cast("Sequence[T]", self._custom.get(kind.source, ()))

    def has_objects(self, kind: WantedKind[Any]) -> bool:
        """Whether the kind was read, if only as empty."""
        return kind.source in self._custom

    def has_none(self, kind: WantedKind[Any]) -> bool:
        """Whether there is surely no object of the kind: none was listed, or the API server does not serve it."""
        return kind.source in self._absent or (self.has_objects(kind) and not self.objects(kind))

    def serves(self, group: str) -> bool:
        """Whether the API server has an API group."""
        return group in self._groups

    def presence(self, *kinds: WantedKind[Any]) -> Presence | None:
        """Which pods and nodes are there, for what these kinds say of them; None where that cannot be told.

        It can where pods, nodes and these kinds were read whole, one after the other.
        """
        if self._listing is None or any(kind.source in self._listing.stale for kind in kinds):
            return None
        if self._presence is None:
            node = positions(PODS)["node"]
            pods = {pod_name(row): cast("str", row[node] or "") for row in self._tables[PODS.name].values()}
            self._presence = Presence(pods, frozenset(each.name for each in self.nodes()), self._listing)
        return self._presence

    def nodes(self) -> Iterator[NodeFacts]:
        """All nodes."""
        names = ("name", "addresses", "pod_cidrs", "provider_id", "pods_allocatable")
        for name, addresses, cidrs, provider_id, allocatable in self._pick(NODES, *names):
            text = cast("str", name or "")
            yield NodeFacts(
                name=text,
                addresses=_texts(addresses),
                pod_cidrs=_texts(cidrs),
                notes=self._notes.get(text, {}),
                provider_id=cast("str", provider_id or ""),
                pods_allocatable=cast("int | None", allocatable),
            )

    def pods(self) -> Iterator[PodFacts]:
        """Pods that hold addresses: not on the host's network, not finished."""
        names = ("namespace", "name", "node", "ipv4", "ipv6", "host_network", "phase")
        for namespace, name, node, v4, v6, host, phase in self._pick(PODS, *names):
            found = tuple(text for text in (v4, v6) if isinstance(text, str))
            if found and not host and phase not in FINISHED:
                yield PodFacts(f"{namespace}/{name}", cast("str | None", node), found)

    def services(self) -> Iterator[ServiceFacts]:
        """All services, `namespace/name`."""
        names = ("namespace", "name", "cluster_ips", "load_balancer_ips", "external_ips")
        for namespace, name, cluster, balancer, external in self._pick(SERVICES, *names):
            yield ServiceFacts(f"{namespace}/{name}", _texts(cluster), _texts(balancer), _texts(external))

    def service_cidrs(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(name, CIDRs) of each ServiceCIDR."""
        for name, cidrs in self._pick(SERVICE_CIDRS, "name", "cidrs"):
            yield cast("str", name), _texts(cidrs)

    def service_addresses(self) -> Iterator[str]:
        """Names of all IPAddress objects."""
        for (address,) in self._pick(IP_ADDRESSES, "address"):
            yield cast("str", address)

    def _pick(self, table: Table, *names: str) -> Iterator[tuple[Cell, ...]]:
        indexes = [positions(table)[name] for name in names]
        for row in self._tables[table.name].values():
            yield tuple(row[index] for index in indexes)


def _texts(cell: Cell) -> tuple[str, ...]:
    return cell if isinstance(cell, tuple) else tuple(cell) if isinstance(cell, list) else ()


def unique(allocations: Iterable[Allocation]) -> list[Allocation]:
    """Sorted, one per (kind, cidr, node, provider): a shared address keeps the first name in the alphabet."""
    kept: dict[tuple[str, str, str, str], Allocation] = {}
    for item in sorted(allocations):
        kept.setdefault((item.kind, item.cidr, item.node, item.provider), item)
    return list(kept.values())


def covered(allocations: Iterable[Allocation], covers: Collection[str]) -> list[Allocation]:
    """Those that a batch with these covers may name."""
    return [
        item
        for item in allocations
        if cover_of(item.kind) in covers or (item.quality == SEEN and cover_of(item.kind, seen=True) in covers)
    ]


def digest(allocations: Sequence[Allocation], covers: Sequence[str]) -> bytes:
    """Equal for equal statements, whenever they were observed."""
    return hashlib.sha256(msgspec.msgpack.encode((allocations, covers))).digest()


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Pools and allocations of one moment, and what of them is complete."""

    pools: Sequence[Pool] = ()
    allocations: Sequence[Allocation] = ()
    covers: tuple[str, ...] = ()


def ipam_batch(statement: Statement, *, window_start_s: int, window_s: int, observed_at_us: int) -> Sealable:
    """One ipam batch."""
    given = ((POOLS, statement.pools), (ALLOCATIONS, statement.allocations))
    named = {cover.partition("/")[0] for cover in statement.covers}
    sections = tuple(
        _section(table, [msgspec.structs.asdict(item) for item in items], observed_at_us)
        for table, items in given
        if table.name in named
    )
    return Sealable(
        kind=Kind.IPAM,
        window_start_s=window_start_s,
        window_s=window_s,
        sections=sections,
        covers=statement.covers,
    )


def _section(table: Table, items: list[dict[str, Cell]], observed_at_us: int) -> SectionRows:
    columns: dict[str, list[Cell]] = {"observed_at": [observed_at_us] * len(items)}
    for column in table.columns:
        if column.name == "observed_at":
            continue
        values: list[Cell] = [item[column.name] for item in items]
        if column.type is UTF8:
            values = [str(value) if value not in (None, "") else None for value in values]
        columns[column.name] = values
    return SectionRows(table=table, columns=columns, rows=len(items))
