"""How much an overlap of two allocations hurts: a table over (relation of the domains, use, use).

Between two clusters:

| relation | uses | severity |
|--|--|--|
| same or flat-connected domain | managed service ranges against each other | `latent` |
| same or flat-connected domain | service against service, routed neither | `blocks-federation` |
| same or flat-connected domain | masqueraded pods or nodes against such, or against a service range | `latent` |
| same or flat-connected domain | planned or reserved against anything | `blocks-federation` |
| same or flat-connected domain | anything else | `conflict` |
| planned | managed service ranges against each other | `latent` |
| planned | anything else | `blocks-federation` |
| isolated | any | `latent` |
| nat | any | `intended` |

Ranges that people entered in a network domain are one owner's, like a cluster's. Against clusters of the same domain:

| what people entered | and a cluster's | severity |
|--|--|--|
| a VPC, a subnet, an on-premises network | load balancers, external addresses, seen pods | no overlap |
| a VPC, a subnet, an on-premises network | nodes that are not masqueraded | no overlap |
| a VPC, an on-premises network | a range of pods that is routed | no overlap |
| anything else that is there | anything else | `conflict` |

Clusters live in their VPC. What they claim for themselves must not be there already: a routed pod range may be part of
the VPC, but a subnet of it is somebody's.

ClusterIPs never leave a cluster unless somebody routes them, so two equal service ranges break nothing today, but a
clusterset or mesh could not tell them apart. Pods of an overlay leave it behind their nodes' addresses: two overlays
never meet, but one hides from its own pods whatever others really have there; so do nodes behind a router that
translates. What nobody knows to be masqueraded counts as routed.

Within one cluster:

| uses | severity |
|--|--|
| service against pod or node | `conflict` |
| a pod range against a node | `conflict` |
| what two nodes hold, against itself | `conflict` |
| a load balancer pool against a service range, pods or a node | `conflict` |
| anything else | no overlap: legal nesting |

Nesting is how allocators work (node blocks in their pool, addresses of load balancers in the node range), but a service
range that covers pods or nodes sends their traffic to kube-proxy (cilium#13766), and nodes inside a pod range are
routed to a bridge (k3s#588). Where pods have addresses of the nodes' own network (ENI-style CNIs) they are only seen,
address by address, and nothing covers a node.

Pure. Owners (clusters) and domains are small integers here; codes are `owner << USE_BITS | use`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.uses import (
    KIND_OF,
    NODES,
    NODES_HIDDEN,
    PODS,
    PODS_HIDDEN,
    PODS_SEEN,
    SERVICES,
    SHARED,
    USE_BITS,
    USE_MASK,
    USES,
    Use,
)
from periplus_hub.addresses.overlaps.model import SEVERITIES, Relation, Severity

ITSELF: Final = 0
_RELATIONS: Final = (None, *Relation)
"""Relation codes are indexes here; 0 is a cluster with itself."""
NO_OVERLAP: Final = len(SEVERITIES)
"""The severity code of a pair that is no overlap."""

_NOT_LIVE: Final = frozenset({Use.PLANNED, Use.RESERVED})
_HIDDEN: Final = PODS_HIDDEN | NODES_HIDDEN | SERVICES - {Use.SERVICE_ROUTED}
"""Whose addresses nobody outside the cluster ever sees."""
_FAULTS: Final = (
    (SERVICES, PODS | NODES),
    (PODS - PODS_SEEN, NODES),
    (frozenset({Use.LOADBALANCER_POOL}), SERVICES | PODS | NODES),
    (SHARED & PODS, SHARED & PODS),
    (SHARED & NODES, SHARED & NODES),
)
"""Uses of one cluster that may not overlap."""


_LIVES_IN_NETWORKS: Final = (
    NODES - NODES_HIDDEN
    | PODS_SEEN
    | frozenset(use for use in USES if KIND_OF[use] in {AllocationKind.LOADBALANCER, AllocationKind.EXTERNAL})
)
_ROUTED_PODS: Final = frozenset({Use.POD_ROUTED, Use.POD_SHARED_ROUTED})
LIVES_IN: Final[Mapping[Use, frozenset[Use]]] = MappingProxyType(
    {Use.ENTERED_NETWORK: _LIVES_IN_NETWORKS | _ROUTED_PODS, Use.ENTERED_SUBNET: _LIVES_IN_NETWORKS}
)
"""What clusters have inside ranges that people entered in the same network domain, as it should be."""


def relation_code(relation: Relation) -> int:
    """The integer the tables are indexed by."""
    return _RELATIONS.index(relation)


def pair_severity(relation: Relation | None, a: Use, b: Use) -> Severity | None:
    """The rule itself; `relation` None means both allocations are one cluster's. None means no overlap."""
    if relation is None:
        fault = any((a in one and b in other) or (b in one and a in other) for one, other in _FAULTS)
        return Severity.CONFLICT if fault else None
    if relation is Relation.SAME and (a in LIVES_IN.get(b, ()) or b in LIVES_IN.get(a, ())):
        return None
    # The order of these questions is the table above, read from the relation that makes most harmless to the uses that
    # make it worse. Managed ranges come before what is planned: joining moves neither.
    if relation is Relation.NAT:
        return Severity.INTENDED
    if relation is Relation.ISOLATED or a is b is Use.SERVICE_MANAGED:
        return Severity.LATENT
    if relation is Relation.PLANNED or a in _NOT_LIVE or b in _NOT_LIVE:
        return Severity.BLOCKS_FEDERATION
    if not {a, b} <= _HIDDEN:
        return Severity.CONFLICT
    return Severity.BLOCKS_FEDERATION if {a, b} <= SERVICES else Severity.LATENT


def _table() -> npt.NDArray[np.int8]:
    table = np.full((len(_RELATIONS), USE_MASK + 1, USE_MASK + 1), NO_OVERLAP, dtype=np.int8)
    for code, relation in enumerate(_RELATIONS):
        for i, a in enumerate(USES):
            for j, b in enumerate(USES):
                severity = pair_severity(relation, a, b)
                if severity is not None:
                    table[code, i, j] = SEVERITIES.index(severity)
    return table


SEVERITY_TABLE: Final = _table()
"""[relation, use, use] -> severity code."""


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
        # From the weakest statement to the strongest: what nobody said, connections, one domain, the owner itself.
        row[self.domains == domain] = relation_code(Relation.SAME)
        row[owner] = ITSELF
        return row

    def severities(self, code: int) -> npt.NDArray[np.int8]:
        """Severity codes of the pairs one allocation would form, by the other allocation's code."""
        found: npt.NDArray[np.int8] = SEVERITY_TABLE[self.row(code >> USE_BITS), code & USE_MASK].reshape(-1)
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
    # From the mildest to the worst, so that the worst overwrites.
    for severity in reversed(range(NO_OVERLAP)):
        codes[pairs[:, severity] > 0] = severity
    return codes
