"""Ends that talk to each other for the first time although both were known for days."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.watched import KNOWN_S, NewPair, Watched, telling
from periplus_hub.dependencies.model import EdgeEnd, EdgeLevel
from periplus_hub.findings.facts import REGISTRATIONS, WATCHED, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import at_most, concerned, end_key, end_name, for_evidence, listed, sides_of
from periplus_hub.flows.model import DAY_S, HOUR_S

_TOLD_PERCENT: Final = 90
"""Of the hours before, that a cluster that reports the pair must have told whole."""
_RULE: Final = (
    f"not seen together for {KNOWN_S // DAY_S} days in which both were seen, and of which a cluster that reports them "
    f"told {_TOLD_PERCENT} % of the hours whole"
)


class NewPeers:
    """One finding for two clusters, two namespaces, or all new peers of a workload: the coarsest that is new."""

    name = "new-peers"
    needs = (REGISTRATIONS, WATCHED)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """A peer is new for a day."""
        del now
        watched = facts[WATCHED]
        if watched is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        return at_most(list(_drafts(watched, names)), "new peers", more=watched.new_more)


def _drafts(watched: Watched, names: Mapping[UUID, str]) -> Iterator[FindingDraft]:
    sure = [pair for pair in watched.new if _was_told_before(pair, watched)]
    coarser: set[tuple[object, ...]] = set()
    for level in (EdgeLevel.CLUSTER, EdgeLevel.NAMESPACE):
        for pair in sure:
            if pair.level is level and not _places(pair) & coarser:
                coarser.add(_place(pair, level))
                yield _draft([pair], names, f"{end_key(pair.src)}>{end_key(pair.dst)}")
    by_subject: dict[str, list[NewPair]] = {}
    for pair in sure:
        if pair.level is EdgeLevel.WORKLOAD and not _places(pair) & coarser:
            by_subject.setdefault(_subject(pair), []).append(pair)
    for subject, pairs in by_subject.items():
        yield _draft(pairs, names, subject)


def _was_told_before(pair: NewPair, watched: Watched) -> bool:
    first = int(pair.first_seen.timestamp()) // HOUR_S * HOUR_S
    hours = range(first - KNOWN_S, first, HOUR_S)
    told = [watched.told_hours.get(each, frozenset()) for each in telling(pair)]
    return any(100 * len(each.intersection(hours)) >= _TOLD_PERCENT * len(hours) for each in told)


def _place(pair: NewPair, level: EdgeLevel) -> tuple[object, ...]:
    """The two ends at a coarser level."""
    parts = [end.registration_id for end in (pair.src, pair.dst)]
    namespaces = [end.namespace for end in (pair.src, pair.dst)] if level is EdgeLevel.NAMESPACE else []
    return (level, *parts, *namespaces)


def _places(pair: NewPair) -> set[tuple[object, ...]]:
    coarser = (EdgeLevel.CLUSTER,) if pair.level is EdgeLevel.NAMESPACE else (EdgeLevel.CLUSTER, EdgeLevel.NAMESPACE)
    return set() if pair.level is EdgeLevel.CLUSTER else {_place(pair, level) for level in coarser}


def _subject(pair: NewPair) -> str:
    """Who is to be asked about it: the client, or whoever is reached from outside."""
    return f"{end_key(pair.dst)}<" if pair.src.registration_id is None else f"{end_key(pair.src)}>"


def _draft(pairs: list[NewPair], names: Mapping[UUID, str], fingerprint: str) -> FindingDraft:
    sources, targets = ({end_name(end, names) for end in ends} for ends in zip(*map(_ends, pairs), strict=True))
    first = min(pair.first_seen for pair in pairs)
    registration_id, registration_ids = concerned(end for pair in pairs for end in _ends(pair))
    return FindingDraft(
        fingerprint=fingerprint,
        severity=FindingSeverity.WARNING if any(map(_is_far, pairs)) else FindingSeverity.INFO,
        title=f"{listed(sources)} talks to {listed(targets)} for the first time",
        why=f"Since {first:%Y-%m-%d %H:%M} UTC. Both were seen for {KNOWN_S // DAY_S} days before, and never together.",
        what_to_do=f"{_LOOK} If it is meant to be, acknowledge it; it is closed a day after it was first seen. Else "
        "look at who changed what runs there, and let a network policy deny it.",
        evidence={
            "pairs": for_evidence(f"{end_name(each.src, names)} → {end_name(each.dst, names)}" for each in pairs),
            "ports": for_evidence(f"{protocol}/{port}" for each in pairs for protocol, port in each.ports),
            "level": pairs[0].level.value,
            "since": first.isoformat(),
            "reported_by": sides_of(side for each in pairs for side in each.reported_by),
            "rule": _RULE,
        },
        registration_id=registration_id,
        registration_ids=registration_ids,
    )


_LOOK: Final = "See what passes: 'periplus dependencies --of' with either of them."


def _ends(pair: NewPair) -> tuple[EdgeEnd, EdgeEnd]:
    return pair.src, pair.dst


def _is_far(pair: NewPair) -> bool:
    """To another cluster, or outside."""
    return pair.src.registration_id != pair.dst.registration_id
