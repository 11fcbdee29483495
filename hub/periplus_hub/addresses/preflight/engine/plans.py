"""A cluster that is not built yet, as columns like all others. Pure."""

from typing import Final

import numpy as np

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import parse
from periplus_hub.addresses.preflight.model import PlannedCluster

_USES: Final = {
    AllocationKind.POD: Use.POD,
    AllocationKind.SERVICE: Use.SERVICE,
    AllocationKind.NODE: Use.NODE,
}
_LOW: Final = (1 << 64) - 1


def columns_of(planned: PlannedCluster) -> ClusterColumns:
    """Its ranges; raises BadPrefix."""
    rows = {(parse(cidr), _USES[kind]) for kind, cidrs in planned.cidrs.items() for cidr in cidrs}
    prefixes = [prefix for prefix, _ in rows]
    return ClusterColumns(
        PrefixColumns(
            np.array([each.family for each in prefixes], dtype=np.uint8),
            np.array([each.value >> 64 for each in prefixes], dtype=np.uint64),
            np.array([each.value & _LOW for each in prefixes], dtype=np.uint64),
            np.array([each.length for each in prefixes], dtype=np.uint8),
        ),
        np.array([USES.index(use) for _, use in rows], dtype=np.uint8),
        np.zeros(len(rows), dtype=np.int64),
    )
