"""Ranges that people entered or reserved, as pre-flight compares them. Pure."""

from dataclasses import dataclass
from uuid import UUID

from periplus_hub.addresses.free.model import RangeReservation
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.overlaps.engine.uses import USE_OF_RANGE, Use
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.preflight.engine.words import PLURALS
from periplus_hub.addresses.preflight.model import RangeOfPeople
from periplus_hub.addresses.ranges.model import EnteredRange, RangeUse

_PLANNED = {
    RangeUse.PLANNED_POD: Use.POD,
    RangeUse.PLANNED_SERVICE: Use.SERVICE,
    RangeUse.PLANNED_NODE: Use.NODE,
    RangeUse.RESERVED: Use.RESERVED,
}
USE_OF_PLAN = {AllocationKind.POD: Use.POD, AllocationKind.SERVICE: Use.SERVICE, AllocationKind.NODE: Use.NODE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenFor:
    """One of them. Of what is only a plan, `use` is what it would be."""

    prefix: Prefix
    use: Use
    is_plan: bool
    domain_id: UUID | None
    """None for a reservation: it is of no network domain."""
    of: str
    """Whose plan it is: a cluster's name, may be empty."""
    what: RangeUse | None
    """None for a reservation."""
    told: RangeOfPeople


def of_entered(found: EnteredRange, domain_name: str) -> SpokenFor:
    """A range in force."""
    planned = _PLANNED.get(found.use)
    told = RangeOfPeople(
        cidr=found.cidr,
        what=found.use.value,
        name=found.name,
        owner=found.owner,
        note=found.note,
        network_domain=domain_name,
    )
    return SpokenFor(
        prefix=parse(found.cidr),
        use=planned or USE_OF_RANGE[found.use],
        is_plan=planned is not None,
        domain_id=found.domain_id,
        of=found.name if planned else "",
        what=found.use,
        told=told,
    )


def of_reservation(found: RangeReservation) -> SpokenFor:
    """One in force."""
    told = RangeOfPeople(
        cidr=found.cidr,
        what=f"reserved for {PLURALS[found.kind]}",
        name=found.cluster_name,
        owner=found.reserved_by,
        note=found.reason,
        network_domain="",
    )
    return SpokenFor(
        prefix=parse(found.cidr),
        use=USE_OF_PLAN[found.kind],
        is_plan=True,
        domain_id=None,
        of=found.cluster_name,
        what=None,
        told=told,
    )
