"""Reserving free ranges, and giving them back."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from periplus_contract.names import why_no_name
from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.free import repository_networks
from periplus_hub.addresses.free import repository_reservations as repository
from periplus_hub.addresses.free.engine.held_back import why_held_back
from periplus_hub.addresses.free.engine.sizing import KINDS
from periplus_hub.addresses.free.model import MAX_RESERVATION, RangeReservation
from periplus_hub.addresses.ipam.model import AllocationKind
from periplus_hub.addresses.prefixes.prefix import Prefix
from periplus_hub.addresses.prefixes.typed import wanted_prefix
from periplus_hub.fleet.model import State
from periplus_hub.fleet.repository import all_registrations
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.reasons import check_end, wanted_reason

_LONGEST_NAME: Final = 100
_KIND: Final = "RangeReservation"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationWish:
    """What somebody wants to reserve, for whom and until when."""

    cidr: str
    kind: AllocationKind
    cluster_name: str
    reason: str
    expires_at: datetime


async def reserve_range(c: WriteConnection, scope: Scope, wish: ReservationWish, now: datetime) -> RangeReservation:
    """Take a range that is free; audited. It ends by itself. Raises Conflict where somebody has it, or a part of it."""
    scope.require(Permission.ADDRESSES_RESERVE)
    prefix, reason = _checked(wish, now), wanted_reason(wish.reason, needed=False)
    await repository.lock_reservations(c, scope)
    await _raise_if_taken(c, scope, wish, prefix, now)
    made = RangeReservation(
        id=new_id(),
        cidr=str(prefix),
        kind=wish.kind,
        cluster_name=wish.cluster_name,
        reason=reason,
        reserved_by=scope.actor,
        created_at=now,
        expires_at=wish.expires_at,
    )
    await repository.add_reservation(c, scope, made)
    after = {
        "cidr": made.cidr,
        "kind": made.kind.value,
        "cluster_name": made.cluster_name,
        "reason": reason,
        "expires_at": made.expires_at.isoformat(),
    }
    await audit(c, scope, "person:range:reserve", _KIND, str(made.id), after=after)
    return made


def _checked(wish: ReservationWish, now: datetime) -> Prefix:
    prefix = wanted_prefix(wish.cidr)
    if wish.kind not in KINDS:
        raise Invalid(f"a range is not reserved for {wish.kind.value}", f"Say what for: {', '.join(KINDS)}.")
    if held := why_held_back(prefix, ()):
        raise Invalid(f"{held.cidr} is held back for {held.holder}: {held.why}", "Take a range that a plan proposes.")
    if why := why_no_name(wish.cluster_name, _LONGEST_NAME):
        raise Invalid(f"{wish.cluster_name[:_LONGEST_NAME]!r} is no name for a cluster: {why}", "Choose another one.")
    check_end("reservation", wish.expires_at, now, MAX_RESERVATION)
    return prefix


async def _home(c: WriteConnection, scope: Scope, wish: ReservationWish, prefix: Prefix) -> Prefix | None:
    """The network around it that it belongs into; of a cluster that is not there yet, any may be its own."""
    networks = await repository_networks.networks(c, scope)
    around = [each.prefix for each in networks if each.prefix.covers(prefix)]
    if not around:
        return None
    fleet = await all_registrations(c, scope, (State.ACTIVE, State.PENDING))
    known = next((each.id for each in fleet if each.name == wish.cluster_name), None)
    if known is None:
        return max(around) if wish.kind is AllocationKind.NODE else None
    homes = (await repository_networks.homes_by_registration(c, scope, [known], networks)).get(known, {})
    return next((home for home in homes.get(wish.kind, ()) if home.covers(prefix)), None)


async def _raise_if_taken(
    c: WriteConnection, scope: Scope, wish: ReservationWish, prefix: Prefix, now: datetime
) -> None:
    remedy = "Take another one: a new plan proposes what is free now."
    home = await _home(c, scope, wish, prefix)
    if user := await repository.user_in_the_way(c, scope, prefix, home):
        name, used, kind = user
        raise Conflict(f"{prefix} is not free: {name} uses {used} for its {kind.value}s", remedy)
    if entered := await repository.entered_in_the_way(c, scope, prefix, home):
        cidr, use, domain = entered
        raise Conflict(f"{prefix} is not free: {cidr} is entered in {domain} as {use}", remedy)
    if other := await repository.reservation_in_the_way(c, scope, prefix, now):
        until = f"{other.expires_at:%Y-%m-%d %H:%M} UTC"
        whose = f"the {other.kind.value}s of {other.cluster_name}"
        raise Conflict(f"{prefix} is not free: {other.cidr} is reserved for {whose} until {until}", remedy)


async def renew_reservation(
    c: WriteConnection,
    scope: Scope,
    reservation_id: UUID,
    now: datetime,
    *,
    reason: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Give one that is in force another reason or end, audited; None leaves it. Raises Conflict for one that ended."""
    scope.require(Permission.ADDRESSES_RESERVE)
    known = await _known(c, scope, reservation_id)
    new = replace(
        known,
        reason=known.reason if reason is None else wanted_reason(reason, needed=False),
        expires_at=expires_at or known.expires_at,
    )
    if expires_at is not None:
        check_end("reservation", expires_at, now, MAX_RESERVATION)
    if not await repository.change_reservation(c, scope, new, now):
        raise Conflict(f"{known.cidr} is not reserved any more", "Reserve it again: a new plan proposes what is free.")
    if new == known:
        return
    detail = {"cidr": known.cidr, "cluster_name": known.cluster_name}
    was, now_is = ({"reason": each.reason, "expires_at": each.expires_at.isoformat()} for each in (known, new))
    await audit(c, scope, "person:range:renew", _KIND, str(reservation_id), detail=detail, before=was, after=now_is)


async def _known(c: WriteConnection, scope: Scope, reservation_id: UUID) -> RangeReservation:
    known = (await repository.reservations_by_ids(c, scope, [reservation_id])).get(reservation_id)
    if known is None:
        raise NotFound(f"there is no reservation {reservation_id}", "Look it up in the list of reservations.")
    return known


async def release_range(c: WriteConnection, scope: Scope, reservation_id: UUID, now: datetime) -> RangeReservation:
    """Give a reserved range back before its time; audited."""
    scope.require(Permission.ADDRESSES_RESERVE)
    known = await _known(c, scope, reservation_id)
    if not await repository.mark_released(c, scope, reservation_id, now):
        raise Conflict(f"{known.cidr} is not reserved any more", "Nothing: the reservation is over.")
    was, now_is = {"released_at": None}, {"released_at": now.isoformat()}
    about = (_KIND, str(reservation_id))
    detail = {"cidr": known.cidr, "cluster_name": known.cluster_name}
    await audit(c, scope, "person:range:release", *about, detail=detail, before=was, after=now_is)
    return replace(known, released_at=now)
