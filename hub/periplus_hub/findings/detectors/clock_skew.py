"""Active clusters whose clock is more than 30 s off the hub's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from periplus_contract.limits import SKEW_WARNING_S
from periplus_hub.findings.facts import REGISTRATIONS, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.fleet.model import State

_BANDS_S: Final = (SKEW_WARNING_S, 60, 300, 3_600, 86_400)


class ClockSkew:
    """Says the band of a measure that jitters: a finding changes when its trouble does. The cluster has the number."""

    name = "clock-skew"
    needs = (REGISTRATIONS,)

    def detect(self, facts: Facts, now: datetime) -> Iterator[FindingDraft]:
        """One for each cluster."""
        del now
        for registration in facts[REGISTRATIONS]:
            skew_ms = registration.clock_skew_ms
            if registration.state is not State.ACTIVE or skew_ms is None or abs(skew_ms) <= SKEW_WARNING_S * 1_000:
                continue
            direction, band_s = "ahead of" if skew_ms > 0 else "behind", _band_s(abs(skew_ms))
            yield FindingDraft(
                fingerprint=str(registration.id),
                severity=FindingSeverity.WARNING,
                title=f"The clock of {registration.name} is off",
                why=f"It is more than {band_s} s {direction} the hub's, so its times cannot be compared with others'.",
                what_to_do="Synchronise the clock of the node the spoke runs on (NTP), or the hub's.",
                evidence={"more_than_s": band_s, "ahead": skew_ms > 0},
                registration_id=registration.id,
            )


def _band_s(skew_ms: int) -> int:
    return max(band_s for band_s in _BANDS_S if skew_ms > band_s * 1_000)
