"""The overlap report as data. Pure: made from the hub's answer, turned into a document or into lines elsewhere.

The JSON document of `periplus try --json` is described in docs/reference/try-report.md and only ever grows.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from periplus_hub.addresses.overlaps.model import FederationTarget
from periplus_hub.kit.some_names import some

SCHEMA_VERSION: Final = 1
SAME_CLUSTER: Final = "same_cluster"
"""The reason of a context that leads to a cluster which is read already."""


class Severity(StrEnum):
    """Worst first."""

    CONFLICT = "conflict"
    BLOCKS_FEDERATION = "blocks-federation"
    LATENT = "latent"
    INTENDED = "intended"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


class ClusterState(StrEnum):
    """How far a cluster's addresses are known: the hub's words, in every list and report."""

    COMPLETE = "complete"
    """Everything that feeds its addresses was read whole, is in the hub, and its spoke was heard lately."""
    INCOMPLETE = "incomplete"
    """Something that feeds its addresses is missing (`missing`): what overlaps there is not known."""
    STALE = "stale"
    """Its spoke is silent: what is known is as of `lastHeard`."""
    UNREAD = "unread"
    """Nothing is known of it; reason, message and remedy say why."""
    PENDING = "pending"
    """It waits for approval, so nothing is known of it."""
    REVOKED = "revoked"
    """It is no member any more; in no report."""


@dataclass(frozen=True, kw_only=True)
class MissingLine:
    """Something that feeds a cluster's addresses and is not known whole."""

    source: str
    state: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class FlowSourceLine:
    """Something that flows could be read from in a cluster, as the hub calls it."""

    kind: str
    state: str
    """found, absent, or unknown where what would show it may not be read."""
    where: str
    """namespace/name:port, as far as it is known."""
    chosen: bool
    """Whether its spoke, or agents of its nodes, read flows from it."""
    why: str
    command: str
    """The one command that would enable it; empty where none would."""


@dataclass(frozen=True, kw_only=True)
class ClusterLine:
    """One cluster. Counts are None when unknown."""

    name: str
    context: str
    """Of the kubeconfig; empty for a hub that was there before, and for a file that cannot be read."""
    state: ClusterState
    network_domain: str = ""
    """The name of the network its addresses live in."""
    last_heard: str = ""
    """When its spoke last spoke, ISO 8601 UTC; empty is never."""
    reason: str = ""
    message: str = ""
    remedy: str = ""
    missing: tuple[MissingLine, ...] = ()
    """What its addresses are incomplete without, the most important first."""
    provider: str = ""
    region: str = ""
    version: str = ""
    cnis: tuple[str, ...] = ()
    nodes: int | None = None
    pods: int | None = None
    services: int | None = None
    flow_sources: tuple[FlowSourceLine, ...] = ()
    """Of 'periplus try' alone; empty is not known."""
    flow_command: str = ""
    """The one command that would give it flows; empty where a source is chosen, or none would."""


@dataclass(frozen=True, kw_only=True)
class MemberLine:
    """One allocation inside a group, with the worst of what it takes part in itself; None when it overlaps nobody."""

    cluster: str
    kind: str
    cidr: str
    severity: Severity | None
    node: str = ""
    """The node that holds it; empty for none."""
    source: str = ""
    """Who named it, like IPPool or nodes."""
    name: str = ""
    """Its name there."""
    quality: str = ""
    """How well it is known: exact, derived, nominal, seen or unknown."""
    claim: bool = True
    """Whether an allocator may hand addresses out of it; else these addresses are in use, and nothing more is known."""
    reach: str = ""
    """Whether it is reached from outside its cluster: routed, masqueraded or unknown."""


@dataclass(frozen=True, kw_only=True)
class HitLine:
    """One cluster of a group and how much the group hurts it; `kinds` are what it uses there that is hit so."""

    cluster: str
    network_domain: str
    severity: Severity
    kinds: tuple[str, ...]
    member_count: int


@dataclass(frozen=True, kw_only=True)
class CountLine:
    """How many clusters a group hurts so much."""

    severity: Severity
    clusters: int


@dataclass(frozen=True, kw_only=True)
class MoveLine:
    """A cluster that has to give up what it uses in a group, the smaller one where there is a choice."""

    cluster: str
    kind: str
    """What it uses it for: pod, service or node."""
    cidr: str | None
    """A free range to move to, of the size the cluster needs; no other move of the report has any of it."""
    why: str
    """What its size follows from, or why there is none."""


@dataclass(frozen=True, kw_only=True)
class GroupLine:
    """One overlap group; of `member_count` members at most the first hundred by address, of clusters the worst hit."""

    cidr: str
    family: int
    severity: Severity
    members: tuple[MemberLine, ...]
    member_count: int
    clusters: tuple[HitLine, ...]
    cluster_count: int
    since: str = ""
    """When the overlap was first seen, ISO 8601 UTC; empty while it is only asked about."""
    breaks: tuple[str, ...] = ()
    stops: tuple[FederationTarget, ...] = ()
    """Ways of joining the clusters that it hits worst which it stops."""
    may_stop: tuple[FederationTarget, ...] = ()
    """Ways that it stops or not, depending on what is not known here, like the reach of pods."""
    does_not_stop: tuple[FederationTarget, ...] = ()
    """Ways that it does not stop; another group may."""
    remedies: tuple[str, ...] = ()
    renumbered: tuple[str, ...] = ()
    """What of it needs another range, pod, service or node, before the overlap is over."""
    moves: tuple[MoveLine, ...] = ()
    """Who would move where, the smallest first; at most three, of `move_count`."""
    move_count: int = 0
    """How many ranges have to change before nothing overlaps here; 0 where no range of pods, services or nodes does."""
    free_ranges: tuple[str, ...] = ()
    """Those of `moves` that no group before this one names: all of the report are disjoint."""
    free_ranges_not_known_of: tuple[str, ...] = ()
    """Clusters, of the whole fleet, that may use them all the same, as not all they use is known: the first by name."""
    free_ranges_not_known_count: int = 0
    """How many such clusters there are, listed or not."""
    cluster_counts: tuple[CountLine, ...] = ()
    """Of all its clusters, listed or not."""

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for groups a person would read as one: same clusters, hit alike, with the same consequences."""
        hit = frozenset((each.cluster, each.severity, each.kinds) for each in self.clusters)
        return (self.severity, self.family, hit, self.breaks, self.stops, self.may_stop)

    def hit(self, severity: Severity) -> tuple[HitLine, ...]:
        """The clusters that the group hurts exactly so much."""
        return tuple(each for each in self.clusters if each.severity is severity)

    def count(self, severity: Severity) -> int:
        """How many those are, listed or not."""
        return sum(each.clusters for each in self.cluster_counts if each.severity is severity)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything `periplus try`, `periplus demo` and `periplus overlaps` print."""

    clusters: tuple[ClusterLine, ...]
    groups: tuple[GroupLine, ...]
    joined: bool = False
    as_of: str = ""
    doubt: str = ""
    """Why the groups do not follow from what is known now, like overlaps that were never computed; empty: they do."""
    asked: str = ""
    """What the groups were narrowed to, in words; empty: all there are."""
    copies: tuple[str, ...] = ()
    """Clusters that were made from one backup or disk, or may be one cluster: a sentence for each set."""
    notes: tuple[str, ...] = field(default=())

    def at_least(self, severity: Severity) -> bool:
        """Whether any overlap is as bad as `severity` or worse."""
        return any(group.severity.rank <= severity.rank for group in self.groups)

    @property
    def fleet(self) -> tuple[ClusterLine, ...]:
        """The clusters; a second context that leads to one of them is none."""
        return tuple(each for each in self.clusters if each.reason != SAME_CLUSTER)

    @property
    def complete_clusters(self) -> int:
        """How many there are of which everything is known."""
        return sum(each.state is ClusterState.COMPLETE for each in self.fleet)

    def unknown(self) -> tuple[str, ...]:
        """What keeps the report from an all-clear, each in words; empty: nothing does."""
        found = [_unknown(each) for each in self.fleet if each.state is not ClusterState.COMPLETE]
        return (*([self.doubt] if self.doubt else []), *found)

    @property
    def complete(self) -> bool:
        """Whether what it does not name is not there: every cluster complete, and the groups computed and current."""
        return bool(self.fleet) and not self.unknown()

    def counts(self) -> dict[Severity, int]:
        """Groups per severity, worst first, zeros included."""
        return {severity: sum(group.severity is severity for group in self.groups) for severity in Severity}

    def document(self) -> dict[str, Any]:
        """The stable JSON document."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "asOf": self.as_of,
            "complete": self.complete,
            "completeClusters": self.complete_clusters,
            "unknown": list(self.unknown()),
            "joined": self.joined,
            "asked": self.asked,
            "clusters": [_camel(asdict(cluster)) for cluster in self.clusters],
            "overlapGroups": [_camel(asdict(group)) for group in self.groups],
            "summary": {str(severity): count for severity, count in self.counts().items()},
            "copies": list(self.copies),
            "notes": list(self.notes),
        }


def _unknown(cluster: ClusterLine) -> str:
    missing = some([each.source for each in cluster.missing])
    if cluster.state is ClusterState.STALE:
        without = f"; without {missing}" if missing else ""
        return f"{cluster.name} (stale, last heard {minute(cluster.last_heard)}{without})"
    why = missing or ("" if cluster.state == cluster.reason else cluster.reason)
    return f"{cluster.name} ({cluster.state}{f': {why}' if why else ''})"


def minute(time: str) -> str:
    """A time of the hub's as a person reads it, to the minute."""
    return f"{time[:10]} {time[11:16]} UTC" if time else "never"


def _camel(fields: Mapping[str, Any]) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in fields.items():
        head, *rest = key.split("_")
        name = head + "".join(part.title() for part in rest)
        renamed[name] = [_camel(item) if isinstance(item, dict) else item for item in value] if _listy(value) else value
    return renamed


def _listy(value: object) -> bool:
    return isinstance(value, list | tuple)


def counted(number: int, thing: str) -> str:
    """Such as "1 cluster", "2 clusters"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def sort_groups(groups: Iterable[GroupLine]) -> tuple[GroupLine, ...]:
    """Worst first, then the widest reach, then by address: the same fleet is the same list, whoever joined first."""
    return tuple(sorted(groups, key=lambda group: (group.severity.rank, -group.member_count, by_address(group.cidr))))


def by_address(cidr: str) -> tuple[int, int, int]:
    """Ranges in the order of their addresses, parents before children."""
    network = ipaddress.ip_network(cidr)
    return network.version, int(network.network_address), network.prefixlen


def enclosing(cidrs: Sequence[str]) -> str:
    """The smallest range that all of these lie in; they are of one family."""
    networks = [ipaddress.ip_network(cidr) for cidr in cidrs]
    first, last = min(each.network_address for each in networks), max(each.broadcast_address for each in networks)
    length = first.max_prefixlen - (int(first) ^ int(last)).bit_length()
    return str(ipaddress.ip_network((str(first), length), strict=False))


def encloses(outer: str, inner: str) -> bool:
    """Whether all of the second range lies in the first."""
    one, other = ipaddress.ip_network(outer), ipaddress.ip_network(inner)
    if one.version != other.version or one.prefixlen > other.prefixlen:
        return False
    return other.supernet(new_prefix=one.prefixlen) == one


def alike_together(groups: Iterable[GroupLine]) -> list[tuple[GroupLine, tuple[str, ...]]]:
    """Groups to print: the first of each kind alike, with all ranges that share its story."""
    together: dict[tuple[object, ...], tuple[GroupLine, list[str]]] = {}
    for group in groups:
        together.setdefault(group.signature, (group, []))[1].append(group.cidr)
    return [(first, tuple(cidrs)) for first, cidrs in together.values()]
