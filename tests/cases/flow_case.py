"""A case of flows as its JSON file says it: clusters, what they contained when, and what was reported. Pure."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Literal, TypeAlias

import msgspec

from periplus_contract.flow_words import WORKLOAD

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
START = datetime(2026, 1, 1, tzinfo=UTC)
ENROLLED_AT = START - timedelta(days=1)
_WITH_KIND = 2
_TIME = re.compile(r"([+-]?)(?:(\d+)d)?(\d{1,3}):(\d{2})(?::(\d{2}))?")


class _Part(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """A part of a case. A member that is not known would not be looked at, so it is refused."""


class Pod(_Part):
    """What had addresses from and until a time. Of one workload there may be many."""

    ips: list[str]
    workload: Name = "web"
    """`namespace/Kind/name`, `namespace/name` (a Deployment) or `name` (in `default`)."""
    since: str = "-1:00"
    until: str = ""
    told: str = ""
    """When the hub hears of it; else when it begins. What is told late is told after the rows."""
    node: Name = "node-1"


class Node(_Part):
    name: Name
    ips: list[str] = []
    external: list[str] = []
    region: str = ""
    zone: str = ""
    """As its labels have them; without these it has none."""


class Service(_Part):
    name: Name
    namespace: str = "default"
    cluster_ips: list[str] = msgspec.field(default_factory=list, name="clusterIPs")
    load_balancer_ips: list[str] = msgspec.field(default_factory=list, name="loadBalancerIPs")
    ports: list[str] = msgspec.field(default_factory=lambda: ["http|TCP|80|8080|"])
    backends: list[str] = []
    """Workloads of this cluster that stand behind it."""


class ReportedRange(_Part):
    """An allocation that the cluster reports as a claim."""

    cidr: Name
    kind: Literal["pod", "service", "node", "loadbalancer", "external"] = "pod"
    reach: Literal["routed", "masqueraded", ""] = "routed"


class Told(_Part):
    """What objects of the cluster say that an address stands for, by the contract's words."""

    role: Literal[
        "import", "local", "listener", "connector", "endpoint", "entry", "gateway", "global", "egress", "range"
    ]
    cidr: Name
    source: str = "multicluster.x-k8s.io/serviceimports"
    kind: str = ""
    namespace: str = ""
    name: str = ""
    clusters: list[str] = []
    since: str = "-1:00"
    until: str = ""


class ListedWorkload(_Part):
    """One that the inventory lists; there `replicas` pods of it are wanted."""

    name: Name
    """As of pods."""
    replicas: Annotated[int, msgspec.Meta(ge=0)] = 1


class Telling(_Part):
    """A time of which a source of the cluster told everything, also that nothing passed."""

    since: str = msgspec.field(name="from")
    until: str = ""
    """Else until the hub is asked."""
    node: str = ""
    """Of an agent, which sees its node alone; without it the source sees the whole cluster."""
    observed: Annotated[int, msgspec.Meta(ge=0)] = 1_000
    """Connections that it had in the last hour of this time."""
    unmeasured: Annotated[int, msgspec.Meta(ge=0)] = 0
    other_rows: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Rows of that hour beyond its row budget, of which it is not told who they are about."""
    lost: dict[str, Annotated[int, msgspec.Meta(ge=0)]] = {}
    """What it did not see of that hour, by the contract's reasons."""


class Cluster(_Part):
    name: Name
    domain: str = ""
    """Clusters of one domain are in one network; without it the cluster is alone in its own."""
    pods: list[Pod] = []
    nodes: list[Node] = []
    services: list[Service] = []
    ranges: list[ReportedRange] = []
    meanings: list[Told] = []
    provider: str = ""
    """Whose infrastructure it is on: aws, gcp, azure …"""
    aliases: list[str] = []
    """What other systems call it, as `system=name`."""
    workloads: list[ListedWorkload] | None = None
    """All that it has of the kinds that are listed; without it the inventory lists none, and knows of none."""
    tells: list[Telling] = []
    heard_until: str = ""
    """When its spoke was last heard; else it is heard when the hub is asked."""


class EnteredRange(_Part):
    """A range that somebody entered, a day before the start."""

    domain: Name
    cidr: Name
    name: str = ""
    use: str = "other"


class Connection(_Part):
    domains: Annotated[list[Name], msgspec.Meta(min_length=2, max_length=2)]
    mode: Literal["flat", "nat", "planned"]


class Row(_Part):
    """What a cluster's spoke reports, once for each window from `at` on."""

    src: Name
    """An address, or a workload as of pods, which the source told; in another cluster either or both, as `told_end`."""
    by: Name
    """The cluster whose spoke sends it."""
    dst: str = ""
    """May be left out of a row with a host: the source saw no address."""
    host: str = ""
    """The name by which the client asked for `dst`, where the source tells it."""
    reporter: Literal["client", "server", "both"] = "client"
    at: str = "0:00"
    windows: Annotated[int, msgspec.Meta(ge=1, le=1_440)] = 1
    window_s: Annotated[int, msgspec.Meta(ge=1, le=3_600)] = 60
    every_s: Annotated[int, msgspec.Meta(ge=1, le=604_800)] | None = None
    """From the start of a window to that of the next; else they follow each other."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 443
    protocol: Annotated[int, msgspec.Meta(ge=0, le=255)] = 6
    sampling: Annotated[int, msgspec.Meta(ge=1)] = 1
    measures: dict[str, Annotated[int, msgspec.Meta(ge=0, le=2**53)]] = {}
    """Of each window, by the contract's names; what is left out is not known."""
    times: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    """How often the same batch is sent."""


class Edge(_Part):
    """An edge that has to be there. What is left out may be anything."""

    src: Name
    """`namespace/name@cluster`, or kind and address of what is nobody's, like `external 1.2.3.0/24`."""
    dst: Name
    bytes_tx: int | msgspec.UnsetType | None = msgspec.UNSET
    bytes_rx: int | msgspec.UnsetType | None = msgspec.UNSET
    connections_opened: int | msgspec.UnsetType | None = msgspec.UNSET
    failures: int | msgspec.UnsetType | None = msgspec.UNSET
    ports: list[int] | None = None
    state: str = ""
    only_seen_by: str | msgspec.UnsetType | None = msgspec.UNSET
    rules: list[str] = []
    """Rules of the destination, each of which has to be among its."""


class Link(_Part):
    """A link that has to be there, by what it is between. Bytes that are left out may be any."""

    a: Name
    """`provider:region/zone`, with `@cluster` behind it where names are that cluster's own, or `not known`."""
    b: Name
    by: Literal["region", "zone"] = "zone"
    bytes_a_to_b: int | msgspec.UnsetType | None = msgspec.UNSET
    bytes_b_to_a: int | msgspec.UnsetType | None = msgspec.UNSET


class Owner(_Part):
    """Whose an address was, from where a cluster stands, at a time that it sent a row about it."""

    ip: Name
    seen_from: Name = msgspec.field(name="from")
    answer: Name
    """As an end of an edge."""
    host: str = ""
    """The name by which that cluster's client asked for it."""
    at: str = "0:00"
    candidates: list[str] = []
    """Of an ambiguous one: these and no others, as `namespace/name@cluster`."""


class Coverage(_Part):
    ratio: float | None = None
    least_ratio: float | None = None
    most_ratio: float | None = None
    sampling: int | None = None
    late: list[str] | None = None
    without_flows: list[str] | None = None


class ExpectedFinding(_Part):
    """One of a detector of flows that goes on."""

    detector: Name
    members: Annotated[list[Name], msgspec.Meta(min_length=1)]
    """All ends it names, as it names them; where it names none, the clusters it concerns. In any order."""
    severity: Literal["info", "warning", "critical", ""] = ""
    """Without it, any."""


class Expect(_Part):
    edges: list[Edge] = []
    no_edges: list[Edge] = []
    edge_count: int | None = None
    links: list[Link] = []
    link_count: int | None = None
    """Between zones."""
    owners: list[Owner] = []
    coverage: Coverage | None = None
    findings: list[ExpectedFinding] | None = None
    """All of the detectors of flows. Without it they are not asked."""
    undecided: list[str] | None = None
    """All detectors of flows that cannot tell of something whether it is so. Without it they are not asked."""


class FlowCase(_Part):
    id: Name
    clusters: Annotated[list[Cluster], msgspec.Meta(min_length=1)]
    expect: Expect
    connections: list[Connection] = []
    ranges: list[EnteredRange] = []
    rows: list[Row] = []
    now: str = "2:00"
    """When the hub is asked."""
    hub_since: str = ""
    """Since when it is there without a break; else it was there for long enough to know who is silent."""
    cross_cluster: bool = False
    title: str = ""
    source: str = ""
    story: str = ""
    why: str = ""


def moment(text: str) -> datetime:
    """`h:mm`, `h:mm:ss`, with a sign and days (`-1d0:00`), counted from the case's start, or a time with its date."""
    found = _TIME.fullmatch(text)
    if found is None:
        return _with_date(text)
    sign, days, hours, minutes, seconds = found.groups()
    after = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return START - after if sign == "-" else START + after


def _with_date(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time: write h:mm from the case's start, -1d0:00, or a date with it"
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def workload(text: str) -> tuple[str, str, str]:
    """Namespace, kind and name."""
    parts = text.split("/")
    match parts:
        case [name]:
            return "default", "Deployment", name
        case [namespace, name]:
            return namespace, "Deployment", name
        case [namespace, kind, name]:
            return namespace, kind, name
    raise ValueError(f"{text!r} is no workload: write namespace/Kind/name")


def told_end(text: str) -> tuple[str, str, str]:
    """The address, the workload and the cluster of a row's end, each '' where it is not told.

    `203.0.113.7 shop/pay@istio=west-1` is a workload that the source saw behind an address, and named with its cluster.
    """
    whole, _, cluster = text.partition("@")
    parts = whole.split()
    addresses = [part for part in parts if is_address(part)]
    names = [workload(part) for part in parts if not is_address(part)]
    if len(addresses) > 1 or len(names) > 1 or (parts and names and addresses and not cluster):
        raise ValueError(f"{text!r} is no end: write an address or a workload, or both with @system=cluster")
    kind = WORKLOAD if cluster and whole.count("/") < _WITH_KIND else ""
    named = "".join("/".join((namespace, kind or own, name)) for namespace, own, name in names)
    return "".join(addresses), named, cluster


def is_address(text: str) -> bool:
    """Whether an end is told by its address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
