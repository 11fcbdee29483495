"""Statements that make one hour's edges of its rows. What is made replaces the hour's partition, whole.

A row finds each of its ends by a number (`lookup`) that stands for the address, as seen from the row's cluster, or for
the workload that the source told. All that follows is about numbers; the names come back when the hour is written.
"""

from string import Template
from typing import Final, NamedTuple

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.engine.merge import ORDER
from periplus_hub.flows.engine.numbered_ends import NumberedEnds
from periplus_hub.flows.model import MEASURES, NumberedHour
from periplus_hub.flows.repository_partitions import clear, replace
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "rollup"
_HOUR: Final = "toDateTime({hour:UInt32}, 'UTC')"
_OF_HOUR: Final = f"toStartOfHour(window_start) = {_HOUR}"
_LOOKUP: Final = Template(
    "$hash registration, if(${side}_kind = '' OR ${side}_cluster != '', ${side}_address, toIPv6('::')), "
    "${side}_namespace, ${side}_kind, ${side}_workload, ${side}_cluster$host)"
)
_FAST, _KEYED = "cityHash64(", "sipHash64Keyed(({salt:UInt64}, {salt:UInt64}),"
"""Ends that have one number by the fast hash may have been made so, and then have one with any salt: names are what
spokes say. By the keyed one nobody can make them, and it takes ten times as long."""

_OF_SIDE: Final = Template("""
    SELECT $lookup AS lookup, registration,
      if(${side}_kind = '' OR ${side}_cluster != '', ${side}_address, toIPv6('::')) AS address,
      ${side}_namespace AS namespace, ${side}_kind AS kind, ${side}_workload AS workload, ${side}_cluster AS cluster,
      $host AS host
    FROM flows WHERE $of_hour
""")
_ASKED: Final = Template("""
    SELECT DISTINCT lookup, registration, address, namespace, kind, workload, cluster, host FROM ($src UNION ALL $dst)
""")
_EXTENT: Final = Template(
    "SELECT count() AS rows, groupBitAnd(unmeasured) AS unknown, max(dst_host != '') AS has_hosts FROM flows"
    " WHERE $of_hour"
)
_HOSTS: Final = {"src": "''", "dst": "if(dst_kind = '' OR dst_cluster != '', dst_host, '')"}
"""What else finds an end in an hour in which any row has a host. Of an end that was told by name it says no more."""
_NO_HOSTS: Final = dict.fromkeys(_HOSTS, "''")

_FOUND: Final = Template("""
    SELECT bitShiftLeft(toUInt64(s.end), 32) + if(p.behind = 0, d.end, p.to_end) AS ends,
      bitShiftLeft(toUInt32(if(p.behind = 0, f.port, p.to_port)), 16) + f.carried AS how,
      bitShiftLeft(toUInt64(s.locality), 32) + if(p.behind = 0, d.locality, p.to_locality) AS localities,
      f.window AS window, f.window_s AS window_s, f.reporter AS reporter, s.rule AS src_rule,
      d.rule + if(p.behind = 0, 0, {rules:UInt8}) AS dst_rule, f.unmeasured AS unmeasured, f.sampling AS sampling,
      $measures
    FROM (
      SELECT $src AS src_lookup, $dst AS dst_lookup, dst_port AS port, toUInt32(protocol) * 256 + verdict AS carried,
        protocol, toUInt32(window_start) AS window, window_s, reporter, unmeasured, sampling, $measures
      FROM flows WHERE $of_hour AND reporter IN ($reporters)) AS f
    ASOF INNER JOIN rollup_ends AS s ON f.src_lookup = s.lookup AND f.window >= s.since
    ASOF INNER JOIN rollup_ends AS d ON f.dst_lookup = d.lookup AND f.window >= d.since
    LEFT ANY JOIN rollup_ports AS p ON d.behind = p.behind AND f.port = p.port AND f.protocol = p.protocol
    WHERE $part
""")
"""An hour's rows by number. A row that came after the hour was asked about has no number, and waits for the next time:
its block makes the hour dirty again."""
_PART: Final = "cityHash64(s.place, d.place) % {parts:UInt32} = {part:UInt32}"
_BY_WINDOW: Final = Template("$found ORDER BY $order, src_rule, dst_rule")
_BY_HOUR: Final = Template("""
    SELECT ends, how, localities, min(e.src_rule) AS src_rule, min(e.dst_rule) AS dst_rule, $sums,
      groupBitOr(bitAnd(bitNot(e.unmeasured), 4095)) AS measured, groupBitOr(e.unmeasured) AS unmeasured,
      toUInt64(0) AS client_bytes, toUInt64(0) AS server_bytes, toUInt8(4) AS reporters,
      toUInt32(uniqExact(e.window)) AS windows, max(e.sampling) AS sampling, min(e.window) AS first_window,
      max(e.window + e.window_s) AS last_window
    FROM ($found) AS e GROUP BY ends, how, localities
""")


class Extent(NamedTuple):
    """Of an hour's rows."""

    rows: int
    measures: tuple[str, ...]
    """Those that any row knows."""
    has_hosts: bool
    """Whether any row has a host: most hours have none, and need not look at it."""


def _lookups(salt: int, *, has_hosts: bool) -> dict[str, str]:
    """For each side the number of a row's end."""
    hashed = _KEYED if salt else _FAST
    return {
        side: _LOOKUP.substitute(side=side, hash=hashed, host=f", {host}" if has_hosts else "")
        for side, host in _HOSTS.items()
    }


def _found(reporters: str, part: str, of: NumberedHour) -> str:
    measures = ", ".join(of.measures)
    lookups = _lookups(of.salt, has_hosts=of.has_hosts)
    return _FOUND.substitute(lookups, measures=measures, of_hour=_OF_HOUR, reporters=reporters, part=part)


async def extent(scope: Scope, store: ColumnStore, hour: int) -> Extent:
    """How much there is to merge."""
    found = await store.query(scope, _EXTENT.substitute(of_hour=_OF_HOUR), {"hour": hour}, lane=LANE)
    rows, unknown = (int(found.column(name)[0].as_py()) for name in ("rows", "unknown"))
    known = tuple(name for bit, name in enumerate(MEASURES) if not unknown >> bit & 1) if rows else ()
    has_hosts = bool(found.column("has_hosts")[0].as_py())
    return Extent(rows=rows, measures=known or MEASURES[:1], has_hosts=has_hosts)


async def asked(scope: Scope, store: ColumnStore, hour: int, salt: int, *, has_hosts: bool) -> pa.Table:
    """The distinct ends of the hour's rows as they were told.

    `lookup` is a hash of the others, keyed by `salt`; where that is 0, a fast one without a key.
    """
    hosts = _HOSTS if has_hosts else _NO_HOSTS
    sides = {
        side: _OF_SIDE.substitute(side=side, lookup=lookup, host=hosts[side], of_hour=_OF_HOUR)
        for side, lookup in _lookups(salt, has_hosts=has_hosts).items()
    }
    return await store.query(scope, _ASKED.substitute(sides), {"hour": hour, "salt": salt}, lane=LANE)


async def put_identities(scope: Scope, store: ColumnStore, hour: int, rows: pa.Table) -> None:
    """What the hour's addresses are resolved to."""
    await _put(scope, store, "flow_identities_next", rows)
    await replace(scope, store, "flow_identities", "flow_identities_next", hour, rows=rows.num_rows, lane=LANE)


async def put_ends(scope: Scope, store: ColumnStore, ends: NumberedEnds) -> None:
    """The ends of the hour that is made next."""
    await _put(scope, store, "rollup_ends", ends.lookups)
    await _put(scope, store, "rollup_ports", ends.ports)


async def windows(scope: Scope, store: ColumnStore, of: NumberedHour, part: int, parts: int) -> pa.Table:
    """What clients and servers told, in the order of `engine.merge.ORDER`.

    Each pair of clusters is in one of the `parts`.
    """
    statement = _BY_WINDOW.substitute(found=_found("1, 2", _PART, of), order=", ".join(ORDER))
    return await store.query(scope, statement, {**of.given, "part": part, "parts": parts}, lane=LANE)


async def both(scope: Scope, store: ColumnStore, of: NumberedHour) -> pa.Table:
    """The edges that spokes merged themselves."""
    sums = ", ".join(f"sum(e.{name}) AS {name}" for name in of.measures)
    statement = _BY_HOUR.substitute(found=_found("3", "1", of), sums=sums)
    return await store.query(scope, statement, of.given, lane=LANE)


async def clear_edges(scope: Scope, store: ColumnStore) -> None:
    """Before the first edges of an hour are put."""
    await clear(scope, store, "edges_next", lane=LANE)


async def put_edges(scope: Scope, store: ColumnStore, edges: pa.Table) -> int:
    """More of the hour that is made; returns how many."""
    if edges.num_rows:
        await store.insert(scope, "edges_next", edges, lane=LANE)
    return int(edges.num_rows)


async def replace_edges(scope: Scope, store: ColumnStore, hour: int, rows: int) -> None:
    """The hour's edges are those that were put, so many, and no others."""
    await replace(scope, store, "edges_hourly", "edges_next", hour, rows=rows, lane=LANE)


async def _put(scope: Scope, store: ColumnStore, table: str, rows: pa.Table) -> None:
    await clear(scope, store, table, lane=LANE)
    if rows.num_rows:
        await store.insert(scope, table, rows, lane=LANE)
