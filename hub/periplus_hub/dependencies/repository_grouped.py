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
    ClusterCoverage,
    Coverage,
    EdgeFilter,
    EdgeLevel,
    LinkLevel,
)
from periplus_hub.dependencies.repository_asked import ask_edges
from periplus_hub.dependencies.tables_edges import (
    END_COLUMNS,
    LOCAL_COLUMNS,
    OUTCOME,
    end_columns,
    end_values,
    local_columns,
    looked_at,
    together,
)
from periplus_hub.flows.model import MEASURES
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
_ROWS_OF_CLUSTERS: Final = Template("""
    SELECT $ends, verdict, $within AS is_within, $sums, groupBitOr(measured) AS measured,
      groupBitOr(unmeasured) AS unmeasured, groupBitOr(reporters) AS reporters, max(sampling) AS sampling,
      min(first_window) AS first_window, max(last_window) AS last_window
    FROM $rows GROUP BY $key, verdict, is_within
""")
"""Made of sums that the store has of pairs of clusters (`by_cluster`), where conditions are about nothing else."""
_TELLERS: Final = (
    "format(TSV, 'id UUID, told_until UInt32, told_from UInt32, is_part UInt8, tells UInt8', {tellers:String})"
)
"""What each active cluster told, a row for each. Whoever is not among them told nothing: all is 0.

As constants of the statement, and not as rows, these would be in it again in each expression that uses them; then it
takes longer to plan it than all else.
"""
_ASKED: Final = Template("""
    SELECT g.*, bitAnd(told_by, 5) != 0 AS told_by_src, bitAnd(told_by, 6) != 0 AS told_by_dst,
      greatest(if(told_by_src, s.told_until, 0), if(told_by_dst, d.told_until, 0)) AS heard_until,
      least(if(told_by_src AND s.told_until != 0, s.told_from, $never),
            if(told_by_dst AND d.told_until != 0, d.told_from, $never)) AS heard_from,
      NOT (told_by_src AND s.is_part) AND NOT (told_by_dst AND d.is_part) AS heard_whole,
      multiIf(heard_until = 0 OR heard_from = $never, $unknown,
        toInt64(heard_until) - toUnixTimestamp(last_seen) > $quiet_s, if(heard_whole, $silent, $unknown),
        {now:Int64} - heard_until > $late_s, $unknown,
        {now:Int64} - toUnixTimestamp(first_seen) <= $recent_s
          AND toInt64(toUnixTimestamp(first_seen)) - heard_from >= $history_s, $new, $active) AS state,
      multiIf(end_src_registration = end_dst_registration OR (told_by_src AND told_by_dst), 0,
        told_by_src AND d.tells, 1,
        told_by_dst AND s.tells, 2, 0) AS only_side,
      multiIf(rows_within > 0, known_within, state = $unknown, 0, known_ever) AS known
    FROM ($grouped) AS g
    LEFT ANY JOIN $tellers AS s ON g.end_src_registration = s.id
    LEFT ANY JOIN $tellers AS d ON g.end_dst_registration = d.id
    WHERE empty({states:Array(UInt8)}) OR has({states:Array(UInt8)}, state)
""")
"""Where nothing passed in the asked time that is 0 of each measure; unless nobody tells, which makes it unknown."""


async def found(
    scope: Scope, store: ColumnStore, asked: EdgeFilter, coverage: Coverage, around: Template, **more: object
) -> pa.Table:
    """What a statement `around` the asked edges (`$grouped`, one a row for each pair of ends and verdict) finds."""

    def stated(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
        statement, given = _grouped(asked, coverage)
        return around.substitute(grouped=statement), given | more

    return await ask_edges(scope, store, asked, stated)


def _grouped(asked: EdgeFilter, coverage: Coverage) -> tuple[str, dict[str, Any]]:
    """A statement that finds the asked edges, one a row for each pair of ends and verdict, and its parameters."""
    tables, given = looked_at(asked)
    given |= {"states": [STATES.index(each) for each in asked.states], **_told(coverage)}
    ends, key = _ends(asked)
    rows, within = together(tables), WITHIN
    if asked.level is EdgeLevel.CLUSTER and asked.by is LinkLevel.CLUSTER:
        sums = ", ".join(f"sum({name}) AS {name}" for name in MEASURES)
        names = {"ends": ", ".join(ends), "key": ", ".join(key)}
        parts = [_ROWS_OF_CLUSTERS.substitute(names, rows=each, within=WITHIN, sums=sums) for each in tables]
        rows, within = f"({' UNION ALL '.join(parts)})", "is_within"
        ends = key
    statement = _GROUPED.substitute(
        ends=", ".join(ends),
        outcome=OUTCOME,
        sums=", ".join(f"sumIf({name}, {within}) AS sum_{name}" for name in MEASURES),
        within=within,
        rows=rows,
        key=", ".join(key),
    )
    judged = _ASKED.substitute(
        {each.value: STATES.index(each) for each in STATES},
        grouped=statement,
        tellers=_TELLERS,
        never=_NEVER,
        quiet_s=QUIET_S,
        late_s=LATE_S,
        recent_s=RECENT_S,
        history_s=HISTORY_S,
    )
    return judged, given


def _told(coverage: Coverage) -> dict[str, Any]:
    return {
        "now": int(coverage.now.timestamp()),
        "tellers": "".join(_teller(each, waits_lately=coverage.waits_lately) for each in coverage.clusters),
    }


def _teller(cluster: ClusterCoverage, *, waits_lately: bool) -> str:
    is_whole = cluster.is_whole and not waits_lately
    told_from = _NEVER if cluster.told_from is None else cluster.told_from
    tells = bool(cluster.minutes_told) and is_whole
    return f"{cluster.registration_id}\t{cluster.told_until or 0}\t{told_from}\t{not is_whole:d}\t{tells:d}\n"


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
