"""Tables and columns of every batch kind.

A batch body is the concatenation of one Arrow IPC stream per section, compressed as a whole with zstd. All times are
UTC microseconds. Counts of addresses travel as decimal text, because an IPv6 pool overflows 64 bits.

A stream is a schema and any number of record batches, at most `MAX_ARROW_MESSAGES` messages in all, in the encapsulated
format of Arrow 0.15 and later; it may end with an end-of-stream marker or without. Not taken are dictionaries, buffers
compressed inside the compressed body, buffers used more than once, another type than the column's, a column twice, and
bytes behind the end. Columns may stand in any order, those that may be null may be missing, and columns that a reader
does not know are skipped. Texts are UTF-8 without NUL. Names and metadata of the sender's schema, but for the columns'
names, mean nothing.

Inventory rows carry `op` (`upsert` or `delete`), `uid` (unique within its table and cluster) and `observed_at`.
A delete fills only those (and `ended_at` for pods). Labels and selectors are `key=value` texts.

Flows are two sections: `peers` has each end once, and a row of `flows` names its ends by their row numbers there, from
0. A measure that a source cannot know is null, never zero.
"""

from enum import StrEnum
from typing import Final, NamedTuple

from periplus_contract.column_types import BOOL, INT64, TIMESTAMP, UTF8, UTF8_LIST, Bounds, ColumnType
from periplus_contract.limits import LATEST_S, MAX_MEASURE, MAX_SAMPLING, MAX_WINDOW_S
from periplus_contract.rejections import Reason


class Kind(StrEnum):
    """What a batch carries. The envelope is the same for all."""

    INVENTORY = "inventory"
    IPAM = "ipam"
    FLOWS = "flows"
    DNS = "dns"
    EVENTS = "events"


class Column(NamedTuple):
    """One column. Columns that are not nullable must be filled in every row, deletes included."""

    name: str
    type: ColumnType
    nullable: bool = True
    bounds: Bounds | None = None
    """Of numbers: what is allowed here, where that is less than what the type allows."""
    refers_to: str = ""
    """The table whose rows its numbers are, in the same batch, from 0."""
    is_host: bool = False
    """Of texts: a name as `periplus_contract.hosts` has it."""


class Table(NamedTuple):
    """One section's columns, in wire order. Later minors append columns; readers ignore unknown ones."""

    name: str
    columns: tuple[Column, ...]
    has_windows: bool = False
    """Each row has its own `window_start` and `window_s`, which must lie within the window of its batch."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names in wire order."""
        return tuple(column.name for column in self.columns)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, UTF8) for name in names)


def _lists(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, UTF8_LIST) for name in names)


def _times(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, TIMESTAMP) for name in names)


def _flags(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, BOOL) for name in names)


def _within(name: str, least: int, most: int) -> Column:
    return Column(name, INT64, nullable=False, bounds=Bounds(least, most, Reason.OUT_OF_RANGE))


def _reference(name: str, to: Table) -> Column:
    return Column(name, INT64, nullable=False, refers_to=to.name)


def _measures(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, INT64, bounds=Bounds(0, MAX_MEASURE, Reason.OUT_OF_RANGE)) for name in names)


_OBJECT: Final = (
    Column("op", UTF8, nullable=False),
    Column("uid", UTF8, nullable=False),
    Column("observed_at", TIMESTAMP, nullable=False),
)

CLUSTER: Final = Table(
    "cluster",
    (
        *_OBJECT,
        *_texts("provider", "account", "region", "kubernetes_version", "platform", "distribution"),
        *_lists("regions", "zones", "cnis", "aliases"),
        *_texts("clusterset", "clusterset_cluster_id", "api_ca_sha256"),
    ),
)
"""One row; `uid` is the kube-system namespace's. `aliases` are `system=name` texts (cilium=prod-1): what
it is called in others' metrics, flows and objects, as what runs in it says. Null or empty is unknown, perhaps only now:
a reader keeps what it knew, but of `aliases` and the clusterset."""

SOURCES: Final = Table(
    "sources",
    (*_OBJECT, *_texts("state", "reason", "message", "remedy"), Column("objects", INT64), *_times("as_of")),
)
"""What the spoke tried to read. `uid` is the source's name (`pods`, `networking.k8s.io/servicecidrs`);
`state` is ok, absent, forbidden, failed or slow."""

NAMESPACES: Final = Table("namespaces", (*_OBJECT, *_texts("name"), *_lists("labels"), *_times("created_at")))

NODES: Final = Table(
    "nodes",
    (
        *_OBJECT,
        *_texts("name", "provider_id", "provider", "account", "region", "zone", "instance_type"),
        *_lists("addresses", "pod_cidrs", "labels"),
        Column("pods_allocatable", INT64),
        *_flags("ready"),
        *_times("created_at"),
    ),
)
"""`addresses` are `Type=value` texts with the types of core/v1 NodeAddress (InternalIP=10.0.0.1)."""

WORKLOADS: Final = Table(
    "workloads",
    (
        *_OBJECT,
        *_texts("namespace", "name", "kind", "api_group"),
        *_lists("labels"),
        Column("replicas", INT64),
        *_times("created_at"),
    ),
)
"""The top of each owner chain: Deployment rather than its ReplicaSet, CronJob rather than its Job. `replicas` is what
a Deployment or StatefulSet wants, and null for other kinds."""

PODS: Final = Table(
    "pods",
    (
        *_OBJECT,
        *_texts("namespace", "name", "node", "workload_kind", "workload_name", "ipv4", "ipv6", "phase"),
        *_flags("host_network"),
        *_times("started_at", "ended_at"),
        *_lists("labels"),
    ),
)
"""Kubernetes gives a pod at most one address per family at a time. A pod whose sandbox is made anew gets others under
the same uid: that is an upsert like any other, and its `observed_at` is since when. A null workload is unknown,
perhaps only now (its ReplicaSet was not read yet, or went before it), or there is none: a reader keeps what it
knew."""

SERVICES: Final = Table(
    "services",
    (
        *_OBJECT,
        *_texts("namespace", "name", "type", "external_name"),
        *_lists("cluster_ips", "external_ips", "load_balancer_ips", "load_balancer_hostnames"),
        *_lists("ports", "selector", "ip_families", "load_balancer_source_ranges", "labels"),
        *_texts("traffic_distribution", "internal_traffic_policy", "external_traffic_policy"),
        *_texts("session_affinity", "load_balancer_class"),
        *_flags("headless"),
        *_times("created_at"),
    ),
)
"""`ports` are `name|protocol|port|targetPort|nodePort|appProtocol` texts, empty parts kept."""

ENDPOINTS: Final = Table(
    "endpoints",
    (
        *_OBJECT,
        *_texts("namespace", "service", "slice", "address", "address_type", "node", "zone"),
        *_texts("target_kind", "target_namespace", "target_name", "target_uid"),
        *_flags("ready", "serving", "terminating"),
        *_lists("ports"),
    ),
)
"""One row per endpoint of an EndpointSlice; `uid` is `<slice uid>/<uid of its target>`, with the address where
it has none: pods on the host's network share theirs."""

SERVICE_CIDRS: Final = Table(
    "service_cidrs", (*_OBJECT, *_texts("name", "source"), *_lists("cidrs"), *_flags("ready", "terminating"))
)

IP_ADDRESSES: Final = Table(
    "ip_addresses",
    (
        *_OBJECT,
        *_texts("address", "parent_group", "parent_resource", "parent_namespace", "parent_name", "managed_by"),
    ),
)

FLOW_SOURCES: Final = Table("flow_sources", (*_OBJECT, *_texts("kind", "state", "place", "use", "why", "command")))
"""What flows could be read from in the cluster, as its spoke sees it, whether it reads it or not. `uid` is the kind,
and behind it the place where one is known. `kind` is one of `SOURCE_KINDS` of the words of flows; `state` is found,
absent, or unknown where what would show it may not be read. `place` is `namespace/name:port` as far as it is known.
`use` of a found one is chosen, not-chosen, or unreadable; null of one that is only where others are read. `why` says
why it is used so, why it is not known, or what is missing. `command` is the one command that would enable it, in which
`CLUSTER` stands for the cluster's name in the hub."""

MEANINGS: Final = Table(
    "meanings", (*_OBJECT, *_texts("source", "role", "cidr", "kind", "namespace", "name"), *_lists("clusters"))
)
"""What objects of the cluster say that addresses stand for, beside what has them itself. `source` is the kind that says
so, by its name in `sources`. `role` is how it is meant:

* import: a service of the clusters named, as this cluster reaches it
* local: a service of this cluster, by a further address in it
* listener: whatever the cluster named offers under the name, as this cluster reaches it
* connector: something in this cluster that it offers under the name; `clusters` is what offers it
* endpoint: something in the cluster named, behind the service
* entry: a host or workload that is in no cluster
* gateway: a door of the cluster named, and whatever is behind it
* global: a service or pod of this cluster, as other clusters reach it
* egress: where connections of this cluster seem to come from
* range: of the cluster named

`kind`, `namespace` and `name` are whom it stands for, as far as that is said. `clusters` are names that the tool which
made the object has for clusters. A row never changes: where something else is said, it is another row."""

POOLS: Final = Table(
    "pools",
    (
        Column("provider", UTF8, nullable=False),
        Column("name", UTF8, nullable=False),
        Column("family", INT64, nullable=False),
        Column("scope", UTF8, nullable=False),
        *_texts("node"),
        *_lists("cidrs"),
        *_texts("capacity", "assigned", "used", "reserved", "cooling", "leaked", "borrowed", "unusable"),
        *_texts("free", "largest_free_block"),
        *_lists("evidence"),
        Column("source", UTF8, nullable=False),
        Column("quality", UTF8, nullable=False),
        Column("observed_at", TIMESTAMP, nullable=False),
    ),
)
"""What an allocator hands addresses out of. `scope` is cluster, node, namespace, lb, service or external;
`quality` is exact (allocator counters), derived (counted objects) or nominal (CIDR arithmetic only). Counts are
decimal texts and null when unknown; `largest_free_block` is a prefix length as text.

`used`, `reserved`, `cooling`, `leaked`, `unusable` and `free` are parts of the capacity: no address counts in two of
them. `leaked` is what the allocator holds for pods or nodes that are gone, `cooling` what was given back and waits,
`unusable` what cannot be handed out though nobody has it. `assigned` is what was handed on, to nodes for example,
whatever became of it, and `borrowed` is what of the used ones comes from a block of another node: both overlap the
parts. `evidence` says what is leaked and how it shows, in at most `MAX_EVIDENCE` texts."""

ALLOCATIONS: Final = Table(
    "allocations",
    (
        Column("kind", UTF8, nullable=False),
        Column("cidr", UTF8, nullable=False),
        Column("provider", UTF8, nullable=False),
        Column("source", UTF8, nullable=False),
        *_texts("name", "node", "quality", "reach"),
        Column("observed_at", TIMESTAMP, nullable=False),
    ),
)
"""The CIDRs of the cluster, told whenever they changed: complete for the kinds that the batch covers, while
a kind it does not cover is unchanged. `kind` is pod, service, node, loadbalancer, external or reserved; single
addresses are /32 or /128. `quality` says how a row is known. Three say that it is a claim, a range that an allocator
may hand addresses out of: exact (the allocator says so), derived (it follows from settings or defaults that were read)
and nominal (somebody wrote it down where the allocator need not look, as in kubeadm-config). The fourth, seen, says
that these addresses are in use and that the range they come from is not known, or is shared by design: such rows
together hold the addresses in use and no others. `reach` is routed where addresses of the row are reached from outside
the cluster as they are, masqueraded where they are not and leave it behind the nodes' addresses, and null for
unknown. Rows that differ only in `node` are different: a range that two nodes hold is two rows."""

PEERS: Final = Table(
    "peers",
    (
        Column("address_high", INT64, nullable=False),
        Column("address_low", INT64, nullable=False),
        Column("namespace", UTF8, nullable=False),
        Column("kind", UTF8, nullable=False),
        Column("workload", UTF8, nullable=False),
        Column("cluster", UTF8),
        Column("host", UTF8, is_host=True),
    ),
)
"""The ends of flows. An address is 128 bits in two halves, each a number in two's complement; an IPv4 address is
`::ffff:a.b.c.d`, and `::` is no address. An end that is known only by its address has '' for `namespace`, `kind` and
`workload`. The kind `other` with no address is all ends beyond the row budget of a spoke together.

`cluster` is of an end in another cluster, as the source calls that, in the form of `aliases` of the table `cluster`:
`istio=west-1`. The names beside it are names there, with the kind `Workload` where the source does not say which; the
address is the one that the source saw, if it saw one. It is null where the source does not say, and of an end in the
cluster itself.

`host` is of an end that was connected to: the name by which the client asked for it, of DNS, TLS (SNI) or HTTP, or of
the service that a mesh took it for. At most 253 characters, in lower case, without a port and without a dot at the end;
an address is no name. It is null where the source does not say which name was used, and nobody guesses one. An end that
was asked for by two names is two rows here."""

FLOWS: Final = Table(
    "flows",
    (
        _reference("src", PEERS),
        _reference("dst", PEERS),
        _within("window_start", 0, LATEST_S),
        _within("window_s", 1, MAX_WINDOW_S),
        _within("dst_port", 0, 65_535),
        _within("protocol", 0, 255),
        _within("verdict", 0, 255),
        _within("reporter", 1, 3),
        _within("collector", 1, 65_535),
        *_measures("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "connections_opened", "connections_closed"),
        *_measures("failures_refused", "failures_timeout", "failures_other", "rtt_us_sum", "rtt_count", "retransmits"),
        _within("sampling", 1, MAX_SAMPLING),
        Column("policy", UTF8, nullable=False),
        Column("drop_reason", UTF8, nullable=False),
    ),
    has_windows=True,
)
"""What passed between two ends in a window, as one reporter saw it. `src` is who opened the connection, and tx is from
`src` to `dst`. `window_start` is in seconds since 1970, UTC. `protocol` is IANA's number, and `dst_port` 0 where it has
no ports, or for several. `verdict`, `reporter` and `collector` are the [words of flows](#words-of-flows). Measures are
deltas of the window; one that is null is not known, though something may have passed. `sampling` is the rate that
measures were scaled up by, once, before they were sent: 1 says that every packet was counted. `policy` and
`drop_reason` are '' where not known. Rows that differ in nothing but their measures add up."""

TABLES: Final[dict[Kind, tuple[Table, ...]]] = {
    Kind.INVENTORY: (
        CLUSTER,
        SOURCES,
        NAMESPACES,
        NODES,
        WORKLOADS,
        PODS,
        SERVICES,
        ENDPOINTS,
        SERVICE_CIDRS,
        IP_ADDRESSES,
        FLOW_SOURCES,
        MEANINGS,
    ),
    Kind.IPAM: (POOLS, ALLOCATIONS),
    Kind.FLOWS: (PEERS, FLOWS),
    Kind.DNS: (),
    Kind.EVENTS: (),
}
"""Tables the hub takes per kind. Kinds without tables have their envelope fixed and are refused with
`unsupported-kind` until a minor version brings their columns."""


def table(kind: Kind, name: str) -> Table | None:
    """The table `name` of `kind`, or None when this contract does not know it."""
    return next((known for known in TABLES[kind] if known.name == name), None)
