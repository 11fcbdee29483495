"""Registrations of one kube-system uid, put together as far as they are one cluster. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from periplus_hub.findings.facts import MACHINES, REGISTRATIONS, Facts
from periplus_hub.fleet.model import MACHINES_HOLD, Machines, Registration, same_clusters
from periplus_hub.kit.some_names import some

_NAMED: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SameUid:
    """One cluster: its live registrations, the oldest first, and the nodes that any of them showed."""

    registrations: tuple[Registration, ...]
    machines: Machines


def clusters_by_uid(facts: Facts) -> dict[str, list[SameUid]]:
    """By kube-system uid that several live registrations have, the clusters that these are."""
    registrations = {each.id: each for each in facts[REGISTRATIONS]}
    by_uid: dict[str, dict[UUID, Machines]] = {}
    for each, machines in facts[MACHINES].items():
        by_uid.setdefault(registrations[each].cluster_uid, {})[each] = machines
    return {
        uid: [_cluster(same, known, registrations) for same in same_clusters(known)] for uid, known in by_uid.items()
    }


def _cluster(
    same: Sequence[UUID], known: Mapping[UUID, Machines], registrations: Mapping[UUID, Registration]
) -> SameUid:
    seen = frozenset[str]().union(*(known[each].seen for each in same))
    machines = Machines(seen=seen, as_of=max(known[each].as_of for each in same))
    return SameUid(registrations=tuple(registrations[each] for each in same), machines=machines)


def told_apart(clusters: Sequence[SameUid]) -> tuple[list[SameUid], list[SameUid]]:
    """Of clusters with one uid, those that are several for sure, and those that may be one of the others."""
    shown = [each for each in clusters if each.machines.seen]
    latest = max((each.machines.as_of for each in shown), default=None)
    # Nodes are replaced in time, so only what was seen about the same time tells two clusters apart.
    apart = [each for each in shown if latest is not None and latest - each.machines.as_of <= MACHINES_HOLD]
    return (apart if len(apart) > 1 else []), [each for each in clusters if each not in apart]


def named(registrations: Sequence[Registration]) -> str:
    """Their names, for a sentence: a golden image can be the start of a thousand."""
    return some(sorted(each.name for each in registrations), _NAMED)
