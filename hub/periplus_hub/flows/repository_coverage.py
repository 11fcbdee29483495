"""SQL of how much of the flows of each hour was told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Table, cast, delete, func, select, update
from sqlalchemy.dialects.postgresql import BIT
from sqlalchemy.dialects.postgresql import insert as upsert

from periplus_contract import flow_words
from periplus_contract.batch import FlowsMark
from periplus_hub.access.scope import Scope, owned
from periplus_hub.flows.model import MINUTES_OF_HOUR, FlowRows, HourOfBatch
from periplus_hub.flows.tables import coverage, node_coverage
from periplus_hub.ingest.model import DecodedBatch
from periplus_hub.inventory.tables import nodes
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.json_counts import counts_added

Accepted = Sequence[tuple[DecodedBatch, FlowRows]]

_ADDED: Final = ("rows", "rejected", "observed", "unmeasured", "other_rows")
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
        "lost": lost,
        "nodes": 0,
        "node_minutes": 0,
    }


def _of_node(batch: DecodedBatch, hour: HourOfBatch) -> dict[str, Any]:
    """The node is that of the agent's credential: what a header says would let one agent speak for many nodes."""
    return {
        "registration_id": batch.registration_id,
        "hour": hour.hour,
        "node": batch.principal.node_name,
        "minutes": hour.minutes,
        "last_window": hour.last_window,
    }


async def _put(c: WriteConnection, scope: Scope, statement: Any, rows: Iterable[Mapping[str, Any]]) -> None:  # noqa: ANN401 - Insert of a dialect
    # Row by row, as agents of one cluster tell of one hour; and in one order everywhere, so that two transactions with
    # agents of the same clusters do not wait for each other in a circle.
    added = sorted(rows, key=lambda row: (row["registration_id"], row["hour"], row.get("node", "")))
    if added:
        await c.execute(statement, [{"tenant_id": scope.tenant_id, **row} for row in added])


def _adding(table: Table, **more: Any) -> Any:  # noqa: ANN401 - as above
    statement = upsert(table)
    changed = {
        "minutes": table.c.minutes.op("|")(statement.excluded.minutes),
        "last_window": func.greatest(table.c.last_window, statement.excluded.last_window),
    }
    return statement.on_conflict_do_update(index_elements=[*table.primary_key.columns], set_=changed | more)


def _adding_of_clusters() -> Any:  # noqa: ANN401 - as above
    new = upsert(coverage).excluded
    return _adding(
        coverage,
        **{name: coverage.c[name] + new[name] for name in _ADDED},
        sampling=func.greatest(coverage.c.sampling, new.sampling),
        lost=counts_added(coverage.name, coverage.c.lost.name),
    )


_OF_CLUSTERS: Final = _adding_of_clusters()
_OF_NODES: Final = _adding(node_coverage)


async def fold_nodes_before(c: WriteConnection, scope: Scope, before_s: int) -> None:
    """Keep of hours before only how many nodes there were, and how many minutes they told together.

    Nodes that told nothing are those that the inventory has now: who was there then is not kept.
    """
    old = (owned(scope, node_coverage), node_coverage.c.hour < before_s)
    told = (
        select(
            node_coverage.c.registration_id,
            node_coverage.c.hour,
            func.count().label("nodes"),
            func.sum(func.bit_count(cast(node_coverage.c.minutes, BIT(MINUTES_OF_HOUR)))).label("minutes"),
        )
        .where(*old)
        .group_by(node_coverage.c.registration_id, node_coverage.c.hour)
        .subquery()
    )
    here = (
        select(func.count())
        .where(owned(scope, nodes), nodes.c.registration_id == told.c.registration_id)
        .correlate(told)
        .scalar_subquery()
    )
    same = (coverage.c.registration_id == told.c.registration_id, coverage.c.hour == told.c.hour)
    folded = {"nodes": func.greatest(told.c.nodes, here), "node_minutes": told.c.minutes}
    await c.execute(update(coverage).where(owned(scope, coverage), *same).values(folded))
    await c.execute(delete(node_coverage).where(*old))
