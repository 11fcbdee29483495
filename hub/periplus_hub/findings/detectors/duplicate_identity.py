"""Live registrations with one kube-system uid: a cloned cluster, or two spokes in one cluster."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from periplus_hub.findings.facts import REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import Registration, State
from periplus_hub.kit.node_ids import node_id


class DuplicateIdentity:
    """One finding for each uid, whatever the number of its registrations."""

    name = "duplicate-identity"
    needs = (REGISTRATIONS,)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """Pending ones too: before they are approved is the time to know."""
        del now
        by_uid: dict[str, list[Registration]] = defaultdict(list)
        for registration in facts[REGISTRATIONS]:
            if registration.state is not State.REVOKED:
                by_uid[registration.cluster_uid].append(registration)
        for uid, same in by_uid.items():
            if len(same) > 1:
                yield _duplicates(uid, same)


def _duplicates(uid: str, same: list[Registration]) -> FindingDraft:
    names = ", ".join(sorted(registration.name for registration in same))
    return FindingDraft(
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
