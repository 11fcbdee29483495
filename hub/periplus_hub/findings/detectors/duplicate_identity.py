"""Live registrations that are one cluster: two spokes in it, or two ways to its API server."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from periplus_hub.findings.facts import MACHINES, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.findings.same_uid import clusters_by_uid, named
from periplus_hub.fleet.model import Registration
from periplus_hub.kit.node_ids import node_id


class DuplicateIdentity:
    """One finding for each cluster, whatever the number of its registrations."""

    name = "duplicate-identity"
    needs = (REGISTRATIONS, MACHINES)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """Pending ones too: before they are approved is the time to know."""
        del now
        for uid, clusters in clusters_by_uid(facts).items():
            for same in clusters:
                if len(same.registrations) > 1:
                    yield _duplicates(uid, same.registrations)


def _duplicates(uid: str, same: Sequence[Registration]) -> FindingDraft:
    names = named(same)
    return FindingDraft(
        fingerprint=f"{uid}/{same[0].id}",
        severity=FindingSeverity.WARNING,
        title=f"{len(same)} registrations are one cluster: {names}",
        why="Their kube-system namespace has the same uid and they have nodes in common, with the same addresses, so "
        "everything of this cluster is counted twice.",
        what_to_do="Revoke all but one.",
        evidence={
            "cluster_uid": uid,
            "clusters": [node_id("Cluster", each.id) for each in same],
            "names": names,
        },
        registration_ids=tuple(sorted(each.id for each in same)),
    )
