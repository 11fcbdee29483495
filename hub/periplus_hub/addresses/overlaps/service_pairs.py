"""Comparing two clusters: every overlap of theirs, in pages."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.addresses.overlaps import repository_acceptances, repository_members, repository_register
from periplus_hub.addresses.overlaps.engine.explanations import explain_pair
from periplus_hub.addresses.overlaps.engine.two_clusters import End, Pair, PairKey, PairView
from periplus_hub.addresses.overlaps.engine.uses import KIND_OF, USES
from periplus_hub.addresses.overlaps.model import Explanation, Severity
from periplus_hub.addresses.overlaps.repository_members import Chosen
from periplus_hub.kit.cursors import Key, decode_cursor
from periplus_hub.kit.db import ReadConnection
from periplus_hub.kit.errors import Invalid, NotFound
from periplus_hub.kit.windows import Window, other_list

ORDER: Final = "overlap_pairs"


@dataclass(frozen=True, slots=True)
class PairAsk:
    """Two clusters, and as of when."""

    a: UUID
    b: UUID
    now: datetime


class PairRow(NamedTuple):
    """A pair with the rows of its allocations, and what it means."""

    pair: Pair
    severity: Severity
    a: Any
    b: Any
    explanation: Explanation


class PairPage(NamedTuple):
    """A page of pairs, worst first."""

    rows: Sequence[PairRow] = ()
    has_next: bool = False


async def pair_views(c: ReadConnection, scope: Scope, asks: Sequence[PairAsk]) -> dict[PairAsk, PairView]:
    """For a loader; raises NotFound for a cluster that is not active. What is of an accepted group is intended."""
    topology = await repository_register.topology(c, scope)
    accepted = frozenset(await repository_acceptances.accepted_roots(c, scope, asks[0].now))
    found, clusters = {}, set(topology.clusters)
    for ask in asks:
        for cluster in (ask.a, ask.b):
            if cluster not in clusters:
                raise NotFound(f"there is no active cluster {cluster}", "Look it up in the list of clusters.")
        if ask.a == ask.b:
            raise Invalid("both clusters are the same", "Name two different clusters.")
        columns = await repository_register.owner_columns(c, scope, [ask.a, ask.b])
        sides = (columns[ask.a], columns[ask.b])
        found[ask] = await asyncio.to_thread(PairView, sides, topology.relation(ask.a, ask.b), accepted)
    return found


async def pair_pages(
    c: ReadConnection,
    scope: Scope,
    asked: Sequence[tuple[PairAsk, PairView]],
    window: Window,
    severities: tuple[Severity, ...],
) -> dict[tuple[PairAsk, PairView], PairPage]:
    """A page of the pairs of each view."""
    after = None if window.after is None else _position_at(window.after)
    count = window.checked().size
    found = {}
    for ask, view in asked:
        pairs, has_next = await asyncio.to_thread(view.page, count, after, severities)
        found[ask, view] = PairPage(await _rows(c, scope, ask, view, pairs), has_next)
    return found


async def _rows(c: ReadConnection, scope: Scope, ask: PairAsk, view: PairView, pairs: Sequence[Pair]) -> list[PairRow]:
    """Pairs whose allocations are still there."""
    ends = list({(cluster, end) for pair in pairs for cluster, end in ((ask.a, pair.a), (ask.b, pair.b))})
    chosen = Chosen(
        place=[0] * len(ends),
        registration_id=[cluster for cluster, _ in ends],
        kind=[KIND_OF[end.use].value for _, end in ends],
        cidr=[str(end.prefix) for _, end in ends],
        node=[end.node for _, end in ends],
        use=[USES.index(end.use) for _, end in ends],
        nth=[0] * len(ends),
        severity=[None] * len(ends),
    )
    rows = {
        (row.registration_id, row.kind, row.cidr, row.node_number): row
        for row in await repository_members.chosen_rows(c, scope, chosen)
    }
    found = []
    for pair in pairs:
        a, b = (rows.get((cluster, *_name(end))) for cluster, end in ((ask.a, pair.a), (ask.b, pair.b)))
        # The rows are read after the view was computed, and one may have gone meanwhile.
        if a is not None and b is not None:
            severity = Severity.INTENDED if pair.accepted else pair.severity
            told = explain_pair(pair.severity, view.relation, pair.a.use, pair.b.use, accepted=pair.accepted)
            found.append(PairRow(pair, severity, a, b, told))
    return found


def _name(end: End) -> tuple[str, str, int]:
    return KIND_OF[end.use].value, str(end.prefix), end.node


def position_of(row: PairRow) -> Key:
    """A pair's position among all, as cursors hold it."""
    severity, outer, inner = row.pair.key
    return severity, *outer, *inner


def _position_at(after: str) -> PairKey:
    match decode_cursor(after, ORDER):
        case (
            int(severity), bytes(outer), int(length), int(side), int(use), int(node),
            bytes(inner), int(inner_length), int(inner_side), int(inner_use), int(inner_node),
        ):  # fmt: skip
            outer_key = (outer, length, side, use, node)
            return severity, outer_key, (inner, inner_length, inner_side, inner_use, inner_node)
    raise other_list()
