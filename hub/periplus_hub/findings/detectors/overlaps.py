"""Overlaps that hurt now or block a join."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from periplus_hub.addresses.overlaps.model import Explanation, NamedClusters, OverlapGroup, Severity
from periplus_hub.findings.facts import MAX_OVERLAPS, OVERLAPS, REGISTER, Facts, WorstOverlaps
from periplus_hub.findings.model import FindingDraft, FindingSeverity
from periplus_hub.kit.node_ids import node_id

_SEVERITY: Final = {
    Severity.CONFLICT: FindingSeverity.CRITICAL,
    Severity.BLOCKS_FEDERATION: FindingSeverity.WARNING,
}
_TITLE: Final = {
    Severity.CONFLICT: "{cidr} is used twice in one network",
    Severity.BLOCKS_FEDERATION: "{cidr} keeps clusters from being joined",
}
_NOBODY: Final = NamedClusters(clusters=0, names=())
_PAIR: Final = 2
_NAMED: Final = 4
"""Clusters a finding's text names; its evidence names more."""


class Overlaps:
    """One finding for each group, never one for each pair; one for all groups that were not looked at."""

    name = "overlaps"
    needs = (OVERLAPS, REGISTER)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft] | None:
        """While nobody computes the overlaps, nobody knows which are over."""
        return None if facts[REGISTER].unkept(now) else _drafts(facts[OVERLAPS])


def _drafts(worst: WorstOverlaps) -> Iterator[FindingDraft]:
    for group in worst.groups:
        severity = _SEVERITY.get(group.severity)
        if severity is not None:
            yield _overlap(group, severity, worst.explanations.get(group.id), worst.hit.get(group.id, _NOBODY))
    if worst.unlisted:
        yield FindingDraft(
            fingerprint="more",
            severity=FindingSeverity.WARNING,
            title=f"{worst.unlisted} more overlaps hurt or block a join",
            why=f"Only the {MAX_OVERLAPS} worst groups get a finding of their own.",
            what_to_do="Open the list of overlaps; deal with the largest groups first.",
            evidence={"groups": worst.unlisted},
        )


def _overlap(
    group: OverlapGroup, severity: FindingSeverity, explanation: Explanation | None, hit: NamedClusters
) -> FindingDraft:
    breaks = " ".join(explanation.breaks) if explanation else ""
    remedies = " ".join(explanation.remedies) if explanation else ""
    return FindingDraft(
        fingerprint=str(group.id),
        severity=severity,
        title=_TITLE[group.severity].format(cidr=group.cidr),
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
    if hit.clusters == 1:
        return f"{_named(hit) if hit.names else 'One cluster'} collides with itself"
    if own:
        return f"{_named(hit)} each collide with themselves"
    if hit.clusters == _PAIR:
        return f"{_named(hit)} collide"
    # Not "collide": around others' ranges a wide one collides with each of them, and they with nobody else.
    return f"Each of {_named(hit)} collides with at least one of them"


def _named(hit: NamedClusters) -> str:
    names = list(hit.names[:_NAMED])
    more = hit.clusters - len(names)
    if more or not names:
        names.append(f"{more} {'more ' if names else ''}{'cluster' if more == 1 else 'clusters'}")
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
