"""Overlap groups and acceptances as values, and the small rules about them. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from periplus_hub.addresses.ipam.model import AllocationKind

ENTERED_IN: Final = "entered in "
"""Where clusters are listed, the owner of ranges that people entered is called so, with their network domain's name."""
MAX_ACCEPTANCE: Final = timedelta(days=731)
"""Nobody means an overlap for ever: a longer acceptance is a decision to stop looking."""
START_A_WORKER: Final = (
    "Start one: 'periplus hub work' with the same PERIPLUS_DATABASE_URL, or 'periplus hub serve --all-in-one'."
)
"""What to do where nobody keeps the overlap register."""
KEPT_WITHIN: Final = timedelta(minutes=3)
"""The age at which nobody keeps the overlap register: whoever does confirms it every minute."""


class Severity(StrEnum):
    """How much an overlap hurts, worst first."""

    CONFLICT = "conflict"
    BLOCKS_FEDERATION = "blocks-federation"
    LATENT = "latent"
    INTENDED = "intended"


SEVERITIES: Final = tuple(Severity)
"""Worst first: the index is the rank."""


class Relation(StrEnum):
    """How the network domains of two clusters stand to each other. Flat is not transitive."""

    SAME = "same"
    FLAT = "flat"
    PLANNED = "planned"
    NAT = "nat"
    ISOLATED = "isolated"


class FederationTarget(StrEnum):
    """A way of joining clusters, by what moves packets or requests between them."""

    CILIUM_CLUSTER_MESH = "cilium-cluster-mesh"
    SUBMARINER = "submariner"
    SUBMARINER_GLOBALNET = "submariner-globalnet"
    ISTIO_MULTI_NETWORK = "istio-multi-network"
    ISTIO_FLAT = "istio-flat"
    LINKERD_GATEWAY = "linkerd-gateway"
    LINKERD_FLAT = "linkerd-flat"
    ANTREA = "antrea"
    SKUPPER = "skupper"
    VPC_PEERING = "vpc-peering"
    TRANSIT_GATEWAY = "transit-gateway"
    PLAIN_ROUTING = "plain-routing"

    @property
    def full_name(self) -> str:
        """Its name for people."""
        return _FULL_NAMES[self]


_FULL_NAMES: Final = {
    FederationTarget.CILIUM_CLUSTER_MESH: "Cilium Cluster Mesh",
    FederationTarget.SUBMARINER: "Submariner without Globalnet",
    FederationTarget.SUBMARINER_GLOBALNET: "Submariner with Globalnet",
    FederationTarget.ISTIO_MULTI_NETWORK: "Istio on several networks",
    FederationTarget.ISTIO_FLAT: "Istio on one network",
    FederationTarget.LINKERD_GATEWAY: "Linkerd with gateways",
    FederationTarget.LINKERD_FLAT: "Linkerd on a flat network",
    FederationTarget.ANTREA: "Antrea Multi-cluster",
    FederationTarget.SKUPPER: "Skupper",
    FederationTarget.VPC_PEERING: "VPC peering",
    FederationTarget.TRANSIT_GATEWAY: "a transit gateway",
    FederationTarget.PLAIN_ROUTING: "plain routing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapGroup:
    """An outermost range of a cluster, when others (or the cluster itself) collide with what it uses there.

    `members` counts the allocations inside `cidr` but for those of clusters that have a range around it, `clusters`
    their clusters, `pairs` those that the clusters take part in whose outermost range `cidr` is: counted by arithmetic,
    never stored.
    `acceptance_id` is the acceptance in force; `accepted` says whether it covers all that is in the group: then
    `severity` is `intended`, else it is the worst pair's.
    """

    id: UUID
    cidr: str
    family: int
    severity: Severity
    clusters: int
    members: int
    pairs: int
    since: datetime
    changed_at: datetime
    acceptance_id: UUID | None
    accepted: bool

    @property
    def outgrown(self) -> bool:
        """Accepted once, but there is more now than the person saw."""
        return self.acceptance_id is not None and not self.accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterShare:
    """What one cluster has in a group.

    `severity` is the worst of any pair it takes part in there, `kinds` what those of its allocations are used for that
    take part in such a pair, `member_count` how many allocations it has in the group.
    """

    registration_id: UUID
    cluster_name: str
    severity: Severity
    kinds: tuple[AllocationKind, ...]
    member_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedClusters:
    """How many clusters something is true for, and the names of the first of them."""

    clusters: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgrown:
    """Why an acceptance does not cover a group: who is in it as it was accepted, who came, whom it hurts more."""

    covered: NamedClusters
    came: NamedClusters
    worse: NamedClusters


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Which ways of joining the clusters that a group hits worst it stops; of those that are not named, none is known.

    `may_stop` depends on what is not known, like whether pods are reached from outside their cluster.
    """

    stops: tuple[FederationTarget, ...] = ()
    may_stop: tuple[FederationTarget, ...] = ()
    does_not_stop: tuple[FederationTarget, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a group has its severity, in sentences for a person: what breaks, and what to do.

    `own` says that clusters collide with themselves and not with each other.
    """

    why: str
    own: bool
    breaks: tuple[str, ...]
    stopped: Stopped
    remedies: tuple[str, ...]
    renumbered: tuple[AllocationKind, ...]
    """What of pods, services and nodes needs another range before the overlap is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedGroup:
    """A group as it would be if the clusters asked about were joined. `id` is the stored group's when there is one."""

    id: UUID | None
    asked: tuple[UUID, ...]
    """The clusters asked about; empty is all."""
    acceptance_id: UUID | None
    accepted: bool
    cidr: str
    keys: tuple[bytes, bytes]
    """First and last, as stored."""
    family: int
    severity: Severity
    clusters: int
    members: int
    pairs: int
    shares: tuple[ClusterShare, ...]
    """Of every cluster, worst first."""
    explanation: Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A person said the overlap rooted at exactly `cidr` is meant, until `expires_at`.

    It covers the clusters that were in the group, each as badly hit as it was then or less. `severity` is the worst of
    them, `clusters` how many there were.
    """

    id: UUID
    cidr: str
    reason: str
    accepted_by: str
    severity: Severity
    clusters: int
    created_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None


class Included(NamedTuple):
    """What the stored groups include: reports up to a revision, and the topology with this digest."""

    revision: int
    topology: str


class RegisterState(StrEnum):
    """What the stored overlap groups may be taken for."""

    CURRENT = "current"
    """They follow from everything the hub knows."""
    BEHIND = "behind"
    """They follow from what it knew at `RegisterStatus.at`."""
    NEVER_COMPUTED = "never-computed"
    """There are none, and that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterStatus:
    """How far the stored groups include what was reported: all of it when `revision` >= `latest`.

    `at` is when they were last known to be right; None is never.
    """

    included: Included
    latest: int
    at: datetime | None

    def state(self, now: datetime, topology: str) -> RegisterState:
        """`topology` is the digest of the domains as they are now: clusters come and are revoked unreported.

        Whoever keeps the groups says every minute that they are right. Who does not say so is not there.
        """
        if self.at is None:
            return RegisterState.NEVER_COMPUTED
        includes_all = self.current and self.included.topology == topology
        return RegisterState.CURRENT if includes_all and not self.unkept(now) else RegisterState.BEHIND

    def unkept(self, now: datetime) -> bool:
        """Whether nobody has kept the groups for longer than any turn of the job takes."""
        return self.at is None or now - self.at > KEPT_WITHIN

    @property
    def revision(self) -> int:
        """The last report that the groups include."""
        return self.included.revision

    @property
    def current(self) -> bool:
        """No report waits to be taken in."""
        return self.revision >= self.latest


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFilter:
    """Conjunction of what is given; an empty tuple means any. `within` keeps groups that touch this CIDR."""

    severities: tuple[Severity, ...] = ()
    """The group's own severity, or with `registration_ids` that of these clusters in it."""
    registration_ids: tuple[UUID, ...] = ()
    """Groups with a member of every one of these."""
    domain_ids: tuple[UUID, ...] = ()
    """Groups with a member in one of these."""
    family: int | None = None
    within: str | None = None
