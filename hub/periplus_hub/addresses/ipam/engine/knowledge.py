"""How far the addresses of a cluster are known: what every report, list and detector means by complete. Pure.

Only of a complete cluster may be said that it overlaps nobody. A source that is refused, fails, is slow, was read with
objects left out, or was never mentioned, is missing; one that is `absent` is not there to be read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from periplus_contract import covers
from periplus_contract.limits import MAX_CLOCK_AHEAD_S
from periplus_contract.tables import ALLOCATIONS
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.fleet.model import Liveness, Registration, State
from periplus_hub.inventory.model import Source

NODES: Final = "nodes"
PODS: Final = "pods"
SERVICES: Final = "services"
SERVICE_RANGES: Final = "networking.k8s.io/servicecidrs"
_PLUGIN: Final = ("apps/daemonsets", "apis", "kube-system/cilium-config", "kube-system/kubeadm-config")
FEEDING: Final = (NODES, PODS, SERVICES, SERVICE_RANGES, *_PLUGIN)
"""What every spoke reads to know its cluster's addresses, those that most depends on first. What shows the network
plugin says which ranges pods really use."""
NOT_FEEDING: Final = frozenset(
    {
        "namespaces",
        "version",
        "about.k8s.io/clusterproperties",
        "discovery.k8s.io/endpointslices",
        "apps/deployments",
        "apps/replicasets",
        "apps/statefulsets",
        "batch/cronjobs",
        "batch/jobs",
        # How pods are reached, which counts as routed where it is not known.
        "kube-system/aws-node",
        "crd.projectcalico.org/bgppeers",
        "projectcalico.org/bgppeers",
        # How many addresses are left, and which pools there are where these may not be read, which is said itself.
        "crd.projectcalico.org/ipamconfigs",
        "projectcalico.org/ipamconfigurations",
        "operator.tigera.io/installations",
        # What addresses and names of other clusters stand for.
        "istio/cluster-id",
        "multicluster.linkerd.io/links",
        "multicluster.x-k8s.io/serviceimports",
        "networking.istio.io/serviceentries",
        "networking.istio.io/workloadentries",
        "skupper.io/attachedconnectorbindings",
        "skupper.io/attachedconnectors",
        "skupper.io/connectors",
        "skupper.io/links",
        "skupper.io/listeners",
        "skupper.io/multikeylisteners",
        "skupper.io/sites",
        "submariner.io/clusterglobalegressips",
        "submariner.io/clusters",
        "submariner.io/endpoints",
        "submariner.io/gateways",
        "submariner.io/globalegressips",
        "submariner.io/globalingressips",
        "k8s.ovn.org/egressips",
        "cilium.io/ciliumegressgatewaypolicies",
        "crd.antrea.io/egresses",
    }
)
"""Sources without which no address is missing. One that is not named here, like an allocator's objects, feeds them."""
_STATED: Final = tuple(
    covers.allocations(kind) for kind in covers.ALLOCATION_KINDS if kind != AllocationKind.RESERVED.value
)
_OF_ALLOCATOR: Final = frozenset({covers.pools("cluster"), covers.pools("node"), covers.allocations("pod")})
_POD_RANGE: Final = "ipam/pod-range"
"""Whether it is known which ranges pods may use."""
_READ: Final = frozenset({"ok", "absent"})
_HOLDERS: Final = (NODES, PODS, SERVICES)
_MINUTE: Final = timedelta(minutes=1)


class Knowledge(StrEnum):
    """What may be said of a cluster's addresses."""

    COMPLETE = "complete"
    """Everything that feeds addresses was read whole, is here, and its spoke was heard lately."""
    INCOMPLETE = "incomplete"
    """Something that feeds addresses is missing: what overlaps there is not known."""
    STALE = "stale"
    """Its spoke is silent: what is known of it is as of when it was last heard."""
    UNREAD = "unread"
    """Nothing is known of it yet."""
    PENDING = "pending"
    """It waits for approval, so nothing is known of it."""
    REVOKED = "revoked"
    """It is no member any more and takes part in no overlap."""


_MAY_BE_WHOLE: Final = (Knowledge.COMPLETE, Knowledge.INCOMPLETE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A source of addresses that is not known whole. `state` is the source's, `unknown` where it was never told."""

    source: str
    state: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the hub has of one cluster's addresses."""

    registration: Registration
    sources: tuple[Source, ...]
    inventory_since: datetime | None
    """When the first whole snapshot was in; None while it is not."""
    stated: frozenset[str]
    """The allocations (`periplus_contract.covers`) stated in the present life of its spoke."""
    rows_aside: int
    """Rows of allocations in those statements that were set aside and whose addresses are therefore not here."""
    pool_rows_aside: int = 0
    """The same of pools."""
    exact: frozenset[AllocationKind]
    """Kinds of which ranges are known from whoever hands them out, not only counted out of addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The verdict. `missing` has the sources that most depends on first."""

    knowledge: Knowledge
    missing: tuple[Missing, ...] = ()


def known(seen: Evidence, now: datetime) -> Known:
    """What may be said of a cluster at a time."""
    registration = seen.registration
    if registration.state is not State.ACTIVE:
        return Known(knowledge=Knowledge(registration.state.value))
    liveness = registration.liveness(now)
    if seen.inventory_since is None or liveness is Liveness.NEVER:
        return Known(knowledge=Knowledge.UNREAD)
    missing = tuple(missing_sources(seen))
    if liveness is Liveness.STALE:
        return Known(knowledge=Knowledge.STALE, missing=missing)
    return Known(knowledge=Knowledge.INCOMPLETE if missing else Knowledge.COMPLETE, missing=missing)


def is_read_whole(seen: Evidence, now: datetime) -> bool:
    """Whether allocator, nodes and pods of a cluster were all read whole: then they may be held against each other.

    That its pods have addresses which lie in no range makes it incomplete, and is one of the things to be found.
    """
    read = {source.name for source in seen.sources if source.state == "ok"}
    stated = seen.stated >= _OF_ALLOCATOR and not seen.pool_rows_aside
    verdict = known(seen, now)
    is_whole = verdict.knowledge in _MAY_BE_WHOLE and {each.source for each in verdict.missing} <= {_POD_RANGE}
    return is_whole and stated and {NODES, PODS} <= read


def knows_holders(seen: Evidence, at: datetime, now: datetime) -> bool:
    """Whether every pod, service and node that had an address in the minute from `at` on is known.

    Ranges may be known whole without that.
    """
    if seen.inventory_since is None or seen.inventory_since >= at + _MINUTE or _is_clock_ahead(seen):
        return False
    by_name = {source.name: source for source in seen.sources}
    return known(seen, now).knowledge in _MAY_BE_WHOLE and all(_is_read(by_name.get(name)) for name in _HOLDERS)


def missing_sources(seen: Evidence) -> Iterator[Missing]:
    """Sources of addresses that are not known whole; where all are, the allocations that never came from them."""
    by_name = {source.name: source for source in seen.sources}
    others = sorted(by_name.keys() - NOT_FEEDING - set(FEEDING))
    lacking = [name for name in (*FEEDING, *others) if not _is_known(name, by_name, seen)]
    yield from (_missing(name, by_name.get(name)) for name in lacking)
    # What follows from a source that is missing is not named a second time.
    if not lacking:
        yield from (unstated(cover) for cover in _STATED if cover not in seen.stated)
    if seen.rows_aside:
        yield _aside(seen.rows_aside)
    if _is_clock_ahead(seen):
        yield _CLOCK


def _is_clock_ahead(seen: Evidence) -> bool:
    return (seen.registration.clock_skew_ms or 0) > MAX_CLOCK_AHEAD_S * 1_000


def _is_read(source: Source | None) -> bool:
    return source is not None and source.state in _READ and not (source.state == "ok" and source.reason)


def _is_known(name: str, by_name: Mapping[str, Source], seen: Evidence) -> bool:
    if _is_read(by_name.get(name)):
        return True
    nodes = by_name.get(NODES)
    # Pods are read for their addresses. Where nodes' ranges are known from whoever hands them out, every pod lies in
    # one.
    node_ranges = AllocationKind.POD in seen.exact and nodes is not None and nodes.state == "ok"
    return name == PODS and node_ranges


def _missing(name: str, source: Source | None) -> Missing:
    if source is None:
        return Missing(
            source=name,
            state="unknown",
            reason="not_told",
            message=f"its spoke has not told yet how reading {name} went",
            remedy="Wait for its next report; if this stays, look at the spoke's log.",
        )
    return Missing(
        source=name,
        state=source.state,
        reason=source.reason or source.state,
        message=source.message or f"{name} could not be read",
        remedy=source.remedy or "Run 'periplus-spoke check' there: it says which right is missing.",
    )


def unstated(cover: str) -> Missing:
    """That the allocations of this cover never came, though nothing they are made of is missing."""
    kind = cover.removeprefix(f"{ALLOCATIONS.name}/")
    return Missing(
        source=cover,
        state="unknown",
        reason="not_stated",
        message=f"its {kind} addresses have not come in since its spoke started",
        remedy="Wait for its next report; if this stays, see what was set aside: 'periplus clusters show'.",
    )


def _aside(rows: int) -> Missing:
    return Missing(
        source=ALLOCATIONS.name,
        state="unknown",
        reason="set_aside",
        message=f"{rows} of its rows of addresses broke the contract and were set aside",
        remedy="See what and why: 'periplus clusters show'. Spokes of this release send none such.",
    )


_CLOCK: Final = Missing(
    source="clock",
    state="unknown",
    reason="clock_ahead",
    message=f"its spoke's clock is more than {MAX_CLOCK_AHEAD_S} s ahead, so all that it reports is set aside",
    remedy="Set the clock of its node right (NTP).",
)
