"""Conditions on the flow store's table of edges, as statements about it share them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.edge_columns import ends_at, hour_of
from periplus_hub.dependencies.engine.ends import LOCAL_PARTS, PARTS
from periplus_hub.dependencies.model import LOOK_BACK_S, EdgeFilter, EdgeLevel, EndFilter, LinkLevel
from periplus_hub.flows.model import NOBODY

OUTCOME: Final = f"if(verdict <= {max(each.value for each in Verdict)}, verdict, {Verdict.UNKNOWN.value})"
"""A later minor's number is one that this hub does not know."""
_NAME: Final = ("namespace", "kind", "workload")
ENDS: Final = tuple(f"{side}_{part}" for side in ("src", "dst") for part in ("registration", *_NAME))
"""The columns of both ends."""
END_COLUMNS: Final = tuple(f"end_{side}_{part}" for side in ("src", "dst") for part in PARTS)
"""Both ends of an answer's row."""
LOCAL_COLUMNS: Final = tuple(f"end_{side}_{part}" for side in ("src", "dst") for part in LOCAL_PARTS)
"""The same where clusters are divided into regions or zones."""
STEP: Final = "intDiv(toUnixTimestamp(hour), {step:UInt32}) * {step:UInt32}"
"""When the step of the time begins."""

_EDGES: Final = "edges_hourly"
_OF_DAYS_TOO: Final = """(
    SELECT *, crosses, ends FROM edges_hourly WHERE hour >= fromUnixTimestamp({days_until:UInt32})
    UNION ALL
    SELECT * REPLACE (greatest(d.hour, toDateTime({days_from:UInt32}, 'UTC')) AS hour), crosses, ends
    FROM edges_daily AS d
    WHERE d.hour >= toStartOfDay(toDateTime({days_from:UInt32}, 'UTC'))
      AND d.hour < fromUnixTimestamp({days_until:UInt32}) AND d.last_window > fromUnixTimestamp({days_from:UInt32}))
"""
"""A day in which the time begins counts as its first hour, with what was seen in it then or later."""


def edges_from(first_s: int, asked: EdgeFilter, given: dict[str, Any]) -> str:
    """What stands behind FROM in a statement about the edges of the asked time that looks back to `first_s`.

    Its rows are those of `edges_hourly`; of the time of which hours are not kept, each is of a day and has its begin as
    `hour`. The parameters are added to `given`.
    """
    if first_s >= asked.days_until:
        return _EDGES
    given |= {"days_from": first_s, "days_until": asked.days_until}
    return _OF_DAYS_TOO


def looked_at(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
    """The condition on all rows that an answer about the asked edges is made of, and its parameters."""
    since = hour_of(asked.since)
    given: dict[str, Any] = {"since": since, "first": since - LOOK_BACK_S, "until": ends_at(asked.until)}
    hours = ("hour >= fromUnixTimestamp({first:UInt32})", "hour < fromUnixTimestamp({until:UInt32})")
    return " AND ".join((*hours, *conditions(asked, given))), given


def all_looked_at(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
    """What stands behind FROM to find all rows of the time that such answers are made of, whatever they are about."""
    where, given = looked_at(EdgeFilter(since=asked.since, until=asked.until))
    return f"{edges_from(given['first'], asked, given)} WHERE {where}", given


def in_time(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
    """What stands behind FROM to find all rows of the asked edges in the asked time, and its parameters."""
    given: dict[str, Any] = {"since": hour_of(asked.since), "until": ends_at(asked.until)}
    within = ("hour >= fromUnixTimestamp({since:UInt32})", "hour < fromUnixTimestamp({until:UInt32})")
    found = edges_from(given["since"], asked, given)
    return f"{found} WHERE {' AND '.join((*within, *conditions(asked, given)))}", given


def conditions(asked: EdgeFilter, given: dict[str, Any]) -> Sequence[str]:
    """Those that a row of an asked edge meets, whatever its time and state; their parameters are added to `given`."""
    found = []
    if asked.cross_cluster:
        found.append("crosses")
    if not asked.either.is_any:
        found.append(at_either_end("either", asked.either, given))
    for side, end in (("src", asked.src), ("dst", asked.dst)):
        if not end.is_any:
            found.append(_meant(side, side, end, given))
    for column, name, value in (("dst_port", "port", asked.port), ("protocol", "protocol", asked.protocol)):
        if value is not None:
            given[name] = value
            found.append(f"{column} = {{{name}:UInt16}}")
    if asked.verdicts:
        given["verdicts"] = [each.value for each in asked.verdicts]
        found.append(f"has({{verdicts:Array(UInt8)}}, {OUTCOME})")
    return found


def at_either_end(word: str, end: EndFilter, given: dict[str, Any]) -> str:
    """The condition that one end or the other is one of those that are meant."""
    return f"({' OR '.join(_meant(side, word, end, given) for side in ('src', 'dst'))})"


def _meant(side: str, word: str, end: EndFilter, given: dict[str, Any]) -> str:
    """The condition that the end of this side is one of those that are meant."""
    parts = []
    if end.clusters:
        given[f"{word}_clusters"] = [str(each) for each in end.clusters]
        parts.append(f"has({{{word}_clusters:Array(UUID)}}, {side}_registration)")
    for column, value in zip(_NAME, (end.namespace, end.kind, end.name), strict=True):
        if value is not None:
            given[f"{word}_{column}"] = value
            parts.append(f"{side}_{column} = {{{word}_{column}:String}}")
    return f"({' AND '.join(parts)})"


def end_columns(level: EdgeLevel) -> Sequence[str]:
    """What `END_COLUMNS` are of a row. Of a coarser level, what is nobody's stays apart from what is somebody's."""
    return [f"{value} AS {name}" for value, name in zip(end_values(level), END_COLUMNS, strict=True)]


def local_columns(by: LinkLevel) -> Sequence[str]:
    """What `LOCAL_COLUMNS` are of a row."""
    values = (
        value
        for side in ("src", "dst")
        for value in (
            *(f"{side}_registration", f"if({side}_registration = toUUID('{NOBODY}'), {side}_kind, '')"),
            *(f"{side}_region", f"{side}_zone" if by is LinkLevel.ZONE else "''"),
        )
    )
    return [f"{value} AS {name}" for value, name in zip(values, LOCAL_COLUMNS, strict=True)]


def end_values(level: EdgeLevel) -> Sequence[str]:
    """What a row has for each of `END_COLUMNS`."""
    return (*_end("src", level), *_end("dst", level))


def _end(side: str, level: EdgeLevel) -> Sequence[str]:
    nobody = f"{side}_registration = toUUID('{NOBODY}')"
    by_level: Mapping[EdgeLevel, tuple[str, str, str]] = {
        EdgeLevel.WORKLOAD: (f"{side}_namespace", f"{side}_kind", f"{side}_workload"),
        EdgeLevel.NAMESPACE: (f"{side}_namespace", f"if({nobody}, {side}_kind, '')", "''"),
        EdgeLevel.CLUSTER: ("''", f"if({nobody}, {side}_kind, '')", "''"),
    }
    return (f"{side}_registration", *by_level[level])
