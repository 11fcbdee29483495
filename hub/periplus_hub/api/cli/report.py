"""The overlap report as data. Pure: made from the hub's answer, turned into a document or into lines elsewhere.

The JSON document of `periplus try --json` is described in docs/reference/try-report.md and only ever grows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

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
    """What became of a context."""

    SETTLED = "settled"
    """Everything the spoke may read is in the hub and safe."""
    PARTIAL = "partial"
    """In the hub, but some sources could not be read."""
    FAILED = "failed"
    """It could not be read at all; reason, message and remedy say why."""
    SLOW = "slow"
    """It was not ready when the time was over."""


@dataclass(frozen=True, kw_only=True)
class ClusterLine:
    """One context. Counts are None when unknown."""

    name: str
    context: str
    state: ClusterState
    reason: str = ""
    message: str = ""
    remedy: str = ""
    provider: str = ""
    region: str = ""
    version: str = ""
    cnis: tuple[str, ...] = ()
    nodes: int | None = None
    pods: int | None = None
    services: int | None = None


@dataclass(frozen=True, kw_only=True)
class MemberLine:
    """One allocation inside a group, with the worst of what it takes part in itself; None when it overlaps nobody."""

    cluster: str
    kind: str
    cidr: str
    severity: Severity | None


@dataclass(frozen=True, kw_only=True)
class HitLine:
    """One cluster of a group and how much the group hurts it; `kinds` are what it uses there that is hit so."""

    cluster: str
    severity: Severity
    kinds: tuple[str, ...]
    member_count: int


@dataclass(frozen=True, kw_only=True)
class CountLine:
    """How many clusters a group hurts so much."""

    severity: Severity
    clusters: int


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
    breaks: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    free_ranges: tuple[str, ...] = ()
    """Of the group's size, that no cluster the hub knows touches."""
    cluster_counts: tuple[CountLine, ...] = ()
    """Of all its clusters, listed or not."""

    @property
    def signature(self) -> tuple[object, ...]:
        """Equal for groups a person would read as one: same clusters, hit alike, with the same consequences."""
        hit = frozenset((each.cluster, each.severity, each.kinds) for each in self.clusters)
        return (self.severity, self.family, hit, self.breaks)

    def hit(self, severity: Severity) -> tuple[HitLine, ...]:
        """The clusters that the group hurts exactly so much."""
        return tuple(each for each in self.clusters if each.severity is severity)

    def count(self, severity: Severity) -> int:
        """How many those are, listed or not."""
        return sum(each.clusters for each in self.cluster_counts if each.severity is severity)


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything `periplus try` and `periplus demo` print."""

    clusters: tuple[ClusterLine, ...]
    groups: tuple[GroupLine, ...]
    joined: bool = False
    as_of: str = ""
    notes: tuple[str, ...] = field(default=())

    def at_least(self, severity: Severity) -> bool:
        """Whether any overlap is as bad as `severity` or worse."""
        return any(group.severity.rank <= severity.rank for group in self.groups)

    def unread(self) -> list[str]:
        """The clusters of which nothing is known; one that is read under another name is not missing."""
        lost = {ClusterState.FAILED, ClusterState.SLOW}
        return [each.name for each in self.clusters if each.state in lost and each.reason != SAME_CLUSTER]

    def counts(self) -> dict[Severity, int]:
        """Groups per severity, worst first, zeros included."""
        return {severity: sum(group.severity is severity for group in self.groups) for severity in Severity}

    def document(self) -> dict[str, Any]:
        """The stable JSON document."""
        return {
            "schemaVersion": SCHEMA_VERSION,
            "asOf": self.as_of,
            "joined": self.joined,
            "clusters": [_camel(asdict(cluster)) for cluster in self.clusters],
            "overlapGroups": [_camel(asdict(group)) for group in self.groups],
            "summary": {str(severity): count for severity, count in self.counts().items()},
            "notes": list(self.notes),
        }


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
    """Worst first, then the widest reach, then by address as the hub ordered them."""
    return tuple(sorted(groups, key=lambda group: (group.severity.rank, -group.member_count)))


def fold_alike(groups: Iterable[GroupLine]) -> list[tuple[GroupLine, tuple[str, ...]]]:
    """Groups to print: the first of each kind alike, with all ranges that share its story."""
    folded: dict[tuple[object, ...], tuple[GroupLine, list[str]]] = {}
    for group in groups:
        folded.setdefault(group.signature, (group, []))[1].append(group.cidr)
    return [(first, tuple(cidrs)) for first, cidrs in folded.values()]
