"""Names that nothing has, in answers of nothing: these would read as if nobody talked to what is meant.

Whatever was found has all names that were asked for, so only an answer of nothing asks whether there is such a thing.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row

from periplus_hub.access.graphql import Info
from periplus_hub.dependencies import repository_names, repository_seen
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.engine.near import nearest
from periplus_hub.dependencies.graphql_store import of_store
from periplus_hub.dependencies.model import EdgeFilter, EndFilter
from periplus_hub.fleet import repository_graphql as fleet
from periplus_hub.fleet.model import State
from periplus_hub.flows.model import LOOK_BACK_S
from periplus_hub.flows.model_kinds import OF_FLOWS
from periplus_hub.kit.errors import NotFound

_SHOWN: Final = 80
_LISTED: Final = "Take namespace and name from 'dependencies'."
_GONE: Final = {
    State.PENDING.value: ("waits for approval", "Approve it, and ask again when it told flows."),
    State.REVOKED.value: ("is revoked", "Where it joined again, take its new id from the list of clusters."),
}
"""States of clusters of which nobody tells anything, with what to do."""


async def refuse_unknown(info: Info, asked: EdgeFilter) -> None:
    """Raises NotFound where neither the inventory nor any edge of the asked time has an end that is meant.

    So it does of a cluster that is no member, if nothing passed there in that time.
    """
    ends = [each for each in (asked.either, asked.src, asked.dst) if not each.is_any]
    clusters = [await _cluster(info, each) for each in ends]
    are_gone = [each is not None and each.state in _GONE for each in clusters]
    unknown = [each for each, is_gone in zip(ends, are_gone, strict=True) if is_gone]
    named = [each for each, is_gone in zip(ends, are_gone, strict=True) if not is_gone and _has_name(each)]
    if named:
        since = datetime.fromtimestamp(hour_of(asked.since) - LOOK_BACK_S, UTC)
        are_known = await info.context.read(repository_names.known, named, since)
        unknown += [each for each, is_known in zip(named, are_known, strict=True) if not is_known]
    if unknown:
        are_seen = await of_store(info, [False] * len(unknown), repository_seen.seen, asked, unknown)
        unknown = [each for each, is_seen in zip(unknown, are_seen, strict=True) if not is_seen]
    if unknown:
        raise await _refusal(info, unknown[0])


def _has_name(end: EndFilter) -> bool:
    return end.name is not None or bool(end.namespace) or (end.kind is not None and end.kind not in OF_FLOWS)


async def _cluster(info: Info, end: EndFilter) -> Row[Any] | None:
    """Whoever asked for it has loaded it already."""
    return await info.context.load(fleet.clusters_by_ids, end.clusters[0]) if end.clusters else None


async def _refusal(info: Info, end: EndFilter) -> NotFound:
    cluster = await _cluster(info, end)
    place = "" if cluster is None else f" of cluster '{cluster.name}'"
    if cluster is not None and cluster.state in _GONE:
        why, remedy = _GONE[cluster.state]
        return NotFound(f"no flow{place} is known: it {why}", remedy)
    asked = end.namespace if end.name is None else end.name
    with_kind = end.kind is not None
    near = [] if not asked else await info.context.read(repository_names.near, end)
    alike = await asyncio.to_thread(nearest, asked or "", near, with_kind=with_kind)
    remedy = f"Do you mean {' or '.join(alike)}?" if alike else _LISTED
    return NotFound(f"{_thing(end)}{place} is known", remedy)


def _thing(end: EndFilter) -> str:
    kind = "nothing" if end.kind is None else f"no '{end.kind[:_SHOWN]}'"
    place = f" in namespace '{end.namespace[:_SHOWN]}'" if end.namespace else ""
    if end.name is not None:
        return f"{kind} called '{end.name[:_SHOWN]}'{place}"
    return f"{kind}{place}" if end.kind is not None else f"no namespace '{(end.namespace or '')[:_SHOWN]}'"
