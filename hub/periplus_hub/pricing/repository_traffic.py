"""SQL of what passed between places: the sums of edges that costs are made of."""

from dataclasses import replace
from string import Template
from typing import Any, Final

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.dependencies.model import NOT_ARRIVED, EdgeFilter
from periplus_hub.dependencies.repository_asked import ask_edges
from periplus_hub.dependencies.tables_edges import OUTCOME, in_time
from periplus_hub.flows.model import NOBODY
from periplus_hub.flows.model_kinds import EXTERNAL
from periplus_hub.kit.column_store import ColumnStore
from periplus_hub.pricing.model import CostGrouping

_SUMS: Final = Template("""
    SELECT $ends, src_region, src_zone, dst_region, dst_zone,
      sum(bytes_tx) AS bytes_tx, sum(bytes_rx) AS bytes_rx, groupBitOr(r.measured) AS measured,
      groupBitOr(r.unmeasured) AS unmeasured
    FROM (SELECT * FROM $rows) AS r
    WHERE NOT has({not_arrived:Array(UInt8)}, $outcome)
    GROUP BY ALL LIMIT {most:UInt32}
""")
_PUBLIC: Final = (
    f"if({{side}}_registration = toUUID('{NOBODY}') AND {{side}}_kind = '{EXTERNAL}', {{side}}_workload, '')"
)
"""Of an end on the internet its range: whether it is an address is asked of every row."""
_FINER: Final = {
    CostGrouping.TEAM: ("{side}_namespace", _PUBLIC),
    CostGrouping.NAMESPACE: ("{side}_namespace", _PUBLIC),
    CostGrouping.WORKLOAD: ("{side}_namespace", "{side}_workload"),
    CostGrouping.SERVICE_PAIR: ("{side}_namespace", "{side}_workload"),
}
"""What an end's namespace and workload are; of others nothing but where it is."""
_COARSE: Final = ("''", _PUBLIC)
_PARTS: Final = ("registration", "namespace", "kind", "workload")


async def traffic(scope: Scope, store: ColumnStore, asked: EdgeFilter, by: CostGrouping, *, most: int) -> pa.Table:
    """Bytes each way of all that arrived, by both ends as far as `by` tells them apart, their regions and zones.

    Columns src_… and dst_… of registration, namespace, kind, workload, region and zone; bytes_tx, bytes_rx; measured
    and unmeasured, whose bits are measures that some rows know, and that some do not. At most `most` rows.
    """

    def stated(asked: EdgeFilter) -> tuple[str, dict[str, Any]]:
        rows, given = in_time(asked)
        statement = _SUMS.substitute(ends=", ".join(_ends(by)), rows=rows, outcome=OUTCOME)
        return statement, given | {"not_arrived": [each.value for each in NOT_ARRIVED], "most": most}

    return await ask_edges(scope, store, replace(asked, spans=()), stated)


def _ends(by: CostGrouping) -> list[str]:
    namespace, workload = _FINER.get(by, _COARSE)
    is_fine = by in _FINER
    found = []
    for side in ("src", "dst"):
        nobody = f"{side}_registration = toUUID('{NOBODY}')"
        kind = f"{side}_kind" if is_fine and workload != _PUBLIC else f"if({nobody}, {side}_kind, '')"
        values = (f"{side}_registration", namespace.format(side=side), kind, workload.format(side=side))
        names = (f"{side}_{part}" for part in _PARTS)
        found += [value if value == name else f"{value} AS {name}" for value, name in zip(values, names, strict=True)]
    return found
