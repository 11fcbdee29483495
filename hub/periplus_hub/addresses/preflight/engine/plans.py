"""A cluster that is not built yet, as columns like all others. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.cluster_columns import ClusterColumns
from periplus_hub.addresses.overlaps.engine.uses import USES, Use
from periplus_hub.addresses.prefixes.columns import PrefixColumns
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.preflight.model import PlannedCluster

_USES: Final = {
    AllocationKind.POD: Use.POD,
    AllocationKind.SERVICE: Use.SERVICE,
    AllocationKind.NODE: Use.NODE,
    AllocationKind.LOADBALANCER: Use.LOADBALANCER_POOL,
}
_LOW: Final = (1 << 64) - 1


def services_among_others(prefixes: Mapping[AllocationKind, Sequence[Prefix]]) -> str | None:
    """What of one cluster's services overlaps its own pods or nodes, as in "10.0.0.0/16 for services and …"."""
    widest: dict[bool, tuple[Prefix, AllocationKind]] = {}
    # Parents come first, so of those before, the one that ends last covers a range if any does.
    for prefix, kind in sorted((prefix, kind) for kind, some in prefixes.items() for prefix in some):
        is_service = kind is AllocationKind.SERVICE
        other = widest.get(not is_service)
        if other and other[0].covers(prefix):
            pair = sorted([(prefix, kind), other], key=lambda each: each[1] is not AllocationKind.SERVICE)
            return " and ".join(f"{range_} for {of}s" for range_, of in pair)
        same = widest.get(is_service)
        if same is None or (prefix.family, prefix.last) > (same[0].family, same[0].last):
            widest[is_service] = (prefix, kind)
    return None


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
