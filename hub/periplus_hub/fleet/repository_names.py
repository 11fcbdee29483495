"""Which names are taken: also by those that read the same."""

from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, or_, select

from periplus_contract.names import letters, shape
from periplus_hub.access.scope import Scope, owned
from periplus_hub.fleet.model import State
from periplus_hub.fleet.tables import network_domains, registrations
from periplus_hub.kit.db import ReadConnection

_LIVE_CLUSTER: Final = registrations.c.state != State.REVOKED.value
_LIVE_DOMAIN: Final = network_domains.c.ended_at.is_(None)


async def cluster_alike(c: ReadConnection, scope: Scope, name: str) -> str | None:
    """The name of a live cluster that a person could take for this one."""
    return await _alike(c, scope, registrations, name, _LIVE_CLUSTER)


async def domain_alike(c: ReadConnection, scope: Scope, name: str, *, but: UUID | None = None) -> str | None:
    """The name of a live domain, other than `but`, that a person could take for this one."""
    others = _LIVE_DOMAIN if but is None else _LIVE_DOMAIN & (network_domains.c.id != but)
    return await _alike(c, scope, network_domains, name, others)


async def domain_called(c: ReadConnection, scope: Scope, name: str) -> UUID | None:
    """The id of the live domain with just this name."""
    own = owned(scope, network_domains)
    statement = select(network_domains.c.id).where(own, _LIVE_DOMAIN, network_domains.c.name == name)
    found: UUID | None = await c.scalar(statement)
    return found


async def _alike(c: ReadConnection, scope: Scope, table: Table, name: str, live: ColumnElement[bool]) -> str | None:
    own = table.c.name
    shapes = func.translate(func.replace(own, "m", "rn"), "01I", "Oll")
    same = or_(func.lower(own) == letters(name), shapes == shape(name))
    statement = select(own).where(owned(scope, table), live, same).order_by(own != name).limit(1)
    found: str | None = await c.scalar(statement)
    return found
