"""SQL of how much of the flows of each hour was told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import BitString
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.model import HOUR_S, MINUTE_S, MINUTES_OF_DAY, MINUTES_OF_HOUR, FlowRows, HourOfBatch, day_of
from periplus_hub.flows.tables import coverage, node_coverage
from periplus_hub.flows.tables_node_minutes import each_hour, minutes_told
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.json_counts import counts_added

Accepted = Sequence[tuple[DecodedBatch, FlowRows]]

_ADDED: Final = ("rows", "rejected", "observed", "unmeasured", "other_rows", "other_hosts")
_REASONS: Final = frozenset(
    (
        flow_words.LOST_EVENTS,
        flow_words.LOST_EVICTED,
        flow_words.LOST_NODES,
        flow_words.LOST_OVERRUN,
        flow_words.LOST_RESET,
        flow_words.LOST_UNREADABLE,
        flow_words.LOST_UNREAD,
    )
)
_UNKNOWN: Final = "other"
"""For what a later spoke says in words that this hub does not know: strangers' words are not kept."""


async def note_coverage(c: WriteConnection, scope: Scope, accepted: Accepted) -> None:
    """What these batches tell of, and what they say that they lack."""
    hours = [(batch, number, hour) for batch, found in accepted for number, hour in enumerate(found.hours)]
    await _put(c, scope, _OF_CLUSTERS, [_of_cluster(batch, hour, is_first=not number) for batch, number, hour in hours])
    agents = [_of_node(batch, hour) for batch, _, hour in hours if batch.principal.node_name]
    await _put(c, scope, _OF_NODES, agents)


def _of_cluster(batch: DecodedBatch, hour: HourOfBatch, *, is_first: bool) -> dict[str, Any]:
    """What the batch says of itself is booked for the first of its hours."""
    mark = (batch.header.flows if is_first else None) or FlowsMark()
    lost: dict[str, int] = {}
    for reason, count in mark.lost.items():
        word = reason if reason in _REASONS else _UNKNOWN
        lost[word] = lost.get(word, 0) + count
    return {
        "registration_id": batch.registration_id,
        "hour": hour.hour,
        "minutes": hour.minutes,
        "last_window": hour.last_window,
        "rows": hour.rows,
        "rejected": batch.rejected_rows if is_first else 0,
        "sampling": hour.sampling,
        "observed": mark.observed,
        "unmeasured": mark.unmeasured,
        "other_rows": mark.other_rows,
        "other_hosts": mark.other_hosts,
        "lost": lost,
        "nodes": 0,
        "node_minutes": 0,
    }


def _of_node(batch: DecodedBatch, hour: HourOfBatch) -> dict[str, Any]:
    """The node is that of the agent's credential: what a header says would let one agent speak for many nodes."""
    day_start = day_of(hour.hour)
    before = (hour.hour - day_start) // MINUTE_S
    in_order = f"{hour.minutes:0{MINUTES_OF_HOUR}b}"[::-1]
    return {
        "registration_id": batch.registration_id,
        "day_start": day_start,
        "node": batch.principal.node_name,
        "minutes": BitString(f"{'0' * before}{in_order}".ljust(MINUTES_OF_DAY, "0")),
    }


async def _put(c: WriteConnection, scope: Scope, statement: Any, rows: Iterable[Mapping[str, Any]]) -> None:  # noqa: ANN401 - Insert of a dialect
    # Row by row, as agents of one cluster tell of one hour; and in one order everywhere, so that two transactions with
    # agents of the same clusters do not wait for each other in a circle.
    added = sorted(
        rows, key=lambda row: (row["registration_id"], row.get("hour") or row["day_start"], row.get("node", ""))
    )
    if added:
        await c.execute(statement, [{"tenant_id": scope.tenant_id, **row} for row in added])


def _adding_of_clusters() -> Any:  # noqa: ANN401 - as above
    statement = upsert(coverage)
    new = statement.excluded
    changed = {
        "minutes": coverage.c.minutes.op("|")(new.minutes),
        "last_window": func.greatest(coverage.c.last_window, new.last_window),
        "sampling": func.greatest(coverage.c.sampling, new.sampling),
        "lost": counts_added(coverage.name, coverage.c.lost.name),
    }
    added = {name: coverage.c[name] + new[name] for name in _ADDED}
    return statement.on_conflict_do_update(index_elements=[*coverage.primary_key.columns], set_=changed | added)


def _adding_of_nodes() -> Any:  # noqa: ANN401 - as above
    statement = upsert(node_coverage)
    changed = {"minutes": node_coverage.c.minutes.op("|")(statement.excluded.minutes)}
    return statement.on_conflict_do_update(index_elements=[*node_coverage.primary_key.columns], set_=changed)


_OF_CLUSTERS: Final = _adding_of_clusters()
_OF_NODES: Final = _adding_of_nodes()


async def fold_nodes_before(c: WriteConnection, scope: Scope, before_s: int) -> None:
    """Keep of whole UTC days before only how many nodes there were in each hour, and what they told together.

    Nodes that told nothing are those that the inventory has now: who was there then is not kept.
    """
    old = (owned(scope, node_coverage), node_coverage.c.day_start < day_of(before_s))
    hours, hour = each_hour()
    minutes = minutes_told(hour, hour + HOUR_S)
    told = (
        select(
            node_coverage.c.registration_id,
            hour.label("hour"),
            func.count().filter(minutes > 0).label("nodes"),
            func.sum(minutes).label("minutes"),
        )
        .select_from(hours)
        .where(*old)
        .group_by(node_coverage.c.registration_id, hour)
        .having(func.sum(minutes) > 0)
        .subquery()
    )
    here = (
        select(func.count())
        .where(owned(scope, nodes), nodes.c.registration_id == told.c.registration_id)
        .correlate(told)
        .scalar_subquery()
    )
    same = (coverage.c.registration_id == told.c.registration_id, coverage.c.hour == told.c.hour)
    there = func.greatest(told.c.nodes, here, coverage.c.nodes)
    # What comes of a folded hour is another minute of it, if it is not told twice.
    minutes = func.least(coverage.c.node_minutes + told.c.minutes, there * MINUTES_OF_HOUR)
    folded = {"nodes": there, "node_minutes": minutes}
    await c.execute(update(coverage).where(owned(scope, coverage), *same).values(folded))
    await c.execute(delete(node_coverage).where(*old))
