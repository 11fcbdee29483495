"""Statements that make one hour's edges of its rows. What is made replaces the hour's partition, whole."""

from string import Template
from typing import Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import MEASURES
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "rollup"
_SIDES: Final = ("src", "dst")
_PARTS: Final = ("namespace", "kind", "workload")
EDGE_KEY: Final = (
    *(f"{side}_{part}" for side in _SIDES for part in ("registration", *_PARTS)),
    *("dst_port", "protocol", "verdict"),
)
"""The columns that tell edges apart, in the order of the table's key."""
_HOUR: Final = "toDateTime({hour:UInt32}, 'UTC')"
_OF_HOUR: Final = f"toStartOfHour(window_start) = {_HOUR}"

_ASKED: Final = Template("""
    SELECT DISTINCT registration, address FROM (
      SELECT registration, src_address AS address FROM flows WHERE $of_hour AND src_kind = ''
      UNION ALL SELECT registration, dst_address FROM flows WHERE $of_hour AND dst_kind = '')
""").substitute(of_hour=_OF_HOUR)

_IDENTITY: Final = Template("""
    (SELECT registration AS ${side}_i_seen, address AS ${side}_i_address, since AS ${side}_i_since, $renamed
     FROM flow_identities WHERE hour = $hour)
""")
"""An end's identities. Names differ by side: two joins with equal ones are ambiguous to the engine."""

_ROWS: Final = Template("""
    SELECT registration, reporter, $ends, $lookups, dst_port, protocol, verdict, $window, $sums,
      groupBitOr(bitAnd(bitNot(unmeasured), 4095)) AS measured, groupBitOr(unmeasured) AS missing,
      max(sampling) AS rate, uniqExact(window_start) AS windows, min(window_start) AS first_window,
      max(window_start + window_s) AS last_window
    FROM flows WHERE $of_hour AND reporter IN ($reporters) GROUP BY ALL
""")
"""Sums of an hour's rows by ends as they were told; `window` says which of the time is kept."""

_RESOLVED: Final = Template("""
    SELECT reporter, $kept, src_r_registration AS src_e_registration, src_r_namespace AS src_e_namespace,
      src_r_kind AS src_e_kind, src_r_workload AS src_e_workload, src_r_rule AS src_e_rule,
      dst_r_registration AS dst_e_registration, $through,
      if(p_kind != '', concat(dst_r_rule, '-port'), dst_r_rule) AS dst_e_rule,
      if(p_kind != '', p_to_port, dst_port) AS e_port, protocol, verdict, $sums
    FROM (
      SELECT *, $src_end, $dst_end, if(dst_r_kind = 'Node', '', dst_r_namespace) AS j_namespace,
        if(dst_r_kind = 'Node', '', dst_r_workload) AS j_name
      FROM ($rows) AS f
      ASOF LEFT JOIN $src_identity AS isrc
        ON registration = src_i_seen AND src_lookup = src_i_address AND at >= src_i_since
      ASOF LEFT JOIN $dst_identity AS idst
        ON registration = dst_i_seen AND dst_lookup = dst_i_address AND at >= dst_i_since) AS r
    LEFT JOIN (SELECT registration AS p_registration, namespace AS p_namespace, kind AS p_kind, workload AS p_name,
        port AS p_port, protocol AS p_protocol, to_namespace AS p_to_namespace, to_kind AS p_to_kind,
        to_workload AS p_to_workload, to_port AS p_to_port FROM flow_ports) AS p
      ON dst_r_registration = p_registration AND dst_r_kind = p_kind AND j_namespace = p_namespace
        AND j_name = p_name AND dst_port = p_port AND protocol = p_protocol
""")
"""The same with both ends resolved, and the workload behind a service's port where there is one alone."""

_MERGED: Final = Template("""
    INSERT INTO edges_next (hour, $names, src_rule, dst_rule, $measures, measured, unmeasured, client_bytes,
      server_bytes, reporters, windows, sampling, first_window, last_window)
    SELECT $hour AS hour, $key, $rules, $sums, groupBitOr(measured), groupBitOr(missing), 0, 0, 4, max(windows),
      max(rate), min(first_window), max(last_window)
    FROM ($resolved) AS e GROUP BY hour, $names SETTINGS join_use_nulls = 0
""")
_WINDOWED: Final = Template("""
    SELECT $key, window, window_s, reporter, $rules, $sums, groupBitOr(measured) AS measured,
      groupBitOr(missing) AS unmeasured, max(rate) AS sampling
    FROM ($resolved) AS e GROUP BY $names, window, window_s, reporter
    ORDER BY $names, window, window_s, reporter SETTINGS join_use_nulls = 0
""")
_COUNT: Final = "SELECT count() AS n FROM {table:Identifier}"


def _identity(side: str) -> str:
    renamed = ", ".join(f"{part} AS {side}_i_{part}" for part in (*_PARTS, "owner", "rule"))
    return _IDENTITY.substitute(side=side, renamed=renamed, hour=_HOUR)


def _end(side: str) -> str:
    """What a source told of an end, else what its address says."""
    told = f"{side}_kind != ''"
    named = ", ".join(f"if({told}, {side}_{part}, {side}_i_{part}) AS {side}_r_{part}" for part in _PARTS)
    whose = f"if({told}, registration, {side}_i_owner) AS {side}_r_registration"
    return f"{whose}, {named}, if({told}, 'told', {side}_i_rule) AS {side}_r_rule"


def _rows(reporters: str, window: str) -> str:
    lookups = (f"if({side}_kind = '', {side}_address, toIPv6('::')) AS {side}_lookup" for side in _SIDES)
    return _ROWS.substitute(
        ends=", ".join(f"{side}_{part}" for side in _SIDES for part in _PARTS),
        lookups=", ".join(lookups),
        window=window,
        sums=", ".join(f"sum({name}) AS {name}" for name in MEASURES),
        of_hour=_OF_HOUR,
        reporters=reporters,
    )


def _resolved(reporters: str, window: str, kept: str) -> str:
    return _RESOLVED.substitute(
        kept=kept,
        through=", ".join(f"if(p_kind != '', p_to_{part}, dst_r_{part}) AS dst_e_{part}" for part in _PARTS),
        sums=", ".join((*MEASURES, "measured", "missing", "rate", "windows", "first_window", "last_window")),
        src_end=_end("src"),
        dst_end=_end("dst"),
        rows=_rows(reporters, window),
        src_identity=_identity("src"),
        dst_identity=_identity("dst"),
    )


_ENDS: Final = (f"{name[:3]}_e_{name[4:]} AS {name}" for name in EDGE_KEY[:8])
_COMMON: Final = {
    "names": ", ".join(EDGE_KEY),
    "measures": ", ".join(MEASURES),
    "key": ", ".join((*_ENDS, "e_port AS dst_port", "protocol", "verdict")),
    "rules": "min(src_e_rule) AS src_rule, min(dst_e_rule) AS dst_rule",
    "sums": ", ".join(f"sum({name}) AS {name}" for name in MEASURES),
    "hour": _HOUR,
}
_MOVED: Final = Template("((registration, src_lookup) IN $moved OR (registration, dst_lookup) IN $moved)").substitute(
    moved=Template("(SELECT registration, address FROM flow_identities WHERE hour = $hour AND slices > 1)").substitute(
        hour=_HOUR
    )
)
_BY_HOUR: Final = _MERGED.substitute(
    _COMMON, resolved=_resolved("3", f"if({_MOVED}, window_start, {_HOUR}) AS at", "at")
)
_BY_WINDOW: Final = _WINDOWED.substitute(
    _COMMON, resolved=_resolved("1, 2", "window_start AS at, window_s", "at AS window, window_s")
)


async def asked(scope: Scope, store: ColumnStore, hour: int) -> pa.Table:
    """The distinct (registration, address) of the hour whose owner no source told."""
    return await store.query(scope, _ASKED, {"hour": hour}, lane=LANE)


async def put_identities(scope: Scope, store: ColumnStore, hour: int, rows: pa.Table) -> None:
    """What the hour's addresses are resolved to."""
    await _clear(scope, store, "flow_identities_next")
    if rows.num_rows:
        await store.insert(scope, "flow_identities_next", rows, lane=LANE)
    await _replace(scope, store, "flow_identities", "flow_identities_next", hour)


async def put_ports(scope: Scope, store: ColumnStore, rows: pa.Table) -> None:
    """What stands behind ports, for the hour that is made next."""
    await _clear(scope, store, "flow_ports")
    if rows.num_rows:
        await store.insert(scope, "flow_ports", rows, lane=LANE)


async def windows(scope: Scope, store: ColumnStore, hour: int) -> pa.Table:
    """What clients and servers told of the hour, by edge, window and reporter, in that order."""
    return await store.query(scope, _BY_WINDOW, {"hour": hour}, lane=LANE)


async def put_edges(scope: Scope, store: ColumnStore, hour: int, merged: pa.Table) -> None:
    """The hour's edges: those that spokes merged themselves, and `merged`."""
    await _clear(scope, store, "edges_next")
    await store.command(scope, _BY_HOUR, {"hour": hour}, lane=LANE)
    if merged.num_rows:
        await store.insert(scope, "edges_next", merged, lane=LANE)
    await _replace(scope, store, "edges_hourly", "edges_next", hour)


async def _clear(scope: Scope, store: ColumnStore, table: str) -> None:
    await store.command(scope, f"TRUNCATE TABLE {table}", lane=LANE)


async def _replace(scope: Scope, store: ColumnStore, table: str, source: str, hour: int) -> None:
    """At once, so that a reader sees the hour as it was or as it is. An hour that has nothing cannot be replaced."""
    found = await store.query(scope, _COUNT, {"table": source}, lane=LANE)
    if found.column("n")[0].as_py():
        await store.command(scope, f"ALTER TABLE {table} REPLACE PARTITION {hour} FROM {source}", lane=LANE)
    else:
        await store.command(scope, f"ALTER TABLE {table} DROP PARTITION {hour}", lane=LANE)
