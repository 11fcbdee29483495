"""Why an address is resolved as it is: what each lookup said, and why others that have the address are not the answer.

The answer itself is that of `resolution.resolved`, with which edges are made; what is added here only tells of it. A
network domain is asked as a cluster in it that has no address itself.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np
import pyarrow as pa

from periplus_hub.flows.engine.explained import AddressView, Holder, HolderReason, RankOutcome, RankSaid
from periplus_hub.flows.engine.external import outside
from periplus_hub.flows.engine.meanings import OF_ONE_CLUSTER, with_meanings
from periplus_hub.flows.engine.owners import Owners, Questions
from periplus_hub.flows.engine.resolution import resolved
from periplus_hub.flows.model import HOUR_S, MINUTE_S, NOBODY, OPEN_END_US, ClusterPlace, Fleet, FlowEnd
from periplus_hub.inventory.identity import AMBIGUOUS, UNKNOWN, Addresses

_OWN: Final = "own-"
_US: Final = 1_000_000
_LOW: Final = 2**64 - 1
_DECISIVE: Final = (RankOutcome.DECIDED, RankOutcome.AMBIGUOUS)
_MINUTE_US: Final = MINUTE_S * _US


class Explainer:
    """Everything that had one address in an hour, ready to be looked at from anywhere."""

    def __init__(
        self, identities: pa.Table, fleet: Fleet, address: int, at_s: int, *, meanings: pa.Table | None = None
    ) -> None:
        """`address` is 128 bits, of IPv4 mapped; `at_s` a minute. The tables as `Owners` takes them."""
        self._address, self._at_us, self._hour = address, at_s * _US, at_s // HOUR_S * HOUR_S
        self._domain_of = {place.registration_id: place.domain_id for place in fleet.clusters}
        self._nat = fleet.nat | {(other, one) for one, other in fleet.nat}
        domains = sorted(set(self._domain_of.values()))
        strangers = tuple(ClusterPlace(registration_id=each, domain_id=each) for each in domains)
        whole = Fleet(clusters=(*fleet.clusters, *strangers), flat=fleet.flat, nat=fleet.nat)
        self._owners = Owners(identities, whole, meanings)
        self._rows = with_meanings(identities, meanings).to_pylist()
        self._is_public = bool(outside(_one(address))[0])

    def from_cluster(self, registration_id: UUID) -> AddressView | None:
        """As it is seen from a cluster; None where it was no member."""
        if registration_id not in self._domain_of:
            return None
        return self._views([registration_id])[0]

    def from_everywhere(self) -> list[AddressView]:
        """From each network domain, and from clusters that have the address themselves; what is known comes first."""
        domains = self._views(sorted(set(self._domain_of.values())))
        themselves = [view for view in self._views(list(self._domain_of)) if view.rule.startswith(_OWN)]
        return sorted([*themselves, *domains], key=lambda view: view.owner.registration_id is None)

    def _views(self, viewers: Sequence[UUID]) -> list[AddressView]:
        asked = pa.table(
            {
                "lookup": pa.array(range(len(viewers)), pa.uint64()),
                "registration": pa.array([each.bytes for each in viewers], pa.binary(16)),
                "address": pa.array([self._address.to_bytes(16, "big")] * len(viewers), pa.binary(16)),
                "host": pa.array([""] * len(viewers), pa.string()),
            }
        )
        slices: dict[UUID, dict[str, Any]] = {}
        for row in resolved(asked, self._hour, self._owners).to_pylist():
            if row["since"] * _US <= self._at_us:  # a viewer's slices are in order
                slices[UUID(bytes=row["registration"])] = row
        return [self._view(each, slices[each]) for each in viewers]

    def _view(self, viewer: UUID, row: dict[str, Any]) -> AddressView:
        number = self._owners.clusters[viewer]
        ranks = list(self._ranks(number))
        is_domain = viewer not in self._domain_of
        decided = next((each.rule for each in ranks if each.outcome in _DECISIVE), None)
        return AddressView(
            viewer=None if is_domain else viewer,
            domain_id=viewer if is_domain else self._domain_of[viewer],
            owner=_end(UUID(bytes=row["owner"]), row),
            rule=row["rule"],
            candidates=tuple(_end(UUID(bytes=each["registration"]), each) for each in row["candidates"]),
            ranks=tuple(each for each in ranks if not (is_domain and each.rule.startswith(_OWN))),
            holders=tuple(self._holder(number, viewer, each, decided) for each in self._rows),
        )

    def _ranks(self, viewer: int) -> Iterable[RankSaid]:
        asked = Questions(
            cluster=np.array([viewer]), address=_one(self._address), time_us=np.array([self._at_us], dtype=np.int64)
        )
        is_open = True
        for number, found in enumerate(self._owners.said(asked)):
            said = int(found[0])
            outcome = self._outcome(number, viewer, said, is_open=is_open)
            is_open = is_open and said == UNKNOWN
            yield RankSaid(rule=self._owners.rules[number], outcome=outcome, owners=self._ends(number, viewer, said))

    def _outcome(self, number: int, viewer: int, said: int, *, is_open: bool) -> RankOutcome:
        if said != UNKNOWN and not is_open:
            return RankOutcome.OUTRANKED
        if said != UNKNOWN:
            return RankOutcome.AMBIGUOUS if said == AMBIGUOUS else RankOutcome.DECIDED
        if not self._owners.has_somewhere_to_look(number, viewer):
            return RankOutcome.NOT_CONNECTED
        if self._owners.is_public_only(number) and not self._is_public:
            return RankOutcome.NOT_PUBLIC
        return RankOutcome.NOBODY

    def _ends(self, number: int, viewer: int, said: int) -> tuple[FlowEnd, ...]:
        if said == UNKNOWN:
            return ()
        several = self._owners.candidates(viewer, self._address, self._at_us, number)
        numbers = several if said == AMBIGUOUS else [said]
        found = self._owners.names.rows.take(pa.array(numbers, pa.int64())).to_pylist()
        return tuple(_end(UUID(bytes=row["owner"]), row) for row in found)

    def _holder(self, number: int, viewer: UUID, row: dict[str, Any], decided: str | None) -> Holder:
        scope = self._owners.scopes.get(UUID(row["scope"]))
        rank = None
        if scope is not None:
            rank = self._owners.rank_of(number, scope, row["layer"], is_public=self._is_public)
        rule = None if rank is None else self._owners.rules[rank]
        # Whole minutes, as the lookups take them.
        had_it = row["since"] // _MINUTE_US * _MINUTE_US <= self._at_us < row["until"]
        return Holder(
            end=_end(UUID(row["registration_id"]), row),
            layer=row["layer"],
            since_us=row["since"],
            until_us=None if row["until"] >= OPEN_END_US else row["until"],
            rule=rule,
            reason=HolderReason.OTHER_TIME if not had_it else self._reason(viewer, row, rule, decided),
        )

    def _reason(self, viewer: UUID, row: dict[str, Any], rule: str | None, decided: str | None) -> HolderReason:
        scope = UUID(row["scope"])
        if scope not in self._owners.scopes:
            return HolderReason.NOT_MEMBER
        if rule is not None:
            return HolderReason.DECIDED if rule == decided else HolderReason.OUTRANKED
        if row["layer"] in OF_ONE_CLUSTER:
            return HolderReason.OTHER_CLUSTER
        here = self._domain_of.get(viewer, viewer)
        is_near = (here, self._domain_of.get(scope, scope)) in self._nat
        return HolderReason.BEHIND_NAT if is_near else HolderReason.NOT_CONNECTED


def _one(address: int) -> Addresses:
    return Addresses(np.array([address >> 64], dtype=np.uint64), np.array([address & _LOW], dtype=np.uint64))


def _end(registration_id: UUID, row: dict[str, Any]) -> FlowEnd:
    """Of a row that has the other parts of its name."""
    return FlowEnd(
        registration_id=None if registration_id == NOBODY else registration_id,
        namespace=row["namespace"],
        kind=row["kind"],
        name=row["workload"],
    )
