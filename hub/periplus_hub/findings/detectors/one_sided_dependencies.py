"""Dependencies between two clusters that one side alone reports, although the other told of all its nodes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.watched import SIDES_S, LopsidedClusters, Watched
from periplus_hub.dependencies.model import Coverage
from periplus_hub.findings.bands import power_of_two
from periplus_hub.findings.facts import REGISTRATIONS, WATCHED, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import at_most
from periplus_hub.flows.model import HOUR_S

_RULE: Final = (
    f"active in at least two of the last {SIDES_S // HOUR_S} whole hours, reported by one side, while both clusters "
    "told these hours whole"
)


class OneSidedDependencies:
    """One finding for two clusters."""

    name = "one-sided-dependencies"
    needs = (REGISTRATIONS, WATCHED)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """A cluster that did not tell all of the time may just not have told this."""
        del now
        watched = facts[WATCHED]
        if watched is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        known = [each for each in watched.lopsided if each.src in names and each.dst in names]
        return at_most([_said(each, watched, names) for each in known], "clusters of which one side sees more")


def _said(between: LopsidedClusters, watched: Watched, names: Mapping[UUID, str]) -> FindingDraft | Undecided:
    fingerprint = f"{between.src}>{between.dst}"
    last = int(watched.at.timestamp()) // HOUR_S * HOUR_S
    hours = frozenset(range(last - SIDES_S, last, HOUR_S))
    both = (between.src, between.dst)
    if not all(_tells_all(each, watched.coverage) and hours <= watched.told_hours.get(each, set()) for each in both):
        return Undecided(fingerprint)
    source, target = names[between.src], names[between.dst]
    return FindingDraft(
        fingerprint=fingerprint,
        severity=FindingSeverity.INFO,
        title=f"What {source} and {target} say of each other differs",
        why=" ".join(_seen(between, source, target)) + " Both told of these hours, every node of theirs.",
        what_to_do="Where the client alone sees it, look whether the server is reached at all, and whether its traffic "
        "passes what its source of flows reads (eBPF data planes bypass conntrack). Where each side sees a part, an "
        "address is translated between them that Periplus cannot see through: connect the clusters' domains as NAT, "
        "or let the network keep clients' addresses.",
        evidence={
            "pairs_at_least": power_of_two(between.pairs),
            "only_seen_by_client_at_least": power_of_two(between.only_client),
            "only_seen_by_server_at_least": power_of_two(between.only_server),
            "for_example": list(between.examples),
            "rule": _RULE,
        },
        registration_ids=tuple(sorted(both)),
    )


def _tells_all(cluster: UUID, coverage: Coverage) -> bool:
    return any(each.registration_id == cluster and each.is_whole for each in coverage.clusters)


def _seen(between: LopsidedClusters, source: str, target: str) -> Iterable[str]:
    if between.only_client:
        yield f"Of dependencies of {source} on {target}, some are seen by {source} alone."
    if between.only_server:
        yield f"Of dependencies of {source} on {target}, some are seen by {target} alone."
