"""Statements about what changed in the edges of the flow store: new pairs, quiet ones, lopsided ones, and their hours.

All nodes of a cluster are one end here, and so is all that is outside: nodes come and go, and so do public addresses.
What is nobody's, or several may be, is left out: nothing is known of it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from string import Template
from typing import Any, Final

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.edge_columns import hour_of, numbers, port_of, read_end, sides
from periplus_hub.dependencies.engine.ends import PARTS
from periplus_hub.dependencies.engine.watched import (
    BASELINE_S,
    KNOWN_S,
    LEAST_ATTEMPTS,
    LEAST_SAMPLES,
    MISSED_S,
    RECENT_HOURS,
    RHYTHM_S,
    SIDES_S,
    HourOfPair,
    LopsidedClusters,
    NewPair,
    PairHours,
    QuietPair,
)
from periplus_hub.dependencies.model import FAILURES, NOT_ARRIVED, QUIET_S, RECENT_S, EdgeLevel
from periplus_hub.flows.model import HOUR_S, MEASURES, NOBODY
from periplus_hub.flows.model_kinds import ANYBODY, EXTERNAL, NODE, OUTSIDE
from periplus_hub.kit.column_store import ColumnStore

LANE: Final = "findings"
"""So that people do not wait for detectors."""
MOST: Final = 500
"""Pairs of one sort that are looked at one by one."""

_ENDS: Final = tuple(f"{side}_{part}" for side in ("s", "d") for part in PARTS)
_NAMES: Final = ", ".join(_ENDS)
_BIT: Final = {name: 1 << number for number, name in enumerate(MEASURES)}
_TOLD_FAILURES: Final = _BIT["connections_opened"] | _BIT["failures_refused"] | _BIT["failures_timeout"]
_KINDS_THAT_END: Final = ("Pod", "Job")


def _rows(level: EdgeLevel, columns: str) -> str:
    """Edges since `{first}` with their ends at this level. Whoever is kept from the other end talks to nobody."""
    return Template("""
      SELECT $ends, $columns FROM edges_hourly
      WHERE hour >= fromUnixTimestamp({first:UInt32}) AND verdict NOT IN $stopped
        AND src_kind NOT IN $unknown AND dst_kind NOT IN $unknown
    """).substitute(
        ends=", ".join((*_end("src", "s", level), *_end("dst", "d", level))),
        columns=columns,
        stopped=tuple(each.value for each in NOT_ARRIVED),
        unknown=(*ANYBODY, ""),
    )


def _end(side: str, short: str, level: EdgeLevel) -> Sequence[str]:
    # Of anybody else it is not known where it is, and these are left out.
    outside, is_many = f"{side}_registration = toUUID('{NOBODY}')", f"{side}_kind IN ('{NODE}', '{EXTERNAL}')"
    coarse = f"if({outside}, '{EXTERNAL}', '')"
    by_level: Mapping[EdgeLevel, tuple[str, str, str]] = {
        EdgeLevel.WORKLOAD: (f"{side}_namespace", f"{side}_kind", f"if({is_many}, '', {side}_workload)"),
        EdgeLevel.NAMESPACE: (f"{side}_namespace", coarse, "''"),
        EdgeLevel.CLUSTER: ("''", coarse, "''"),
    }
    expressions = (f"{side}_registration", *by_level[level])
    return [f"{each} AS {short}_{part}" for each, part in zip(expressions, PARTS, strict=True)]


_NEW: Final = Template("""
    SELECT *, count() OVER () AS pair_count FROM (
      SELECT $names, any(first_seen) AS first_seen, any(told_by) AS told_by, any(ports) AS ports,
        anyIf(seen, is_src) AS src_seen, anyIf(seen, NOT is_src) AS dst_seen
      FROM (
        SELECT *, min(first_seen) OVER (PARTITION BY if(is_src, ($src), ($dst))) AS seen
        FROM (
          SELECT $names, toUnixTimestamp(min(first_window)) AS first_seen, groupBitOr(reporters) AS told_by,
            groupUniqArray(16)((protocol, dst_port)) AS ports, arrayJoin([true, false]) AS is_src
          FROM ($rows) GROUP BY $names))
      GROUP BY $names)
    WHERE first_seen >= {recent:UInt32} AND ($src) != ($dst)
      AND (s_kind IN $outside OR src_seen + {known:UInt32} <= first_seen)
      AND (d_kind IN $outside OR dst_seen + {known:UInt32} <= first_seen)
    ORDER BY s_registration = d_registration, s_namespace = d_namespace, $names
    LIMIT {most:UInt32}
""")
"""Across clusters and to the outside first, then between namespaces. Each pair stands there once for each of its ends,
so that when an end was first seen, as client or as server, is found in the same scan."""
_QUIET: Final = Template("""
    SELECT *, count() OVER () AS pair_count FROM (
      SELECT $names, toUnixTimestamp(max(last_window)) AS last_seen,
        arraySort(groupUniqArray(toUnixTimestamp(hour))) AS hours, groupBitOr(reporters) AS told_by
      FROM ($rows) WHERE s_kind NOT IN $none AND d_kind NOT IN $none GROUP BY $names
      HAVING last_seen < {quiet:UInt32} AND last_seen >= {missed:UInt32} AND length(hours) > 1
        AND {now:UInt32} - last_seen > arrayMax(arrayDifference(hours)))
    ORDER BY length(hours) DESC, $names LIMIT {most:UInt32}
""")
_LOPSIDED: Final = Template("""
    SELECT s_registration, d_registration, count() AS pairs, countIf(told_by = 1) AS only_client,
      countIf(told_by = 2) AS only_server,
      arraySlice(arraySort(groupArrayIf(told, told_by IN (1, 2))), 1, 3) AS examples
    FROM (
      SELECT $names, groupBitOr(reporters) AS told_by,
        concat(s_namespace, '/', s_name, ' → ', d_namespace, '/', d_name) AS told
      FROM ($rows) WHERE s_registration NOT IN (d_registration, toUUID('$nobody'))
        AND d_registration != toUUID('$nobody') AND hour < fromUnixTimestamp({until:UInt32})
      GROUP BY $names HAVING uniqExact(hour) > 1)
    GROUP BY s_registration, d_registration HAVING only_client + only_server > 0
    ORDER BY only_client + only_server DESC, s_registration, d_registration LIMIT {most:UInt32}
""")
_HOURS: Final = Template("""
    SELECT *, count() OVER () AS pair_count FROM (
      SELECT $names, arraySort(groupArray((at, attempts, failed, rtt_us, rtts))) AS series,
        argMaxIf(failed, at, tells_share) AS failed_last, argMaxIf(failed / attempts, at, tells_share) AS share_last,
        argMaxIf(rtt_us / rtts, at, tells_rtt) AS rtt_last,
        quantileExactLowIf(0.5)(failed / attempts, tells_share AND at < {recent:UInt32}) AS share_usual,
        quantileExactLowIf(0.5)(rtt_us / rtts, tells_rtt AND at < {recent:UInt32}) AS rtt_usual
      FROM (
        SELECT $names, toUnixTimestamp(hour) AS at, sumIf(failures, tells_failures) AS failed,
          greatest(sumIf(connections_opened, tells_failures), failed) AS attempts, sum(rtt_us_sum) AS rtt_us,
          sum(rtt_count) AS rtts, attempts >= $attempts AS tells_share, rtts >= $samples AS tells_rtt
        FROM ($rows) GROUP BY $names, at)
      GROUP BY $names
      HAVING (isFinite(share_usual) AND share_last > share_usual + 0.005)
        OR (isFinite(rtt_usual) AND rtt_last > rtt_usual * 1.25 AND rtt_last > rtt_usual + 1000))
    ORDER BY failed_last DESC, rtt_last DESC, $names LIMIT {most:UInt32}
""")
"""`tells_failures`: what does not tell refused connections and those without an answer has no share of them. The newest
hour that says something is looked at however old it is: what was off then is not over because nothing is told since."""


async def new_pairs(scope: Scope, store: ColumnStore, level: EdgeLevel, now: datetime) -> tuple[list[NewPair], int]:
    """Pairs first seen within a day, of ends that were known before; and how many more there are."""
    statement = _NEW.substitute(
        names=_NAMES,
        rows=_rows(level, "first_window, reporters, protocol, dst_port"),
        outside=OUTSIDE,
        src=", ".join(_ENDS[: len(PARTS)]),
        dst=", ".join(_ENDS[len(PARTS) :]),
    )
    first = hour_of(now) - RHYTHM_S
    given = {"first": first, "recent": _second(now) - RECENT_S, "known": KNOWN_S, "most": MOST}
    found, more = await _ask(scope, store, statement, given)
    return [_new(level, row) for row in found], more


async def quiet_pairs(scope: Scope, store: ColumnStore, now: datetime) -> tuple[list[QuietPair], int]:
    """Pairs that have been silent for longer than ever in their rhythm; those that were there most hours first."""
    rows = _rows(EdgeLevel.WORKLOAD, "hour, last_window, reporters")
    statement = _QUIET.substitute(names=_NAMES, rows=rows, none=(*OUTSIDE, *_KINDS_THAT_END))
    now_s = _second(now)
    given = {"first": hour_of(now) - MISSED_S - RHYTHM_S, "now": now_s, "quiet": now_s - QUIET_S}
    found, more = await _ask(scope, store, statement, {**given, "missed": now_s - MISSED_S, "most": MOST})
    return [_quiet(row) for row in found], more


async def lopsided_clusters(scope: Scope, store: ColumnStore, now: datetime) -> list[LopsidedClusters]:
    """Clusters with pairs that one side alone reported in the last whole hours."""
    statement = _LOPSIDED.substitute(
        names=_NAMES, rows=_rows(EdgeLevel.WORKLOAD, "hour, reporters"), nobody=str(NOBODY)
    )
    until = hour_of(now)
    found = await store.query(scope, statement, {"first": until - SIDES_S, "until": until, "most": MOST}, lane=LANE)
    return [
        LopsidedClusters(
            src=row["s_registration"],
            dst=row["d_registration"],
            pairs=row["pairs"],
            only_client=row["only_client"],
            only_server=row["only_server"],
            examples=tuple(row["examples"]),
        )
        for row in found.to_pylist()
    ]


async def pair_hours(scope: Scope, store: ColumnStore, now: datetime) -> tuple[list[PairHours], int]:
    """The hours of pairs that failed, or whose round trips took long, when it was last known: those that may be off."""
    tells = f"bitAnd(unmeasured, {_TOLD_FAILURES}) = 0 AS tells_failures"
    columns = f"hour, connections_opened, {' + '.join(FAILURES)} AS failures, {tells}, rtt_us_sum, rtt_count"
    rows = _rows(EdgeLevel.WORKLOAD, columns)
    statement = _HOURS.substitute(names=_NAMES, rows=rows, attempts=LEAST_ATTEMPTS, samples=LEAST_SAMPLES)
    hour = hour_of(now)
    given = {"first": hour - BASELINE_S, "recent": hour - (RECENT_HOURS - 1) * HOUR_S, "most": MOST}
    found, more = await _ask(scope, store, statement, given)
    return [_pair_hours(row) for row in found], more


async def _ask(
    scope: Scope, store: ColumnStore, statement: str, given: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], int]:
    rows: list[dict[str, Any]] = (await store.query(scope, statement, given, lane=LANE)).to_pylist()
    return rows, rows[0]["pair_count"] - len(rows) if rows else 0


def _new(level: EdgeLevel, row: Mapping[str, Any]) -> NewPair:
    return NewPair(
        level=level,
        src=read_end(row, "s_"),
        dst=read_end(row, "d_"),
        reported_by=sides(row["told_by"]),
        first_seen=_moment(row["first_seen"]),
        ports=tuple(sorted(port_of(each) for each in row["ports"])),
    )


def _quiet(row: Mapping[str, Any]) -> QuietPair:
    from_s = row["last_seen"] - RHYTHM_S
    return QuietPair(
        src=read_end(row, "s_"),
        dst=read_end(row, "d_"),
        reported_by=sides(row["told_by"]),
        last_seen=_moment(row["last_seen"]),
        hours=tuple(each for each in row["hours"] if each >= from_s),
    )


def _pair_hours(row: Mapping[str, Any]) -> PairHours:
    hours = []
    for each in row["series"]:
        hour, attempts, failures, rtt_us, rtt_count = numbers(each)
        hours.append(HourOfPair(hour=hour, attempts=attempts, failures=failures, rtt_us=rtt_us, rtt_count=rtt_count))
    return PairHours(src=read_end(row, "s_"), dst=read_end(row, "d_"), hours=tuple(hours))


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _second(moment: datetime) -> int:
    return int(moment.timestamp())
