"""Statements about edges in the flow store."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import Template
from typing import Any, Final
from uuid import UUID

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import LOOK_BACK_S, Edge, EdgeEnd, EdgeFilter, EdgeLevel, Edges, EdgeSide
from periplus_hub.flows.model import HOUR_S, MEASURES
from periplus_hub.kit.column_store import ColumnStore

_NOBODY: Final = UUID(int=0)
_FAILURES: Final = ("failures_refused", "failures_timeout", "failures_other")
_CLIENT_BIT, _SERVER_BIT, _BOTH_BIT = 1, 2, 4

_EDGES: Final = Template("""
    SELECT $ends,
      $sums,
      groupUniqArrayIf(64)((protocol, dst_port), hour >= fromUnixTimestamp({since:UInt32})) AS ports,
      groupUniqArray(4)(src_rule) AS src_rules, groupUniqArray(4)(dst_rule) AS dst_rules,
      groupBitOr(measured) AS is_measured, groupBitOr(unmeasured) AS is_unmeasured,
      groupBitOr(reporters) AS told_by, max(sampling) AS rate,
      min(first_window) AS first_seen, max(last_window) AS last_seen,
      count() OVER () AS edge_count,
      countIf(end_src_kind IN ('ambiguous', 'address') OR end_dst_kind IN ('ambiguous', 'address'))
        OVER () AS unresolved
    FROM edges_hourly
    WHERE hour >= fromUnixTimestamp({first:UInt32}) AND hour < fromUnixTimestamp({until:UInt32}) $conditions
    GROUP BY $names
    ORDER BY sum_bytes_tx + sum_bytes_rx DESC, sum_connections_opened DESC, $names
    LIMIT {most:UInt32}
""")
_OF: Final = Template("(${side}_registration IN {of_clusters:Array(UUID)} OR empty({of_clusters:Array(UUID)}))")
_NAMES: Final = [
    f"end_{side}_{part}" for side in ("src", "dst") for part in ("registration", "namespace", "kind", "name")
]


async def edges(scope: Scope, store: ColumnStore, asked: EdgeFilter, most: int) -> Edges:
    """The edges that were seen in the asked time, or not long before it, heaviest first."""
    given: dict[str, Any] = {
        "since": _hour(asked.since),
        "first": _hour(asked.since) - LOOK_BACK_S,
        "until": _hour(asked.until) + HOUR_S,
        "most": most,
        "of_clusters": [str(each) for each in asked.of_clusters],
    }
    conditions = []
    if asked.cross_cluster:
        conditions.append("src_registration != dst_registration")
        given["nobody"] = str(_NOBODY)
        conditions += [f"{side}_registration != {{nobody:UUID}}" for side in ("src", "dst")]
    if asked.of_clusters or asked.of_namespace is not None or asked.of_name is not None:
        conditions.append(f"({_of('src', asked)} OR {_of('dst', asked)})")
        given |= {"of_namespace": asked.of_namespace or "", "of_name": asked.of_name or ""}
    statement = _EDGES.substitute(
        ends=", ".join((*_end("src", asked.level), *_end("dst", asked.level))),
        sums=", ".join(
            f"sumIf({name}, hour >= fromUnixTimestamp({{since:UInt32}})) AS sum_{name}" for name in MEASURES
        ),
        conditions="".join(f" AND {each}" for each in conditions),
        names=", ".join(_NAMES),
    )
    rows = (await store.query(scope, statement, given)).to_pylist()
    first = rows[0] if rows else {"edge_count": 0, "unresolved": 0}
    return Edges(edges=tuple(map(_edge, rows)), count=first["edge_count"], unresolved=first["unresolved"])


def _of(side: str, asked: EdgeFilter) -> str:
    parts = [_OF.substitute(side=side)]
    parts += [f"{side}_namespace = {{of_namespace:String}}"] if asked.of_namespace is not None else []
    parts += [f"{side}_workload = {{of_name:String}}"] if asked.of_name is not None else []
    return f"({' AND '.join(parts)})"


def _end(side: str, level: EdgeLevel) -> Sequence[str]:
    """The columns of an end. Of a coarser level, what is nobody's stays apart from what is somebody's."""
    nobody = f"{side}_registration = toUUID('{_NOBODY}')"
    by_level: Mapping[EdgeLevel, tuple[str, str, str]] = {
        EdgeLevel.WORKLOAD: (f"{side}_namespace", f"{side}_kind", f"{side}_workload"),
        EdgeLevel.NAMESPACE: (f"{side}_namespace", f"if({nobody}, {side}_kind, '')", "''"),
        EdgeLevel.CLUSTER: ("''", f"if({nobody}, {side}_kind, '')", "''"),
    }
    expressions = (f"{side}_registration", *by_level[level])
    names = [name for name in _NAMES if name.startswith(f"end_{side}_")]
    return [f"{expression} AS {name}" for expression, name in zip(expressions, names, strict=True)]


def _edge(row: Mapping[str, Any]) -> Edge:
    known = {name: bool(row["is_measured"] >> number & 1) for number, name in enumerate(MEASURES)}

    def measure(*names: str) -> int | None:
        found = [row[f"sum_{name}"] for name in names if known[name]]
        return sum(found) if found else None

    rtt_count, rtt_us = measure("rtt_count"), measure("rtt_us_sum")
    return Edge(
        src=_read_end(row, "src"),
        dst=_read_end(row, "dst"),
        ports=tuple(sorted(_pair(each) for each in row["ports"])),
        **{name: measure(name) for name in ("bytes_tx", "bytes_rx", "packets_tx", "packets_rx")},
        connections_opened=measure("connections_opened"),
        failures=measure(*_FAILURES),
        rtt_us=rtt_us / rtt_count if rtt_us is not None and rtt_count else None,
        retransmits=measure("retransmits"),
        is_part_unmeasured=bool(row["is_measured"] & row["is_unmeasured"]),
        reported_by=_sides(row["told_by"]),
        sampling=row["rate"],
        first_seen=datetime.fromtimestamp(row["first_seen"], UTC),
        last_seen=datetime.fromtimestamp(row["last_seen"], UTC),
    )


def _pair(value: Any) -> tuple[int, int]:  # noqa: ANN401 - a tuple of the store, which Arrow makes a mapping
    first, second = value.values() if isinstance(value, Mapping) else value
    return int(first), int(second)


def _read_end(row: Mapping[str, Any], side: str) -> EdgeEnd:
    registration = row[f"end_{side}_registration"]
    return EdgeEnd(
        registration_id=None if registration == _NOBODY else registration,
        namespace=row[f"end_{side}_namespace"],
        kind=row[f"end_{side}_kind"],
        name=row[f"end_{side}_name"],
        rules=tuple(sorted(row[f"{side}_rules"])),
    )


def _sides(bits: int) -> frozenset[EdgeSide]:
    both = bool(bits & _BOTH_BIT)
    sides = {EdgeSide.CLIENT: both or bits & _CLIENT_BIT, EdgeSide.SERVER: both or bits & _SERVER_BIT}
    return frozenset(side for side, told in sides.items() if told)


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // HOUR_S * HOUR_S
