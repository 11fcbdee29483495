"""Of which kind a workload is that a source named without its kind: as its own cluster calls it."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from periplus_contract.flow_words import WORKLOAD
from periplus_hub.flows.engine.columns import UUID_BYTES, joined, plain
from periplus_hub.flows.model_kinds import SERVICE

_KEY: Final = ("owner", "namespace", "workload")


class WorkloadKinds:
    """What the hour's rows and its inventory say. What rows say counts first: they have to find each other."""

    def __init__(self, told: pa.Table, known: pa.Table) -> None:
        """Both have owner, namespace, kind and workload: of what clusters told of themselves, and of the inventory."""
        self._told, self._known = (_only_kinds(each) for each in (told, known))

    def of(self, owner: pa.Array, namespace: pa.Array, kind: pa.Array, workload: pa.Array) -> pa.Array:
        """The kinds; WORKLOAD where it is not known, or there are several of the name."""
        key = joined((owner, namespace, workload))
        found = (kinds.column("kind").take(pc.index_in(key, keys)) for keys, kinds in (self._told, self._known))
        return pc.if_else(pc.equal(kind, WORKLOAD), pc.coalesce(*found, pa.scalar(WORKLOAD)), kind)


def _only_kinds(named: pa.Table) -> tuple[pa.Array, pa.Table]:
    """Keys, and the kind of each that has one alone."""
    mine = named.filter(
        pc.and_(pc.not_equal(named.column("workload"), ""), pc.not_equal(named.column("kind"), SERVICE))
    )
    texts = [mine.column(name).cast(pa.string()).combine_chunks() for name in _KEY[1:]]
    key = joined((plain(mine.column("owner").combine_chunks()).cast(UUID_BYTES), *texts))
    grouped = pa.table({"key": key, "kind": mine.column("kind").cast(pa.string())}).group_by("key")
    kinds = grouped.aggregate([("kind", "count_distinct"), ("kind", "min")])
    only = kinds.filter(pc.equal(kinds.column("kind_count_distinct"), 1)).combine_chunks()
    return only.column("key").combine_chunks(), pa.table({"kind": only.column("kind_min")}).combine_chunks()
