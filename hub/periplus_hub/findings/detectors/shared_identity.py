"""Registrations of which two lives of an outbox go on side by side: two spokes have its key.

A spoke that starts again begins a new life, and may still send what it held of the old one. Then what it makes is
never of the old one again, however it arrives; and where its clock was set back, what arrives is not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Final

from periplus_hub.findings.facts import RECENT_BATCHES, REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import Registration
from periplus_hub.ingest.model import RecentBatch

_RETURNS: Final = 3
"""Of an epoch that had been left: more than any chance."""


class SharedIdentity:
    """Says the epochs, and nothing that goes on while they take turns."""

    name = "shared-identity"
    needs = (REGISTRATIONS, RECENT_BATCHES)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """By when batches were made and by when they arrived: both have to show it."""
        del now
        for registration in facts[REGISTRATIONS]:
            arrived = facts[RECENT_BATCHES].get(registration.id, ())
            made = sorted(arrived, key=lambda each: (each.window_start_s, each.epoch))
            if min(_returns(made), _returns(arrived)) >= _RETURNS:
                yield _shared(registration, sorted({str(each.epoch) for each in arrived}))


def _shared(registration: Registration, epochs: Sequence[str]) -> FindingDraft:
    return FindingDraft(
        fingerprint=str(registration.id),
        severity=FindingSeverity.CRITICAL,
        title=f"More than one spoke sends as {registration.name}",
        why="Batches of several epochs keep taking turns, so several spokes have this registration's key. Only "
        "what the one with the latest epoch tells counts; what the others are in is missing, or hidden behind it.",
        what_to_do="Keep one and stop the others: look for a second Deployment of the spoke, and for a copy of its "
        "state folder (a cloned volume, a restored backup). A spoke in another cluster needs an empty state folder "
        "and a join token of its own.",
        evidence={"epochs": list(epochs)},
        registration_id=registration.id,
    )


def _returns(batches: Sequence[RecentBatch]) -> int:
    """How often an epoch comes again after another one came in between."""
    epochs = [epoch for epoch, _ in groupby(each.epoch for each in batches)]
    return len(epochs) - len(set(epochs))
