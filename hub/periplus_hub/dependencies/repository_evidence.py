"""Statements about the raw rows of one edge in one hour.

An edge is found again as it was made: whose addresses were is in `flow_identities`, and what stands behind ports is as
the inventory has it now. Where an end was completed from what the other cluster told (`paired`), rows of both that do
not see the other's end are of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from string import Template
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from periplus_contract.flow_words import Reporter, Verdict
from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.edge_columns import measure, read_end
from periplus_hub.dependencies.engine.evidence_values import Evidence, RawSums, RawWindow, ReporterTotals
from periplus_hub.dependencies.model import FAILURES, EdgeEnd, EdgeFilter
from periplus_hub.dependencies.repository_edge import SeveralEdges
from periplus_hub.dependencies.tables_edges import ENDS, OUTCOME, in_time
from periplus_hub.flows.engine.numbered_ends import PAIRED_RULE, PROTOCOLS
from periplus_hub.flows.model import MEASURES, NOBODY
from periplus_hub.flows.model_kinds import GATEWAY, NODE, SERVICE
from periplus_hub.kit.column_store import ColumnStore

_ENDS: Final = ", ".join(ENDS)
_LAST_PORT: Final = 2**16 - 1
_PAIR: Final = Template("""
    SELECT $ends, src_workload AS src_name, dst_workload AS dst_name,
      groupUniqArrayIf(protocol, src_rule = {paired:String} OR dst_rule = {paired:String} AND bitAnd(reporters, 2))
        AS src_paired,
      groupUniqArrayIf(protocol, dst_rule = {paired:String} OR src_rule = {paired:String} AND bitAnd(reporters, 1))
        AS dst_paired
    FROM $edges GROUP BY $ends ORDER BY $ends LIMIT 2
""")
"""An edge has the rules of its first row, which is of one reporter: what that one did not see, the other one did."""
_OF_HOUR: Final = "toStartOfHour(window_start) = toDateTime({hour:UInt32}, 'UTC')"
_RAW: Final = (
    *("window_start", "window_s", "registration", "reporter", "collector", "protocol", "dst_port", "verdict"),
    *("sampling", "unmeasured", *MEASURES),
    *(f"{side}_{part}" for side in ("src", "dst") for part in ("address", "namespace", "kind", "workload")),
    "dst_host",
)
_AT_HOUR: Final = "hour = toDateTime({hour:UInt32}, 'UTC')"
_MAY_BE: Final = Template("""
    $at_hour AND owner = {${side}_owner:UUID} AND (has({vague:Array(String)}, kind) OR
      (namespace, kind, workload) = ({${side}_namespace:String}, {${side}_kind:String}, {${side}_workload:String}))
""")
_SEEN: Final = Template("(registration, $address) IN (SELECT registration, address FROM flow_identities WHERE $may_be)")
"""Of one address each host may mean somebody else: which it was is seen when the rows are joined."""
_MAY_BE_ROW: Final = Template("(${side}_kind != '' AND registration = {${side}_owner:UUID} OR $seen)")
_IDENTITIES: Final = Template("""
    (SELECT registration AS ${side}_by, address AS ${side}_seen, host AS ${side}_asked, since AS ${side}_since,
      owner AS ${side}_o,
      namespace AS ${side}_n, kind AS ${side}_k, workload AS ${side}_w
    FROM flow_identities WHERE $at_hour AND $asked AND $seen)
""")
_IS: Final = Template("""
    if(${side}_kind = '', (${side}_o, toString(${side}_n), toString(${side}_k), toString(${side}_w)),
      (registration, toString(${side}_namespace), toString(${side}_kind), toString(${side}_workload))) AS ${side}_end,
    ${side}_end = ({${side}_owner:UUID}, {${side}_namespace:String}, {${side}_kind:String}, {${side}_workload:String})
      AS is_$side,
    ${side}_end.1 = {${side}_owner:UUID} AND has({vague:Array(String)}, ${side}_end.3) AS is_${side}_vague
""")
_ROWS: Final = Template("""
    (SELECT $raw, $is_src, $is_dst, (dst_end.3, if(dst_end.3 = {node:String}, '', dst_end.2),
      if(dst_end.3 = {node:String}, '', dst_end.4), protocol, dst_port) AS port_key
    FROM (SELECT $raw FROM flows WHERE $of_hour AND $src_may_be AND $dst_may_be) AS f
    ASOF LEFT JOIN $src_identities AS s
      ON f.registration = s.src_by AND f.src_address = s.src_seen AND f.window_start >= s.src_since
    ASOF LEFT JOIN $dst_identities AS d
      ON f.registration = d.dst_by AND f.dst_address = d.dst_seen AND f.dst_host = d.dst_asked
        AND f.window_start >= d.dst_since)
""")
_PORTS: Final = Template(
    "arrayZip({${name}_kind:Array(String)}, {${name}_namespace:Array(String)}, {${name}_workload:Array(String)},"
    " {${name}_protocol:Array(UInt8)}, {${name}_port:Array(UInt16)})"
)
_OF_EDGE: Final = Template("""
    (is_src OR is_src_vague AND reporter = {server:UInt8} AND has({src_paired:Array(UInt8)}, protocol))
    AND (is_dst_vague AND has($behind, port_key) OR is_dst AND NOT has($elsewhere, port_key)
      OR is_dst_vague AND reporter = {client:UInt8} AND has({dst_paired:Array(UInt8)}, protocol))
""").substitute({name: _PORTS.substitute(name=name) for name in ("behind", "elsewhere")})
_KNOWN: Final = f"bitAnd(bitNot(unmeasured), {2 ** len(MEASURES) - 1})"
_TOLD_AS: Final = Template(
    "if(${side}_kind = '', replaceOne(toString(${side}_address), '::ffff:', ''),"
    " concat(${side}_namespace, '/', ${side}_kind, '/', ${side}_workload)) AS told_$side"
)
_WINDOWS: Final = Template("""
    SELECT toUnixTimestamp(window_start) AS start, window_s, registration, reporter, collector, protocol, dst_port,
      $outcome AS outcome, sampling, $told_as, toString(dst_host) AS host, $known AS known, $measures
    FROM $rows AS r WHERE $of_edge
    ORDER BY start, reporter, registration, collector, protocol, dst_port, outcome, told_src, told_dst, host, bytes_tx,
      bytes_rx
    LIMIT {most:UInt32}
""")
_MINUTES: Final = Template("""
    SELECT reporter, intDiv(toUnixTimestamp(window_start), 60) * 60 AS minute, count() AS row_count,
      max(window_s) AS widest, groupBitOr($known) AS known, $sums
    FROM $rows AS r WHERE $of_edge GROUP BY reporter, minute ORDER BY reporter, minute
""")
_NAMED_ELSEWHERE: Final = Template("""
    ${side}_cluster != '' AND registration != {${side}_owner:UUID}
      AND (${side}_workload = ''
        OR (${side}_namespace, ${side}_workload) = ({${side}_namespace:String}, {${side}_workload:String}))
""")
_NAMED: Final = Template("""
    SELECT count() AS rows FROM flows
    WHERE $of_hour AND ($src_elsewhere OR $src_may_be) AND ($dst_elsewhere OR $dst_may_be)
      AND ($src_elsewhere OR $dst_elsewhere)
""")
"""Whom a source means by a name in another cluster is found when the hour is made, and not kept with the hour."""
_VAGUE: Final = (SERVICE, NODE, GATEWAY)
_PARTS: Final = ("kind", "namespace", "workload")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOfHour:
    """The ends of an edge, and the protocols of which one of them was completed from what the other cluster told."""

    src: EdgeEnd
    dst: EdgeEnd
    src_paired: Sequence[int]
    dst_paired: Sequence[int]


async def edge_of_hour(scope: Scope, store: ColumnStore, asked: EdgeFilter) -> EdgeOfHour | None:
    """The one edge that is asked for; None where it had nothing in that time. Raises SeveralEdges."""
    edges, given = in_time(asked)
    found = await store.query(scope, _PAIR.substitute(ends=_ENDS, edges=edges), given | {"paired": PAIRED_RULE})
    if found.num_rows > 1:
        raise SeveralEdges
    if not found.num_rows:
        return None
    [row] = found.to_pylist()
    return EdgeOfHour(
        src=read_end(row, "src_"),
        dst=read_end(row, "dst_"),
        src_paired=sorted(row["src_paired"]),
        dst_paired=sorted(row["dst_paired"]),
    )


async def evidence(
    scope: Scope, store: ColumnStore, edge: EdgeOfHour, *, hour: int, ports: pa.Table | None, most: int
) -> Evidence:
    """The first raw rows of the edge in an hour, and what all of them say; `ports` are of its server's cluster."""
    given = _given(edge, hour, ports)
    shared = {"rows": _rows_of(), "of_edge": _OF_EDGE, "known": _KNOWN}
    told_as = ", ".join(_TOLD_AS.substitute(side=side) for side in ("src", "dst"))
    measures = ", ".join(f"{name} AS sum_{name}" for name in MEASURES)
    windows = _WINDOWS.substitute(shared, outcome=OUTCOME, told_as=told_as, measures=measures)
    sums = ", ".join(f"sum({name}) AS sum_{name}" for name in MEASURES)
    minutes = (await store.query(scope, _MINUTES.substitute(shared, sums=sums), given)).to_pylist()
    rows = (await store.query(scope, windows, given | {"most": most})).to_pylist() if minutes else []
    named = await store.query(scope, _NAMED.substitute(_may_be(), of_hour=_OF_HOUR), given)
    return Evidence(
        src=edge.src,
        dst=edge.dst,
        windows=[_window(row) for row in rows],
        totals=list(_totals(minutes)),
        named_elsewhere=int(named.column("rows")[0].as_py()),
    )


def _rows_of() -> str:
    parts = _may_be()
    for side in ("src", "dst"):
        seen = _seen(side, "address")
        asked = "host = ''" if side == "src" else "1"
        parts[f"{side}_identities"] = _IDENTITIES.substitute(side=side, at_hour=_AT_HOUR, asked=asked, seen=seen)
        parts[f"is_{side}"] = _IS.substitute(side=side)
    return _ROWS.substitute(parts, raw=", ".join(_RAW), of_hour=_OF_HOUR)


def _may_be() -> dict[str, str]:
    """The conditions that an end of a row may be that of the edge."""
    parts: dict[str, str] = {}
    for side in ("src", "dst"):
        parts[f"{side}_may_be"] = _MAY_BE_ROW.substitute(side=side, seen=_seen(side, f"{side}_address"))
        parts[f"{side}_elsewhere"] = f"({_NAMED_ELSEWHERE.substitute(side=side)})"
    return parts


def _seen(side: str, address: str) -> str:
    return _SEEN.substitute(address=address, may_be=_MAY_BE.substitute(side=side, at_hour=_AT_HOUR))


def _given(edge: EdgeOfHour, hour: int, ports: pa.Table | None) -> dict[str, Any]:
    given: dict[str, Any] = {"hour": hour, "vague": list(_VAGUE), "node": NODE}
    given |= {"client": Reporter.CLIENT.value, "server": Reporter.SERVER.value}
    given |= {"src_paired": list(edge.src_paired), "dst_paired": list(edge.dst_paired)}
    for side, end in (("src", edge.src), ("dst", edge.dst)):
        given[f"{side}_owner"] = str(end.registration_id or NOBODY)
        given |= {f"{side}_namespace": end.namespace, f"{side}_kind": end.kind, f"{side}_workload": end.name}
    for name, found in zip(("behind", "elsewhere"), _ports(edge.dst, ports), strict=True):
        columns = {part: [row[part] for row in found] for part in _PARTS}
        columns |= {"protocol": [PROTOCOLS[row["protocol"]] for row in found], "port": [row["port"] for row in found]}
        given |= {f"{name}_{part}": values for part, values in columns.items()}
    return given


def _ports(dst: EdgeEnd, ports: pa.Table | None) -> tuple[list[Any], list[Any]]:
    """Ports of services and nodes that lead to the server, and ports of it that lead to others."""
    if ports is None:
        return [], []
    is_port = pc.and_(
        pc.less_equal(ports.column("port"), _LAST_PORT), pc.is_in(ports.column("protocol"), pa.array(list(PROTOCOLS)))
    )
    whole = ports.filter(is_port).to_pylist()
    leads = [tuple(row[f"to_{part}"] for part in _PARTS) == (dst.kind, dst.namespace, dst.name) for row in whole]
    itself = (NODE, "", "") if dst.kind == NODE else (dst.kind, dst.namespace, dst.name)
    behind = [row for row, is_its in zip(whole, leads, strict=True) if is_its]
    elsewhere = [
        row
        for row, is_its in zip(whole, leads, strict=True)
        if not is_its and tuple(row[part] for part in _PARTS) == itself
    ]
    return behind, elsewhere


def _window(row: Mapping[str, Any]) -> RawWindow:
    return RawWindow(
        start=row["start"],
        window_s=row["window_s"],
        registration_id=row["registration"],
        reporter=row["reporter"],
        collector=row["collector"],
        protocol=row["protocol"],
        port=row["dst_port"],
        verdict=Verdict(row["outcome"]),
        source=row["told_src"],
        destination=row["told_dst"],
        host=row["host"],
        sampling=row["sampling"],
        sums=_sums([row]),
    )


def _totals(minutes: Sequence[Mapping[str, Any]]) -> Iterator[ReporterTotals]:
    for reporter, group in groupby(minutes, key=itemgetter("reporter")):
        rows = list(group)
        yield ReporterTotals(
            reporter=reporter,
            rows=sum(row["row_count"] for row in rows),
            widest_s=max(row["widest"] for row in rows),
            sums=_sums(rows),
            minutes={row["minute"]: measure(row, "bytes_tx", "bytes_rx") for row in rows},
        )


def _sums(rows: Sequence[Mapping[str, Any]]) -> RawSums:
    """Of several; what none of them knows is not known."""

    def total(*names: str) -> int | None:
        known = [value for value in (measure(row, *names) for row in rows) if value is not None]
        return sum(known) if known else None

    names = ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx", "connections_opened", "retransmits")
    return RawSums(**{name: total(name) for name in names}, failures=total(*FAILURES))
