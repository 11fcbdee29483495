"""Clusters with one kube-system uid: one was made from the other's etcd backup, or both from one disk."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from periplus_hub.findings.facts import MACHINES, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.findings.same_uid import SameUid, clusters_by_uid, named, told_apart
from periplus_hub.fleet.model import Registration
from periplus_hub.kit.node_ids import node_id

_COPY: Final = (
    "Each is read, and compared with everything and with the others. If one was only a rehearsal, shut it down and "
    "revoke it. If all stay, keep their networks apart until their ranges differ, and let no tool tell them apart by "
    "this uid (OpenTelemetry's k8s.cluster.uid is one). A uid cannot be changed: the API server refuses to delete "
    "kube-system. For a uid of its own, build a new cluster and restore objects into it (Velero, manifests) instead of "
    "the etcd backup."
)
_SAME_CA: Final = (
    " They also have the same certificate authority, so who may sign in to one may sign in to the other: give all but "
    "one a new authority and new keys for service accounts."
)


class CopiedCluster:
    """For each uid one finding about clusters that are copies, and one about what is not known to be one or not."""

    name = "copied-cluster"
    needs = (REGISTRATIONS, MACHINES)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """Pending ones too, by the nodes they had when they joined."""
        del now
        for uid, clusters in clusters_by_uid(facts).items():
            apart, unclear = told_apart(clusters)
            if apart:
                yield _copies(uid, apart)
            if unclear and len(clusters) > 1:
                yield _unclear(uid, clusters, unclear)


def _copies(uid: str, apart: Sequence[SameUid]) -> FindingDraft:
    ones = [each.registrations[0] for each in apart]
    authorities = [each.api_ca_sha256 for each in ones if each.api_ca_sha256]
    shares_ca = len(set(authorities)) < len(authorities)
    return FindingDraft(
        fingerprint=uid,
        severity=FindingSeverity.WARNING,
        title=f"{len(ones)} clusters have one kube-system uid: {named(ones)}",
        why="They have nodes and none in common, so they are several clusters: one was made from the etcd backup of "
        "another, or all from one disk image. Where they use the same ranges they collide whenever they meet.",
        what_to_do=_COPY + (_SAME_CA if shares_ca else ""),
        evidence=_evidence(uid, ones) | {"same_api_ca": shares_ca},
        registration_ids=tuple(sorted(each.id for each in ones)),
    )


def _unclear(uid: str, clusters: Sequence[SameUid], unclear: Sequence[SameUid]) -> FindingDraft:
    ones = [each.registrations[0] for each in clusters]
    who = named([each.registrations[0] for each in unclear])
    return FindingDraft(
        fingerprint=f"{uid}/unclear",
        severity=FindingSeverity.INFO,
        title=f"It is not known whether these are one cluster: {named(ones)}",
        why="Their kube-system namespace has the same uid. Nodes would tell one cluster from a copy of it, and none "
        f"that is ready is known now of {who}. So each is read and compared as a cluster of its own.",
        what_to_do=f"See why with 'periplus clusters show' of {who}, and let its spoke list nodes. If they are one "
        "cluster, revoke all but one.",
        evidence=_evidence(uid, ones) | {"without_nodes": who},
        registration_ids=tuple(sorted(each.id for each in ones)),
    )


def _evidence(uid: str, ones: Sequence[Registration]) -> dict[str, object]:
    return {
        "cluster_uid": uid,
        "clusters": sorted(node_id("Cluster", each.id) for each in ones),
        "names": named(ones),
    }
