"""Conditions on the flow store's table of edges, as statements about it share them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from string import Template
from typing import Any, Final

from periplus_contract.flow_words import Verdict
from periplus_hub.dependencies.edge_columns import ends_at, hour_of
from periplus_hub.dependencies.engine.ends import LOCAL_PARTS, PARTS
from periplus_hub.dependencies.model import EdgeFilter, EdgeLevel, EndFilter, LinkLevel
from periplus_hub.flows.model import LOOK_BACK_S, MEASURES, NOBODY, Span

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

_DAYS: Final = """(
    SELECT * REPLACE (greatest(d.hour, toDateTime({days_from:UInt32}, 'UTC')) AS hour), crosses, ends
    FROM edges_daily AS d
    WHERE d.hour >= toStartOfDay(toDateTime({days_from:UInt32}, 'UTC'))
      AND d.hour < fromUnixTimestamp({days_until:UInt32}) AND d.last_window > fromUnixTimestamp({days_from:UInt32}))
"""
"""A day in which the time begins counts as its first hour, with what was seen in it then or later."""
_COLUMNS: Final = ", ".join(
    (
        *("hour", "crosses", "ends", *ENDS, "src_region", "src_zone", "dst_region", "dst_zone"),
        *("dst_port", "protocol", "verdict", "src_rule", "dst_rule", *MEASURES, "measured", "unmeasured"),
        *("client_bytes", "server_bytes", "reporters", "windows", "sampling", "first_window", "last_window"),
    )
)
_EACH: Final = Template("SELECT $columns FROM $table")
_ARE_WHOLE: Final = Template(
    "NOT (SELECT throwIf(count() != {span_rows:UInt64}, 'the store has not what a span is made of')"
    " FROM edges_spans WHERE $is_asked)"
)


def looked_at(asked: EdgeFilter) -> tuple[Sequence[str], dict[str, Any]]:
    """Tables with conditions that together have all rows that an answer about the asked edges is made of.

    Also their parameters. A statement that asks spans raises Outdated where the store has them no more.
    """
    since, until = hour_of(asked.since), ends_at(asked.until)
    first = since - LOOK_BACK_S
    kept_from = max(first, asked.days_until)
    spans = _within(asked.spans, (kept_from, since), (max(since, kept_from), until))
    return _tables(asked, first, spans)


def in_time(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
    """What stands behind FROM to find all rows of the asked edges in the asked time, hour by hour; its parameters."""
    tables, given = _tables(asked, hour_of(asked.since), ())
    return together(tables), given


def together(tables: Sequence[str]) -> str:
    """What stands behind FROM to read all rows of these."""
    if len(tables) == 1:
        return tables[0]
    return f"({' UNION ALL '.join(_EACH.substitute(columns=_COLUMNS, table=each) for each in tables)})"


def _tables(asked: EdgeFilter, first: int, spans: Sequence[Span]) -> tuple[list[str], dict[str, Any]]:
    """Of the rows since then.

    Each is of an hour; or of a span, and then its `hour` lies in the span's first one; or, of the time of which hours
    are not kept, of a day, and has its begin as `hour`.
    """
    until = ends_at(asked.until)
    kept_from = max(first, asked.days_until)
    given: dict[str, Any] = {"since": hour_of(asked.since), "until": until}
    meant = conditions(asked, given)
    found = [("edges_hourly", _hours(_without(spans, kept_from, until), given))]
    if spans:
        found.append(("edges_spans", _of_spans(spans, given)))
    if first < kept_from:
        given |= {"days_from": first, "days_until": min(kept_from, until)}
        found.append((_DAYS, "1"))
    return [f"{table} WHERE {' AND '.join((within, *meant))}" for table, within in found], given


def _within(spans: Sequence[Span], *times: tuple[int, int]) -> Sequence[Span]:
    """The longest spans that lie in one of these times and not in each other, in order."""
    found: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.first - each.until, each.place)):
        is_in = any(first <= span.first and span.until <= until for first, until in times)
        if is_in and all(each.until <= span.first or span.until <= each.first for each in found):
            found.append(span)
    return sorted(found, key=lambda each: each.first)


def _without(spans: Sequence[Span], first: int, until: int) -> Iterator[tuple[int, int]]:
    """What these leave of the time from `first` to `until`."""
    for span in spans:
        if first < span.first:
            yield first, span.first
        first = span.until
    if first < until:
        yield first, until


def _hours(times: Iterable[tuple[int, int]], given: dict[str, Any]) -> str:
    found = []
    for number, (first, until) in enumerate(times):
        given |= {f"first_{number}": first, f"until_{number}": until}
        begin, end = (f"fromUnixTimestamp({{{name}_{number}:UInt32}})" for name in ("first", "until"))
        found.append(f"hour >= {begin} AND hour < {end}")
    return f"({' OR '.join(found)})" if found else "0"


def _of_spans(spans: Sequence[Span], given: dict[str, Any]) -> str:
    given |= {f"span_{number}": span.place for number, span in enumerate(spans)}
    given["span_rows"] = sum(each.rows for each in spans)
    places = ", ".join(f"fromUnixTimestamp({{span_{number}:UInt32}})" for number in range(len(spans)))
    is_asked = f"hour IN ({places})"
    return f"{is_asked} AND {_ARE_WHOLE.substitute(is_asked=is_asked)}"


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
