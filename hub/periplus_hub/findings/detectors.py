"""What is wrong with the fleet: pure functions from what the hub knows to drafts of findings.

A detector says everything it sees, every time; what is new, unchanged or over is the lifecycle's business (service.py).
Add one here, with scenarios that find, do not find, and nearly find, and one line in jobs.py.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from periplus_contract.limits import SKEW_WARNING_S
from periplus_hub.addresses.knowledge import Missing
from periplus_hub.addresses.model import (
    START_A_WORKER,
    Explanation,
    NamedClusters,
    OverlapGroup,
    RegisterStatus,
    Severity,
)
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import CONNECTED_WITHIN, Registration, State
from periplus_hub.ingest.model import RecentBatch
from periplus_hub.inventory.model import Source
from periplus_hub.kit.ids import node_id

OVERLAPS: Final = "overlaps"
STALE_CLUSTERS: Final = "stale-clusters"
SILENT_FLEET: Final = "silent-fleet"
UNREADABLE_SOURCES: Final = "unreadable-sources"
DUPLICATE_IDENTITY: Final = "duplicate-identity"
SHARED_IDENTITY: Final = "shared-identity"
CLOCK_SKEW: Final = "clock-skew"
UNKEPT_REGISTER: Final = "unkept-register"

LOOK_AT_THE_WORKER: Final = "Look for job_failed in the log of the process that leads: its metric periplus_leader is 1."

MAX_OVERLAPS: Final = 1_000
"""Groups that get a finding of their own, worst first; the rest is one finding that counts them."""

_OVERLAP_SEVERITY: Final = {
    Severity.CONFLICT: FindingSeverity.CRITICAL,
    Severity.BLOCKS_FEDERATION: FindingSeverity.WARNING,
}
_OVERLAP_TITLE: Final = {
    Severity.CONFLICT: "{cidr} is used twice in one network",
    Severity.BLOCKS_FEDERATION: "{cidr} keeps clusters from being joined",
}
_NOBODY: Final = NamedClusters(clusters=0, names=())
_NAMED: Final = 4
"""Clusters a finding's text names; its evidence names more."""
_SKEW_BANDS_S: Final = (SKEW_WARNING_S, 60, 300, 3_600, 86_400)
_A_FLEET: Final = 2
"""Of one cluster nobody can say whether it or everything is silent."""
_RETURNS: Final = 3
"""Of an epoch that had been left: more than any chance."""
_UNREADABLE: Final = frozenset({"forbidden", "failed"})


def overlaps(
    groups: Sequence[OverlapGroup],
    explanations: Mapping[UUID, Explanation],
    hit: Mapping[UUID, NamedClusters],
    *,
    unlisted: int = 0,
) -> Iterator[FindingDraft]:
    """One per group that hurts now or blocks a join; never one per pair. `unlisted` groups were not looked at.

    `hit` are the clusters it is true for: a group may hold others that it hurts less.
    """
    for group in groups:
        severity = _OVERLAP_SEVERITY.get(group.severity)
        if severity is not None:
            yield _overlap(group, severity, explanations.get(group.id), hit.get(group.id, _NOBODY))
    if unlisted:
        yield FindingDraft(
            fingerprint="more",
            severity=FindingSeverity.WARNING,
            title=f"{unlisted} more overlaps hurt or block a join",
            why=f"Only the {MAX_OVERLAPS} worst groups get a finding of their own.",
            what_to_do="Open the list of overlaps; deal with the largest groups first.",
            evidence={"groups": unlisted},
        )


def _overlap(
    group: OverlapGroup, severity: FindingSeverity, explanation: Explanation | None, hit: NamedClusters
) -> FindingDraft:
    breaks = " ".join(explanation.breaks) if explanation else ""
    remedies = " ".join(explanation.remedies) if explanation else ""
    return FindingDraft(
        fingerprint=str(group.id),
        severity=severity,
        title=_OVERLAP_TITLE[group.severity].format(cidr=group.cidr),
        why=f"{_who(hit, own=explanation is not None and explanation.own)} inside {group.cidr}. {breaks}".strip(),
        what_to_do=remedies or "Look at the group's members.",
        evidence={
            "overlap_group": node_id("OverlapGroup", group.id),
            "cidr": group.cidr,
            "overlap_severity": group.severity.value,
            "clusters": hit.clusters,
            "cluster_names": list(hit.names),
            "milder_clusters": group.clusters - hit.clusters,
            "allocations": group.members,
            "pairs": group.pairs,
            "since": group.since.isoformat(),
        },
        overlap_group_id=group.id,
    )


def _who(hit: NamedClusters, *, own: bool) -> str:
    names = list(hit.names[:_NAMED])
    if hit.clusters == 1:
        return f"{' '.join(names) or 'One cluster'} collides with itself"
    collide = "each collide with themselves" if own else "collide"
    more = hit.clusters - len(names)
    if more or not names:
        names.append(f"{more} more clusters" if names else f"{more} clusters")
    return f"{', '.join(names[:-1])} and {names[-1]} {collide}" if len(names) > 1 else f"{names[0]} {collide}"


def unkept_register(status: RegisterStatus, now: datetime, *, led: bool) -> Iterator[FindingDraft]:
    """When nobody computes the overlaps: then that none is listed says nothing. `led`: whether some process leads.

    Said by the processes that serve, because who would say it otherwise may not run.
    """
    if not status.unkept(now):
        return
    at = None if status.at is None else f"{status.at:%Y-%m-%d %H:%M} UTC"
    title = "The overlaps were never computed" if at is None else f"The overlaps are those of {at}"
    who = "A process leads, but its job addresses.fold fails." if led else "No process does the fleet-wide jobs."
    since = "" if at is None else " since then"
    yield FindingDraft(
        fingerprint="all",
        severity=FindingSeverity.CRITICAL,
        title=title,
        why=f"{who} Whether addresses collide{since} is not known.",
        what_to_do=LOOK_AT_THE_WORKER if led else START_A_WORKER,
        evidence={"computed_at": status.at.isoformat() if status.at else None, "somebody_leads": led},
    )


def stale_clusters(registrations: Sequence[Registration], now: datetime) -> Iterator[FindingDraft]:
    """Active clusters whose spoke has been silent for more than 90 s, counted from approval when it never spoke."""
    for registration in registrations:
        heard = _heard(registration)
        if registration.state is not State.ACTIVE or now - heard <= CONNECTED_WITHIN:
            continue
        word = f"since {heard:%Y-%m-%d %H:%M:%S} UTC" if registration.last_seen_at else "since it was approved"
        yield FindingDraft(
            fingerprint=str(registration.id),
            severity=FindingSeverity.WARNING,
            title=f"Nothing heard from {registration.name}",
            why=f"Its spoke has not spoken {word}, so what is shown of this cluster may be out of date.",
            what_to_do="Look at the spoke's pod and its log, and whether it reaches the hub: 'periplus-spoke check'.",
            evidence={
                "last_seen_at": registration.last_seen_at.isoformat() if registration.last_seen_at else None,
                "spoke_version": registration.spoke_version,
            },
            registration_id=registration.id,
        )


def silent_fleet(registrations: Sequence[Registration], now: datetime) -> Iterator[FindingDraft]:
    """When no active cluster of several has spoken for more than 90 s: that is one trouble, and hardly theirs."""
    active = [registration for registration in registrations if registration.state is State.ACTIVE]
    heard = [_heard(registration) for registration in active]
    if len(heard) < _A_FLEET or now - max(heard) <= CONNECTED_WITHIN:
        return
    yield FindingDraft(
        fingerprint="all",
        severity=FindingSeverity.CRITICAL,
        title=f"Nothing heard from any of {len(heard)} clusters",
        why=f"The last of them spoke at {max(heard):%Y-%m-%d %H:%M:%S} UTC. Nothing shown is newer than that.",
        what_to_do="Look at the hub's listener for spokes, and at what stands before it: proxy, certificate, firewall.",
        evidence={"last_heard_at": max(heard).isoformat(), "clusters": len(heard)},
        registration_ids=tuple(sorted(registration.id for registration in active)),
    )


def _heard(registration: Registration) -> datetime:
    return registration.last_seen_at or registration.approved_at or registration.created_at


def unreadable_sources(
    registrations: Sequence[Registration],
    sources: Mapping[UUID, Sequence[Source]],
    missing: Mapping[UUID, Sequence[Missing]],
) -> Iterator[FindingDraft]:
    """Active clusters where the spoke may not or cannot read something. What is absent is no fault.

    `missing` is what their addresses are not known whole without: it comes first, and the finding says so.
    """
    for registration in registrations:
        bad = {source.name: source for source in sources.get(registration.id, ()) if source.state in _UNREADABLE}
        if registration.state is not State.ACTIVE or not bad:
            continue
        feeding = [each.source for each in missing.get(registration.id, ()) if each.source in bad]
        ordered = [bad[name] for name in dict.fromkeys((*feeding, *bad))]
        names = ", ".join(source.name for source in ordered)
        remedies = list(dict.fromkeys(source.remedy for source in ordered if source.remedy))
        yield FindingDraft(
            fingerprint=str(registration.id),
            severity=FindingSeverity.WARNING,
            title=f"{registration.name}: {_what_is_lost(feeding, ordered)}",
            why=f"The spoke cannot read {names}; what depends on them is missing, not zero.{_unruled(feeding)}",
            what_to_do=" ".join(remedies) or "Give the spoke's ServiceAccount get, list and watch on them.",
            evidence={"sources": [_source(source) for source in ordered], "missing_for_addresses": feeding},
            registration_id=registration.id,
        )


def _what_is_lost(feeding: Sequence[str], bad: Sequence[Source]) -> str:
    return "its addresses are not known whole" if feeding else f"{len(bad)} of its sources cannot be read"


def _unruled(feeding: Sequence[str]) -> str:
    if not feeding:
        return ""
    return f" Its addresses come from {', '.join(feeding)}, so what it overlaps is not known."


def _source(source: Source) -> dict[str, str | None]:
    return {"name": source.name, "state": source.state, "reason": source.reason, "message": source.message}


def duplicate_identity(registrations: Sequence[Registration]) -> Iterator[FindingDraft]:
    """Live registrations with one kube-system uid: a cloned cluster, or two spokes in one cluster."""
    by_uid: dict[str, list[Registration]] = defaultdict(list)
    for registration in registrations:
        if registration.state is not State.REVOKED:
            by_uid[registration.cluster_uid].append(registration)
    for uid, same in by_uid.items():
        if len(same) > 1:
            names = ", ".join(sorted(registration.name for registration in same))
            yield FindingDraft(
                fingerprint=uid,
                severity=FindingSeverity.WARNING,
                title=f"{len(same)} registrations are one cluster: {names}",
                why="Their kube-system namespace has the same uid, so everything of this cluster is counted twice.",
                what_to_do="Revoke all but one. If the clusters were cloned, give each its own kube-system uid.",
                evidence={
                    "cluster_uid": uid,
                    "clusters": sorted(node_id("Cluster", registration.id) for registration in same),
                    "names": names,
                },
                registration_ids=tuple(sorted(registration.id for registration in same)),
            )


def shared_identity(
    registrations: Sequence[Registration], sent: Mapping[UUID, Sequence[RecentBatch]]
) -> Iterator[FindingDraft]:
    """Registrations of which two lives of an outbox go on side by side: two spokes have its key.

    A spoke that starts again begins a new life, and may still send what it held of the old one. Then what it makes is
    never of the old one again, however it arrives; and where its clock was set back, what arrives is not.
    """
    for registration in registrations:
        lately = sent.get(registration.id, ())
        made = sorted(lately, key=lambda each: (each.window_start_s, each.epoch))
        if min(_returns(made), _returns(lately)) < _RETURNS:
            continue
        epochs = sorted({str(each.epoch) for each in lately})
        yield FindingDraft(
            fingerprint=str(registration.id),
            severity=FindingSeverity.CRITICAL,
            title=f"More than one spoke sends as {registration.name}",
            why="Batches of several epochs keep taking turns, so several spokes have this registration's key. Only "
            "what the one with the latest epoch tells counts; what the others are in is missing, or hidden behind it.",
            what_to_do="Keep one and stop the others: look for a second Deployment of the spoke, and for a copy of its "
            "state folder (a cloned volume, a restored backup). A spoke in another cluster needs an empty state folder "
            "and a join token of its own.",
            evidence={"epochs": epochs},
            registration_id=registration.id,
        )


def _returns(sent: Sequence[RecentBatch]) -> int:
    """How often an epoch comes again after another one came in between."""
    epochs = [epoch for epoch, _ in groupby(each.epoch for each in sent)]
    return len(epochs) - len(set(epochs))


def clock_skew(registrations: Sequence[Registration]) -> Iterator[FindingDraft]:
    """Active clusters whose clock is more than 30 s off the hub's."""
    for registration in registrations:
        skew_ms = registration.clock_skew_ms
        if registration.state is not State.ACTIVE or skew_ms is None or abs(skew_ms) <= SKEW_WARNING_S * 1_000:
            continue
        direction, band_s = "ahead of" if skew_ms > 0 else "behind", _skew_band_s(abs(skew_ms))
        yield FindingDraft(
            fingerprint=str(registration.id),
            severity=FindingSeverity.WARNING,
            title=f"The clock of {registration.name} is off",
            why=f"It is more than {band_s} s {direction} the hub's, so its times cannot be compared with others'.",
            what_to_do="Synchronise the clock of the node the spoke runs on (NTP), or the hub's.",
            evidence={"more_than_s": band_s, "ahead": skew_ms > 0},
            registration_id=registration.id,
        )


def _skew_band_s(skew_ms: int) -> int:
    """The band of a measure that jitters: a finding changes when its trouble does. The cluster has the number."""
    return max(band_s for band_s in _SKEW_BANDS_S if skew_ms > band_s * 1_000)
