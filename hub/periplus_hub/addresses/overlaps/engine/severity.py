"""How much an overlap of two allocations hurts: a table over (relation of the domains, kind, kind).

| relation | kinds | severity |
|--|--|--|
| same or flat-connected domain | pod, node, loadbalancer or external against anything live | `conflict` |
| same or flat-connected domain | service against service | `blocks-federation` |
| same or flat-connected domain | planned or reserved against anything | `blocks-federation` |
| planned | any | `blocks-federation` |
| isolated | any | `latent` |
| nat | any | `intended` |
| one cluster with itself | service against pod or node | `conflict` |
| one cluster with itself | anything else | no overlap: legal nesting |

ClusterIPs never leave a cluster, so two equal service ranges break nothing today, but a clusterset or mesh could not
tell them apart. Within one cluster nesting is how allocators work (node blocks in their pool, pods in the VPC's
range on ENI-style CNIs, load balancer addresses in the node range), but a service range that covers pods or nodes
sends their traffic to kube-proxy (cilium#13766).

Pure. Owners (clusters) and domains are small integers here; codes are `owner << 3 | kind`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity

KINDS: Final = tuple(AllocationKind)
KIND_BITS: Final = 3
KIND_MASK: Final = (1 << KIND_BITS) - 1

ITSELF: Final = 0
_RELATIONS: Final = (None, *Relation)
"""Relation codes are indexes here; 0 is a cluster with itself."""
NO_OVERLAP: Final = len(SEVERITIES)
"""The severity code of a pair that is no overlap."""

_SELF_CLASH: Final = frozenset({AllocationKind.POD, AllocationKind.NODE})
_NOT_LIVE: Final = frozenset({AllocationKind.PLANNED, AllocationKind.RESERVED})


def kinds_of(bits: int) -> tuple[AllocationKind, ...]:
    """The kinds whose bits are set: bit i stands for KINDS[i]."""
    return tuple(kind for number, kind in enumerate(KINDS) if bits >> number & 1)


def relation_code(relation: Relation) -> int:
    """The integer the tables are indexed by."""
    return _RELATIONS.index(relation)


def pair_severity(relation: Relation | None, a: AllocationKind, b: AllocationKind) -> Severity | None:
    """The rule itself; `relation` None means both allocations are one cluster's. None means no overlap."""
    if relation is None:
        clash = (a in _SELF_CLASH and b is AllocationKind.SERVICE) or (b in _SELF_CLASH and a is AllocationKind.SERVICE)
        return Severity.CONFLICT if clash else None
    if relation is Relation.ISOLATED:
        return Severity.LATENT
    if relation is Relation.NAT:
        return Severity.INTENDED
    if relation is Relation.PLANNED or a in _NOT_LIVE or b in _NOT_LIVE:
        return Severity.BLOCKS_FEDERATION
    if a is b is AllocationKind.SERVICE:
        return Severity.BLOCKS_FEDERATION
    return Severity.CONFLICT


def _table() -> npt.NDArray[np.int8]:
    table = np.full((len(_RELATIONS), KIND_MASK + 1, KIND_MASK + 1), NO_OVERLAP, dtype=np.int8)
    for code, relation in enumerate(_RELATIONS):
        for i, a in enumerate(KINDS):
            for j, b in enumerate(KINDS):
                severity = pair_severity(relation, a, b)
                if severity is not None:
                    table[code, i, j] = SEVERITIES.index(severity)
    return table


SEVERITY_TABLE: Final = _table()
"""[relation, kind, kind] -> severity code."""


class Relations:
    """The domains of all owners and how domains are connected. A changed domain means a new one.

    `connections` maps unordered pairs of domain numbers; what is not named is `default` (isolated, or
    planned to ask what joining would bring).
    """

    def __init__(
        self,
        domains: Sequence[int],
        connections: Mapping[tuple[int, int], Relation],
        default: Relation = Relation.ISOLATED,
    ) -> None:
        self.domains = np.asarray(domains, dtype=np.int64)
        self.default = relation_code(default)
        self.connected: dict[int, dict[int, int]] = {}
        for (a, b), relation in connections.items():
            self.connected.setdefault(a, {})[b] = relation_code(relation)
            self.connected.setdefault(b, {})[a] = relation_code(relation)
        self._rows: dict[int, npt.NDArray[np.int8]] = {}

    def row(self, owner: int) -> npt.NDArray[np.int8]:
        """Relation codes of `owner` to every owner."""
        row = self._rows.get(owner)
        if row is None:
            row = self._rows[owner] = self._row(owner)
        return row

    def _row(self, owner: int) -> npt.NDArray[np.int8]:
        domain = int(self.domains[owner])
        row = np.full(len(self.domains), self.default, dtype=np.int8)
        for other, code in self.connected.get(domain, {}).items():
            row[self.domains == other] = code
        row[self.domains == domain] = relation_code(Relation.SAME)
        row[owner] = ITSELF
        return row

    def severities(self, code: int) -> npt.NDArray[np.int8]:
        """Severity codes of the pairs one allocation would form, by the other allocation's code."""
        found: npt.NDArray[np.int8] = SEVERITY_TABLE[self.row(code >> KIND_BITS), code & KIND_MASK].reshape(-1)
        return found


def worst(pairs: Sequence[int]) -> Severity | None:
    """The worst severity that has a pair."""
    for severity, count in zip(SEVERITIES, pairs, strict=True):
        if count:
            return severity
    return None


def worst_codes(pairs: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """The code of the worst severity that has a pair, per row of pairs by severity; NO_OVERLAP where there is none."""
    codes = np.full(len(pairs), NO_OVERLAP, dtype=np.int8)
    for severity in reversed(range(NO_OVERLAP)):
        codes[pairs[:, severity] > 0] = severity
    return codes
