"""How findings name the ends of edges, and how many of them they list. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

from periplus_hub.dependencies.model import EdgeEnd, EdgeSide
from periplus_hub.findings.model import FindingDraft, FindingSeverity, Undecided
from periplus_hub.flows.model_kinds import ANYBODY, EXTERNAL, NODE

MOST_DRAFTS: Final = 50
"""Findings of one detector that have a finding of their own."""
_LISTED: Final = 3
_EVIDENCE: Final = 20

_RANK: Final = {severity: rank for rank, severity in enumerate(FindingSeverity)}


def end_name(end: EdgeEnd, clusters: Mapping[UUID, str]) -> str:
    """As `periplus dependencies --of` takes it: shop/web@prod-1; of coarser levels shop@prod-1, or prod-1."""
    if end.kind == EXTERNAL:
        return "outside"
    place = "/".join(filter(None, (end.namespace, end.name)))
    if end.registration_id is None:
        return "unknown" if end.kind in {*ANYBODY, ""} else place
    cluster = clusters.get(end.registration_id, "a revoked cluster")
    if end.kind == NODE:
        return f"nodes@{cluster}"
    return f"{place}@{cluster}" if place else cluster


def end_key(end: EdgeEnd) -> str:
    """The same for the same end, whatever its cluster is called."""
    return "/".join((str(end.registration_id or ""), end.namespace, end.kind, end.name))


def listed(names: Iterable[str], most: int = _LISTED) -> str:
    """The first of them, and how many more there are."""
    known = sorted(set(names))
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def for_evidence(names: Iterable[str]) -> list[str]:
    """As many as evidence holds."""
    return sorted(set(names))[:_EVIDENCE]


def sides_of(reported_by: Iterable[EdgeSide]) -> list[str]:
    """Who reported."""
    return sorted({side.value for side in reported_by})


def concerned(ends: Iterable[EdgeEnd]) -> tuple[UUID | None, tuple[UUID, ...]]:
    """The one cluster of these ends, or the several."""
    found = sorted({end.registration_id for end in ends if end.registration_id is not None})
    return (found[0], ()) if len(found) == 1 else (None, tuple(found))


def at_most(
    found: Sequence[FindingDraft | Undecided], what: str, *, more: int = 0
) -> Iterable[FindingDraft | Undecided]:
    """The worst of them, and one draft about the rest. `more` were not even looked at.

    One of the rest that has a finding keeps it: it is no better for others being worse.
    """
    drafts = sorted((each for each in found if isinstance(each, FindingDraft)), key=_worst_first)
    yield from (each for each in found if isinstance(each, Undecided))
    yield from islice(drafts, MOST_DRAFTS)
    rest = drafts[MOST_DRAFTS:]
    yield from (Undecided(each.fingerprint, is_unknown=False) for each in rest)
    if rest or more:
        yield FindingDraft(
            fingerprint="more",
            severity=rest[0].severity if rest else FindingSeverity.INFO,
            title=f"There are more {what} than are listed one by one",
            why=f"{len(rest)} more have no finding of their own{_unlooked(more)}.",
            what_to_do="Deal with the listed ones first. 'periplus dependencies' has all edges.",
            evidence={"more": len(rest), "not_looked_at": more},
        )


def _unlooked(more: int) -> str:
    return f", and {more} pairs were not looked at" if more else ""


def _worst_first(draft: FindingDraft) -> tuple[int, str]:
    return _RANK[draft.severity], draft.fingerprint
