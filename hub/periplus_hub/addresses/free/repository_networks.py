"""Networks that people entered, and which clusters live in them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, func, select

from periplus_hub.access.scope import Scope, owned
from periplus_hub.addresses.free.engine.homes import Homes, Network, homes_of
from periplus_hub.addresses.ipam.model import AllocationKind, Quality
from periplus_hub.addresses.ipam.tables import allocations
from periplus_hub.addresses.prefixes.prefix import Prefix, parse
from periplus_hub.addresses.ranges.model import NETWORKS
from periplus_hub.addresses.ranges.repository import in_force
from periplus_hub.addresses.ranges.tables import entered_ranges
from periplus_hub.fleet.tables import network_domains, registrations
from periplus_hub.kit.arrays import one_of
from periplus_hub.kit.db import ReadConnection

_TABLE: Final = entered_ranges
_CIDR: Final = func.text(_TABLE.c.cidr, type_=String).label("cidr")


def _networks(scope: Scope, *columns: ColumnElement[Any]) -> Select[Any]:
    return select(*columns).where(*in_force(scope), _TABLE.c.use.in_([use.value for use in NETWORKS]))


async def networks(c: ReadConnection, scope: Scope) -> list[Network]:
    """All there are."""
    return [
        Network(row.domain_id, parse(row.cidr)) for row in await c.rows(_networks(scope, _TABLE.c.domain_id, _CIDR))
    ]


async def homes_by_registration(
    c: ReadConnection, scope: Scope, ids: Sequence[UUID], known: Collection[Network]
) -> dict[UUID, Homes]:
    """What belongs into which networks, for clusters that are there: one statement, whatever their number.

    Nodes belong into the networks of their domain that they are in already, or into any of them where they are in none;
    pods where some have addresses of such a network, as ENI-style plugins give them.
    """
    if not known:
        return {}
    seen_pods = (allocations.c.kind == AllocationKind.POD.value) & (allocations.c.quality == Quality.SEEN.value)
    statement = _networks(
        scope,
        registrations.c.id.label("registration_id"),
        _CIDR,
        _lives_in(scope, allocations.c.kind == AllocationKind.NODE.value).label("with_nodes"),
        _lives_in(scope, seen_pods).label("with_pods"),
    ).where(
        owned(scope, registrations),
        one_of(registrations.c.id, ids),
        registrations.c.domain_id == network_domains.c.id,
    )
    found: dict[UUID, dict[str, list[Prefix]]] = defaultdict(
        lambda: {"networks": [], "with_nodes": [], "with_pods": []}
    )
    for row in await c.rows(statement):
        prefix, of = parse(row.cidr), found[row.registration_id]
        of["networks"].append(prefix)
        for name in ("with_nodes", "with_pods"):
            of[name] += [prefix] if getattr(row, name) else []
    return {each: homes_of(**of) for each, of in found.items()}


def _lives_in(scope: Scope, which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether the cluster has any of these inside the network."""
    mine = allocations.c.registration_id == registrations.c.id
    begins = allocations.c.first_key.between(_TABLE.c.first_key, _TABLE.c.last_key)
    ends = allocations.c.last_key <= _TABLE.c.last_key
    return select(1).where(owned(scope, allocations), mine, which, begins, ends).exists()
