"""Clusters with agents of nodes, in which a node that is ready has none that is heard."""

from collections.abc import Iterable
from datetime import datetime
from shlex import quote

from periplus_hub.findings.facts import LISTENING, REGISTRATIONS, SILENT_NODES, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import Registration


class SilentNodes:
    """One finding for each cluster. A node that is gone is none: its agent is forgotten in time."""

    name = "silent-nodes"
    needs = (REGISTRATIONS, LISTENING, SILENT_NODES)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft] | None:
        """While nobody at all is heard, nobody knows who is silent."""
        if not facts[LISTENING].knows_silence(now):
            return None
        silent = facts[SILENT_NODES]
        return [_silent(each, silent[each.id]) for each in facts[REGISTRATIONS] if each.id in silent]


def _silent(registration: Registration, node: str) -> FindingDraft:
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.WARNING,
        title=f"{registration.name}: nodes without an agent that is heard",
        why="They are ready, and other nodes of the cluster have agents. What these nodes see is missing in all that "
        "agents tell of this cluster.",
        what_to_do=f"See which nodes have one: 'periplus agents list {quote(registration.name)}'. Look at the pods of "
        "the others: whether they run, reach the hub, and have a join token that has not ended.",
        evidence={"for_example": node},
        registration_id=registration.id,
    )
