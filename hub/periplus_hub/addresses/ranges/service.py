"""Entering ranges, and taking them out again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from periplus_hub.access.scope import Permission, Scope
from periplus_hub.access.service import audit
from periplus_hub.addresses.ranges import repository
from periplus_hub.addresses.ranges.engine.rules import LONGEST, Broken, expiry_trouble, range_of, text_trouble
from periplus_hub.addresses.ranges.model import EnteredRange, RangeSource, Wish
from periplus_hub.fleet.repository_changes import record_change
from periplus_hub.fleet.repository_domains import change_domain, lock_domain
from periplus_hub.kit.db import WriteConnection
from periplus_hub.kit.errors import Conflict, Invalid, NotFound
from periplus_hub.kit.ids import new_id
from periplus_hub.kit.node_ids import node_id

_KIND = "EnteredRange"


async def add_range(c: WriteConnection, scope: Scope, wish: Wish, now: datetime) -> EnteredRange:
    """Enter one range; audited. A domain has a range once: raises Conflict for another."""
    scope.require(Permission.RANGES_WRITE)
    prefix = range_of(wish.cidr)
    if isinstance(prefix, Broken):
        raise Invalid(*prefix)
    checks = [text_trouble(column, getattr(wish, column)) for column in LONGEST]
    for broken in (*checks, expiry_trouble(wish.expires_at, now)):
        if broken is not None:
            raise Invalid(*broken)
    # Before reading what is there: two people who enter one range would otherwise both see it missing. Ranges before
    # domains, in every function here, or two of them wait for each other.
    await repository.lock_ranges(c, scope)
    await hold_domains(c, scope, [wish.domain_id])
    known = await repository.ranges_in_force(c, scope, [wish.domain_id])
    if any(each.cidr == str(prefix) for each in known):
        raise Conflict(f"{prefix} is entered in this network domain already", "Remove that one first, or keep it.")
    made = entered(wish, scope, now, cidr=str(prefix))
    await repository.add_ranges(c, scope, [made])
    await audit(c, scope, "addresses:range:add", _KIND, str(made.id), after=told(made))
    await record_change(c, scope, [wish.domain_id], now)
    return made


async def remove_range(c: WriteConnection, scope: Scope, range_id: UUID, now: datetime) -> None:
    """End a range; audited."""
    scope.require(Permission.RANGES_WRITE)
    await repository.lock_ranges(c, scope)
    known = await repository.range_by_id(c, scope, range_id)
    if known is None:
        raise NotFound(f"there is no entered range {range_id}", "Look it up in the list of ranges.")
    if known.ended_at is not None:
        raise Conflict(f"{known.cidr} ended already", "Nothing: it does not count any more.")
    await end(c, scope, [known], now, verb="remove")


async def end_lapsed(c: WriteConnection, scope: Scope, now: datetime) -> int:
    """End what has expired or was in a domain that is no more, audited each; returns how many that were."""
    await repository.lock_ranges(c, scope)
    lapsed = await repository.lapsed_ranges(c, scope, now)
    await end(c, scope, lapsed, now, verb="lapse")
    return len(lapsed)


async def end(c: WriteConnection, scope: Scope, ranges: Sequence[EnteredRange], now: datetime, *, verb: str) -> None:
    """They count no more from now on; audited each, with their domains' revision."""
    if not ranges:
        return
    await repository.end_ranges(c, scope, [each.id for each in ranges], now)
    for each in ranges:
        await audit(c, scope, f"addresses:range:{verb}", _KIND, str(each.id), before=told(each))
    await record_change(c, scope, sorted({each.domain_id for each in ranges}), now)


async def hold_domains(c: WriteConnection, scope: Scope, domain_ids: Iterable[UUID]) -> None:
    """Against being deleted meanwhile. One that came with a cluster stays from now on when the cluster leaves it."""
    # In order, so that two imports that name the same domains do not wait for each other.
    for domain_id in sorted(set(domain_ids)):
        row = await lock_domain(c, scope, domain_id)
        if row is None:
            raise NotFound(f"there is no network domain {domain_id}", "List the domains and take an id from there.")
        # It would go with its cluster, and the ranges in it with the domain.
        if row.implicit:
            await change_domain(c, scope, domain_id, {"implicit": False})


def entered(
    wish: Wish,
    scope: Scope,
    now: datetime,
    *,
    cidr: str,
    source: RangeSource = RangeSource.ENTERED,
    origin: str = "",
) -> EnteredRange:
    """A new range as it is wished for."""
    return EnteredRange(
        id=new_id(),
        domain_id=wish.domain_id,
        cidr=cidr,
        use=wish.use,
        name=wish.name,
        owner=wish.owner,
        note=wish.note,
        expires_at=wish.expires_at,
        source=source,
        origin=origin,
        created_at=now,
        created_by=scope.actor,
        changed_at=now,
        changed_by=scope.actor,
    )


def told(wish: Wish) -> dict[str, object]:
    """A range as the audit trail keeps it."""
    return {
        "cidr": wish.cidr,
        "domain": node_id("NetworkDomain", wish.domain_id),
        "use": wish.use.value,
        "name": wish.name,
        "owner": wish.owner,
        "note": wish.note,
        "expires_at": None if wish.expires_at is None else wish.expires_at.isoformat(),
    }
