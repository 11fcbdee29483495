"""Edges put into the flow store as a roll-up would, for a past that nobody has to send row by row."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

import pyarrow as pa

from periplus_hub.access.scope import Scope
from periplus_hub.flows.model import MEASURES
from periplus_hub.kit.column_store import ColumnStore

HOUR = 3_600
CLIENT, SERVER, BOTH = 1, 2, 4
_ALL = (1 << len(MEASURES)) - 1
_HOURS_AT_ONCE = 90  # each is a partition, and an insert takes few
_SIDES = ("src", "dst")
_TEXT = tuple(f"{side}_{part}" for side in _SIDES for part in ("namespace", "kind", "workload", "rule"))


@dataclass(frozen=True)
class End:
    """`workload` is `namespace/Kind/name`; without a cluster it is nobody's."""

    cluster: UUID
    workload: str


OUTSIDE = UUID(int=0)


@dataclass(frozen=True)
class EdgeRow:
    """What passed in an hour, until `last_s` of it. Measures that are not given are not known."""

    src: End
    dst: End
    hour: int
    reporters: int = BOTH
    last_s: int = HOUR
    measures: dict[str, int] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        known = sum(1 << number for number, name in enumerate(MEASURES) if name in self.measures)
        ends: dict[str, object] = {}
        for side, end in (("src", self.src), ("dst", self.dst)):
            namespace, kind, name = end.workload.split("/", 2)
            ends |= {f"{side}_namespace": namespace, f"{side}_kind": kind, f"{side}_workload": name}
            ends |= {f"{side}_registration": end.cluster.bytes, f"{side}_rule": "told"}
        return {
            "hour": self.hour,
            **ends,
            "dst_port": 443,
            "protocol": 6,
            "verdict": 1,
            **{name: self.measures.get(name, 0) for name in MEASURES},
            "measured": known,
            "unmeasured": _ALL & ~known,
            "client_bytes": 0,
            "server_bytes": 0,
            "reporters": self.reporters,
            "windows": 1,
            "sampling": 1,
            "first_window": self.hour,
            "last_window": self.hour + self.last_s,
        }


_TYPES = {
    **dict.fromkeys(("src_registration", "dst_registration"), pa.binary(16)),
    **dict.fromkeys(_TEXT, pa.string()),
    **dict.fromkeys((*MEASURES, "client_bytes", "server_bytes"), pa.uint64()),
    **dict.fromkeys(("hour", "windows", "sampling", "first_window", "last_window"), pa.uint32()),
    **dict.fromkeys(("dst_port", "measured", "unmeasured"), pa.uint16()),
    **dict.fromkeys(("protocol", "verdict", "reporters"), pa.uint8()),
}


async def put_edges(store: ColumnStore, scope: Scope, rows: Iterable[EdgeRow]) -> None:
    """All of them."""
    by_part: dict[int, list[dict[str, object]]] = {}
    for each in rows:
        by_part.setdefault(each.hour // HOUR // _HOURS_AT_ONCE, []).append(each.row())
    for part in by_part.values():
        columns = {name: pa.array([row[name] for row in part], _TYPES[name]) for name in part[0]}
        await store.insert(scope, "edges_hourly", pa.table(columns), lane="rollup")
