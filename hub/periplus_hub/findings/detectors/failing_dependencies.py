"""Servers whose connections fail more often than is usual for those who connect to them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.baseline import LEAST_HOURS
from periplus_hub.dependencies.engine.usual import Judged, judged, off_or_near
from periplus_hub.dependencies.engine.watched import LEAST_ATTEMPTS, RECENT_HOURS, HourOfPair, Watched
from periplus_hub.findings.bands import percent_at_least, power_of_two
from periplus_hub.findings.facts import REGISTRATIONS, WATCHED, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import at_most, concerned, end_key, end_name, for_evidence, listed

_ALL_PPM: Final = 1_000_000
_FLOOR_PPM: Final = 20_000
"""Two of a hundred more than usual: fewer are not worth a person's time."""
_BANDS_PERCENT: Final = (90, 50, 20, 10, 5, 2)
_RULE: Final = (
    f"share of failed connections in the newest of the last {RECENT_HOURS} hours with {LEAST_ATTEMPTS} connections, "
    f"above the median of the pair's own hours of the seven days before by 3.5 robust standard deviations and "
    f"{_FLOOR_PPM * 100 // _ALL_PPM} points; at least {LEAST_HOURS} such hours"
)


class FailingDependencies:
    """One finding for each server."""

    name = "failing-dependencies"
    needs = (REGISTRATIONS, WATCHED)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """A pair whose usual is not known yet is not judged."""
        del now
        watched = facts[WATCHED]
        if watched is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        return at_most(list(_drafts(watched, names)), "failing dependencies", more=watched.hours_more)


def _drafts(watched: Watched, names: Mapping[UUID, str]) -> Iterator[FindingDraft | Undecided]:
    found = judged(watched.hours, int(watched.at.timestamp()), _share_ppm, lambda _: _FLOOR_PPM)
    failing, near = off_or_near(found, lambda pair: end_key(pair.dst))
    yield from (Undecided(each, is_unknown=False) for each in near)
    yield from (_draft(server, each, names) for server, each in failing.items())


def _share_ppm(hour: HourOfPair) -> int | None:
    return None if hour.attempts < LEAST_ATTEMPTS else hour.failures * _ALL_PPM // hour.attempts


def _draft(server: str, found: list[Judged], names: Mapping[UUID, str]) -> FindingDraft:
    worst = max(found, key=lambda each: each.value)
    newest = [each.newest for each in found if each.newest is not None]
    failed, attempts = sum(each.failures for each in newest), sum(each.attempts for each in newest)
    percent = percent_at_least(worst.value, _ALL_PPM, _BANDS_PERCENT)
    name = end_name(worst.pair.dst, names)
    clients = {end_name(each.pair.src, names) for each in found}
    registration_id, registration_ids = concerned(end for each in found for end in (each.pair.src, each.pair.dst))
    return FindingDraft(
        fingerprint=server,
        severity=FindingSeverity.CRITICAL if 2 * failed >= attempts else FindingSeverity.WARNING,
        title=f"Connections to {name} fail more often than usual",
        why=f"Of the connections from {listed(clients)} at least {percent} of a hundred were refused, got no answer or "
        "broke off; in the days before it was hardly ever so many.",
        what_to_do=f"Look at the pods of {name} and their readiness, at the ports of its Service, and at network "
        "policies between them. 'periplus dependencies --of' shows who else connects to it.",
        evidence={
            "pairs": for_evidence(f"{end_name(each.pair.src, names)} → {name}" for each in found),
            "share_at_least_percent": percent,
            "usual_share_ppm": power_of_two(worst.usual.median),
            "usual_spread_ppm": power_of_two(worst.usual.spread),
            "rule": _RULE,
        },
        registration_id=registration_id,
        registration_ids=registration_ids,
    )
