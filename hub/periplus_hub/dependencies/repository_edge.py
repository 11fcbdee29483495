"""Statements about one edge in the flow store."""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, Final

from periplus_contract.flow_words import Verdict
from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.edge_columns import measure, read_end, sides
from periplus_hub.dependencies.engine.edge_values import HISTORY, EdgeDetail, EdgeHours, PortUse, RuleUse
from periplus_hub.dependencies.model import EdgeEnd, EdgeFilter
from periplus_hub.dependencies.tables_edges import ENDS, OUTCOME, STEP, in_time
from periplus_hub.flows.model import MEASURES
from periplus_hub.flows.model_kinds import AMBIGUOUS
from periplus_hub.kit.column_store import ColumnStore

MOST_PORTS: Final = 200
MOST_RULES: Final = 20
MOST_CANDIDATES: Final = 20
_ENDS: Final = ", ".join(ENDS)

_PAIRS: Final = Template("""
    SELECT $ends, src_workload AS src_name, dst_workload AS dst_name,
      groupUniqArray(4)(src_rule) AS src_rules, groupUniqArray(4)(dst_rule) AS dst_rules
    FROM $edges GROUP BY $ends ORDER BY $ends LIMIT 2
""")
_HOURS: Final = Template("""
    SELECT $step AS start, $sums, groupBitOr(measured) AS known, sum(client_bytes) AS client,
      sum(server_bytes) AS server, groupBitOr(reporters) AS told_by
    FROM $edges GROUP BY start ORDER BY start
""")
_PORTS: Final = Template("""
    SELECT protocol, dst_port, $outcome AS outcome, $sums, groupBitOr(measured) AS known,
      count() OVER () AS port_count
    FROM $edges GROUP BY protocol, dst_port, outcome
    ORDER BY sum_bytes_tx + sum_bytes_rx DESC, protocol, dst_port, outcome LIMIT {most:UInt32}
""")
_RULES: Final = Template("""
    SELECT src_rule, dst_rule, $sums, groupBitOr(measured) AS known
    FROM $edges GROUP BY src_rule, dst_rule
    ORDER BY sum_bytes_tx + sum_bytes_rx DESC, src_rule, dst_rule LIMIT {most:UInt32}
""")
_CANDIDATES: Final = """
    SELECT DISTINCT c.1 AS registration, c.2 AS namespace, c.3 AS kind, c.4 AS name
    FROM (SELECT arrayJoin(candidates) AS c FROM flow_identities
      WHERE hour >= fromUnixTimestamp({since:UInt32}) AND hour < fromUnixTimestamp({until:UInt32})
        AND registration = {viewer:UUID} AND kind = {ambiguous:String} AND workload = {address:String})
    ORDER BY registration, namespace, kind, name LIMIT {most:UInt32}
"""
_SUMS: Final = ", ".join(f"sum({name}) AS sum_{name}" for name in MEASURES)


class SeveralEdges(Exception):
    """The filter leaves more than one pair of ends."""


async def edge_in_full(scope: Scope, store: ColumnStore, asked: EdgeFilter, step_s: int) -> EdgeDetail | None:
    """The one edge that is asked for, its history in steps; None where nothing passed. Raises SeveralEdges."""
    edges, given = in_time(asked)

    async def rows(statement: Template, **more: Any) -> list[dict[str, Any]]:
        text = statement.substitute(ends=_ENDS, sums=_SUMS, outcome=OUTCOME, edges=edges, step=STEP)
        found: list[dict[str, Any]] = (await store.query(scope, text, given | more)).to_pylist()
        return found

    pairs = await rows(_PAIRS)
    if len(pairs) > 1:
        raise SeveralEdges
    if not pairs:
        return None
    src, dst = (read_end(pairs[0], f"{side}_", tuple(sorted(pairs[0][f"{side}_rules"]))) for side in ("src", "dst"))
    ports = await rows(_PORTS, most=MOST_PORTS)
    return EdgeDetail(
        src=src,
        dst=dst,
        hours=_hours(await rows(_HOURS, step=step_s)),
        ports=[_port(row) for row in ports],
        port_count=ports[0]["port_count"],
        rules=[_rule(row) for row in await rows(_RULES, most=MOST_RULES)],
        src_candidates=await _candidates(scope, store, given, src, dst),
        dst_candidates=await _candidates(scope, store, given, dst, src),
    )


async def _candidates(
    scope: Scope, store: ColumnStore, given: Mapping[str, Any], end: EdgeEnd, viewer: EdgeEnd
) -> Sequence[EdgeEnd]:
    """Whom an ambiguous end may be, seen from the cluster of the other end."""
    if end.kind != AMBIGUOUS or viewer.registration_id is None:
        return ()
    more = {"viewer": str(viewer.registration_id), "ambiguous": AMBIGUOUS, "address": end.name}
    wanted = {name: given[name] for name in ("since", "until")} | more | {"most": MOST_CANDIDATES}
    found = (await store.query(scope, _CANDIDATES, wanted)).to_pylist()
    return [read_end(row, "") for row in found]


def _hours(rows: Sequence[Mapping[str, Any]]) -> EdgeHours:
    told_by = 0
    for row in rows:
        told_by |= row["told_by"]
    return EdgeHours(
        found={name: {row["start"]: measure(row, *measures) for row in rows} for name, measures in HISTORY.items()},
        # Nothing tells a side that reported no bytes from one that reported none at all.
        client_bytes=sum(row["client"] for row in rows) or None,
        server_bytes=sum(row["server"] for row in rows) or None,
        reported_by=sides(told_by),
    )


def _port(row: Mapping[str, Any]) -> PortUse:
    return PortUse(
        protocol=row["protocol"],
        port=row["dst_port"],
        verdict=Verdict(row["outcome"]),
        bytes_tx=measure(row, "bytes_tx"),
        bytes_rx=measure(row, "bytes_rx"),
        connections_opened=measure(row, "connections_opened"),
    )


def _rule(row: Mapping[str, Any]) -> RuleUse:
    return RuleUse(src_rule=row["src_rule"], dst_rule=row["dst_rule"], bytes=measure(row, "bytes_tx", "bytes_rx"))
