"""The statement that every answer about edges is made of: the asked edges of a level, judged by what was told.

A silent spoke is no sign: the state of an edge is held against what its own clusters have told since.
"""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.edge_columns import hour_of
from periplus_hub.dependencies.engine.ends import PARTS
from periplus_hub.dependencies.model import (
    HISTORY_S,
    LATE_S,
    LOOK_BACK_S,
    QUIET_S,
    RECENT_S,
    STATES,
    Coverage,
    EdgeFilter,
    EdgeLevel,
)
from periplus_hub.dependencies.tables_edges import OUTCOME, conditions
from periplus_hub.flows.model import HOUR_S, MEASURES, NOBODY
from periplus_hub.kit.column_store import ColumnStore

KNOWN: Final[Mapping[str, str]] = {name: f"(bitAnd(known, {1 << number}) != 0)" for number, name in enumerate(MEASURES)}
"""The condition that a measure is known."""
END_COLUMNS: Final = tuple(f"end_{side}_{part}" for side in ("src", "dst") for part in PARTS)
_WITHIN: Final = "hour >= fromUnixTimestamp({since:UInt32})"
_NEVER: Final = 2**32 - 1

_GROUPED: Final = Template("""
    SELECT $ends, $outcome AS outcome, $sums,
      groupUniqArrayIf(64)((protocol, dst_port), $within) AS ports,
      groupUniqArray(4)(src_rule) AS src_rules, groupUniqArray(4)(dst_rule) AS dst_rules,
      countIf($within) AS rows_within, groupBitOrIf(measured, $within) AS known_within,
      groupBitOrIf(unmeasured, $within) AS unknown_within, groupBitOr(measured) AS known_ever,
      groupBitOr(reporters) AS told_by, greatest(1, maxIf(sampling, $within)) AS rate,
      min(first_window) AS first_seen, max(last_window) AS last_seen
    FROM edges_hourly
    WHERE hour >= fromUnixTimestamp({first:UInt32}) AND hour < fromUnixTimestamp({until:UInt32}) $conditions
    GROUP BY $names, outcome
""")
_PLACED: Final = Template("""
    SELECT *, bitAnd(told_by, 5) != 0 AS told_by_src, bitAnd(told_by, 6) != 0 AS told_by_dst,
      indexOf({told:Array(UUID)}, end_src_registration) + 1 AS src_place,
      indexOf({told:Array(UUID)}, end_dst_registration) + 1 AS dst_place,
      greatest(if(told_by_src, {told_until:Array(UInt32)}[src_place], 0),
               if(told_by_dst, {told_until:Array(UInt32)}[dst_place], 0)) AS heard_until,
      least(if(told_by_src, {told_from:Array(UInt32)}[src_place], $never),
            if(told_by_dst, {told_from:Array(UInt32)}[dst_place], $never)) AS heard_from,
      (NOT told_by_src OR {told_whole:Array(UInt8)}[src_place]) AND
        (NOT told_by_dst OR {told_whole:Array(UInt8)}[dst_place]) AS heard_whole
    FROM ($grouped) AS g
""")
"""Place 1 of the arrays is a cluster that is not active, or none: it told nothing."""
_JUDGED: Final = Template("""
    SELECT *,
      multiIf(heard_until = 0 OR heard_from = $never, $unknown,
        toInt64(heard_until) - toUnixTimestamp(last_seen) > $quiet_s, if(heard_whole, $silent, $unknown),
        {now:Int64} - heard_until > $late_s, $unknown,
        {now:Int64} - toUnixTimestamp(first_seen) <= $recent_s
          AND toInt64(toUnixTimestamp(first_seen)) - heard_from >= $history_s, $new, $active) AS state,
      multiIf(end_src_registration = end_dst_registration OR (told_by_src AND told_by_dst), 0,
        told_by_src AND {told_any:Array(UInt8)}[dst_place], 1,
        told_by_dst AND {told_any:Array(UInt8)}[src_place], 2, 0) AS only_side,
      multiIf(rows_within > 0, known_within, state = $unknown, 0, known_ever) AS known
    FROM ($placed) AS p
""")
"""Where nothing passed in the asked time that is 0 of each measure; unless nobody tells, which makes it unknown."""
_ASKED: Final = Template("""
    SELECT * FROM ($judged) AS j WHERE empty({states:Array(UInt8)}) OR has({states:Array(UInt8)}, state)
""")


async def found(
    scope: Scope, store: ColumnStore, asked: EdgeFilter, coverage: Coverage, around: Template, **more: object
) -> pa.Table:
    """What a statement `around` the asked edges (`$grouped`, one a row for each pair of ends and verdict) finds."""
    statement, given = _grouped(asked, coverage)
    return await store.query(scope, around.substitute(grouped=statement), given | more)


def _grouped(asked: EdgeFilter, coverage: Coverage) -> tuple[str, dict[str, Any]]:
    """A statement that finds the asked edges, one a row for each pair of ends and verdict, and its parameters."""
    given: dict[str, Any] = {
        "since": hour_of(asked.since),
        "first": hour_of(asked.since) - LOOK_BACK_S,
        "until": hour_of(asked.until) + HOUR_S,
        "states": [STATES.index(each) for each in asked.states],
        **_told(coverage),
    }
    narrowed = conditions(asked, given)
    statement = _GROUPED.substitute(
        ends=", ".join((*_end("src", asked.level), *_end("dst", asked.level))),
        outcome=OUTCOME,
        sums=", ".join(f"sumIf({name}, {_WITHIN}) AS sum_{name}" for name in MEASURES),
        within=_WITHIN,
        conditions="".join(f" AND {each}" for each in narrowed),
        names=", ".join(END_COLUMNS),
    )
    placed = _PLACED.substitute(grouped=statement, never=_NEVER)
    judged = _JUDGED.substitute(
        {each.value: STATES.index(each) for each in STATES},
        placed=placed,
        never=_NEVER,
        quiet_s=QUIET_S,
        late_s=LATE_S,
        recent_s=RECENT_S,
        history_s=HISTORY_S,
    )
    return _ASKED.substitute(judged=judged), given


def _told(coverage: Coverage) -> dict[str, Any]:
    clusters = coverage.clusters
    are_whole = [each.is_whole and not coverage.waits_lately for each in clusters]
    return {
        "now": int(coverage.now.timestamp()),
        "told": [str(each.registration_id) for each in clusters],
        "told_until": [0, *(each.told_until or 0 for each in clusters)],
        "told_from": [_NEVER, *(_NEVER if each.told_from is None else each.told_from for each in clusters)],
        "told_whole": [1, *map(int, are_whole)],
        "told_any": [
            0,
            *(int(bool(each.minutes_told) and is_whole) for each, is_whole in zip(clusters, are_whole, strict=True)),
        ],
    }


def _end(side: str, level: EdgeLevel) -> Sequence[str]:
    """The columns of an end. Of a coarser level, what is nobody's stays apart from what is somebody's."""
    nobody = f"{side}_registration = toUUID('{NOBODY}')"
    by_level: Mapping[EdgeLevel, tuple[str, str, str]] = {
        EdgeLevel.WORKLOAD: (f"{side}_namespace", f"{side}_kind", f"{side}_workload"),
        EdgeLevel.NAMESPACE: (f"{side}_namespace", f"if({nobody}, {side}_kind, '')", "''"),
        EdgeLevel.CLUSTER: ("''", f"if({nobody}, {side}_kind, '')", "''"),
    }
    expressions = (f"{side}_registration", *by_level[level])
    names = [name for name in END_COLUMNS if name.startswith(f"end_{side}_")]
    return [f"{expression} AS {name}" for expression, name in zip(expressions, names, strict=True)]
