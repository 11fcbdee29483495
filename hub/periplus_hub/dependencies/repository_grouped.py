"""The statement that every answer about edges is made of: the asked edges of a level, judged by what was told.

A silent spoke is no sign: the state of an edge is held against what its own clusters have told since.
"""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import (
    HISTORY_S,
    LATE_S,
    QUIET_S,
    RECENT_S,
    STATES,
    Coverage,
    EdgeFilter,
    EdgeLevel,
    LinkLevel,
)
from periplus_hub.dependencies.tables_edges import (
    END_COLUMNS,
    LOCAL_COLUMNS,
    OUTCOME,
    edges_from,
    end_columns,
    end_values,
    local_columns,
    looked_at,
)
from periplus_hub.flows.model import MEASURES, NOBODY
from periplus_hub.kit.column_store import ColumnStore

KNOWN: Final[Mapping[str, str]] = {name: f"(bitAnd(known, {1 << number}) != 0)" for number, name in enumerate(MEASURES)}
"""The condition that a measure is known."""
WITHIN: Final = "hour >= fromUnixTimestamp({since:UInt32})"
"""The condition on a row that it is of the asked time, and not of what is looked back at."""
_NEVER: Final = 2**32 - 1

_GROUPED: Final = Template("""
    SELECT $ends, $outcome AS outcome, $sums,
      countIf($within) AS rows_within, groupBitOrIf(measured, $within) AS known_within,
      groupBitOrIf(unmeasured, $within) AS unknown_within, groupBitOr(measured) AS known_ever,
      groupBitOr(reporters) AS told_by, greatest(1, maxIf(sampling, $within)) AS rate,
      min(first_window) AS first_seen, max(last_window) AS last_seen
    FROM $rows GROUP BY $key, outcome
""")
_ROWS: Final = Template("$edges WHERE $conditions")
_ROWS_OF_CLUSTERS: Final = Template("""
    (SELECT $ends, verdict, $within AS is_within, $sums, groupBitOr(measured) AS measured,
      groupBitOr(unmeasured) AS unmeasured, groupBitOr(reporters) AS reporters, max(sampling) AS sampling,
      min(first_window) AS first_window, max(last_window) AS last_window
    FROM $edges WHERE $conditions GROUP BY $key, verdict, is_within)
""")
"""Made of sums that the store has of pairs of clusters (`by_cluster`), where conditions are about nothing else."""
_PLACED: Final = Template("""
    SELECT *, bitAnd(told_by, 5) != 0 AS told_by_src, bitAnd(told_by, 6) != 0 AS told_by_dst,
      $src_place AS src_place, $dst_place AS dst_place,
      greatest(if(told_by_src, {told_until:Array(UInt32)}[src_place], 0),
               if(told_by_dst, {told_until:Array(UInt32)}[dst_place], 0)) AS heard_until,
      least(if(told_by_src, {told_from:Array(UInt32)}[src_place], $never),
            if(told_by_dst, {told_from:Array(UInt32)}[dst_place], $never)) AS heard_from,
      (NOT told_by_src OR {told_whole:Array(UInt8)}[src_place]) AND
        (NOT told_by_dst OR {told_whole:Array(UInt8)}[dst_place]) AS heard_whole
    FROM ($grouped) AS g
""")
"""Place 1 of the arrays is a cluster that is not active, or none: it told nothing."""
_PLACE: Final = "transform(end_{side}_registration, {{told:Array(UUID)}}, {{told_place:Array(UInt32)}}, toUInt32(1))"
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
    where, given = looked_at(asked)
    given |= {"states": [STATES.index(each) for each in asked.states], **_told(coverage)}
    ends, key = _ends(asked)
    read = {"edges": edges_from(given["first"], asked, given), "conditions": where}
    rows, within = _ROWS.substitute(read), WITHIN
    if asked.level is EdgeLevel.CLUSTER and asked.by is LinkLevel.CLUSTER:
        sums = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
        names = {"ends": ", ".join(ends), "key": ", ".join(key)}
        rows, within = _ROWS_OF_CLUSTERS.substitute(names, **read, within=WITHIN, sums=sums), "is_within"
        ends = key
    statement = _GROUPED.substitute(
        ends=", ".join(ends),
        outcome=OUTCOME,
        sums=", ".join(f"sumIf({name}, {within}) AS sum_{name}" for name in MEASURES),
        within=within,
        rows=rows,
        key=", ".join(key),
    )
    places = {f"{side}_place": _PLACE.format(side=side) for side in ("src", "dst")}
    placed = _PLACED.substitute(places, grouped=statement, never=_NEVER)
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
        "told": [str(NOBODY), *(str(each.registration_id) for each in clusters)],
        "told_place": list(range(1, len(clusters) + 2)),
        "told_until": [0, *(each.told_until or 0 for each in clusters)],
        "told_from": [_NEVER, *(_NEVER if each.told_from is None else each.told_from for each in clusters)],
        "told_whole": [1, *map(int, are_whole)],
        "told_any": [
            0,
            *(int(bool(each.minutes_told) and is_whole) for each, is_whole in zip(clusters, are_whole, strict=True)),
        ],
    }


def _ends(asked: EdgeFilter) -> tuple[Sequence[str], Sequence[str]]:
    """The columns of both ends, and what rows are grouped by. Names are long: where all of them count, `ends` does."""
    if asked.by is not LinkLevel.CLUSTER:
        return local_columns(asked.by), LOCAL_COLUMNS
    if asked.level is not EdgeLevel.WORKLOAD:
        return end_columns(asked.level), END_COLUMNS
    first, *others = END_COLUMNS
    names = f"any(({', '.join(end_values(asked.level))})) AS names"
    parts = [f"tupleElement(names, {number}) AS {name}" for number, name in enumerate(others, 2)]
    return ["ends", f"tupleElement({names}, 1) AS {first}", *parts], ["ends"]
