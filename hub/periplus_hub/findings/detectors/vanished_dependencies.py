"""Dependencies that were there regularly, and of which nothing has passed for longer than ever before."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.engine.rhythm import longest_pause_h, may_be_silent_h, silent_h
from periplus_hub.dependencies.engine.watched import MISSED_S, QuietPair, Watched, Workload, is_silent, telling
from periplus_hub.dependencies.model import EdgeEnd
from periplus_hub.findings.facts import REGISTRATIONS, WATCHED, Facts
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.findings.named_ends import at_most, concerned, end_key, end_name, for_evidence, listed
from periplus_hub.flows.model import DAY_S, HOUR_S

_RULE: Final = "silent for more than half as long again as its longest pause, in hours that every node told"


Workloads = Mapping[tuple[UUID, str, str, str], Workload]


class VanishedDependencies:
    """One finding for two namespaces, and one for each workload that was taken away and what depended on it."""

    name = "vanished-dependencies"
    needs = (REGISTRATIONS, WATCHED)

    def detect(self, facts: Facts, now: datetime) -> Iterable[FindingDraft | Undecided] | None:
        """What passes again is over; what does not is forgotten after a week."""
        del now
        watched = facts[WATCHED]
        if watched is None:
            return None
        names = {each.id: each.name for each in facts[REGISTRATIONS]}
        found = list(_drafts(watched, names))
        return at_most(found, "vanished dependencies", more=watched.quiet_more)


def _drafts(watched: Watched, names: Mapping[UUID, str]) -> Iterator[FindingDraft | Undecided]:
    gone: dict[str, list[QuietPair]] = {}
    taken: dict[str, list[tuple[EdgeEnd, QuietPair]]] = {}
    unclear: set[str] = set()
    for pair in watched.quiet:
        longest_h = longest_pause_h(pair.hours)
        if longest_h is None or not _is_overdue(pair, watched.at, longest_h):
            continue
        end = next((each for each in (pair.src, pair.dst) if _is_taken(each, watched.workloads)), None)
        place = _place(pair) if end is None else end_key(end)
        if not _is_silent(pair, watched, longest_h):
            unclear.add(place)
        elif end is None:
            gone.setdefault(place, []).append(pair)
        else:
            taken.setdefault(place, []).append((end, pair))
    yield from (Undecided(each) for each in sorted(unclear - gone.keys() - taken.keys()))
    yield from (_vanished(place, pairs, names) for place, pairs in gone.items())
    yield from (_taken(place, pairs, names, watched.workloads) for place, pairs in taken.items())


def _is_overdue(pair: QuietPair, at: datetime, longest_h: int) -> bool:
    """By the clock alone: before that it is not missed, whatever is known."""
    return (int(at.timestamp()) - pair.hours[-1]) // HOUR_S - 1 > may_be_silent_h(longest_h)


def _is_silent(pair: QuietPair, watched: Watched, longest_h: int) -> bool:
    """Whether all who would tell of it told of enough hours without it, every node of theirs, until lately."""
    if not is_silent(pair, watched.coverage):
        return False
    told = [watched.told_hours.get(each, frozenset()) for each in telling(pair)]
    return bool(told) and min(silent_h(pair.hours[-1], each) for each in told) > may_be_silent_h(longest_h)


def _is_taken(end: EdgeEnd, workloads: Workloads) -> bool:
    known = _known(end, workloads)
    return known is not None and (not known.is_there or known.replicas == 0)


def _known(end: EdgeEnd, workloads: Workloads) -> Workload | None:
    if end.registration_id is None:
        return None
    return workloads.get((end.registration_id, end.namespace, end.kind, end.name))


def _place(pair: QuietPair) -> str:
    ends = (pair.src, pair.dst)
    return ">".join(f"{end.registration_id}/{end.namespace}" for end in ends)


def _vanished(place: str, pairs: list[QuietPair], names: Mapping[UUID, str]) -> FindingDraft:
    sources, targets = ({end_name(end, names) for end in ends} for ends in zip(*map(_ends, pairs), strict=True))
    registration_id, registration_ids = concerned(end for each in pairs for end in _ends(each))
    return FindingDraft(
        fingerprint=place,
        severity=FindingSeverity.WARNING,
        title=f"{listed(sources)} talks to {listed(targets)} no more",
        why=f"Nothing has passed since {_last(pairs):%Y-%m-%d %H:%M} UTC, for longer than ever in two weeks before, "
        "while their clusters told of other flows.",
        what_to_do="Look whether the client still runs and calls, and whether the server is reached: pods, Service, "
        "network policies, and what connects the clusters. It is closed when something passes again; if it was taken "
        f"away, acknowledge it: after {MISSED_S // DAY_S} days it is not missed any more.",
        evidence=_evidence(pairs, names),
        registration_id=registration_id,
        registration_ids=registration_ids,
    )


def _taken(
    place: str, taken: list[tuple[EdgeEnd, QuietPair]], names: Mapping[UUID, str], workloads: Workloads
) -> FindingDraft:
    (end, _), pairs = taken[0], [pair for _, pair in taken]
    known, who = _known(end, workloads), end_name(end, names)
    how = "is scaled to zero" if known is not None and known.is_there else "was deleted"
    others = {end_name(each, names) for pair in pairs for each in _ends(pair)} - {who}
    registration_id, registration_ids = concerned(each for pair in pairs for each in _ends(pair))
    return FindingDraft(
        fingerprint=place,
        severity=FindingSeverity.INFO,
        title=f"{who} {how}, and nothing passes any more between it and {listed(others)}",
        why=f"Nothing has passed since {_last(pairs):%Y-%m-%d %H:%M} UTC. {end.kind} {end.namespace}/{end.name} {how}: "
        "that its dependencies ended is no fault of the network.",
        what_to_do="Nothing, if it was meant to be. Else start it again, or look who took it away.",
        evidence=_evidence(pairs, names),
        registration_id=registration_id,
        registration_ids=registration_ids,
    )


def _evidence(pairs: list[QuietPair], names: Mapping[UUID, str]) -> dict[str, object]:
    return {
        "pairs": for_evidence(f"{end_name(e.src, names)} → {end_name(e.dst, names)}" for e in pairs),
        "last_seen": _last(pairs).isoformat(),
        "longest_pause_hours_before": max(longest_pause_h(each.hours) or 0 for each in pairs),
        "active_hours_before": max(len(each.hours) for each in pairs),
        "rule": _RULE,
    }


def _last(pairs: list[QuietPair]) -> datetime:
    return max(each.last_seen for each in pairs)


def _ends(pair: QuietPair) -> tuple[EdgeEnd, EdgeEnd]:
    return pair.src, pair.dst
