"""Statements about flows in the flow store: which are the largest, and how much passed when."""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any, Final

import pyarrow as pa

from periplus_contract.flow_words import Verdict
from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.engine.flow_values import SUMMED, FlowEnds, FlowMeasure, TopFlows
from periplus_hub.dependencies.model import EdgeFilter
from periplus_hub.dependencies.tables_edges import ENDS, OUTCOME, STEP, in_time
from periplus_hub.flows.model import MEASURES, NOBODY
from periplus_hub.kit.column_store import ColumnStore

_KEY: Final = (*ENDS, "protocol", "dst_port")

_TOP: Final = Template("""
    SELECT *, count() OVER () AS flow_count, countIf(NOT is_known) OVER () AS unmeasured_count,
      sumIf(value, is_known) OVER () AS total
    FROM (SELECT $key, $verdict AS told_verdict, $value FROM $edges GROUP BY $key, told_verdict)
    ORDER BY is_known DESC, value DESC, $key, told_verdict
    LIMIT {most:UInt32}
""")
_BY_STEP: Final = Template("""
    SELECT $step AS start, $value FROM $edges GROUP BY start ORDER BY start
""")


async def top_flows(scope: Scope, store: ColumnStore, asked: EdgeFilter, measure: FlowMeasure, most: int) -> TopFlows:
    """The flows of the time with the most of the measure; those of which it is not known come last."""
    edges, given = in_time(asked)
    statement = _TOP.substitute(key=", ".join(_KEY), verdict=OUTCOME, value=_value(measure), edges=edges)
    rows = await store.query(scope, statement, given | {"most": most})
    columns = {name: rows.column(name).to_pylist() for name in rows.column_names}
    known = columns["is_known"]
    return TopFlows(
        sources=_ends(columns, "src"),
        destinations=_ends(columns, "dst"),
        protocols=columns["protocol"],
        ports=columns["dst_port"],
        verdicts=[Verdict(each) for each in columns["told_verdict"]],
        values=[value if is_known else None for value, is_known in zip(columns["value"], known, strict=True)],
        are_part_unmeasured=list(map(bool, columns["is_part_unmeasured"])),
        **{name: int(columns[name][0]) if known else 0 for name in ("flow_count", "unmeasured_count", "total")},
    )


async def by_step(
    scope: Scope, store: ColumnStore, asked: EdgeFilter, measure: FlowMeasure, step_s: int
) -> tuple[dict[int, int | None], bool]:
    """Of each step that has such flows how much, None where it is not known; and whether some was not measured."""
    edges, given = in_time(asked)
    statement = _BY_STEP.substitute(step=STEP, value=_value(measure), edges=edges)
    rows = await store.query(scope, statement, given | {"step": step_s})
    return _values(rows)


def _values(rows: pa.Table) -> tuple[dict[int, int | None], bool]:
    columns = (rows.column(name).to_pylist() for name in ("start", "value", "is_known"))
    found = {start: value if is_known else None for start, value, is_known in zip(*columns, strict=True)}
    return found, any(rows.column("is_part_unmeasured").to_pylist())


def _value(measure: FlowMeasure) -> str:
    """The measure of a group of edges, whether it is known, and whether only in part."""
    names = SUMMED[measure]
    value = " + ".join(f"sum({name})" for name in names)
    mask = sum(1 << MEASURES.index(name) for name in names)
    known = f"bitAnd(groupBitOr(measured), {mask}) != 0"
    if measure is FlowMeasure.RTT:
        total, count = names
        known = f"sum({count}) != 0"
        value = f"toUInt64(round(sum({total}) / greatest(sum({count}), 1)))"
    part = f"{known} AND bitAnd(groupBitOr(unmeasured), {mask}) != 0"
    return f"{value} AS value, {known} AS is_known, {part} AS is_part_unmeasured"


def _ends(columns: Mapping[str, Sequence[Any]], side: str) -> FlowEnds:
    return FlowEnds(
        registration_ids=[None if each == NOBODY else each for each in columns[f"{side}_registration"]],
        namespaces=columns[f"{side}_namespace"],
        kinds=columns[f"{side}_kind"],
        names=columns[f"{side}_workload"],
    )
