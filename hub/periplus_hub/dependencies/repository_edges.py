"""Statements about edges in the flow store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import Template
from typing import Any, Final

from periplus_contract.flow_words import Verdict
from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.edge_columns import measure, port_of, read_end
from periplus_hub.dependencies.model import (
    ADDED_UP,
    FAILURES,
    STATES,
    Coverage,
    Edge,
    EdgeFilter,
    EdgeLevel,
    EdgeOrder,
    Edges,
    EdgeSide,
)
from periplus_hub.dependencies.repository_asked import ask_edges
from periplus_hub.dependencies.repository_grouped import KNOWN, WITHIN, found
from periplus_hub.dependencies.tables_edges import END_COLUMNS, OUTCOME, end_columns, looked_at, together
from periplus_hub.flows.model import MEASURES
from periplus_hub.flows.model_kinds import UNRESOLVED
from periplus_hub.kit.column_store import ColumnStore

_SIDES: Final = (None, EdgeSide.CLIENT, EdgeSide.SERVER)
"""By the store's number of the only side that reported an edge."""
_EDGES: Final = Template("""
    SELECT $columns, count() OVER () AS edge_count,
      countIf(has({unresolved:Array(String)}, end_src_kind) OR has({unresolved:Array(String)}, end_dst_kind))
        OVER () AS unresolved,
      countIf(NOT ($is_known)) OVER () AS unordered
    FROM ($$grouped) AS e
    ORDER BY ($is_known) DESC, $value DESC, sum_bytes_tx + sum_bytes_rx DESC, sum_connections_opened DESC, $names,
      outcome
    LIMIT {most:UInt32}
""")
_COLUMNS: Final = (
    *(*END_COLUMNS, *(f"sum_{name}" for name in MEASURES)),
    *("outcome", "known", "unknown_within", "rate", "state", "only_side", "first_seen", "last_seen"),
)
_MARKS: Final = Template("""
    SELECT $ends, $outcome AS outcome, groupUniqArrayIf(64)((protocol, dst_port), $within) AS ports,
      groupUniqArray(4)(src_rule) AS src_rules, groupUniqArray(4)(dst_rule) AS dst_rules
    FROM $edges GROUP BY $names, outcome
""")
_ORDERS: Final[Mapping[EdgeOrder, tuple[str, str]]] = {
    EdgeOrder.BYTES: (f"{KNOWN['bytes_tx']} OR {KNOWN['bytes_rx']}", "sum_bytes_tx + sum_bytes_rx"),
    EdgeOrder.CONNECTIONS: (KNOWN["connections_opened"], "sum_connections_opened"),
    EdgeOrder.FAILURES: (" OR ".join(KNOWN[name] for name in FAILURES), " + ".join(f"sum_{name}" for name in FAILURES)),
    EdgeOrder.RTT: (f"{KNOWN['rtt_us_sum']} AND sum_rtt_count > 0", "sum_rtt_us_sum / sum_rtt_count"),
    EdgeOrder.RETRANSMITS: (KNOWN["retransmits"], "sum_retransmits"),
    EdgeOrder.LAST_SEEN: ("1 = 1", "last_seen"),
}
"""When what is sorted by is known, and what it is. What is only partly known counts as far as it is.
A mere 1 would be the first column."""
_NO_MARKS: Final[Mapping[str, Any]] = {"ports": (), "src_rules": (), "dst_rules": ()}
_CLUSTERS: Final = {f"{side}_registration": (f"end_{side}_registration", "UUID") for side in ("src", "dst")}
_NARROWING: Final[Mapping[EdgeLevel, Mapping[str, tuple[str, str]]]] = {
    EdgeLevel.WORKLOAD: {"ends": ("ends", "UUID")},
    EdgeLevel.NAMESPACE: _CLUSTERS
    | {f"{side}_namespace": (f"end_{side}_namespace", "String") for side in ("src", "dst")},
    EdgeLevel.CLUSTER: _CLUSTERS,
}
"""The columns by which rows of shown edges are found, with that of the edge that has their value, and its type."""


async def edges(
    scope: Scope,
    store: ColumnStore,
    asked: EdgeFilter,
    coverage: Coverage,
    *,
    order: EdgeOrder,
    most: int,
    with_marks: bool = True,
) -> Edges:
    """The asked edges that were seen in the asked time, or not long before it.

    Without marks they have no ports and no rules: finding these takes long.
    """
    known, value = _ORDERS[order]
    columns = dict.fromkeys((*_COLUMNS, *(name for name, _ in _NARROWING[asked.level].values())))
    names = {"names": ", ".join(END_COLUMNS), "columns": ", ".join(columns)}
    around = Template(_EDGES.substitute(names, is_known=known, value=value))
    rows = (await found(scope, store, asked, coverage, around, most=most, unresolved=list(UNRESOLVED))).to_pylist()
    marks = await _marks(scope, store, asked, rows) if rows and with_marks else {}
    first = rows[0] if rows else {"edge_count": 0, "unresolved": 0, "unordered": 0}
    return Edges(
        edges=tuple(_edge(row | marks.get(_key(row), _NO_MARKS)) for row in rows),
        count=first["edge_count"],
        unresolved=first["unresolved"],
        unordered=first["unordered"],
    )


async def _marks(
    scope: Scope, store: ColumnStore, asked: EdgeFilter, rows: Sequence[Mapping[str, Any]]
) -> Mapping[tuple[Any, ...], Mapping[str, Any]]:
    """Ports and rules, which take long to find, of these edges alone."""
    columns = _NARROWING[asked.level]
    values = {f"shown_{column}": sorted({str(row[name]) for row in rows}) for column, (name, _) in columns.items()}
    shown = " AND ".join(f"{column} IN {{shown_{column}:Array({kind})}}" for column, (_, kind) in columns.items())

    def stated(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
        tables, given = looked_at(asked)
        statement = _MARKS.substitute(
            ends=", ".join(end_columns(asked.level)),
            outcome=OUTCOME,
            within=WITHIN,
            edges=together([f"{each} AND {shown}" for each in tables]),
            names=", ".join(END_COLUMNS),
        )
        return statement, given | values

    return {_key(row): row for row in (await ask_edges(scope, store, asked, stated)).to_pylist()}


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in (*END_COLUMNS, "outcome"))


def _edge(row: Mapping[str, Any]) -> Edge:
    rtt_count, rtt_us = measure(row, "rtt_count"), measure(row, "rtt_us_sum")
    return Edge(
        src=read_end(row, "end_src_", tuple(sorted(row["src_rules"]))),
        dst=read_end(row, "end_dst_", tuple(sorted(row["dst_rules"]))),
        verdict=Verdict(row["outcome"]),
        ports=tuple(sorted(port_of(each) for each in row["ports"])),
        **{name: measure(row, name) for name in ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx")},
        connections_opened=measure(row, "connections_opened"),
        failures=measure(row, *FAILURES),
        rtt_us=rtt_us / rtt_count if rtt_us is not None and rtt_count else None,
        retransmits=measure(row, "retransmits"),
        is_part_unmeasured=bool(row["known"] & row["unknown_within"] & ADDED_UP),
        state=STATES[row["state"]],
        only_seen_by=_SIDES[row["only_side"]],
        sampling=row["rate"],
        first_seen=datetime.fromtimestamp(row["first_seen"], UTC),
        last_seen=datetime.fromtimestamp(row["last_seen"], UTC),
    )
