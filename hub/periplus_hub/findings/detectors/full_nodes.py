"""Clusters with nodes that have no address left for another pod and can get no further block."""

from collections.abc import Iterator
from datetime import datetime

from periplus_hub.findings.facts import FULL_NODES, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity


class FullNodes:
    """One finding for each cluster."""

    name = "full-nodes"
    needs = (REGISTRATIONS, FULL_NODES)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """Which nodes they are comes and goes, so it says that there are some."""
        del now
        for registration in facts[REGISTRATIONS]:
            if registration.id in facts[FULL_NODES]:
                yield FindingDraft(
                    fingerprint=str(registration.id),
                    severity=FindingSeverity.WARNING,
                    title=f"{registration.name}: nodes have no address left for another pod",
                    why="All addresses of their own ranges are taken, and no pool has more for them. Pods that are "
                    "scheduled there do not start, whatever the node's limit of pods is.",
                    what_to_do="See which: 'periplus pools --by node --full 1'. Give nodes larger blocks, or fewer "
                    "pods (maxPods).",
                    registration_id=registration.id,
                )
