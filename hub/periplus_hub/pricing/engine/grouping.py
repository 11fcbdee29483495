"""Which group pays for each row, by whatever costs are added up by. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.columns import Ints, plain
from periplus_hub.flows.model import NOBODY
from periplus_hub.flows.model_kinds import AMBIGUOUS as SEVERAL
from periplus_hub.pricing.engine.edge_costs import Groups, Key
from periplus_hub.pricing.model import AMBIGUOUS, NOBODY_KNOWN, UNALLOCATED, CostGrouping, PathClass

TEAMS = Mapping[tuple[UUID, str], str]
"""Of clusters and namespaces: the team that is written there."""
_OWNERS: Final[Mapping[CostGrouping, tuple[str, ...]]] = {
    CostGrouping.TEAM: ("registration", "namespace", "kind"),
    CostGrouping.CLUSTER: ("registration", "kind"),
    CostGrouping.NAMESPACE: ("registration", "namespace", "kind"),
    CostGrouping.WORKLOAD: ("registration", "namespace", "kind", "workload"),
}
"""What tells who pays, where that is one end."""
_PAIRS: Final[Mapping[CostGrouping, tuple[str, ...]]] = {
    CostGrouping.CLUSTER_PAIR: ("registration", "kind"),
    CostGrouping.SERVICE_PAIR: ("registration", "namespace", "kind", "workload"),
    CostGrouping.REGION_PAIR: ("region",),
}


def groups_of(rows: pa.Table, by: CostGrouping, teams: TEAMS, path_classes: Sequence[PathClass], pair: Ints) -> Groups:
    """`path_classes` of the pairs of places, and the pair of each row."""
    if by is CostGrouping.PATH_CLASS:
        return _alike(*_distinct([(path_classes[each].value,) for each in range(len(path_classes))], pair))
    if by in _PAIRS:
        sides = [_ends(rows, side, _PAIRS[by], by, {}) for side in ("src", "dst")]
        (src_keys, src), (dst_keys, dst) = sides
        combined, group = np.unique(src * (len(dst_keys) + 1) + dst, return_inverse=True)
        keys = [
            (*src_keys[each // (len(dst_keys) + 1)], *dst_keys[each % (len(dst_keys) + 1)])
            for each in combined.tolist()
        ]
        return _alike(*_distinct(keys, group.astype(np.int64)))
    (src_keys, src), (dst_keys, dst) = (_ends(rows, side, _OWNERS[by], by, teams) for side in ("src", "dst"))
    known: dict[Key, int] = {}
    of_src = np.array([known.setdefault(key, len(known)) for key in src_keys], dtype=np.int64)
    of_dst = np.array([known.setdefault(key, len(known)) for key in dst_keys], dtype=np.int64)
    return Groups(list(known), of_src[src], of_dst[dst])


def _alike(keys: Sequence[Key], group: Ints) -> Groups:
    return Groups(keys, group, group)


def _distinct(keys: Sequence[Key], group: Ints) -> tuple[Sequence[Key], Ints]:
    known: dict[Key, int] = {}
    number = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.int64)
    return list(known), number[group] if len(keys) else group


def _ends(rows: pa.Table, side: str, parts: Sequence[str], by: CostGrouping, teams: TEAMS) -> tuple[list[Key], Ints]:
    """Keys of the distinct ends of a side, and the one of each row."""
    combined = np.zeros(rows.num_rows, dtype=np.int64)
    columns = []
    for part in parts:
        values = plain(rows.column(f"{side}_{part}").combine_chunks())
        encoded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
        codes = np.asarray(encoded.indices).astype(np.int64)
        words = encoded.dictionary.to_pylist()
        columns.append((codes, words))
        _, combined = np.unique(combined * (len(words) + 1) + codes, return_inverse=True)
    _, first, number = np.unique(combined, return_index=True, return_inverse=True)
    keys = [
        _key(dict(zip(parts, (words[codes[row]] for codes, words in columns), strict=True)), by, teams)
        for row in first.tolist()
    ]
    return keys, number.astype(np.int64)


def _key(end: Mapping[str, Any], by: CostGrouping, teams: TEAMS) -> Key:
    if by is CostGrouping.REGION_PAIR:
        return (str(end["region"]) or NOBODY_KNOWN,)
    cluster = UUID(bytes=end["registration"])
    kind = str(end["kind"])
    if by is CostGrouping.TEAM:
        return (_team(cluster, str(end["namespace"]), kind, teams),)
    name = "" if cluster == NOBODY else str(cluster)
    rest = [str(end[part]) for part in ("namespace", "kind", "workload") if part in end]
    if by in (CostGrouping.CLUSTER, CostGrouping.CLUSTER_PAIR):
        rest = [kind if cluster == NOBODY else ""]
    if by is CostGrouping.NAMESPACE:
        rest = [str(end["namespace"]), kind if cluster == NOBODY else ""]
    return (name, *rest)


def _team(cluster: UUID, namespace: str, kind: str, teams: TEAMS) -> str:
    if cluster == NOBODY:
        return AMBIGUOUS if kind == SEVERAL else NOBODY_KNOWN
    return teams.get((cluster, namespace), UNALLOCATED)
